//! What is promised to an event that says no more than that something changed: that the source is due to be read
//! again, or that a re-read which began after the event came in is saved. No clock of the function's decides it here.

use std::time::Duration;

use calven_bridge::hierarchy::SourceName;
use tokio::time::Instant;

use crate::{proof::KOMBO, saved::Saved, world::World};

/// Clocks that differ by more may take an older re-read for a newer one; the schedule mends that.
const CLOCKS_APART: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Thin {
    /// When the newest event came in that was acknowledged.
    owed: Option<Instant>,
    /// When the newest re-read began that is saved, or changed nothing.
    read: Option<Instant>,
}

impl World {
    /// What an invocation has read is saved, or changed nothing.
    pub(crate) fn read_counts(&mut self, number: usize) {
        let invocation = &self.invocations[number];
        if invocation.has_read {
            self.thin.read = self.thin.read.max(invocation.read_began);
        }
    }

    /// Whether an event that came in then need not be remembered any more, or is.
    pub(crate) fn is_read_or_due(&self, began: Instant) -> bool {
        let is_due = |saved: &Saved| {
            let state = saved.state.as_ref();
            state.is_some_and(|state| state.due.of(&SourceName::new(KOMBO)).is_some())
        };
        !self.do_clocks_agree() || self.thin.read >= Some(began) || is_due(&self.saved)
    }

    /// From now on that must hold of an event that came in then.
    pub(crate) fn owe_reading(&mut self, began: Instant) {
        self.thin.owed = self.thin.owed.max(Some(began));
    }

    /// What is due is done with by nothing but a re-read that began later.
    pub(crate) fn check_due(&mut self) {
        if let Some(owed) = self.thin.owed
            && !self.is_read_or_due(owed)
        {
            let detail = "nothing is due, and nobody has read since".to_owned();
            self.violated("what is due is read", detail);
        }
    }

    fn do_clocks_agree(&self) -> bool {
        let skews = &self.setup.skews_ms;
        let apart = skews.iter().max().zip(skews.iter().min());
        apart.is_none_or(|(max, min)| max.abs_diff(*min) < CLOCKS_APART.as_millis() as u64)
    }
}
