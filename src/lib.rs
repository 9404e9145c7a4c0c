//! Bridge from HR systems to Calven.

pub mod hierarchy;
pub mod secrets;
pub mod timestamp;
