//! What was acknowledged is durable, from that moment on: in the ledger, in the queue or in its dead-letter queue. An
//! event that says nothing of its own is due, or covered by a re-read that is saved.

use super::ledger::has;
use crate::{proof::KOMBO, world::World};

impl World {
    /// An attempt is acknowledged, to its sender or to the queue, which is done with it.
    pub(crate) fn acknowledged(&mut self, index: usize) {
        self.attempts[index].acknowledged = true;
        if self.queue.holds(index) {
            return;
        }
        let attempt = &self.attempts[index];
        if attempt.source == KOMBO {
            self.owe_reading(attempt.began);
            self.check_due();
            return;
        }
        let Some(delivery) = attempt.delivery() else {
            return;
        };
        let state = self.saved.state.as_ref();
        let is_saved = state.is_some_and(|state| has(&state.ledger, &delivery));
        // What is forgotten need not be there.
        if !is_saved && !self.setup.forgets() {
            let detail = format!("attempt {index}: {}", attempt.body);
            self.violated("what is acknowledged is durable", detail);
        }
    }
}
