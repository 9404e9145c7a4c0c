//! What came in: webhooks and seeds, each attempt of them.

use std::collections::BTreeMap;

use calven_bridge::{
    hierarchy::{Delivery, SeedRows, SourceName},
    sources::given::Given,
    timestamp::Timestamp,
};
use tokio::time::Instant;

use crate::functions::sources;

/// One webhook that came in.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) source: &'static str,
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// When it came in, truly.
    pub(crate) began: Instant,
    /// When it came in, by the clock of who took it.
    pub(crate) received: Timestamp,
    pub(crate) is_timed: bool,
    pub(crate) marker: Option<String>,
    pub(crate) acknowledged: bool,
}

/// One seed that came in.
pub(crate) struct SeedAttempt {
    pub(crate) rows: SeedRows,
    pub(crate) event: serde_json::Value,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) received: Timestamp,
    pub(crate) acknowledged: bool,
}

impl Attempt {
    /// What it says, as the function's edge hears it; none where that is nothing of its own.
    pub(crate) fn delivery(&self) -> Option<Delivery> {
        let source = &sources().by_name[self.source];
        let given = Given {
            headers: self.headers.clone(),
            query: BTreeMap::new(),
        };
        let mapped = source.mapping.map(self.body.as_bytes(), &given).ok()?;
        let signed_at = source.proof.claimed(&given.headers).signed_at;
        (!mapped.statements.is_empty()).then(|| Delivery {
            source: SourceName::new(self.source),
            event_id: mapped.event_id,
            received: self.received,
            attempted: signed_at.unwrap_or(self.received),
            statements: mapped.statements,
        })
    }
}
