//! How large the state is, and whether there is room for more.
//!
//! Who knows a source's secret can make the state grow. It is refused before anything is sent, and long before the state is too large to
//! be loaded; what operators, the schedule and forgetting do goes on. What waits in the queue has been acknowledged, so there is a reserve
//! for it; with a state that is known to be full nothing more is queued.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::{Bridge, Change, round::Round};
use crate::state::{State, StateError};

/// The part of the limit by which the state may be larger for what was acknowledged before anybody knew, and for what only ends.
const RESERVE: usize = 4;

/// What is sent may be so many times as large as the state: it names each parent once for every group below, where a state has a number.
const SENT: usize = 3;

/// What a group's row takes in the state, with the way back, once it is published.
const BYTES_A_CHANGE: usize = 24;

/// A table of so many names is kept in memory, used or not.
const SMALL_TABLE: usize = 50_000;

/// Of what was loaded or saved last.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    document_bytes: AtomicUsize,
    /// The names and keys that a state had as it was loaded.
    names: AtomicUsize,
    /// Whether there was no room for what was said last.
    is_full: AtomicBool,
}

impl Sizes {
    pub(super) fn note_document(&self, bytes: usize) {
        self.document_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn note_loaded(&self, state: &State) {
        let names = state.ledger.names_in_memory();
        self.names.store(names, Ordering::Relaxed);
    }

    /// Whether most of the names that a state has in memory may be in no use any more: then it is better loaded anew.
    pub(super) fn is_overgrown(&self, state: &State) -> bool {
        let loaded = self.names.load(Ordering::Relaxed);
        state.ledger.names_in_memory() > loaded.saturating_mul(2).saturating_add(SMALL_TABLE)
    }
}

/// There is no room for what was said.
#[derive(Debug, thiserror::Error)]
#[error(
    "{what} {bytes} bytes, and takes no more from a webhook than MAX_STATE_BYTES ({most}) allows"
)]
pub struct Full {
    what: TooLarge,
    bytes: usize,
    /// The limit for a state.
    most: usize,
    /// By their places in the change, the deliveries that say something new and are to wait, in order: without them there may be room.
    pub new: Vec<usize>,
}

/// What is too large, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TooLarge {
    State,
    StateThen,
    Hierarchy,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::State => "the state has",
            Self::StateThen => "the state would have",
            Self::Hierarchy => "the hierarchy to be sent would have",
        })
    }
}

impl Bridge {
    /// Why what a sender says may not be added, if it may not. What was read again, of Capillary or of a source, is the customer's own:
    /// it may be, whatever its size.
    ///
    /// # Errors
    /// [`StateError`] where the state cannot be written.
    pub(super) fn full(
        &self,
        round: &Round,
        change: &Change<'_>,
    ) -> Result<Option<Full>, StateError> {
        if round.new.is_empty() {
            return Ok(None);
        }
        let most = self.policy.max_state_bytes;
        let bound = match change.is_acknowledged_or_an_end() {
            true => most.saturating_add(most / RESERVE),
            false => most,
        };
        let full = self.beyond(round, bound)?;
        self.sizes.is_full.store(full.is_some(), Ordering::Relaxed);
        Ok(full.map(|(what, bytes, taken)| Full {
            what,
            bytes,
            most,
            new: round.new.iter().skip(taken).map(|new| new.at).collect(),
        }))
    }

    /// What is too large, how large, and how many of the deliveries that say something new there may be room for.
    fn beyond(
        &self,
        round: &Round,
        bound: usize,
    ) -> Result<Option<(TooLarge, usize, usize)>, StateError> {
        let new = round.new.as_slice();
        let bytes = self.sizes.document_bytes.load(Ordering::Relaxed);
        let Some(room) = bound.checked_sub(bytes) else {
            return Ok(Some((TooLarge::State, bytes, 0)));
        };
        let sent = round.projection.hierarchy.json_bytes();
        if sent > bound.saturating_mul(SENT) {
            // Which of them makes it so large is not known: the later half waits.
            return Ok(Some((TooLarge::Hierarchy, sent, new.len() / 2)));
        }
        let may_grow = new.iter().map(|new| new.grown);
        let may_grow = may_grow.fold(0_usize, usize::saturating_add);
        if may_grow <= room {
            return Ok(None);
        }
        // Much of it may replace what is known, so now it is measured.
        let then = round.state.encode().map_err(|_| StateError::Invalid)?.len();
        let then = then.saturating_add(BYTES_A_CHANGE.saturating_mul(round.pending.plan.len()));
        if then <= bound {
            return Ok(None);
        }
        // Those before it are taken that would have grown no more than there is room, were all to grow alike.
        let mut grown = 0_usize;
        let grows = then.saturating_sub(bytes);
        let fits = room.saturating_mul(may_grow) / grows.max(1);
        let taken = new.iter().take_while(|new| {
            grown = grown.saturating_add(new.grown);
            grown <= fits
        });
        // One at least waits.
        let taken = taken.count().min(new.len().saturating_sub(1));
        Ok(Some((TooLarge::StateThen, then, taken)))
    }

    /// Whether the state that this instance knew last has no room: then nothing is acknowledged before that is known for certain.
    pub(crate) fn seems_full(&self) -> bool {
        let bytes = self.sizes.document_bytes.load(Ordering::Relaxed);
        bytes > self.policy.max_state_bytes || self.sizes.is_full.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hierarchy::{
            Delivery, Group, GroupRef, Key, Name, Parent, PersonId, PersonSays, Projection, Rules,
            Salt, SourceName, Stated, Statement,
        },
        timestamp::Timestamp,
    };

    fn group(name: &str) -> Group {
        Group::new(Name::new(name).unwrap(), Name::new("T").unwrap())
    }

    fn keyed(at: usize, named: Option<Group>) -> GroupRef {
        let key = Key::new(&at.to_string()).unwrap();
        GroupRef::Keyed { key, named }
    }

    fn exists(group: GroupRef, parent: Parent) -> Statement {
        Statement::Exists { group, parent }
    }

    fn under(at: usize) -> Parent {
        Parent::Under(keyed(at, None))
    }

    type Says = Box<dyn Fn(usize) -> Statement>;

    /// By how much the document grows by it, as estimated and in fact.
    fn grown(statement: impl Fn(usize) -> Statement) -> (usize, usize) {
        let source = SourceName::new("hr");
        let rules = Rules {
            priorities: [(source.clone(), 0)].into(),
            attach_roots: false,
        };
        let mut state = State::new(Salt::new([1; 32]));
        let before = state.encode().unwrap().len();
        let at = Timestamp::from_seconds(1_795_341_600);
        let statements = (0..2_000).map(|number| Stated {
            at: None,
            statement: statement(number),
        });
        let merged = state.ledger.merge(&Delivery {
            source,
            event_id: Some(Name::new("evt_1").unwrap()),
            received: at,
            attempted: at,
            statements: statements.collect(),
        });
        let projection = Projection::of(&state.ledger, None, &rules, &merged);
        state.publish_at_once(projection.as_published(), "webhook hr", at);
        let after = state.encode().unwrap().len();
        (merged.grown, after - before)
    }

    #[test]
    fn no_state_grows_by_more_than_is_reckoned_with() {
        let kinds: [(&str, Says); 7] = [
            (
                "named",
                Box::new(|at| exists(GroupRef::Named(group(&at.to_string())), Parent::Top)),
            ),
            (
                "in long names",
                Box::new(|at| {
                    exists(
                        GroupRef::Named(group(&format!("{at}{}", "\"".repeat(300)))),
                        Parent::Top,
                    )
                }),
            ),
            (
                "keyed",
                Box::new(|at| exists(keyed(at, Some(group(&at.to_string()))), under(at / 8))),
            ),
            (
                "ends",
                Box::new(|at| Statement::Gone {
                    group: keyed(at, None),
                }),
            ),
            (
                "renamed",
                Box::new(|at| Statement::Renamed {
                    group: group(&at.to_string()),
                    key: Some(Key::new(&at.to_string()).unwrap()),
                    to: Name::new(&format!("to {at}")).unwrap(),
                }),
            ),
            (
                "a person each",
                Box::new(|at| Statement::Person {
                    person: PersonId::new(&at.to_string()).unwrap(),
                    says: PersonSays::In(vec![GroupRef::Named(group(&at.to_string()))]),
                }),
            ),
            (
                "persons in many",
                Box::new(|at| Statement::Person {
                    person: PersonId::new(&at.to_string()).unwrap(),
                    says: PersonSays::In(
                        (0..30)
                            .map(|at| GroupRef::Named(group(&at.to_string())))
                            .collect(),
                    ),
                }),
            ),
        ];
        for (kind, statement) in kinds {
            let (reckoned, grown) = grown(statement);
            assert!(grown <= reckoned, "{kind}: {grown} > {reckoned}");
            assert!(reckoned < grown * 8, "{kind}: {reckoned} for {grown}");
        }
    }
}
