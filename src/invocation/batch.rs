//! What of a batch finds room: the rest is left to the queue.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::{
    bridge::{Bridge, BridgeError, Change, Deadlines, ThinEvent},
    hierarchy::{Delivery, EventId, SourceName},
    report::Report,
    tally::Tally,
};

/// So often a part of a batch is left out, a thousand messages being halved ten times; then all of it is.
const MOST_PARTS: usize = 12;

/// What the messages of a batch say.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) rereads: Vec<ThinEvent>,
    pub(super) proven: Vec<SourceName>,
    /// Whether there are messages that say nothing.
    pub(super) has_others: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) applied: Result<Report, BridgeError>,
    /// By their places, the deliveries that found no room.
    pub(super) left: Vec<usize>,
}

impl Said {
    /// Merges all of it, and publishes what follows; without what finds no room.
    ///
    /// What says nothing new needs none, but may say something new once another is left out: its second copy, say. So it is tried
    /// until all the rest is taken, with less each time.
    pub(super) async fn merged(self, bridge: &Bridge, end: Instant, tally: &mut Tally) -> Merged {
        let Self {
            deliveries,
            rereads,
            proven,
            has_others,
        } = self;
        let (mut places, mut deliveries): (Vec<usize>, Vec<Delivery>) =
            deliveries.into_iter().enumerate().unzip();
        let mut left = Vec::new();
        let mut parts = 0;
        loop {
            let change = Change::Deliveries {
                deliveries: &deliveries,
                rereads: &rereads,
                proven: &proven,
                queued: true,
            };
            // Boxed, since the compiler gives up on the layout of futures that lie so deep.
            let applied = Box::pin(bridge.apply(&change, Deadlines::before(end), tally)).await;
            let full = match applied {
                Err(BridgeError::Full(full)) => full,
                applied => return Merged { applied, left },
            };
            parts += 1;
            let is_left = match parts < MOST_PARTS {
                true => with_copies(&full.new, &deliveries),
                false => vec![true; deliveries.len()],
            };
            let all = is_left.iter().all(|is_left| *is_left);
            if all && rereads.is_empty() && !has_others {
                let applied = Err(BridgeError::Full(full));
                return Merged { applied, left };
            }
            tracing::error!(
                messages = is_left.iter().filter(|is_left| **is_left).count(),
                error = %full,
                "the state is full: a part of a batch is left to the queue"
            );
            let mut kept = (Vec::new(), Vec::new());
            for ((at, delivery), is_left) in places.into_iter().zip(deliveries).zip(is_left) {
                match is_left {
                    true => left.push(at),
                    false => {
                        kept.0.push(at);
                        kept.1.push(delivery);
                    }
                }
            }
            (places, deliveries) = kept;
        }
    }
}

/// Which deliveries are at these places, which are in order, or are copies of one there.
fn with_copies(places: &[usize], deliveries: &[Delivery]) -> Vec<bool> {
    type Event<'a> = (&'a SourceName, &'a EventId);
    fn event(delivery: &Delivery) -> Option<Event<'_>> {
        Some((&delivery.source, delivery.event_id.as_ref()?))
    }
    let at = places.iter().filter_map(|at| deliveries.get(*at));
    let events: HashSet<Event<'_>> = at.filter_map(event).collect();
    let is_copy = |delivery| event(delivery).is_some_and(|event| events.contains(&event));
    let deliveries = deliveries.iter().enumerate();
    deliveries
        .map(|(at, delivery)| places.binary_search(&at).is_ok() || is_copy(delivery))
        .collect()
}
