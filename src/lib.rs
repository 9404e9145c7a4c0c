//! Bridge from HR systems to Calven: HRIS webhooks in, Calven's complete group hierarchy out.
//!
//! The story of one webhook: [`invocation`] tells it from a schedule, a queue's batch and an operator;
//! [`webhook`] checks its size, source and proof ([`sources::proof`]) and maps its body to
//! statements ([`sources::mapping`]), or has the source read again ([`reread`]); [`bridge`] loads the [`state`] from its [`store`], merges the
//! statements into the ledger, projects the [`hierarchy`] that follows, holds what would remove or
//! move too much, PUTs the rest to [`calven`], saves, and the [`report`] becomes the answer.

pub mod aws;
pub mod bridge;
pub mod call;
pub mod calven;
pub mod capillary;
pub mod config;
pub mod http;
pub mod invocation;
pub mod metrics;
pub mod operator;
pub mod picture;
pub mod queue;
pub mod report;
pub mod reread;
pub mod retry;
pub mod secrets;
pub mod sources;
pub mod state;
pub mod store;
pub mod tally;
pub mod tls;
mod token;
pub mod tryout;
pub mod webhook;

#[cfg(feature = "planted")]
pub use calven_model::planted;
pub use calven_model::{hierarchy, timestamp};
