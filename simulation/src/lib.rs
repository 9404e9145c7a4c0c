//! Seeded histories of the whole: the function's own code, several instances of it, in virtual time, against a store,
//! a Calven, an HRIS's API and senders that fail in every way that is allowed to them.
//!
//! A history follows from its seed alone ([`History::of_seed`]): [`history`] says what happens, `sim` makes it
//! happen, `checks` says what must hold of it, [`shrink`] makes a failing one short. There are no sockets, no
//! threads, no clock and no chance but the seed's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation that cannot go on has failed, and says where"
)]

mod api;
mod attempts;
mod calven;
mod checks;
mod functions;
mod guard;
pub mod history;
mod instances;
mod network;
mod plain;
mod poller;
mod proof;
mod queue;
mod saved;
mod secrets;
mod senders;
mod shrink;
mod sim;
mod store;
mod thin;
mod trace;
mod world;

pub use self::{
    history::History,
    shrink::shrink,
    sim::{Bug, Outcome, Violation, run},
};
