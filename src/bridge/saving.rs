//! Saving the state, and what the end of a swap means.

use std::time::Duration;

use tokio::time::Instant;

use super::{Bridge, BridgeError, Deadlines, Progress, round::Round};
#[cfg(feature = "planted")]
use crate::planted;
use crate::{
    state::StateError,
    store::{Hashed, Swap, Tag},
    tally::{Lap, Tally},
};

/// How often a save that failed for passing causes is tried again within an invocation.
const SAVE_RETRIES: u32 = 2;

/// How often it was tried to save.
#[derive(Debug, Default)]
pub(super) struct Tries {
    rounds: u32,
    failures: u32,
}

/// What came of saving.
pub(super) enum Saved {
    /// The swap was won; the state is stored under this tag.
    Won(Tag),
    /// Somebody else has saved meanwhile.
    Lost,
    /// It failed for passing causes, and may have landed.
    Unknown,
}

impl Bridge {
    /// Saves the round's state if nobody else has saved since it was loaded.
    pub(super) async fn save_round(
        &self,
        round: &mut Round,
        progress: &mut Progress,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Saved, BridgeError> {
        let _lap = Lap::of(&mut tally.steps.save);
        let tag = round.tag.take();
        #[cfg(feature = "planted")]
        let before = tag.clone();
        let tries = &mut progress.tries;
        let (bytes, hashed) = match round.begun.take() {
            Some((begun, hashed)) => (round.state.encode_begun(begun), hashed),
            None => (round.state.encode(), Hashed::default()),
        };
        let bytes = bytes.map_err(|_| StateError::Invalid)?;
        let saved = self.save((bytes, hashed), tag, tries, deadlines).await;
        #[cfg(feature = "planted")]
        if planted::has(planted::Bug::UnsavedRemembered) {
            self.known.keep(round.state.clone(), before);
        }
        let saved = saved?;
        if let Saved::Won(tag) = &saved {
            self.known.note(round.state.version);
            round.tag = Some(tag.clone());
        }
        Ok(saved)
    }

    /// Saves an encoded state, of which the beginning is hashed, if nobody else has saved since it was loaded.
    pub(super) async fn save(
        &self,
        (bytes, hashed): (Vec<u8>, Hashed),
        tag: Option<Tag>,
        tries: &mut Tries,
        deadlines: Deadlines,
    ) -> Result<Saved, BridgeError> {
        let size = bytes.len();
        let swap = self.store.swap_hashed(bytes, hashed, tag);
        match tokio::time::timeout_at(deadlines.end, swap).await {
            Ok(Ok(Swap::Won(tag))) => {
                self.sizes.note_document(size);
                Ok(Saved::Won(tag))
            }
            #[cfg(feature = "planted")]
            Ok(Ok(Swap::Lost)) if planted::has(planted::Bug::LostSwapAcknowledged) => {
                Ok(Saved::Won(Tag::of_no_version()))
            }
            Ok(Ok(Swap::Lost)) => Ok(Saved::Lost),
            Ok(Err(error)) if error.is_transient() && tries.failures < SAVE_RETRIES => {
                tracing::warn!(%error, "saving failed and is tried again");
                tries.failures += 1;
                Ok(Saved::Unknown)
            }
            Ok(Err(error)) => Err(BridgeError::Unsaved(error)),
            Err(_) => Err(BridgeError::TimeIsUp),
        }
    }
}

impl Tries {
    /// Between two rounds a moment of random length, so that instances stop meeting each other.
    pub(super) async fn pause_before_another_round(
        &mut self,
        deadlines: Deadlines,
    ) -> Result<(), BridgeError> {
        if self.rounds > 0 {
            let most = Duration::from_millis(10) * 2_u32.pow(self.rounds.min(6));
            let pause = most.mul_f64(fastrand::f64());
            if Instant::now() + pause >= deadlines.end {
                return Err(BridgeError::TimeIsUp);
            }
            tokio::time::sleep(pause).await;
        }
        self.rounds += 1;
        Ok(())
    }
}
