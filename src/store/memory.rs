//! The state in memory: for tests and for trying things out. It is gone with the process.

use std::sync::{Mutex, PoisonError};

use super::{BoxFuture, Loaded, Since, StateStore, StoreError, Swap, Tag};

/// Shared by all who hold it, and by nobody else.
#[derive(Debug, Default)]
pub struct MemoryStore {
    document: Mutex<Document>,
}

#[derive(Debug, Default)]
struct Document {
    held: Option<Loaded>,
    swaps: u64,
}

impl MemoryStore {
    fn swap_now(&self, bytes: Vec<u8>, expected: Option<&Tag>) -> Swap {
        // Nothing below can panic half-way, so what a poisoned lock guards is whole.
        let mut document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        if document.held.as_ref().map(|held| &held.tag) != expected {
            return Swap::Lost;
        }
        document.swaps = document.swaps.saturating_add(1);
        let tag = Tag(document.swaps.to_string());
        let held_tag = tag.clone();
        document.held = Some(Loaded {
            bytes,
            tag: held_tag,
        });
        Swap::Won(tag)
    }
}

impl StateStore for MemoryStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        let held = document.held.clone();
        Box::pin(std::future::ready(Ok(held)))
    }

    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &document.held {
            Some(held) if held.tag == *seen => Since::Unchanged,
            held => Since::Changed(held.clone()),
        };
        Box::pin(std::future::ready(Ok(since)))
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(async move { Ok(self.swap_now(bytes, expected.as_ref())) })
    }
}
