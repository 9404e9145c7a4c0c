//! How large the state is, and whether there is room for more.
//!
//! Who knows a source's secret can make the state grow. It is refused before anything is sent, and long before the state is too large to
//! be loaded; what operators, the schedule and forgetting do goes on. What waits in the queue has been acknowledged, so there is a reserve
//! for it; with a state that is known to be full nothing more is queued.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Bridge, BridgeError, Change, round::Round};
use crate::state::State;

/// The part of the limit by which the state may be larger for what was acknowledged before anybody knew, and for what only ends.
const RESERVE: usize = 4;

/// A table of so many names is kept in memory, used or not.
const SMALL_TABLE: usize = 50_000;

/// Of what was loaded or saved last.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    document_bytes: AtomicUsize,
    /// The names and keys that a state had as it was loaded.
    names: AtomicUsize,
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

impl Bridge {
    /// Whether what a sender says may be added.
    pub(super) fn has_room(&self, round: &Round, change: &Change<'_>) -> Result<(), BridgeError> {
        let bytes = self.sizes.document_bytes.load(Ordering::Relaxed);
        let most = self.policy.max_state_bytes;
        let bound = match change.is_acknowledged_or_an_end() {
            true => most.saturating_add(most / RESERVE),
            false => most,
        };
        if bytes > bound && round.merged.changed && change.is_a_sender_s() {
            let new = round.new.clone();
            return Err(BridgeError::Full { bytes, most, new });
        }
        Ok(())
    }

    /// Whether the state that this instance knew last has no room: then nothing is acknowledged before that is known for certain.
    pub(crate) fn seems_full(&self) -> bool {
        let bytes = self.sizes.document_bytes.load(Ordering::Relaxed);
        bytes > self.policy.max_state_bytes
    }
}
