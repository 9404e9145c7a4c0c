//! What to do about what was found.

use crate::{
    call::{Fault, Step},
    secrets::SecretsError,
    state::StateError,
    store::StoreError,
};

/// Of what does not answer.
pub(super) const OUT_OF_REACH: &str = "Where it does not pass by itself, the function has no way there: look at its VPC's routes, \
     NAT gateway, endpoints and security groups";

/// Of a secret that cannot be fetched; `place` is where its name stands.
pub(super) fn of_secret(error: &SecretsError, place: &str) -> String {
    match error {
        SecretsError::Missing { .. } => {
            format!("Put a value into the secret, or mend its name in {place}")
        }
        SecretsError::Unusable { reason, .. } if reason.contains("AccessDenied") => {
            "Let the function's role read it: give its ARN to the stack, and the ARN of its KMS key where it has one of its own"
                .to_owned()
        }
        SecretsError::Unusable { .. } => {
            format!("Mend the secret, or its name in {place}")
        }
        SecretsError::Unavailable { .. } => OUT_OF_REACH.to_owned(),
    }
}

/// Of a call; `address` is where the API's address stands, `place` where its secret's name does, `refused` what to do
/// where it does not believe us.
pub(super) fn of_call(fault: &Fault, address: &str, place: &str, refused: &str) -> String {
    match fault {
        Fault::Secret(error) => of_secret(error, place),
        Fault::Refused { step, status } => match (step, status) {
            (Step::Token, _) | (_, 401 | 403) => refused.to_owned(),
            (Step::Secret | Step::Request, _) => {
                format!("It refuses what we ask, whoever asks: mend {address}")
            }
        },
        Fault::Unavailable { .. } => "The API has a fault of its own: check again later".to_owned(),
        Fault::Unreachable { .. } | Fault::Unanswered { .. } => {
            format!("Mend {address} where it is wrong. {OUT_OF_REACH}")
        }
        Fault::Garbage { .. } => format!("Something else answers there: mend {address}"),
    }
}

/// Of a state that cannot be loaded.
pub(super) fn of_store(error: &StoreError) -> String {
    let text = error.to_string();
    match error {
        StoreError::Unusable { .. } if text.contains("NoSuchBucket") => {
            "Mend the bucket's name in STATE_URL, or make the bucket".to_owned()
        }
        StoreError::Unusable { .. } if text.contains(" 403") => {
            "Give the function's role s3:GetObject and s3:PutObject on the key, and s3:ListBucket on the bucket"
                .to_owned()
        }
        StoreError::Unusable { .. } => "Mend STATE_URL, or the rights to what it names".to_owned(),
        StoreError::Unavailable { .. } => OUT_OF_REACH.to_owned(),
    }
}

/// Of a state that cannot be read.
pub(super) fn of_state(error: &StateError) -> String {
    match error {
        StateError::Newer(_) => {
            "Deploy the newer version of the bridge again; the state is untouched".to_owned()
        }
        StateError::Unreadable { .. } | StateError::Dangling(_) | StateError::Invalid => {
            "Restore an older version of the document, then reconcile; it is never started over from empty"
                .to_owned()
        }
    }
}
