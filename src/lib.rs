//! Bridge from HR systems to Calven.

pub mod http;
pub mod secrets;
pub mod store;
pub mod timestamp;
