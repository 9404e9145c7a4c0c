//! What the built function does under load and under fire.
//!
//! The function is a program here, started as Lambda starts it, and all around it is a stand-in. A measurement drives it, counts, and
//! says which promises were not kept:
//!
//! - [`soak`]: many webhooks to warm instances: how fast, and whether memory grows;
//! - [`kills`]: instances that share a state are killed at random: whether anything acknowledged is lost.
//!
//! Both stand on the same parts: [`surroundings`] has the stand-ins and the function's variables, [`instance`] one process under a
//! Runtime API of its own, [`company`] what senders say and what must come of it, [`webhook`] how they sign and send it.

pub mod company;
pub mod findings;
pub mod instance;
pub mod kills;
pub mod latencies;
pub mod soak;
pub mod surroundings;
pub mod webhook;
