//! Loading the state: what is in memory already is not read again while its tag holds.
//!
//! Between two invocations the newest state that was loaded or saved is kept, decoded. Who needs it takes it out, asks the
//! store whether it is still the newest, and changes it at will. What follows from it is worked out meanwhile. It comes back once it is saved, or where it was not changed,
//! with the tag that it is stored under. So what is kept is what is stored (but for the receipt of a statement that was said
//! again, where that is earlier: nobody saves for its sake), and it is never copied. Whoever else is at work meanwhile finds
//! nothing kept, and reads all of it.

use std::{
    fmt, mem,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{Bridge, BridgeError, Deadlines, round::Round};
use crate::{
    state::State,
    store::{Loaded, Since, Tag},
};

/// A state, and what a swap must expect that replaces it.
pub(super) type Current = (State, Option<Tag>);

/// What this process knows of the state between two invocations.
#[derive(Default)]
pub(super) struct Known {
    /// What it has of it. The lock is held for longer only by who loads ahead.
    kept: Mutex<Kept>,
    /// The newest version that was loaded or saved, since an older one was told if one was. It outlives what is kept, which is
    /// gone while somebody works on it, and after a round that failed.
    version: AtomicU64,
}

/// What a round begins with.
pub(super) enum Start {
    /// What is stored.
    Newest(Current),
    /// What is kept as stored under this tag, which may not be the newest.
    Kept(State, Tag),
}

#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    /// What is stored under this tag, as long as it is the newest.
    Stored(State, Tag),
    /// What came of loading it ahead, for the invocation that is under way.
    Ahead(Result<Current, BridgeError>),
}

impl Bridge {
    /// Loads the state; a new one where there is none.
    pub(super) async fn load(&self, deadlines: Deadlines) -> Result<Current, BridgeError> {
        match self.known.take(deadlines.end).await? {
            Kept::Ahead(loaded) => loaded,
            Kept::Nothing => self.load_all(deadlines).await,
            Kept::Stored(state, tag) => {
                let known = self.known.version();
                match self.since(&tag, deadlines).await {
                    Ok(Since::Unchanged) => Ok((state, Some(tag))),
                    Ok(Since::Changed(loaded)) => {
                        // There may be no room for two of them.
                        drop(state);
                        self.decoded(known, loaded)
                    }
                    Err(error) => {
                        self.known.keep(state, Some(tag));
                        Err(error)
                    }
                }
            }
        }
    }

    /// The state that is kept, which may not be the newest any more; where none is, the one that is stored.
    pub(super) async fn kept_or_loaded(&self, deadlines: Deadlines) -> Result<Start, BridgeError> {
        Ok(match self.known.take(deadlines.end).await? {
            Kept::Ahead(loaded) => Start::Newest(loaded?),
            Kept::Nothing => Start::Newest(self.load_all(deadlines).await?),
            Kept::Stored(state, tag) => Start::Kept(state, tag),
        })
    }

    /// What is stored by now, unless this tag is still the newest.
    pub(super) async fn since(
        &self,
        tag: &Tag,
        deadlines: Deadlines,
    ) -> Result<Since, BridgeError> {
        let since = timeout_at(deadlines.end, self.store.load_since(tag)).await;
        Ok(since.map_err(|_| BridgeError::TimeIsUp)??)
    }

    /// Loads the state before it is known whether it is needed; whoever needs it waits for that, and takes what came of it.
    pub(super) async fn load_ahead(&self, deadlines: Deadlines) {
        let mut kept = self.known.kept.lock().await;
        if let Kept::Nothing = *kept {
            *kept = Kept::Ahead(self.load_all(deadlines).await);
        }
    }

    /// What nobody has taken of what was loaded ahead may not be the newest to the next one; an error is none of its business.
    pub(super) fn end_loading_ahead(&self) {
        if let Ok(mut kept) = self.known.kept.try_lock() {
            *kept = match mem::take(&mut *kept) {
                Kept::Ahead(Ok((state, Some(tag)))) => Kept::Stored(state, tag),
                Kept::Ahead(Ok((_, None)) | Err(_)) => Kept::Nothing,
                kept @ (Kept::Nothing | Kept::Stored(..)) => kept,
            };
        }
    }

    /// Keeps the state of a round that was saved, or that has changed nothing.
    pub(super) fn keep(&self, round: Round) {
        if !self.sizes.is_overgrown(&round.state) {
            self.known.keep(round.state, round.tag);
        }
    }

    async fn load_all(&self, deadlines: Deadlines) -> Result<Current, BridgeError> {
        let known = self.known.version();
        let loaded = timeout_at(deadlines.end, self.store.load()).await;
        self.decoded(known, loaded.map_err(|_| BridgeError::TimeIsUp)??)
    }

    /// What was loaded, and the version that was known before the store was asked for it. Versions only rise, so where it is an
    /// older one somebody has put it there: an operator who goes back, or somebody who may write to the store and should not.
    pub(super) fn decoded(
        &self,
        known: u64,
        loaded: Option<Loaded>,
    ) -> Result<Current, BridgeError> {
        let current = match loaded {
            Some(Loaded { bytes, tag }) => {
                self.sizes.note_document(bytes.len());
                let state = State::decode(&bytes)?;
                self.sizes.note_loaded(&state);
                (state, Some(tag))
            }
            None => {
                self.sizes.note_document(0);
                (State::new(self.salt.clone()), None)
            }
        };
        let (State { version, .. }, _) = &current;
        if *version < known {
            tracing::error!(
                version,
                newer_version = known,
                "the state is older than the one before it"
            );
            self.known.go_back(known, *version);
        } else {
            self.known.note(*version);
        }
        Ok(current)
    }
}

/// Lets a request go out that was made just before, where what follows takes the thread for itself: its connection is
/// another task's.
pub(super) async fn let_go_out() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

impl Known {
    /// The newest version that is known to have been stored; 0 where none is. Who is going to compare what it loads takes it
    /// before it asks the store: others in this process may save while it waits.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Notes the version of a state that was loaded or saved.
    pub(super) fn note(&self, version: u64) {
        self.version.fetch_max(version, Ordering::Relaxed);
    }

    /// Goes on from an older version, so that it is told once; unless others in this process have seen another one meanwhile.
    fn go_back(&self, from: u64, to: u64) {
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let _seen_another = self.version.compare_exchange(from, to, success, failure);
    }

    /// Keeps what is stored under this tag; where nothing is stored there is nothing to keep.
    pub(super) fn keep(&self, state: State, tag: Option<Tag>) {
        // Where somebody else is at it, it need not be kept.
        if let (Some(tag), Ok(mut kept)) = (tag, self.kept.try_lock()) {
            *kept = Kept::Stored(state, tag);
        }
    }

    async fn take(&self, until: Instant) -> Result<Kept, BridgeError> {
        let kept = timeout_at(until, self.kept.lock()).await;
        let mut kept = kept.map_err(|_| BridgeError::TimeIsUp)?;
        Ok(mem::take(&mut *kept))
    }
}

impl fmt::Debug for Known {
    /// The state names people's departments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known([redacted])")
    }
}

#[cfg(test)]
mod tests;
