//! The senders: who they are, how they prove it, and how their bodies become statements.

pub mod config;
pub mod generic;
pub mod signature;
