//! Bridge from HR systems to Calven.

pub mod call;
pub mod calven;
pub mod capillary;
pub mod http;
pub mod retry;
pub mod secrets;
pub mod timestamp;
mod token;
