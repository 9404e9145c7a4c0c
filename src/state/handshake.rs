//! A token that a sender hands over before anything is signed, kept until an operator fetches it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// The longest token that is kept, in bytes: what proves nothing yet must not fill the state.
const LONGEST_TOKEN_BYTES: usize = 1024;

/// A handshake's token, the one secret that a state may hold. It is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandshakeToken {
    token: String,
    received: Timestamp,
}

/// A token that is empty, or longer than a kilobyte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token must not be empty or longer than {LONGEST_TOKEN_BYTES} bytes")]
pub struct NoToken;

impl HandshakeToken {
    /// A token and when it came in.
    ///
    /// # Errors
    /// [`NoToken`].
    pub fn new(token: &str, received: Timestamp) -> Result<Self, NoToken> {
        if token.is_empty() || token.len() > LONGEST_TOKEN_BYTES {
            return Err(NoToken);
        }
        Ok(Self {
            token: token.to_owned(),
            received,
        })
    }

    /// The token itself, for the operator alone.
    pub fn expose(&self) -> &str {
        &self.token
    }

    /// When it came in.
    pub const fn received(&self) -> Timestamp {
        self.received
    }
}

impl fmt::Debug for HandshakeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandshakeToken([redacted], {})", self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_token_shows_no_secret() {
        let token = HandshakeToken::new("s3cret", Timestamp::from_seconds(1)).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
        assert_eq!(token.expose(), "s3cret");
    }

    #[test]
    fn what_is_no_token_is_not_kept() {
        for token in ["", &"x".repeat(LONGEST_TOKEN_BYTES + 1)] {
            assert!(HandshakeToken::new(token, Timestamp::from_seconds(1)).is_err());
        }
    }
}
