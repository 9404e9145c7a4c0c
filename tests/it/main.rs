//! The whole bridge, against strict stand-ins for everything around it: one file a promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it does not expect shall end there"
)]

mod events;
mod harness;
