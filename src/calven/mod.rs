//! Calven: the one request that replaces the customer's whole hierarchy.
//!
//! `PUT /v1/directory/group-hierarchy-relationship` (with Basic keys: `…/basic`), answered 204 with no
//! body: apidocs.calven.com, "Submit group hierarchy relationships" and "Submit group hierarchy
//! relationships with Basic Auth". Each PUT replaces all, so sending twice does no harm ("Org Hierarchy
//! Information Overview"), and there is no way to read back what Calven holds: whoever gets an error
//! must ask whether the PUT [may have landed](CalvenError::may_have_landed).
//!
//! What is sent is not looked at here; it is valid because of how it was made.

mod credential;

use std::sync::Arc;

use bytes::Bytes;
use reqwest::{
    RequestBuilder, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

pub use self::credential::CalvenCredential;
use crate::{
    call::{BadTokenAnswer, CallError, Caller, Fault, Remote},
    http::{BaseUrl, Client},
    retry::RetryPolicy,
    secrets::Secrets,
    timestamp::{Clock, Timestamp},
    token::Fetched,
};

/// Keys for tokens, and tokens themselves.
const PUT_PATH: &str = "/v1/directory/group-hierarchy-relationship";

/// Basic keys: "the endpoint path must match the auth type" ("Basic Authentication Overview").
const PUT_PATH_BASIC: &str = "/v1/directory/group-hierarchy-relationship/basic";

/// Calven's API, with one key to it.
#[derive(Debug)]
pub struct Calven {
    base_url: BaseUrl,
    caller: Caller,
}

/// A hierarchy that Calven did not take, as far as we know.
#[derive(Debug, thiserror::Error)]
#[error("Calven: {0}")]
pub struct CalvenError(#[from] CallError);

impl CalvenError {
    /// What went wrong in the last attempt.
    pub fn fault(&self) -> &Fault {
        self.0.fault()
    }

    /// Whether the same PUT may be taken later without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        self.fault().is_transient()
    }

    /// Whether Calven may hold this hierarchy all the same: some attempt was sent and got no complete
    /// answer, or a 5xx.
    pub fn may_have_landed(&self) -> bool {
        self.0.may_have_landed()
    }
}

impl Calven {
    /// Nothing is fetched or sent before the first PUT.
    pub fn new(
        http: Client,
        base_url: BaseUrl,
        secrets: Arc<Secrets>,
        secret_id: String,
        clock: Clock,
    ) -> Self {
        Self {
            base_url,
            caller: Caller::new(http, secrets, secret_id, clock),
        }
    }

    /// With other waits than the default ones.
    #[must_use]
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.caller.policy = policy;
        self
    }

    /// Replaces the hierarchy that Calven holds by `body`, its JSON.
    ///
    /// # Errors
    /// [`CalvenError`], no later than `deadline`.
    pub async fn put(&self, body: Vec<u8>, deadline: Instant) -> Result<(), CalvenError> {
        let put = self.put_of(body.into());
        Ok(self.caller.call(&put, deadline).await?)
    }

    /// The same API, of which nothing is known yet, with what is in these secrets.
    pub(crate) fn anew(&self, secrets: Arc<Secrets>) -> Self {
        Self {
            base_url: self.base_url.clone(),
            caller: self.caller.anew(secrets),
        }
    }

    /// The name or ARN of its secret.
    pub(crate) fn secret_id(&self) -> &str {
        &self.caller.secret_id
    }

    /// Fetches a token for a credential, and does nothing with it: whether it is one that has tokens.
    pub(crate) async fn prove(
        &self,
        credential: &CalvenCredential,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let put = self.put_of(Bytes::new());
        self.caller.prove(&put, credential, deadline).await
    }

    /// Fetches what the next PUT proves us by. What went wrong is told by that PUT, as its first attempt.
    pub(crate) async fn prepare(&self, deadline: Instant) {
        self.caller
            .prepare(&self.put_of(Bytes::new()), deadline)
            .await;
    }

    /// What went wrong in preparing no PUT has to be told any more.
    pub(crate) fn forget_preparation(&self) {
        self.caller.forget_preparation();
    }

    const fn put_of(&self, body: Bytes) -> Put<'_> {
        Put { calven: self, body }
    }
}

/// One PUT, tried as often as it takes.
struct Put<'a> {
    calven: &'a Calven,
    /// Shared by all attempts.
    body: Bytes,
}

impl Remote for Put<'_> {
    type Credential = CalvenCredential;
    type Answer = ();

    fn token_request(
        &self,
        credential: &CalvenCredential,
        now: Timestamp,
    ) -> Result<Option<RequestBuilder>, &'static str> {
        let Some(token_request) = credential.token_request(now)? else {
            return Ok(None);
        };
        let url = self.calven.base_url.at(token_request.path);
        let request = self.calven.caller.http.post(url);
        Ok(Some(
            request
                .header(CONTENT_TYPE, "application/json")
                .body(token_request.body),
        ))
    }

    fn read_token(
        &self,
        credential: &CalvenCredential,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Fetched, BadTokenAnswer> {
        credential.read_token(body, now)
    }

    fn request(
        &self,
        credential: &CalvenCredential,
        token: Option<&SecretString>,
    ) -> RequestBuilder {
        let (path, authorization) = match (credential, token) {
            (
                CalvenCredential::Basic {
                    api_key,
                    api_secret,
                },
                _,
            ) => (PUT_PATH_BASIC, credential::basic(api_key, api_secret)),
            (CalvenCredential::Jwt { token }, _) => (PUT_PATH, credential::bearer(token)),
            (CalvenCredential::Hmac { .. } | CalvenCredential::ClientSecret { .. }, token) => {
                (PUT_PATH, token.map(credential::bearer).unwrap_or_default())
            }
        };
        let request = self.calven.caller.http.put(self.calven.base_url.at(path));
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(self.body.clone());
        match crate::http::sensitive_header(authorization.expose_secret()) {
            Some(value) => request.header(AUTHORIZATION, value),
            // What cannot be a header's value makes a request that is refused before it is sent.
            None => request.header(AUTHORIZATION, "\n"),
        }
    }

    /// Any 2xx is a success; a body, which is not documented, is not waited for.
    async fn read(
        &self,
        _response: Response,
        _sent_at: Timestamp,
        _until: Instant,
    ) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
