//! What an invocation wants of the bridge, and how long it may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    hierarchy::{Delivery, Digest, EventId, Ledger, Merged, SeedRows, SourceName},
    timestamp::Timestamp,
};

/// How long a save may take that is slow and is tried again.
const LONGEST_SAVE: Duration = Duration::from_secs(2);

/// What an invocation wants.
#[derive(Debug)]
pub enum Change<'a> {
    /// To take what sources said: one webhook, or a batch of the queue.
    Deliveries {
        /// What was said, each to be merged.
        deliveries: &'a [Delivery],
        /// Events that say no more than that something changed: their sources are read again.
        rereads: &'a [ThinEvent],
        /// Whose webhooks proved themselves: a handshake's token of theirs is done with.
        proven: &'a [SourceName],
        /// Whether it came through the queue.
        queued: bool,
    },
    /// To take an operator's complete set.
    Seed {
        /// The rows.
        rows: &'a SeedRows,
        /// As of when, by the operator.
        occurred_at: Option<Timestamp>,
        /// When it came in.
        received: Timestamp,
    },
    /// To read again what can be read, and to publish in any case.
    Reconcile {
        /// Whose secret is complete: a handshake's token of theirs is done with.
        proven: &'a [SourceName],
    },
    /// To publish the pending plan of this digest, though it is held.
    Approve(Digest),
    /// To publish this older version, and to hold what comes after.
    Rollback(u64),
    /// Nothing: an operator looks.
    Look,
}

/// An event without statements: its source is to be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThinEvent {
    /// Whose.
    pub source: SourceName,
    /// When it came in, by our clock at the edge.
    pub received: Timestamp,
    /// The sender's name for it.
    pub event_id: Option<EventId>,
}

/// A delivery that says something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct New {
    /// Its place in the change.
    pub(super) at: usize,
    /// By how many bytes the state may grow by it, at most.
    pub(super) grown: usize,
}

impl Change<'_> {
    /// Merges what is said; in `new` come the deliveries that say something new.
    pub(super) fn merge(&self, ledger: &mut Ledger, new: &mut Vec<New>) -> Merged {
        match self {
            Self::Deliveries { deliveries, .. } => {
                let mut merged = Merged::default();
                for (at, delivery) in deliveries.iter().enumerate() {
                    let one = ledger.merge(delivery);
                    let grown = one.grown;
                    new.extend(one.changed.then_some(New { at, grown }));
                    merged.and(one);
                }
                merged
            }
            Self::Seed {
                rows,
                occurred_at,
                received,
            } => ledger.merge_seed(rows, *occurred_at, *received),
            Self::Reconcile { .. } | Self::Approve(_) | Self::Rollback(_) | Self::Look => {
                Merged::default()
            }
        }
    }

    /// Whether a sender asks, who is told only what concerns its own statements.
    pub(super) const fn is_a_sender_s(&self) -> bool {
        match self {
            Self::Deliveries { .. } => true,
            Self::Seed { .. }
            | Self::Reconcile { .. }
            | Self::Approve(_)
            | Self::Rollback(_)
            | Self::Look => false,
        }
    }

    /// Whether it was acknowledged already, or says no more than that something is no longer.
    pub(super) fn is_acknowledged_or_an_end(&self) -> bool {
        match self {
            Self::Deliveries { queued: true, .. } => true,
            Self::Deliveries {
                deliveries,
                rereads,
                ..
            } => {
                let mut said = deliveries.iter().flat_map(|delivery| &delivery.statements);
                rereads.is_empty() && said.all(|said| said.statement.is_an_end())
            }
            Self::Seed { .. }
            | Self::Reconcile { .. }
            | Self::Approve(_)
            | Self::Rollback(_)
            | Self::Look => false,
        }
    }

    /// The events whose sources are to be read again.
    pub(super) const fn thin_events(&self) -> &[ThinEvent] {
        match self {
            Self::Deliveries { rereads, .. } => rereads,
            Self::Seed { .. }
            | Self::Reconcile { .. }
            | Self::Approve(_)
            | Self::Rollback(_)
            | Self::Look => &[],
        }
    }

    /// Whose handshakes are done with.
    pub(super) const fn proven(&self) -> &[SourceName] {
        match self {
            Self::Deliveries { proven, .. } | Self::Reconcile { proven } => proven,
            Self::Seed { .. } | Self::Approve(_) | Self::Rollback(_) | Self::Look => &[],
        }
    }

    /// When the first of it came in, by our clock at the edge; now, where it says nothing of its own.
    pub(super) fn received(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Deliveries {
                deliveries,
                rereads,
                ..
            } => {
                let said = deliveries.iter().map(|delivery| delivery.received);
                let events = rereads.iter().map(|event| event.received);
                said.chain(events).min().unwrap_or(now)
            }
            Self::Seed { received, .. } => *received,
            Self::Reconcile { .. } | Self::Approve(_) | Self::Rollback(_) | Self::Look => now,
        }
    }

    /// What history says of a version that this led to.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Deliveries { queued: true, .. } => "queue".to_owned(),
            Self::Deliveries {
                deliveries,
                rereads,
                ..
            } => {
                let said = deliveries.iter().map(|delivery| &delivery.source);
                match said.chain(rereads.iter().map(|event| &event.source)).next() {
                    Some(source) => format!("webhook {source}"),
                    None => "webhook".to_owned(),
                }
            }
            Self::Seed { .. } => "seed".to_owned(),
            Self::Reconcile { .. } => "reconcile".to_owned(),
            Self::Approve(_) => "approve".to_owned(),
            Self::Rollback(version) => format!("rollback to {version}"),
            Self::Look => "look".to_owned(),
        }
    }

    /// The source to report: of a single webhook, or the operator's.
    pub(super) fn source(&self) -> Option<String> {
        match self {
            Self::Deliveries {
                deliveries,
                rereads,
                ..
            } => match (*deliveries, *rereads) {
                ([delivery], []) => Some(delivery.source.to_string()),
                ([], [event]) => Some(event.source.to_string()),
                ([delivery], [event]) if delivery.source == event.source => {
                    Some(event.source.to_string())
                }
                _ => None,
            },
            Self::Seed { .. } => Some("manual".to_owned()),
            Self::Reconcile { .. } | Self::Approve(_) | Self::Rollback(_) | Self::Look => None,
        }
    }

    /// The event to report, of a single webhook.
    pub(super) fn event_id(&self) -> Option<String> {
        match self {
            Self::Deliveries {
                deliveries,
                rereads,
                ..
            } => {
                let id = match (*deliveries, *rereads) {
                    ([delivery], []) => delivery.event_id.as_ref(),
                    ([], [event]) => event.event_id.as_ref(),
                    ([delivery], [event]) if delivery.source == event.source => {
                        delivery.event_id.as_ref()
                    }
                    _ => None,
                };
                id.map(|id| id.as_str().to_owned())
            }
            Self::Seed { .. }
            | Self::Reconcile { .. }
            | Self::Approve(_)
            | Self::Rollback(_)
            | Self::Look => None,
        }
    }
}

/// Until when things must be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// No PUT is begun or waited for past this.
    pub publish: Instant,
    /// No save is waited for past this.
    pub end: Instant,
}

impl Deadlines {
    /// All of the time until `end` but what saving may take: what could not be published is saved after.
    pub fn before(end: Instant) -> Self {
        let left = end.saturating_duration_since(Instant::now());
        let to_save = (left / 4).min(LONGEST_SAVE);
        Self {
            publish: end.checked_sub(to_save).unwrap_or(end),
            end,
        }
    }

    /// The end of one of so many equal parts of the time for publishing.
    pub(crate) fn for_a_part(self, parts: u32) -> Instant {
        let now = Instant::now();
        now + self.publish.saturating_duration_since(now) / parts
    }
}
