//! Strict local stand-ins for the services that calven-bridge talks to.
//!
//! Each reads strictly (method, path, authorization, no unknown fields) and refuses what the real
//! service would refuse, so that a test which passes here says something about the real one. They
//! remember what they were sent, and fail on demand.

#![expect(
    clippy::expect_used,
    reason = "a stand-in that cannot go on has found a bug in a test, and a panic shows where"
)]

pub mod anything;
pub mod calven;
pub mod canaries;
pub mod capillary;
pub mod fault;
pub mod hris;
pub mod lambda_api;
pub mod lambda_runtime;
pub mod s3;
pub mod secrets_manager;
pub mod server;
pub mod signature;
pub mod sqs;
pub mod traffic;
