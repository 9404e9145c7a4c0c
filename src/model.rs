//! The pure part of the bridge, a package of its own: no I/O, no clock, no randomness. See `hierarchy`.
//!
//! It stands here beside what it is for. It is apart from it so that it can be optimised for speed and all else for size.

pub mod hierarchy;
#[cfg(feature = "planted")]
pub mod planted;
pub mod timestamp;
