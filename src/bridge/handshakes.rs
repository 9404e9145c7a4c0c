//! Tokens of handshakes: kept until an operator fetches them, or the source proves itself.

use super::{
    Bridge, BridgeError, Deadlines,
    saving::{Saved, Tries},
};
use crate::{
    hierarchy::SourceName,
    state::{HandshakeToken, State, StateError},
    store::Hashed,
};

impl Bridge {
    /// Keeps a source's token, unless a newer one is kept already. A dry run keeps none. Says whether it is kept.
    ///
    /// # Errors
    /// [`BridgeError`] where it could not be saved.
    pub async fn keep_handshake(
        &self,
        source: &SourceName,
        token: &HandshakeToken,
        deadlines: Deadlines,
    ) -> Result<bool, BridgeError> {
        let landed = self.amend(deadlines, |state| {
            let is_newer = state
                .handshakes
                .get(source)
                .is_none_or(|kept| kept != token && kept.received() <= token.received());
            if is_newer {
                state.handshakes.insert(source.clone(), token.clone());
            }
            is_newer
        });
        Ok(landed.await? && !self.policy.dry_run)
    }

    /// Forgets a source's token, if one is kept: the source has proved itself.
    ///
    /// # Errors
    /// [`BridgeError`] where that could not be saved.
    pub async fn forget_handshake(
        &self,
        source: &SourceName,
        deadlines: Deadlines,
    ) -> Result<(), BridgeError> {
        let amended = self.amend(deadlines, |state| state.handshakes.remove(source).is_some());
        amended.await.map(|_| ())
    }

    /// Takes a source's token out of the state; `None` where none is kept. It is handed out once it is
    /// certain that nobody else has taken it: by a swap that was won, or whose answer was lost while the token is
    /// gone. A dry run leaves it where it is.
    ///
    /// # Errors
    /// [`BridgeError`] where that could not be saved.
    pub async fn take_handshake(
        &self,
        source: &SourceName,
        deadlines: Deadlines,
    ) -> Result<Option<HandshakeToken>, BridgeError> {
        let mut taken = None;
        let amended = self.amend(deadlines, |state| {
            let found = state.handshakes.remove(source);
            let is_there = found.is_some();
            if is_there {
                taken = found;
            }
            is_there
        });
        let landed = amended.await?;
        Ok(taken.filter(|_| landed))
    }

    /// Loads, amends and saves, until the swap is won or there is nothing to amend: `amend` says whether it has changed
    /// anything. Says whether an amendment is saved, as far as can be known.
    async fn amend(
        &self,
        deadlines: Deadlines,
        mut amend: impl FnMut(&mut State) -> bool,
    ) -> Result<bool, BridgeError> {
        let mut tries = Tries::default();
        let mut may_have_landed = false;
        loop {
            tries.pause_before_another_round(deadlines).await?;
            let (mut state, tag) = self.load(deadlines).await?;
            if !amend(&mut state) {
                self.known.keep(state, tag);
                return Ok(may_have_landed);
            }
            if self.policy.dry_run {
                return Ok(true);
            }
            let bytes = state.encode().map_err(|_| StateError::Invalid)?;
            let hashed = Hashed::default();
            match self
                .save((bytes, hashed), tag, &mut tries, deadlines)
                .await?
            {
                Saved::Won(tag) => {
                    self.known.keep(state, Some(tag));
                    return Ok(true);
                }
                Saved::Lost => may_have_landed = false,
                Saved::Unknown => may_have_landed = true,
            }
        }
    }
}
