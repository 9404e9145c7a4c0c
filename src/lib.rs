//! Bridge from HR systems to Calven.

pub mod secrets;
pub mod timestamp;
