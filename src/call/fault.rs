//! What can go wrong with a call, told apart as far as somebody acts differently on it.

use std::fmt;

use crate::secrets::SecretsError;

/// Part of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetching our own secret.
    Secret,
    /// Asking for a token.
    Token,
    /// The request proper.
    Request,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "reading the secret",
            Self::Token => "the request for a token",
            Self::Request => "the request",
        })
    }
}

/// What went wrong in the end. No text in it comes from a body or a secret.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The secret cannot be had, or is of no use.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// An answer that will not change by itself.
    #[error("{step} was refused with status {status}")]
    Refused {
        /// What was refused.
        step: Step,
        /// 401 for bad credentials; 200 where a token was denied in the answer's body.
        status: u16,
    },
    /// 408, 429 or 5xx, up to the last attempt.
    #[error("{step} was answered with status {status}")]
    Unavailable {
        /// What was answered so.
        step: Step,
        /// The status.
        status: u16,
    },
    /// Nobody there.
    #[error("{step} was not sent: {reason}")]
    Unreachable {
        /// What was not sent.
        step: Step,
        /// Without URL.
        reason: String,
    },
    /// Timed out, reset or cut off.
    #[error("{step} got no complete answer: {reason}")]
    Unanswered {
        /// What got none.
        step: Step,
        /// Without URL.
        reason: String,
    },
    /// Success by its status, but not in the documented form: most likely not the API that we think.
    #[error("{step} got an answer that is not as documented: {reason}")]
    Garbage {
        /// What was answered so.
        step: Step,
        /// Without content.
        reason: String,
    },
}

impl Fault {
    /// Whether the same call may succeed later without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Secret(error) => error.is_transient(),
            Self::Refused { .. } | Self::Garbage { .. } => false,
            Self::Unavailable { .. } | Self::Unreachable { .. } | Self::Unanswered { .. } => true,
        }
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct CallError {
    pub(super) fault: Fault,
    pub(super) may_have_landed: bool,
}

impl CallError {
    /// What went wrong in the last attempt.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether any attempt may have taken effect although no success was read: sent without a complete
    /// answer, or answered 408 or 5xx.
    pub fn may_have_landed(&self) -> bool {
        self.may_have_landed
    }
}
