//! The publishing protocol: what was said becomes durable, and what follows from it reaches Calven.
//!
//! 1. Load.
//! 2. Merge, project, plan.
//! 3. Where there is nothing to send and no PUT is owed: save if anything changed. Done.
//! 4. Guard. Where a PUT is owed and the plan is held, what was published last is sent.
//! 5. PUT.
//! 6. Save if nobody else has meanwhile; else from 1, owing a PUT.
//!
//! A PUT is owed by who has PUT and not won the swap after it, by who finds `unsure` in the state, and
//! by every reconcile. Who cannot pay saves `unsure`. So Calven ends up with what was saved last,
//! however many instances run and whichever of them die.

mod ahead;
mod answer;
mod change;
mod cutting;
mod enrichment;
mod foresight;
mod handshakes;
mod loading;
mod pending;
mod rereading;
mod rereads;
mod room;
mod round;
mod saving;
mod tallying;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use self::{
    ahead::HeadStart,
    loading::{Known, let_go_out},
    rereading::Rereading,
    room::Sizes,
    round::Round,
    saving::{Saved, Tries},
};
pub use self::{
    change::{Change, Deadlines, ThinEvent},
    enrichment::Enrichment,
    foresight::Foresight,
    room::Full,
};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::{
    calven::{Calven, CalvenError},
    capillary::Capillary,
    hierarchy::{Guard, Rules, Salt, SourceName},
    report::Report,
    reread::Rereader,
    state::{Prepared, Publication, State, StateError},
    store::{Hashed, StateStore, StoreError},
    tally::{Lap, Sent, Tally},
    timestamp::Clock,
};

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
    /// How large a state may be that a webhook still adds to, in bytes.
    pub max_state_bytes: usize,
}

/// The bridge: one state, one Calven.
#[derive(Debug)]
pub struct Bridge {
    store: Arc<dyn StateStore>,
    calven: Calven,
    enrichment: Option<Enrichment>,
    rereading: Rereading,
    policy: Policy,
    clock: Clock,
    salt: Salt,
    capillary_failed: Mutex<Option<Instant>>,
    known: Known,
    head_start: HeadStart,
    sizes: Sizes,
}

/// Why an invocation could not do what it was for.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The state could not be loaded: nothing is durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state could not be saved: nothing is durable.
    #[error("not saved: {0}")]
    Unsaved(#[source] StoreError),
    /// The state is there and cannot be used: nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no room for what was said, so it is not taken; nothing was changed.
    #[error(transparent)]
    Full(#[from] Full),
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
            Self::State(_) | Self::Refused(_) | Self::Full(_) => false,
            // A sender is to send again what was not saved, whatever the cause.
            Self::TimeIsUp | Self::NoTimeToPublish | Self::Unsaved(_) => true,
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
    /// What this round has published, should it be saved.
    sent: Option<Sent>,
    tries: Tries,
}

impl Bridge {
    /// A bridge; nothing is read or sent before the first invocation.
    pub fn new(
        store: Arc<dyn StateStore>,
        calven: Calven,
        enrichment: Option<Enrichment>,
        rereaders: Vec<Rereader>,
        policy: Policy,
        clock: Clock,
        salt: Salt,
    ) -> Self {
        let capillary_failed = Mutex::default();
        Self {
            store,
            calven,
            enrichment,
            rereading: Rereading::new(rereaders),
            policy,
            clock,
            salt,
            capillary_failed,
            known: Known::default(),
            head_start: HeadStart::default(),
            sizes: Sizes::default(),
        }
    }

    /// Merges a change, publishes what follows from it, and saves. What it did on the way is in the tally, however it ends.
    ///
    /// # Errors
    /// [`BridgeError`]; all but [`BridgeError::NotPublished`] and [`BridgeError::NoTimeToPublish`]
    /// mean that nothing is durable.
    pub async fn apply(
        &self,
        change: &Change<'_>,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Report, BridgeError> {
        // Boxed: what lies so deep would be copied from frame to frame.
        let rounds = Box::pin(self.rounds(change, deadlines, tally));
        self.with_a_head_start(deadlines, rounds).await
    }

    async fn rounds(
        &self,
        change: &Change<'_>,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Report, BridgeError> {
        let owing = matches!(change, Change::Reconcile { .. });
        #[cfg(feature = "planted")]
        let owing = owing && !planted::has(Bug::ReconcileSkipsItsPut);
        let mut progress = Progress {
            owing,
            put: false,
            given_up: None,
            sent: None,
            tries: Tries::default(),
        };
        let mut read = None;
        loop {
            progress.tries.pause_before_another_round(deadlines).await?;
            progress.sent = None;
            // Boxed, as are the rounds within: what is awaited here would make up most of every frame below.
            let round = self.next_round(change, &mut read, &progress, deadlines, tally);
            let mut round = Box::pin(round).await?;
            // A refused action changes nothing; but a PUT that was made on its behalf is made good.
            if let Some(refused) = round.pending.refused.take_if(|_| !progress.owing) {
                return Err(BridgeError::Refused(refused));
            }
            if self.policy.dry_run {
                return Ok(self.dry_run(&round, change));
            }
            if let Some(full) = round.full.take_if(|_| !progress.owing) {
                return Err(BridgeError::Full(full));
            }
            let Some(send) = round.send.take() else {
                let changed = round.changed | round.refresh_anchors();
                if !changed && !progress.put {
                    debug_assert!(
                        round.is_as_loaded(),
                        "what has not changed is as it was loaded"
                    );
                    let report = self.report(&round, change, None);
                    self.conclude(round, None, tally);
                    return Ok(report);
                }
                match self
                    .save_round(&mut round, &mut progress, deadlines, tally)
                    .await?
                {
                    Saved::Won(_) => {
                        let answer = self.finish(&round, change, &progress);
                        self.conclude(round, None, tally);
                        return answer;
                    }
                    Saved::Lost | Saved::Unknown => continue,
                }
            };
            let publication = round.publication(&send, change);
            let mut prepared = None;
            if progress.given_up.is_none() {
                let put = self.put_and_prepare(&mut round, &publication, deadlines, tally);
                match Box::pin(put).await? {
                    (Ok(()), written) => {
                        progress.put = true;
                        prepared = Some(written);
                    }
                    #[cfg(feature = "planted")]
                    (Err(_), written) if planted::has(Bug::FailedPutPublished) => {
                        progress.put = true;
                        prepared = Some(written);
                    }
                    (Err(failure), _) => {
                        // Only what Calven has certainly not taken leaves us sure of what it holds.
                        let sure = failure
                            .as_ref()
                            .is_none_or(|failure| !failure.may_have_landed());
                        progress.owing |= !sure;
                        progress.given_up = Some(failure);
                    }
                }
            }
            let Some(prepared) = prepared else {
                let is_unsure = progress.owing;
                #[cfg(feature = "planted")]
                let is_unsure = is_unsure && !planted::has(Bug::UnsureNotSaved);
                if is_unsure {
                    round.state.unsure = true;
                    round.state.unpaid += 1;
                }
                if round.changed || progress.owing {
                    match self
                        .save_round(&mut round, &mut progress, deadlines, tally)
                        .await?
                    {
                        Saved::Won(_) => {}
                        Saved::Lost | Saved::Unknown => continue,
                    }
                }
                let answer = self.give_up(&round, change, progress);
                self.conclude(round, None, tally);
                return answer;
            };
            progress.sent = self.sent(&round, &send);
            round.publish(publication, prepared, change, self.clock.now());
            progress.owing = true;
            #[cfg(feature = "planted")]
            if planted::has(Bug::OwedPutNotPaid) {
                progress.owing = false;
            }
            match self
                .save_round(&mut round, &mut progress, deadlines, tally)
                .await?
            {
                Saved::Won(_) => {
                    let answer = self.finish(&round, change, &progress);
                    self.conclude(round, progress.sent, tally);
                    return answer;
                }
                Saved::Lost | Saved::Unknown => {}
            }
        }
    }

    /// Where the state lies.
    pub(crate) fn store(&self) -> &dyn StateStore {
        &*self.store
    }

    /// Whom it publishes to.
    pub(crate) const fn calven(&self) -> &Calven {
        &self.calven
    }

    /// What Capillary is asked by, where it is configured.
    pub(crate) fn capillary(&self) -> Option<&Capillary> {
        self.enrichment
            .as_ref()
            .map(|enrichment| &enrichment.capillary)
    }

    /// What a source is read again by, where it can be.
    pub(crate) fn rereader(&self, source: &SourceName) -> Option<&Rereader> {
        self.rereading.of(source)
    }

    /// Whether nothing is saved and sent.
    pub(crate) const fn is_dry_run(&self) -> bool {
        self.policy.dry_run
    }

    /// What `look` finds in the state.
    ///
    /// # Errors
    /// [`BridgeError`] where it cannot be read.
    pub async fn look<T>(
        &self,
        deadlines: Deadlines,
        look: impl FnOnce(&State) -> T,
    ) -> Result<T, BridgeError> {
        let (state, tag) = self.load(deadlines).await?;
        let found = look(&state);
        self.known.keep(state, tag);
        Ok(found)
    }

    /// PUTs what the round sends. Meanwhile, what is to be saved then is written, and hashed.
    async fn put_and_prepare(
        &self,
        round: &mut Round,
        publication: &Publication,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<(Result<(), Option<CalvenError>>, (Prepared, Hashed)), StateError> {
        let body = round.body.take();
        let preparing = async {
            let_go_out().await;
            let prepared = round.state.prepare(publication)?;
            let hashed = Hashed::beginning(prepared.beginning());
            Ok::<_, serde_json::Error>((prepared, hashed))
        };
        let (put, prepared) = tokio::join!(self.put(body, deadlines, tally), preparing);
        Ok((put, prepared.map_err(|_| StateError::Invalid)?))
    }

    async fn put(
        &self,
        body: Option<Vec<u8>>,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<(), Option<CalvenError>> {
        let _lap = Lap::of(&mut tally.steps.put);
        if Instant::now() >= deadlines.publish {
            return Err(None);
        }
        // Writing JSON into memory does not fail.
        let body = body.ok_or(None)?;
        #[cfg(feature = "planted")]
        let body = match planted::has(Bug::RowsInNoOrder) {
            true => planted::in_no_order(&body),
            false => body,
        };
        let until = deadlines.publish;
        #[cfg(feature = "planted")]
        let until = match planted::has(Bug::RetriesPastTheDeadline) {
            true => until + Duration::from_secs(60),
            false => until,
        };
        tally.puts += 1;
        self.calven.put(body, until).await.map_err(|error| {
            tally.calven_errors += 1;
            tally.calven_refusals += u64::from(!error.is_transient());
            let may_have_landed = error.may_have_landed();
            match error.is_transient() {
                true => tracing::warn!(%error, may_have_landed, "{NOT_TAKEN}"),
                false => tracing::error!(%error, may_have_landed, "{NOT_TAKEN}"),
            }
            Some(error)
        })
    }
}

/// As a warning it passes; as an error somebody must mend something.
const NOT_TAKEN: &str = "Calven did not take the hierarchy";

#[cfg(test)]
mod tests;
