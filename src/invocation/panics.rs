//! What is told of a panic: where, and not what it says.
//!
//! No input is known to panic, but what is said in a panic is written by whoever did not expect it, in any crate, and may
//! quote the text that it is about. So only its place is logged, and the invocation fails without its words.

use std::panic::{self, AssertUnwindSafe};

use futures_util::FutureExt as _;

use super::Failure;

/// From now on a panic of this process is logged by its place alone.
pub fn log_places_of_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "the function panicked");
    }));
}

/// What comes of this work, or that it panicked. Nothing of it is used afterwards but what is guarded by locks that no panic
/// leaves in between.
pub(super) async fn caught<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or(Err(Failure::Panicked))
}
