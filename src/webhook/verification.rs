//! Proof that a webhook comes from its source: by the current and the previous secret, and by a newer one if neither fits or
//! the current one is of no use.

use std::{collections::BTreeMap, time::Duration};

use super::{Edge, Refusal};
use crate::{
    secrets::{Secret, SecretsError, SourceSecret},
    sources::{
        config::Source,
        proof::{ProofFault, Verified},
    },
    tally::Lap,
    timestamp::Timestamp,
};

impl Edge {
    /// Verifies by the current and the previous secret; if neither fits, or the current one is of no use, by the one
    /// that may have been made since they were fetched. `waited` is how long that took.
    pub(super) async fn verify(
        &self,
        source: &Source,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        now: Timestamp,
        waited: &mut Duration,
    ) -> Result<Verified, Refusal> {
        let id = &source.secret_id;
        let held = self.waited_for(id, waited).await?;
        let try_these = |held: &[Secret]| {
            let secrets = parsed(held, id)?;
            source
                .proof
                .verify(headers, body, &secrets, now)
                .map_err(|fault| unverified(fault, id))
        };
        let refusal = match try_these(&held) {
            Ok(verified) => return Ok(verified),
            Err(refusal) => refusal,
        };
        let may_be_mended = match &refusal {
            Refusal::Unverified { fault, .. } => fault.is_mismatch(),
            Refusal::Secret(_) => true,
            _ => false,
        };
        let (true, Some(current)) = (may_be_mended, held.first()) else {
            return Err(wanting(refusal, source));
        };
        let renewed = {
            let _lap = Lap::of(waited);
            self.secrets.renewed(id, current).await
        };
        match renewed {
            Ok(renewed) if renewed.version() != current.version() => {
                let held = self.waited_for(id, waited).await?;
                try_these(&held).map_err(|refusal| wanting(refusal, source))
            }
            // Whether a newer secret would fit cannot be told now, and some senders never send again what was refused.
            Err(error @ SecretsError::Unavailable { .. }) => Err(Refusal::Secret(error)),
            Ok(_) | Err(SecretsError::Missing { .. } | SecretsError::Unusable { .. }) => {
                Err(wanting(refusal, source))
            }
        }
    }

    async fn waited_for(
        &self,
        id: &str,
        waited: &mut Duration,
    ) -> Result<Vec<Secret>, SecretsError> {
        let _lap = Lap::of(waited);
        self.secrets.verifying(id).await
    }
}

/// The versions that can be read. The current one must be; an older one may be a leftover.
fn parsed(held: &[Secret], id: &str) -> Result<Vec<SourceSecret>, SecretsError> {
    let mut versions = held.iter().map(|secret| SourceSecret::parse(secret, id));
    let current = versions.next().transpose()?;
    Ok(current.into_iter().chain(versions.flatten()).collect())
}

/// A secret of the wrong shape is ours to mend, and nothing that the sender could do otherwise.
fn unverified(fault: ProofFault, id: &str) -> Refusal {
    if fault.is_of_the_secret() {
        return Refusal::Secret(SecretsError::Unusable {
            id: id.to_owned(),
            reason: fault.to_string(),
        });
    }
    Refusal::Unverified { fault, wanted: "" }
}

/// With what the sender is told to prove itself by.
fn wanting(refusal: Refusal, source: &Source) -> Refusal {
    match refusal {
        Refusal::Unverified { fault, wanted: _ } => Refusal::Unverified {
            fault,
            wanted: source.proof.wanted(),
        },
        other => other,
    }
}
