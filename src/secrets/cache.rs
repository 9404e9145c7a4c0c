//! One cached value: one fetch at a time, whose outcome all who waited share.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::Mutex;

use crate::timestamp::{Clock, Timestamp};

use super::{PAUSE, SecretsError};

/// A value and what came of the last attempt to fetch it.
pub(super) struct Cached<T> {
    /// Attempts concluded so far: who waited for the lock sees whether one was made meanwhile.
    attempts: AtomicU64,
    pause_while_empty: Duration,
    slot: Mutex<Slot<T>>,
}

struct Slot<T> {
    held: Option<(T, Timestamp)>,
    failed: Option<(SecretsError, Timestamp)>,
    forced: Option<Timestamp>,
}

impl<T: Clone> Cached<T> {
    /// Nothing yet. After a failure for which nothing makes up, `pause_while_empty` passes before
    /// the next fetch.
    pub(super) fn new(pause_while_empty: Duration) -> Self {
        let slot = Slot {
            held: None,
            failed: None,
            forced: None,
        };
        Self {
            attempts: AtomicU64::new(0),
            pause_while_empty,
            slot: Mutex::new(slot),
        }
    }

    /// The held value while it is `young` (it is told its age), else what `fetch` brings, else the held
    /// one, stale as it is, where the failure will pass.
    pub(super) async fn get(
        &self,
        id: &str,
        clock: &Clock,
        young: impl Fn(&T, Duration) -> bool,
        fetch: impl Future<Output = Result<T, SecretsError>>,
    ) -> Result<T, SecretsError> {
        let attempts_before = self.attempts.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        let now = clock.now();
        if let Some((value, at)) = &slot.held
            && young(value, now.since(*at))
        {
            return Ok(value.clone());
        }
        let waited_for_one = self.attempts.load(Ordering::Acquire) != attempts_before;
        if let Some((error, at)) = &slot.failed {
            let pause = if slot.held.is_some() && error.is_transient() {
                PAUSE
            } else {
                self.pause_while_empty
            };
            if waited_for_one || now.since(*at) < pause {
                return slot.despite(error.clone());
            }
        }
        match self.attempt(&mut slot, clock, fetch).await {
            Ok(value) => Ok(value),
            Err(error) => {
                if error.is_transient() && slot.held.is_some() {
                    tracing::warn!(secret_id = id, %error, "a stale secret is used");
                }
                slot.despite(error)
            }
        }
    }

    /// The held value if it is `other` than the refused one, else what `fetch` brings now, or brought or
    /// failed with a moment ago.
    pub(super) async fn renew(
        &self,
        clock: &Clock,
        other: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, SecretsError>>,
    ) -> Result<T, SecretsError> {
        let mut slot = self.slot.lock().await;
        let now = clock.now();
        if let Some((value, _)) = &slot.held {
            if other(value) {
                return Ok(value.clone());
            }
            if slot.forced.is_some_and(|at| now.since(at) < PAUSE) {
                return match &slot.failed {
                    Some((error, _)) => Err(error.clone()),
                    None => Ok(value.clone()),
                };
            }
        }
        slot.forced = Some(now);
        self.attempt(&mut slot, clock, fetch).await
    }

    async fn attempt(
        &self,
        slot: &mut Slot<T>,
        clock: &Clock,
        fetch: impl Future<Output = Result<T, SecretsError>>,
    ) -> Result<T, SecretsError> {
        let began = clock.now();
        let outcome = fetch.await;
        self.attempts.fetch_add(1, Ordering::AcqRel);
        match &outcome {
            Ok(value) => {
                slot.held = Some((value.clone(), began));
                slot.failed = None;
            }
            // As of now: a fetch that nobody answered may have taken as long as the pause is.
            Err(error) => slot.failed = Some((error.clone(), clock.now())),
        }
        outcome
    }
}

impl<T: Clone> Slot<T> {
    fn despite(&self, error: SecretsError) -> Result<T, SecretsError> {
        match &self.held {
            Some((stale, _)) if error.is_transient() => Ok(stale.clone()),
            Some(_) | None => Err(error),
        }
    }
}

impl<T> fmt::Debug for Cached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cached([redacted])")
    }
}
