//! One round of the protocol: the state as it was loaded, and what follows from the change.

use super::{
    Bridge, BridgeError, Change,
    pending::{Pending, Send},
    rereads::{Applied, Rereads},
};
use crate::{
    capillary::{Organizations, statements},
    hierarchy::{Merged, Projection, plan::Counts},
    report::PlanView,
    state::{Hold, State},
    store::Tag,
    timestamp::Timestamp,
};

/// The state as this round sees it.
pub(super) struct Round {
    pub(super) state: State,
    pub(super) tag: Option<Tag>,
    pub(super) merged: Merged,
    pub(super) projection: Projection,
    pub(super) pending: Pending,
    pub(super) changed: bool,
    pub(super) warnings: Vec<String>,
    /// Why events of this invocation wait for a re-read.
    pub(super) waiting: Vec<String>,
}

impl Bridge {
    /// Merges, projects and plans.
    pub(super) fn round(
        &self,
        mut state: State,
        tag: Option<Tag>,
        change: &Change<'_>,
        organizations: &Result<Option<Organizations>, String>,
        rereads: &Rereads,
    ) -> Result<Round, BridgeError> {
        let Applied {
            mut changed,
            mut warnings,
            waiting,
            merged: reread,
        } = rereads.apply(&mut state, change);
        match (organizations, &self.enrichment) {
            (Ok(Some(organizations)), Some(enrichment)) => {
                let merged = statements::merge(&mut state.ledger, organizations, &enrichment.types);
                warnings.extend(merged.warnings);
                changed = true;
            }
            (Err(failure), _) => warnings.push(failure.clone()),
            (Ok(None) | Ok(Some(_)), _) => {}
        }
        #[cfg(feature = "planted")]
        let before = state.ledger.clone();
        let mut merged = change.merge(&mut state.ledger);
        merged.and(reread);
        for source in change.proven() {
            changed |= state.handshakes.remove(source).is_some();
        }
        if matches!(change, Change::Reconcile { .. }) {
            warnings.extend(self.rereading.stranded(&state));
            let before = self.clock.now().minus(self.policy.tombstone_age);
            let publishable: Vec<_> = state.publishable().into_iter().cloned().collect();
            let publishable: Vec<_> = publishable.iter().collect();
            changed |= state.ledger.prune(before, &publishable);
        }
        let projection = Projection::of(
            &state.ledger,
            state.published.as_ref(),
            &self.policy.rules,
            &merged,
        );
        #[cfg(feature = "planted")]
        if crate::planted::has(crate::planted::Bug::HeldStatementLost)
            && !projection.held_of_its_own().is_empty()
        {
            state.ledger = before;
        }
        let pending = Pending::of(&mut state, &projection, change, &self.policy)?;
        changed |= merged.changed || pending.changes_the_hold();
        Ok(Round {
            state,
            tag,
            merged,
            projection,
            pending,
            changed,
            warnings,
            waiting,
        })
    }
}

impl Round {
    pub(super) fn plan_view(&self) -> PlanView {
        let digest = self
            .pending
            .is_pending
            .then(|| self.pending.plan.digest(self.state.approvals));
        PlanView::new(&self.pending.plan, digest)
    }

    /// Where the rows stay the same, by what they are found again may have changed all the same.
    pub(super) fn refresh_anchors(&mut self) -> bool {
        if self.pending.is_pending || self.state.published.is_none() || self.state.hold != Hold::No
        {
            return false;
        }
        let refreshed = Some(self.projection.as_published());
        let changed = self.state.published != refreshed;
        if changed {
            self.state.published = refreshed;
        }
        changed
    }

    /// Takes what was PUT as published.
    pub(super) fn publish(&mut self, send: Send, change: &Change<'_>, now: Timestamp) {
        let Self {
            state,
            projection,
            pending,
            ..
        } = self;
        let counts = pending.plan.counts();
        match send {
            Send::Again => {
                let published = state.published.clone().unwrap_or_default();
                state.publish(published, change.cause(), Counts::default(), now);
            }
            Send::Projection => {
                state.publish(projection.as_published(), change.cause(), counts, now);
                if matches!(change, Change::Approve(_)) {
                    state.hold = Hold::No;
                }
            }
            Send::Back { version, target } => {
                state.publish(target, format!("rollback to {version}"), counts, now);
                state.hold = Hold::RolledBack { version };
            }
        }
        if matches!(change, Change::Approve(_)) && pending.refused.is_none() {
            state.approvals += 1;
        }
    }
}
