//! Capillary's part in a change: when its organisations are read.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Bridge, Change, Deadlines};
use crate::{
    capillary::{Capillary, Organizations, statements::OrgTypes},
    hierarchy::{Ledger, SourceName},
};

/// How long after a failure a webhook does not ask Capillary again.
const CAPILLARY_PAUSE: Duration = Duration::from_secs(30);

/// As a warning it passes; as an error somebody must mend something.
const NOT_READ: &str = "Capillary could not be read; what is known of it stands";

/// Capillary, and how its organisations become groups.
#[derive(Debug)]
pub struct Enrichment {
    /// The client.
    pub capillary: Capillary,
    /// The group types.
    pub types: OrgTypes,
    /// A webhook re-reads only what is older.
    pub max_age: Duration,
}

impl Bridge {
    /// Reads Capillary where that is due: at every reconcile; for a webhook if what is known is too
    /// old. Its failure never blocks anything.
    pub(super) async fn organizations(
        &self,
        ledger: &Ledger,
        change: &Change<'_>,
        deadlines: Deadlines,
    ) -> Result<Option<Organizations>, String> {
        let Some(Enrichment {
            capillary,
            types: _,
            max_age,
        }) = &self.enrichment
        else {
            return Ok(None);
        };
        let Ok(mut failed) =
            timeout_at(deadlines.for_a_part(2), self.capillary_failed.lock()).await
        else {
            return Err(
                "capillary: others were still reading it; its last known organisations stand"
                    .to_owned(),
            );
        };
        let until = match change {
            // Half: the PUT that a reconcile owes is made though Capillary does not answer.
            Change::Reconcile { .. } => deadlines.for_a_part(2),
            Change::Deliveries { .. } => {
                let read = ledger.last_read(&SourceName::capillary());
                let is_due = read.is_none_or(|read| self.clock.now().since(read) > *max_age);
                let paused = failed.is_some_and(|at| at.elapsed() < CAPILLARY_PAUSE);
                if !is_due || paused {
                    return Ok(None);
                }
                deadlines.for_a_part(3)
            }
            Change::Seed { .. } | Change::Approve(_) | Change::Rollback(_) | Change::Look => {
                return Ok(None);
            }
        };
        match capillary.organizations(until).await {
            Ok(organizations) => {
                *failed = None;
                Ok(Some(organizations))
            }
            Err(error) => {
                match error.is_transient() {
                    true => tracing::warn!(%error, "{NOT_READ}"),
                    false => tracing::error!(%error, "{NOT_READ}"),
                }
                *failed = Some(Instant::now());
                Err("capillary: could not be read; its last known organisations stand".to_owned())
            }
        }
    }
}
