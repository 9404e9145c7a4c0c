//! The commands that ask the function, as operators run them: against the function itself, in the test's own process, behind a
//! stand-in of Lambda.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect shall end there"
)]

mod check;
mod commands;
mod world;
