//! Bridge from HR systems to Calven.

pub mod config;
pub mod hierarchy;
pub mod http;
pub mod secrets;
pub mod sources;
pub mod state;
pub mod store;
pub mod timestamp;
