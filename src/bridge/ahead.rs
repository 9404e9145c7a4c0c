//! The head start: what the first invocation of an instance fetches before it knows that it needs it.
//!
//! A new instance has nothing: no secret, no token, no state. Fetched one after the other, all of that would be waited for. So
//! at its first event the state, and what proves us to Calven and Capillary, is fetched while the sender still proves itself.
//! Later events get no head start: a warm instance has most of it, and who proves nothing must not make us ask others each time.
//!
//! A head start is no work of its own. What it could not fetch is told to who needs it, as if that one had asked, and to nobody else;
//! and it ends with the invocation, done or not.

use std::{
    future,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{Bridge, Deadlines, Enrichment};

/// Whether there has been an event.
#[derive(Debug, Default)]
pub(super) struct HeadStart(AtomicBool);

impl Bridge {
    /// Does `work`. The first time of all, what that is going to need is fetched meanwhile.
    pub(crate) async fn with_a_head_start<T>(
        &self,
        deadlines: Deadlines,
        work: impl Future<Output = T>,
    ) -> T {
        if self.head_start.0.swap(true, Ordering::SeqCst) {
            return work.await;
        }
        let _end = End(self);
        let ahead = async {
            // Boxed: once is no cost, and what lies so deep would make up most of this frame, and of that of every later event.
            tokio::join!(
                Box::pin(self.load_ahead(deadlines)),
                Box::pin(self.prepare_to_put(deadlines)),
                Box::pin(self.prepare_to_enrich(deadlines))
            );
            future::pending().await
        };
        tokio::select! {
            // In this order: who works finds all of it under way, and begins none of it again.
            biased;
            done = ahead => done,
            done = work => done,
        }
    }

    async fn prepare_to_put(&self, deadlines: Deadlines) {
        if !self.policy.dry_run {
            self.calven.prepare(deadlines.publish).await;
        }
    }

    async fn prepare_to_enrich(&self, deadlines: Deadlines) {
        if let Some(Enrichment { capillary, .. }) = &self.enrichment {
            capillary.prepare(deadlines.for_a_part(3)).await;
        }
    }
}

/// Ends a head start when it is dropped, though who works be dropped too.
struct End<'a>(&'a Bridge);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let Self(bridge) = self;
        bridge.end_loading_ahead();
        bridge.calven.forget_preparation();
        if let Some(Enrichment { capillary, .. }) = &bridge.enrichment {
            capillary.forget_preparation();
        }
    }
}
