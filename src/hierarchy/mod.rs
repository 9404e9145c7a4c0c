//! The model: statements in, one valid hierarchy out. Pure: no I/O, no clock, no randomness.
//!
//! ```text
//! Delivery ──► Ledger ── project ──► Projection ── Plan::between ──► Plan ── Guard ──► PUT
//! statements   what must be          hierarchy,    added, moved,
//! of a source  remembered            held, …       renamed, removed
//! ```
//!
//! Merging deliveries into a [`Ledger`] is commutative, associative and idempotent, so the order in
//! which webhooks arrive, and how often, does not matter. A [`Hierarchy`] can only be made by
//! projecting a ledger, and keeps every rule of Calven's, so an invalid payload cannot be written.

pub mod document;
pub mod explain;
pub mod ledger;
pub mod name;
pub mod payload;
pub mod plan;
pub mod project;
pub mod prune;
pub mod published;
pub mod statement;

mod anchors;
mod claims;
pub mod findings;
mod forest;
mod gather;
#[cfg(test)]
mod laws;
mod merge;
mod names;
mod pairs;
mod paths;
mod plain;
mod reach;
mod receipts;
mod records;
mod resolved;
mod settle;
mod sparse;
#[cfg(test)]
mod stories;
mod subjects;
mod table;
mod tenure;
mod thinning;
mod view;
mod views;

pub use document::{Document, Remembered};
pub use findings::{Conflict, Held, HeldReason};
pub use ledger::{Ledger, Salt};
pub use merge::Merged;
pub use name::{Group, GroupType, Key, Name, NameFault};
pub use payload::Hierarchy;
pub use plan::{Digest, Guard, Plan};
pub use project::{Projection, Rules};
pub use published::Published;
pub use statement::{
    Delivery, EventId, GroupRef, Parent, PersonId, PersonSays, Relationship, Scope, SeedRows,
    SourceName, Stated, Statement,
};
