//! What must hold whatever comes in: one function a fuzz target, from bytes to a panic where it does not hold.
//!
//! The same functions are called by libFuzzer (`fuzz_targets/`), which makes the bytes up, and by `tests/kept.rs`, with seeds
//! made of the fixtures and with every input that has ever found something. docs/fuzzing.md tells how both are run.
//!
//! Nothing here shares code with what it checks: Calven's rules are the stand-in's, names and signatures are checked by code of
//! this package. There are no sockets, no threads, no clock and no chance; what is allocated is counted ([`measure`]).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a check that cannot go on has failed, and says where"
)]

pub mod answers;
pub mod input;
pub mod invocation;
pub mod ledger;
pub mod mapping;
pub mod measure;
pub mod rules;
pub mod seeds;
pub mod senders;
pub mod sources_toml;
pub mod state;
pub mod texts;
pub mod world;

/// A target: from bytes to a panic, where something does not hold.
pub type Target = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("answers", answers::check),
    ("invocation", invocation::check),
    ("ledger", ledger::check),
    ("mapping", mapping::check),
    ("sources_toml", sources_toml::check),
    ("state", state::check),
    ("texts", texts::check),
];
