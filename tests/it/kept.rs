//! A state's home that keeps what is written into it for who searches all outputs.

use std::sync::Arc;

use calven_bridge::store::{BoxFuture, Loaded, Since, StateStore, StoreError, Swap, Tag};
use stand_ins::canaries;

/// Some other home, of which nothing else is different.
#[derive(Debug)]
pub(crate) struct Kept(Arc<dyn StateStore>);

impl Kept {
    pub(crate) fn of(home: Arc<dyn StateStore>) -> Self {
        Self(home)
    }
}

impl StateStore for Kept {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.0.load()
    }

    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        self.0.load_since(seen)
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        canaries::keep("states", &String::from_utf8_lossy(&bytes));
        self.0.swap(bytes, expected)
    }
}
