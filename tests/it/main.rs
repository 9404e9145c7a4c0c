//! The whole bridge, against strict stand-ins for everything around it: one file a promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect shall end there"
)]

mod answers;
mod built;
mod calven;
mod capillary;
mod chaos;
mod envelopes;
mod events;
mod harness;
mod logs;
mod operators;
mod order;
mod outages;
mod processes;
mod queue;
mod refusals;
mod safety;
mod tidy;
mod waiting;
