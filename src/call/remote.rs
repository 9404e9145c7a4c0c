//! What a remote must say of itself to be called.

use reqwest::{RequestBuilder, Response};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Fault;
use crate::{timestamp::Timestamp, token::Fetched};

/// What differs from remote to remote.
pub(crate) trait Remote {
    /// The secret's forms.
    type Credential: DeserializeOwned;
    /// What a success is read into.
    type Answer;

    /// The request for a token; `None` where the credential is sent as it is. The error says why the
    /// credential is of no use. Without one of its own a remote has no tokens.
    fn token_request(
        &self,
        _credential: &Self::Credential,
        _now: Timestamp,
    ) -> Result<Option<RequestBuilder>, &'static str> {
        Ok(None)
    }

    /// Reads the answer to [`token_request`](Self::token_request).
    fn read_token(
        &self,
        _credential: &Self::Credential,
        _body: &[u8],
        _now: Timestamp,
    ) -> Result<Fetched, BadTokenAnswer> {
        Err(BadTokenAnswer::Garbage)
    }

    /// The request proper.
    fn request(
        &self,
        credential: &Self::Credential,
        token: Option<&SecretString>,
    ) -> RequestBuilder;

    /// Reads the answer to a request that was sent at `sent_at` and answered 2xx.
    async fn read(
        &self,
        response: Response,
        sent_at: Timestamp,
        until: Instant,
    ) -> Result<Self::Answer, Fault>;
}

/// Why there is no token in an answer that was a success by its status.
#[derive(Debug)]
pub(crate) enum BadTokenAnswer {
    /// The body says that the credential is not good.
    Denied,
    /// The body is not as documented.
    Garbage,
}
