//! The senders: who they are, how they prove it, and how their bodies become statements.

pub mod body;
pub mod condition;
pub mod config;
pub mod events;
pub mod fault;
pub mod field;
pub mod form;
mod functions;
pub mod generic;
pub mod given;
pub mod handshake;
pub mod mapping;
mod pages;
pub mod place;
pub mod presets;
pub mod proof;
pub mod reader;
pub mod rules;
pub mod scheme;
pub mod search;
pub mod snapshot;
pub mod times;
