//! The whole bridge, against strict stand-ins for everything around it: one file a promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect shall end there"
)]

mod answers;
mod bodies;
mod built;
mod calven;
mod capillary;
mod chaos;
mod cold;
mod contract;
mod docs;
mod drawn;
mod envelopes;
mod events;
mod explain;
mod faults;
mod handshakes;
mod harness;
mod kept;
mod leaks;
mod limits;
mod logs;
mod measured;
mod metrics;
mod operators;
mod order;
mod outages;
mod presets;
mod privilege;
mod processes;
mod proofs;
mod queue;
mod queueing;
mod recipe;
mod recovery;
mod refusals;
mod replay;
mod safety;
mod senders;
mod texts;
mod thin_events;
mod tidy;
mod tryout;
mod waiting;
mod walk;
