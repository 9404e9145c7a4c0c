//! Strict local stand-ins for the services that the bridge talks to.
//!
//! They refuse what the real service would refuse, remember what they were sent, and fail on demand.

pub mod calven;
pub mod capillary;
pub mod fault;
pub mod server;
