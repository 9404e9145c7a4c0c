//! The senders that are known.

pub mod config;
