//! What an invocation has done so far: counted on its way, and told at its end in the log line and the metrics.
//!
//! Plain numbers that are handed along: no state of the process, so that what runs at the same time is not mixed up.

use std::time::Duration;

use tokio::time::Instant;

use crate::hierarchy::plan::Counts;

/// Counted in one invocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How long its steps took.
    pub(crate) steps: Steps,
    /// How many PUTs were tried, each with all its attempts.
    pub(crate) puts: u64,
    /// How many of them were not taken.
    pub(crate) calven_errors: u64,
    /// How many of those will not be, until somebody mends something.
    pub(crate) calven_refusals: u64,
    /// How often Capillary was to be read, and was not.
    pub(crate) capillary_errors: u64,
    /// How many sources were to be read again, and were not, or not to the end.
    pub(crate) reread_errors: u64,
    /// Statements that count now of their subjects.
    pub(crate) applied: usize,
    /// Statements that are older than what is known, or known already.
    pub(crate) stale: usize,
    /// What was published, where something was.
    pub(crate) published: Option<Sent>,
    /// How things stand at its end, where the state was looked at.
    pub(crate) levels: Option<Levels>,
}

/// How long an invocation waited for each of its steps. What was fetched ahead of a step shortens it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    /// For the secrets that prove a webhook.
    pub(crate) secrets: Duration,
    /// For proving and mapping it.
    pub(crate) verify: Duration,
    /// For the queue to take it.
    pub(crate) queue: Duration,
    /// For the state.
    pub(crate) load: Duration,
    /// For Capillary.
    pub(crate) capillary: Duration,
    /// For the sources that were read again: as long as the slowest.
    pub(crate) reread: Duration,
    /// For merging, projecting and planning.
    pub(crate) merge: Duration,
    /// For Calven, its tokens and secrets.
    pub(crate) put: Duration,
    /// For the state to be saved.
    pub(crate) save: Duration,
}

/// What was published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// How long the oldest of it had waited; none where nothing had.
    pub(crate) latency: Option<Duration>,
    /// What changed.
    pub(crate) counts: Counts,
}

/// How things stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    /// How many groups are published.
    pub(crate) groups: usize,
    /// How many statements wait for others.
    pub(crate) held_statements: usize,
    /// Whether the whole plan waits for an operator.
    pub(crate) is_plan_held: bool,
    /// For how long something has been unpublished; zero where nothing is.
    pub(crate) unpublished: Duration,
}

/// Adds to a step how long this is there: to its end, be that an error or an end by others.
pub(crate) struct Lap<'a> {
    step: &'a mut Duration,
    began: Instant,
}

impl<'a> Lap<'a> {
    /// A lap of this step begins.
    pub(crate) fn of(step: &'a mut Duration) -> Self {
        Self {
            step,
            began: Instant::now(),
        }
    }
}

impl Drop for Lap<'_> {
    fn drop(&mut self) {
        *self.step += self.began.elapsed();
    }
}
