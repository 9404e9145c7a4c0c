//! Queueing: what is genuine and understood is sent to the queue, and answered before it is published.
//!
//! What the queue does not take is published in the request, as without a queue. So a queue that is down, or asks for too
//! small a message, costs time and loses nothing. So is what may find no room in the state: its sender is told, and not the
//! dead-letter queue.

use super::{Edge, Heard, Says};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::{
    bridge::{Deadlines, ThinEvent},
    hierarchy::Delivery,
    queue::{Queue, QueueError, Queued},
    report::Report,
    sources::{config::Source, given::Given},
    tally::{Lap, Tally},
    timestamp::Timestamp,
};

/// A webhook as it came, to be sent on.
pub(super) struct Webhook<'a> {
    pub(super) source: &'a Source,
    pub(super) given: &'a Given,
    pub(super) body: &'a [u8],
    pub(super) received: Timestamp,
    pub(super) request_id: &'a str,
}

impl Edge {
    /// Sends a webhook to the queue, where there is one and it is for it; none where it is to be published in the request.
    pub(super) async fn enqueue(
        &self,
        webhook: &Webhook<'_>,
        heard: &Heard,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Option<Report> {
        let queue = self.queue.as_ref()?;
        let event_id = match &heard.says {
            Says::Statements(Delivery { event_id, .. })
            | Says::ReadAgain(ThinEvent { event_id, .. }) => event_id,
            Says::Nothing(_) => return None,
        };
        if self.bridge.seems_full() {
            tracing::debug!("a webhook is not queued: the state is full, as far as is known");
            return None;
        }
        let _lap = Lap::of(&mut tally.steps.queue);
        if !webhook.is_taken_by(queue, deadlines).await {
            return None;
        }
        let source = webhook.source.name.to_string();
        let event_id = event_id.as_ref().map(|id| id.as_str().to_owned());
        Some(Report::queued(source, event_id, heard.warnings.clone()))
    }
}

impl Webhook<'_> {
    async fn is_taken_by(&self, queue: &Queue, deadlines: Deadlines) -> bool {
        let Self {
            source,
            given,
            body,
            received,
            request_id,
        } = self;
        let name = source.name.as_str();
        let Some(given) = source.to_keep(given) else {
            tracing::debug!(
                source = name,
                "a webhook is not queued: its mapping asks for a header that holds a secret"
            );
            return false;
        };
        let queued = Queued {
            source: name.to_owned(),
            request_id: (*request_id).to_owned(),
            received: *received,
            given,
            body: body.to_vec(),
        };
        // Half: the rest is for publishing, should the queue not answer.
        let until = deadlines.for_a_part(2);
        match queue.send(&queued.message(), until).await {
            Ok(()) => true,
            #[cfg(feature = "planted")]
            Err(_) if planted::has(Bug::UnqueuedAcknowledged) => true,
            Err(error @ QueueError::TooLarge { .. }) => {
                tracing::debug!(source = name, %error, "a webhook is too large for the queue");
                false
            }
            Err(error @ QueueError::Unavailable { .. }) => {
                tracing::warn!(source = name, %error, "{NOT_QUEUED}");
                false
            }
            Err(error @ QueueError::Unusable { .. }) => {
                tracing::error!(source = name, %error, "{NOT_QUEUED}");
                false
            }
        }
    }
}

const NOT_QUEUED: &str = "a webhook could not be queued and is published in the request";
