//! The publishing protocol: what was said becomes durable, and what follows from it reaches Calven.
//!
//! 1. load · 2. merge, project, plan · 3. nothing to send and no PUT owed: save if changed · 4. guard;
//! where a PUT is owed and the plan is held, what was published last is sent · 5. PUT · 6. save if
//! nobody else has meanwhile, else from 1, owing a PUT.
//!
//! A PUT is owed by who has PUT and not won the swap after it, by who finds `unsure` in the state, and
//! by every reconcile. Who cannot pay saves `unsure`. So Calven ends up with what was saved last,
//! however many instances run and whichever of them die.

mod change;
mod pending;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

pub use self::change::{Change, Deadlines};
use self::pending::{Pending, Send};
use crate::{
    calven::{Calven, CalvenError},
    capillary::{
        Capillary, Organizations,
        statements::{self, OrgTypes},
    },
    hierarchy::{Guard, Hierarchy, Ledger, Merged, Projection, Rules, Salt, SourceName},
    report::{HeldEntry, HeldPlan, HierarchyCounts, PlanView, Report, StatementCounts, Status},
    state::{Hold, State, StateError},
    store::{StateStore, StoreError, Swap, Tag},
    timestamp::Clock,
};

/// How often a save that failed for passing causes is tried again within an invocation.
const SAVE_RETRIES: u32 = 2;

/// How long after a failure a webhook does not ask Capillary again.
const CAPILLARY_PAUSE: Duration = Duration::from_secs(30);

/// What of the configuration decides how is published.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What is projected.
    pub rules: Rules,
    /// What is held.
    pub guard: Guard,
    /// Whether all is held before the first seed.
    pub seed_required: bool,
    /// How long what is no longer needed is remembered.
    pub tombstone_age: Duration,
    /// Everything but saving and sending.
    pub dry_run: bool,
}

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

/// The bridge: one state, one Calven.
#[derive(Debug)]
pub struct Bridge {
    store: Arc<dyn StateStore>,
    calven: Calven,
    enrichment: Option<Enrichment>,
    policy: Policy,
    clock: Clock,
    salt: fn() -> [u8; 32],
    capillary_failed: Mutex<Option<Instant>>,
}

/// Why an invocation could not do what it was for.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The state could not be loaded or saved: nothing is durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state is there and cannot be used: nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The time was up before the state was saved: others saved again and again, or all was slow.
    #[error("the time was up before the state could be saved")]
    TimeIsUp,
    /// An operator asked for what cannot be done; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// An operator's or the schedule's PUT was not taken. What was said is durable.
    #[error("not published: {0}")]
    NotPublished(#[source] CalvenError),
    /// As [`Self::NotPublished`], where there was no time left to try.
    #[error("not published: no time was left to try")]
    NoTimeToPublish,
}

impl BridgeError {
    /// Whether asking again later may help without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::State(_) | Self::Refused(_) => false,
            Self::TimeIsUp | Self::NoTimeToPublish => true,
            Self::NotPublished(error) => error.is_transient(),
        }
    }
}

/// What one invocation carries from one round of the protocol to the next.
struct Progress {
    /// Whether a PUT of ours may not be what was saved last.
    owing: bool,
    /// Whether a PUT of ours was taken.
    put: bool,
    /// Why no further PUT is tried.
    given_up: Option<Option<CalvenError>>,
    save_failures: u32,
    rounds: u32,
}

/// The state as this round sees it.
struct Round {
    state: State,
    tag: Option<Tag>,
    merged: Merged,
    projection: Projection,
    pending: Pending,
    changed: bool,
    warnings: Vec<String>,
}

/// What came of saving.
enum Saved {
    Won,
    Again,
}

impl Bridge {
    /// A bridge; nothing is read or sent before the first invocation.
    pub fn new(
        store: Arc<dyn StateStore>,
        calven: Calven,
        enrichment: Option<Enrichment>,
        policy: Policy,
        clock: Clock,
        salt: fn() -> [u8; 32],
    ) -> Self {
        let capillary_failed = Mutex::default();
        Self {
            store,
            calven,
            enrichment,
            policy,
            clock,
            salt,
            capillary_failed,
        }
    }

    /// Merges a change, publishes what follows from it, and saves.
    ///
    /// # Errors
    /// [`BridgeError`]; all but [`BridgeError::NotPublished`] and [`BridgeError::NoTimeToPublish`]
    /// mean that nothing is durable.
    pub async fn apply(
        &self,
        change: &Change<'_>,
        deadlines: Deadlines,
    ) -> Result<Report, BridgeError> {
        let owing = matches!(change, Change::Reconcile);
        let mut progress = Progress {
            owing,
            put: false,
            given_up: None,
            save_failures: 0,
            rounds: 0,
        };
        let mut organizations = None;
        loop {
            self.pause_before_another_round(&mut progress, deadlines)
                .await?;
            let (state, tag) = self.load(deadlines).await?;
            if organizations.is_none() {
                organizations = Some(self.organizations(&state.ledger, change, deadlines).await);
            }
            let mut round = self.round(state, tag, change, organizations.as_ref())?;
            // A refused action changes nothing; but a PUT that was made on its behalf is made good.
            if let Some(refused) = round.pending.refused.take_if(|_| !progress.owing) {
                return Err(BridgeError::Refused(refused));
            }
            if self.policy.dry_run {
                return Ok(self.dry_run(&round, change));
            }
            let send = round
                .pending
                .send(&round.state, &round.projection, progress.owing);
            let (hierarchy, send) = match send {
                None => {
                    let changed = round.changed | round.refresh_anchors();
                    if !changed && !progress.put {
                        return Ok(self.report(&round, change, None));
                    }
                    match self.save(&mut round, &mut progress, deadlines).await? {
                        Saved::Won => return self.finish(&round, change, progress),
                        Saved::Again => continue,
                    }
                }
                Some(send) => (send.hierarchy(&round.projection, &round.state), send),
            };
            if progress.given_up.is_none() {
                match self.put(&hierarchy, deadlines).await {
                    Ok(()) => progress.put = true,
                    Err(failure) => {
                        // Only what Calven has certainly not taken leaves us sure of what it holds.
                        let sure = failure
                            .as_ref()
                            .is_none_or(|failure| !failure.may_have_landed());
                        progress.owing |= !sure;
                        progress.given_up = Some(failure);
                    }
                }
            }
            if progress.given_up.is_some() {
                let unsure = round.state.unsure || progress.owing;
                if round.changed || unsure != round.state.unsure {
                    round.state.unsure = unsure;
                    match self.save(&mut round, &mut progress, deadlines).await? {
                        Saved::Won => {}
                        Saved::Again => continue,
                    }
                }
                return self.give_up(&round, change, progress);
            }
            round.publish(send, change, self.clock.now());
            progress.owing = true;
            match self.save(&mut round, &mut progress, deadlines).await? {
                Saved::Won => return self.finish(&round, change, progress),
                Saved::Again => {}
            }
        }
    }

    /// What is pending, all that is held and every conflict; nothing is saved or sent.
    ///
    /// # Errors
    /// [`BridgeError`] where the state cannot be read.
    pub async fn plan(&self, deadlines: Deadlines) -> Result<Report, BridgeError> {
        let (state, tag) = self.load(deadlines).await?;
        let round = self.round(state, tag, &Change::Look, None)?;
        let mut report = self.report(&round, &Change::Look, None);
        report.status = Status::Planned;
        report.saved = Some(false);
        report.plan = Some(round.plan_view());
        Ok(report)
    }

    /// The state, for operators' questions.
    ///
    /// # Errors
    /// [`BridgeError`] where it cannot be read.
    pub async fn state(&self, deadlines: Deadlines) -> Result<State, BridgeError> {
        Ok(self.load(deadlines).await?.0)
    }

    async fn load(&self, deadlines: Deadlines) -> Result<(State, Option<Tag>), BridgeError> {
        let loaded = tokio::time::timeout_at(deadlines.end, self.store.load())
            .await
            .map_err(|_| BridgeError::TimeIsUp)??;
        match loaded {
            Some(loaded) => Ok((State::decode(&loaded.bytes)?, Some(loaded.tag))),
            None => Ok((State::new(Salt::new((self.salt)())), None)),
        }
    }

    /// Merges, projects and plans.
    fn round(
        &self,
        mut state: State,
        tag: Option<Tag>,
        change: &Change<'_>,
        organizations: Option<&Result<Option<Organizations>, String>>,
    ) -> Result<Round, BridgeError> {
        let mut warnings = Vec::new();
        let mut changed = false;
        match (organizations, &self.enrichment) {
            (Some(Ok(Some(organizations))), Some(enrichment)) => {
                let merged = statements::merge(&mut state.ledger, organizations, &enrichment.types);
                warnings.extend(merged.warnings);
                changed = true;
            }
            (Some(Err(failure)), _) => warnings.push(failure.clone()),
            (Some(Ok(None) | Ok(Some(_))) | None, _) => {}
        }
        let merged = change.merge(&mut state.ledger);
        if matches!(change, Change::Reconcile) {
            let before = self.clock.now().minus(self.policy.tombstone_age);
            let full = state.ledger.clone();
            let publishable: Vec<_> = state.publishable().into_iter().cloned().collect();
            state
                .ledger
                .prune(before, &publishable.iter().collect::<Vec<_>>());
            changed |= full != state.ledger;
        }
        let projection = Projection::of(
            &state.ledger,
            state.published.as_ref(),
            &self.policy.rules,
            &merged,
        );
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
        })
    }

    /// Reads Capillary where that is due: at every reconcile; for a webhook if what is known is too
    /// old. Its failure never blocks anything.
    async fn organizations(
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
        let mut failed = self.capillary_failed.lock().await;
        let until = match change {
            Change::Reconcile => deadlines.publish,
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
                tracing::warn!(%error, "Capillary could not be read; what is known of it stands");
                *failed = Some(Instant::now());
                Err("capillary: could not be read; its last known organisations stand".to_owned())
            }
        }
    }

    async fn put(
        &self,
        hierarchy: &Hierarchy,
        deadlines: Deadlines,
    ) -> Result<(), Option<CalvenError>> {
        if Instant::now() >= deadlines.publish {
            return Err(None);
        }
        // Writing JSON into memory does not fail.
        let body = serde_json::to_vec(hierarchy).map_err(|_| None)?;
        self.calven.put(body, deadlines.publish).await.map_err(|error| {
            tracing::warn!(%error, may_have_landed = error.may_have_landed(), "Calven did not take the hierarchy");
            Some(error)
        })
    }

    /// Saves the round's state if nobody else has saved since it was loaded.
    async fn save(
        &self,
        round: &mut Round,
        progress: &mut Progress,
        deadlines: Deadlines,
    ) -> Result<Saved, BridgeError> {
        let bytes = round.state.encode().map_err(|_| StateError::Invalid)?;
        let swap = self.store.swap(bytes, round.tag.take());
        match tokio::time::timeout_at(deadlines.end, swap).await {
            Ok(Ok(Swap::Won(_))) => Ok(Saved::Won),
            Ok(Ok(Swap::Lost)) => Ok(Saved::Again),
            Ok(Err(error)) if error.is_transient() && progress.save_failures < SAVE_RETRIES => {
                tracing::warn!(%error, "saving failed and is tried again");
                progress.save_failures += 1;
                Ok(Saved::Again)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(BridgeError::TimeIsUp),
        }
    }

    /// Between two rounds a moment of random length, so that instances stop meeting each other.
    async fn pause_before_another_round(
        &self,
        progress: &mut Progress,
        deadlines: Deadlines,
    ) -> Result<(), BridgeError> {
        if progress.rounds > 0 {
            let most = Duration::from_millis(10) * 2_u32.pow(progress.rounds.min(6));
            let pause = most.mul_f64(fastrand::f64());
            if Instant::now() + pause >= deadlines.end {
                return Err(BridgeError::TimeIsUp);
            }
            tokio::time::sleep(pause).await;
        }
        progress.rounds += 1;
        Ok(())
    }

    fn dry_run(&self, round: &Round, change: &Change<'_>) -> Report {
        let mut report = self.report(round, change, None);
        report.status = Status::Planned;
        report.saved = Some(false);
        report
            .warnings
            .push("dry run: nothing was saved, nothing was sent".to_owned());
        report.plan = Some(round.plan_view());
        report
    }

    fn finish(
        &self,
        round: &Round,
        change: &Change<'_>,
        progress: Progress,
    ) -> Result<Report, BridgeError> {
        if let Some(refused) = &round.pending.refused {
            return Err(BridgeError::Refused(refused.clone()));
        }
        let put = progress.put.then_some(Status::Published);
        Ok(self.report(round, change, put))
    }

    fn give_up(
        &self,
        round: &Round,
        change: &Change<'_>,
        progress: Progress,
    ) -> Result<Report, BridgeError> {
        if let Some(refused) = &round.pending.refused {
            return Err(BridgeError::Refused(refused.clone()));
        }
        let failure = progress.given_up.flatten();
        match change {
            // A reconcile of a held plan has nothing of its own to send.
            Change::Reconcile if round.pending.is_held() => Ok(self.report(round, change, None)),
            Change::Reconcile | Change::Approve(_) | Change::Rollback(_) => Err(match failure {
                Some(failure) => BridgeError::NotPublished(failure),
                None => BridgeError::NoTimeToPublish,
            }),
            Change::Deliveries { .. } | Change::Seed { .. } | Change::Look => {
                let mut report = self.report(round, change, Some(Status::Accepted));
                if report.status == Status::Accepted {
                    let why = match failure {
                        Some(failure) if failure.is_transient() => {
                            "Calven could not be reached; the next webhook or the schedule sends it"
                        }
                        Some(_) => {
                            "Calven refused; the next webhook or the schedule tries again once that is mended"
                        }
                        None => {
                            "there was no time left to publish; the next webhook or the schedule sends it"
                        }
                    };
                    report.reason = Some(why.to_owned());
                }
                Ok(report)
            }
        }
    }

    fn report(&self, round: &Round, change: &Change<'_>, sent: Option<Status>) -> Report {
        let Round {
            state,
            tag: _,
            merged,
            projection,
            pending,
            changed: _,
            warnings,
        } = round;
        let own = change.is_a_sender_s();
        let plan_waits = pending
            .held
            .filter(|_| !own || projection.is_concerned_by(&pending.plan));
        let (held, conflicts) = if own {
            (
                projection.held_of_its_own(),
                projection.conflicts_of_its_own(),
            )
        } else {
            (projection.held.clone(), projection.conflicts.clone())
        };
        let mut entries: Vec<HeldEntry> = Vec::new();
        entries
            .extend(plan_waits.map(|reason| HeldEntry::Plan(HeldPlan::new(reason, &pending.plan))));
        entries.extend(held.into_iter().map(HeldEntry::Statement));
        let status = match sent {
            Some(status) if pending.held.is_none() => status,
            Some(_) | None if plan_waits.is_some() => Status::Held,
            // Nothing of its own could be sent: what it said waits, or there was nothing to send.
            Some(_) | None if !entries.is_empty() => Status::Held,
            Some(_) | None => Status::Unchanged,
        };
        let mut all_warnings = merged.warnings.clone();
        all_warnings.extend(warnings.iter().chain(&projection.warnings).cloned());
        Report {
            status,
            reason: None,
            source: change.source(),
            event_id: change.event_id(),
            statements: StatementCounts {
                applied: projection.applied,
                stale: projection.stale,
            },
            hierarchy: HierarchyCounts {
                version: state.version,
                groups: state.published_groups(),
                changes: pending.plan.counts(),
            },
            held: entries,
            conflicts,
            warnings: all_warnings,
            saved: None,
            plan: None,
        }
    }
}

impl Round {
    fn plan_view(&self) -> PlanView {
        let digest = self
            .pending
            .is_pending
            .then(|| self.pending.plan.digest(self.state.approvals));
        PlanView::new(&self.pending.plan, digest)
    }

    /// Where the rows stay the same, by what they are found again may have changed all the same.
    fn refresh_anchors(&mut self) -> bool {
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
    fn publish(&mut self, send: Send, change: &Change<'_>, now: crate::timestamp::Timestamp) {
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
                state.publish(
                    published,
                    change.cause(),
                    crate::hierarchy::plan::Counts::default(),
                    now,
                );
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
