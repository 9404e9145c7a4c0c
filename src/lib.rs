//! Bridge from HR systems to Calven.

pub mod call;
pub mod calven;
pub mod capillary;
pub mod config;
pub mod hierarchy;
pub mod http;
pub mod retry;
pub mod secrets;
pub mod sources;
pub mod state;
pub mod store;
pub mod timestamp;
mod token;
