//! One round of the protocol: the state as it was loaded, and what follows from the change.

use std::time::Duration;

use super::{
    Bridge, BridgeError, Change, Deadlines, Policy, Progress,
    change::New,
    loading::{Current, Start, let_go_out},
    pending::{Pending, Send},
    rereads::{Applied, Rereads},
    room::Full,
    tallying::Read,
};
use crate::{
    capillary::{Organizations, statements},
    hierarchy::{Merged, Projection, plan::Counts},
    report::PlanView,
    state::{Begun, Hold, Prepared, Publication, State},
    store::{Hashed, Since, Tag},
    tally::{Lap, Tally},
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
    /// The deliveries that say something new.
    pub(super) new: Vec<New>,
    pub(super) warnings: Vec<String>,
    /// Why events of this invocation wait for a re-read.
    pub(super) waiting: Vec<String>,
    /// Why there is no room for what they say, if there is none.
    pub(super) full: Option<Full>,
    /// What is to be sent, if anything is.
    pub(super) send: Option<Send>,
    /// The body of what is sent, where it is known that it will be.
    pub(super) body: Option<Vec<u8>>,
    /// How the document begins once what was sent is published.
    pub(super) begun: Option<(Begun, Hashed)>,
    /// What it was loaded as, for a debug assertion.
    pub(super) as_loaded: Option<Vec<u8>>,
}

impl Bridge {
    /// Loads, merges, projects and plans. With what is kept in memory that is done while the store is asked whether it is the
    /// newest still; where it is not, what came of it is dropped, and it is done again. Where the store does not answer, what was
    /// kept is dropped too: it has been changed by then.
    pub(super) async fn next_round(
        &self,
        change: &Change<'_>,
        read: &mut Option<Read>,
        progress: &Progress,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Round, BridgeError> {
        let start = {
            let _lap = Lap::of(&mut tally.steps.load);
            self.kept_or_loaded(deadlines).await?
        };
        let (state, tag) = match start {
            Start::Newest(current) => {
                let round = self.round_of(current, change, read, progress, deadlines, tally);
                return Box::pin(round).await;
            }
            Start::Kept(state, tag) => (state, tag),
        };
        let known = self.known.version();
        let mut asking = Duration::ZERO;
        let asked = async {
            let _lap = Lap::of(&mut asking);
            self.since(&tag, deadlines).await
        };
        let worked = async {
            let_go_out().await;
            let current = (state, Some(tag.clone()));
            let round = self.round_of(current, change, read, progress, deadlines, tally);
            Ok::<_, BridgeError>(Box::pin(round).await)
        };
        let both = tokio::try_join!(asked, worked);
        tally.steps.load += asking;
        match both? {
            (Since::Unchanged, round) => round,
            (Since::Changed(loaded), round) => {
                // There may be no room for two of them.
                drop(round);
                // What was decided by the older state without asking anybody is decided anew.
                read.take_if(|(organizations, rereads)| {
                    matches!(organizations, Ok(None)) && rereads.asked_nobody()
                });
                let current = self.decoded(known, loaded)?;
                let round = self.round_of(current, change, read, progress, deadlines, tally);
                Box::pin(round).await
            }
        }
    }

    async fn round_of(
        &self,
        (state, tag): Current,
        change: &Change<'_>,
        read: &mut Option<Read>,
        progress: &Progress,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Round, BridgeError> {
        let (organizations, rereads) = match read {
            Some(read) => read,
            None => read.insert(Box::pin(self.read(&state, change, deadlines, tally)).await),
        };
        let _lap = Lap::of(&mut tally.steps.merge);
        let mut round = self.round(state, tag, change, organizations, rereads)?;
        round.full = self.full(&round, change)?;
        // What is refused is not written either: it may be that it is too large. What is owed is sent all the same.
        if round.full.is_none() || progress.owing {
            round.prepare_to_send(progress, &self.policy);
        }
        Ok(round)
    }

    /// Merges, projects and plans.
    pub(super) fn round(
        &self,
        mut state: State,
        tag: Option<Tag>,
        change: &Change<'_>,
        organizations: &Result<Option<Organizations>, String>,
        rereads: &Rereads,
    ) -> Result<Round, BridgeError> {
        let as_loaded = cfg!(debug_assertions).then(|| outline(&state)).flatten();
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
        let mut new = Vec::new();
        let mut merged = change.merge(&mut state.ledger, &mut new);
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
        let (published, rules) = (state.published.as_ref(), &self.policy.rules);
        let projection = match change {
            Change::Look => Projection::to_look_at(&state.ledger, published, rules),
            Change::Deliveries { .. }
            | Change::Seed { .. }
            | Change::Reconcile { .. }
            | Change::Approve(_)
            | Change::Rollback(_) => Projection::of(&state.ledger, published, rules, &merged),
        };
        #[cfg(feature = "planted")]
        if crate::planted::has(crate::planted::Bug::HeldStatementLost)
            && !projection.held_of_its_own().is_empty()
        {
            state.ledger = before;
        }
        let pending = Pending::of(&mut state, &projection, change, &self.policy)?;
        changed |= merged.changed || pending.changes_the_hold();
        changed |= self.note_pending(&mut state, &pending, change);
        Ok(Round {
            state,
            tag,
            merged,
            projection,
            pending,
            changed,
            new,
            warnings,
            waiting,
            full: None,
            send: None,
            body: None,
            begun: None,
            as_loaded,
        })
    }

    /// Notes since when there has been something to publish, or that there is nothing. Says whether that is news.
    fn note_pending(&self, state: &mut State, pending: &Pending, change: &Change<'_>) -> bool {
        // Who looks leaves everything as it is stored.
        if matches!(change, Change::Look) {
            return false;
        }
        let received = || change.received(self.clock.now());
        let since = pending
            .is_pending
            .then(|| state.pending_since.unwrap_or_else(received));
        let is_news = since != state.pending_since;
        state.pending_since = since;
        is_news
    }
}

impl Round {
    pub(super) fn plan_view(&self) -> PlanView {
        let digest = self
            .pending
            .is_pending
            .then(|| self.pending.plan.digest(self.state.approvals));
        PlanView {
            digest,
            plan: self.pending.plan.clone(),
        }
    }

    /// Decides what is sent, if anything is, and writes its body where it will be.
    pub(super) fn prepare_to_send(&mut self, progress: &Progress, policy: &Policy) {
        // An approval whose swap landed and whose answer was lost finds nothing pending any more.
        self.pending.is_approved_already(progress.put);
        self.send = self.pending.send(&self.state, progress.owing);
        if let Some(send) = &self.send
            && !policy.dry_run
            && progress.given_up.is_none()
        {
            // Writing JSON into memory does not fail.
            self.body = send.body(&self.projection, &self.state).ok();
        }
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

    /// Whether the state is as it was loaded, as far as a debug assertion looks.
    pub(super) fn is_as_loaded(&self) -> bool {
        self.as_loaded.is_none() || self.as_loaded == outline(&self.state)
    }

    /// What is published once this is sent.
    pub(super) fn publication(&self, send: &Send, change: &Change<'_>) -> Publication {
        let Self {
            state,
            projection,
            pending,
            ..
        } = self;
        match send {
            Send::Again => Publication {
                published: state.published.clone().unwrap_or_default(),
                cause: change.cause(),
                counts: Counts::default(),
                hold: state.hold.clone(),
                pending_since: state.pending_since,
            },
            Send::Projection => Publication {
                published: projection.as_published(),
                cause: change.cause(),
                counts: pending.plan.counts(),
                hold: match change {
                    Change::Approve(_) => Hold::No,
                    Change::Deliveries { .. }
                    | Change::Seed { .. }
                    | Change::Reconcile { .. }
                    | Change::Rollback(_)
                    | Change::Look => state.hold.clone(),
                },
                pending_since: None,
            },
            Send::Back { version, target } => Publication {
                published: target.clone(),
                cause: format!("rollback to {version}"),
                counts: pending.plan.counts(),
                hold: Hold::RolledBack { version: *version },
                pending_since: state.pending_since,
            },
        }
    }

    /// Takes what was PUT as published.
    pub(super) fn publish(
        &mut self,
        publication: Publication,
        (prepared, hashed): (Prepared, Hashed),
        change: &Change<'_>,
        now: Timestamp,
    ) {
        let begun = self.state.publish(publication, prepared, now);
        self.begun = Some((begun, hashed));
        if matches!(change, Change::Approve(_)) && self.pending.refused.is_none() {
            self.state.approvals += 1;
        }
    }
}

/// What a state that has not changed has in common with what was loaded, for a debug assertion: all but numbers. Of a
/// statement that is said again an earlier receipt is taken, and that is no change to save.
fn outline(state: &State) -> Option<Vec<u8>> {
    let plain = (&state.ledger, &state.published, &state.due);
    let mut document = serde_json::to_vec(&plain).ok()?;
    document.retain(|byte| !byte.is_ascii_digit());
    Some(document)
}
