//! How the built function starts, and what it does under load and under fire.
//!
//! The function is a program here, started as Lambda starts it, and all around it is a stand-in. A measurement drives it, counts, and
//! says which promises were not kept:
//!
//! - [`start`]: cold starts, warm webhooks and a batch, against the smallest function there can be, and a client that makes round trips and
//!   nothing else: whether it is as fast and as small as it shall be;
//! - [`soak`]: many webhooks to warm instances: how fast, and whether memory grows;
//! - [`kills`]: instances that share a state are killed at random: whether anything acknowledged is lost.
//!
//! All stand on the same parts: [`surroundings`] has the stand-ins and the function's variables, [`instance`] one process under a
//! Runtime API of its own, [`company`] what senders say and what must come of it, [`webhook`] how they sign and send it.

pub mod company;
mod encrypted;
pub mod findings;
pub mod instance;
pub mod kills;
pub mod latencies;
mod quota;
pub mod soak;
pub mod start;
pub mod surroundings;
pub mod webhook;
