//! Which sources a change makes us read again, and what that does to the state.
//!
//! Whether a re-read began before or after an event is not left to the clocks of two machines: what is due is in the
//! state (`state::Dues`), and is done with by a re-read that began after that state was loaded. Only where a re-read is
//! later by far more than clocks differ it covers an event that nobody has noted as due, as one that waited in the queue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;

use super::{Bridge, Change, Deadlines, ThinEvent, rereading::NotRead};
use crate::{
    hierarchy::{Delivery, Merged, SourceName},
    reread::Reread,
    state::{Due, State},
    timestamp::Timestamp,
};

/// A re-read that is later than an event by no more than this may have begun before it: clocks differ.
const CLOCKS_APART: Duration = Duration::from_secs(5);

/// What came of re-reading in one invocation.
#[derive(Debug, Default)]
pub(super) struct Rereads(BTreeMap<SourceName, Asked>);

#[derive(Debug)]
struct Asked {
    /// What was due when it was decided to read.
    seen: Option<Due>,
    /// The events of this invocation.
    own: Option<Own>,
    came: Came,
}

/// The receipts of an invocation's own events of one source.
#[derive(Clone, Copy, Debug)]
struct Own {
    first: Timestamp,
    last: Timestamp,
}

#[derive(Debug)]
enum Came {
    /// Another re-read covers it already.
    Covered,
    Read(Arc<Reread>),
    NotRead(NotRead),
}

/// What re-reads did to the state.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) changed: bool,
    pub(super) warnings: Vec<String>,
    /// Why events of this invocation wait.
    pub(super) waiting: Vec<String>,
    /// What counts as this invocation's own statements.
    pub(super) merged: Merged,
}

impl Bridge {
    /// Reads again what this change makes necessary, each source once and all at the same time. It never blocks
    /// anything: it ends in time, and a source that fails is reported.
    pub(super) async fn rereads(
        &self,
        state: &State,
        change: &Change<'_>,
        deadlines: Deadlines,
    ) -> Rereads {
        let events = own_events(change.thin_events());
        let due = state.due.iter().map(|(source, _)| source.clone());
        let due = due.filter(|source| self.rereading.by_source.contains_key(source));
        let wanted: BTreeSet<SourceName> = match change {
            Change::Deliveries { .. } => due.chain(events.keys().cloned()).collect(),
            Change::Seed { .. } => due.collect(),
            Change::Reconcile { .. } => self.rereading.by_source.keys().cloned().collect(),
            Change::Approve(_) | Change::Rollback(_) | Change::Look => return Rereads::default(),
        };
        let is_a_sender_s = change.is_a_sender_s();
        // Half: what else is to be published is published though a source does not answer.
        let until = deadlines.for_a_part(2);
        let asked = wanted.into_iter().map(|source| {
            let own = events.get(&source).copied();
            async move {
                let seen = state.due.of(&source);
                let came = match self.rereading.by_source.get(&source) {
                    _ if own.is_some_and(|own| own.is_covered(&source, state)) => Came::Covered,
                    None => Came::NotRead(NotRead::NotConfigured),
                    Some(readable) => {
                        let pauses = is_a_sender_s && own.is_none();
                        match self.rereading.read(readable, pauses, until).await {
                            Ok(reread) => Came::Read(reread),
                            Err(why) => Came::NotRead(why),
                        }
                    }
                };
                (source, Asked { seen, own, came })
            }
        });
        Rereads(join_all(asked).await.into_iter().collect())
    }
}

impl Own {
    /// Whether a re-read that is in the state began after all of the events came in, by whatever machine's clock.
    fn is_covered(self, source: &SourceName, state: &State) -> bool {
        let read = state.ledger.last_read(source);
        let since = read.map(|at| at.since(self.last));
        state.due.of(source).is_none() && since.is_some_and(|since| since > CLOCKS_APART)
    }
}

impl Rereads {
    /// Whether nothing was to be read again.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no source was asked, nor has to be waited for.
    pub(super) fn asked_nobody(&self) -> bool {
        let covered = |asked: &Asked| matches!(asked.came, Came::Covered);
        self.0.values().all(covered)
    }

    /// How many sources were asked, and not read, or not to the end.
    pub(super) fn failures(&self) -> u64 {
        let failed = |asked: &&Asked| match &asked.came {
            Came::Covered => false,
            Came::Read(reread) => !reread.finished,
            Came::NotRead(why) => match why {
                NotRead::Failed(_) => true,
                NotRead::Paused | NotRead::NoTime | NotRead::NotConfigured => false,
            },
        };
        self.0.values().filter(failed).map(|_| 1).sum()
    }

    /// Takes what was read into a state, and notes what is due from now on.
    pub(super) fn apply(&self, state: &mut State, change: &Change<'_>) -> Applied {
        let mut applied = Applied::default();
        for (source, Asked { seen, own, came }) in &self.0 {
            let why = match came {
                // By the state that it was decided by, at least: an operator may have put an older one in its place.
                Came::Covered => "what covered it is gone",
                Came::Read(reread) => {
                    let is_own = own.is_some() || matches!(change, Change::Reconcile { .. });
                    applied.take(state, source, reread, is_own);
                    if reread.finished {
                        let known = state.ledger.last_read(source);
                        state.ledger.note_read(source, reread.at);
                        applied.changed |= state.ledger.last_read(source) != known;
                        applied.changed |= state.due.done(source, *seen);
                        continue;
                    }
                    "it did not come to its end"
                }
                Came::NotRead(why) => {
                    if own.is_none() && *why != NotRead::Paused {
                        let cause = why.cause();
                        applied.warnings.push(format!(
                            "{source}: could not be read again, {cause}; what is known of it stands"
                        ));
                    }
                    why.cause()
                }
            };
            if let Some(own) = own
                && !own.is_covered(source, state)
            {
                state.due.add(source, own.first);
                applied.changed = true;
                applied.waiting.push(format!(
                    "{source} could not be read again, {why}; the next webhook or the schedule does it"
                ));
            }
        }
        applied
    }
}

impl Applied {
    /// Merges what one re-read said; `is_own`: whether it counts as what this invocation says.
    fn take(&mut self, state: &mut State, source: &SourceName, reread: &Reread, is_own: bool) {
        let Reread {
            at,
            statements,
            finished: _,
            warnings,
        } = reread;
        let merged = state.ledger.merge(&Delivery {
            source: source.clone(),
            event_id: None,
            received: *at,
            attempted: *at,
            statements: statements.clone(),
        });
        self.changed |= merged.changed;
        let told = warnings
            .iter()
            .map(|warning| format!("{source}: {warning}"));
        self.warnings.extend(told);
        if is_own {
            self.merged.and(merged);
        }
    }
}

fn own_events(events: &[ThinEvent]) -> BTreeMap<SourceName, Own> {
    let mut own: BTreeMap<SourceName, Own> = BTreeMap::new();
    for ThinEvent {
        source, received, ..
    } in events
    {
        let (first, last) = (*received, *received);
        own.entry(source.clone())
            .and_modify(|own| {
                own.first = own.first.min(first);
                own.last = own.last.max(last);
            })
            .or_insert(Own { first, last });
    }
    own
}
