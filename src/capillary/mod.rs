//! Capillary: the organisations that a company consists of.
//!
//! `GET /v2/organization/hierarchy`: docs.capillarytech.com, "Get organization hierarchy", and its pages
//! on Basic and OAuth authentication. The answer has no pages; its oddities are dealt with in `answer`.

mod answer;
mod credential;
pub mod statements;

use std::{fmt, sync::Arc};

use reqwest::{
    RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE, HeaderName},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

pub use self::{
    answer::{Org, Organizations},
    credential::CapillaryCredential,
};
use crate::{
    call::{BadTokenAnswer, CallError, Caller, Fault, Remote, Step, body_fault},
    http::{BaseUrl, Client, read_body, sensitive_header},
    retry::RetryPolicy,
    secrets::Secrets,
    timestamp::{Clock, Timestamp},
    token::Fetched,
};

const HIERARCHY_PATH: &str = "/v2/organization/hierarchy";
const TOKEN_PATH: &str = "/v3/oauth/token/generate";

/// Some twenty thousand organisations; whatever is larger is not what we asked for.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// Capillary's API, with one credential to it.
#[derive(Debug)]
pub struct Capillary {
    base_url: BaseUrl,
    fetch_siblings: bool,
    caller: Caller,
}

/// Why the organisations are not known anew; what was known before still stands.
#[derive(Debug, thiserror::Error)]
pub enum CapillaryError {
    /// No answer, or none that was a success.
    #[error("Capillary: {0}")]
    Call(#[from] CallError),
    /// A success whose body is not usable.
    #[error("Capillary: the answer {0}")]
    Answer(UnusableAnswer),
}

impl CapillaryError {
    /// Whether asking again later may help without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Call(error) => error.fault().is_transient(),
            Self::Answer(_) => false,
        }
    }
}

/// What is wrong with a body, without quoting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusableAnswer {
    /// JSON that ends too soon.
    CutOff {
        /// Line in which it ends.
        line: usize,
    },
    /// No JSON at all.
    NotJson {
        /// Line of the first fault.
        line: usize,
        /// Column of it.
        column: usize,
    },
    /// JSON, but without what is documented: no `baseOrganization`, an `id` that is no integer.
    NotAsDocumented {
        /// Line of the first fault.
        line: usize,
        /// Column of it.
        column: usize,
    },
    /// The organisation that everything else hangs from has no usable name.
    NamelessBase,
}

impl fmt::Display for UnusableAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff { line } => {
                write!(f, "is cut off: its JSON ends too soon, in line {line}")
            }
            Self::NotJson { line, column } => {
                write!(f, "is no JSON (line {line}, column {column})")
            }
            Self::NotAsDocumented { line, column } => {
                write!(
                    f,
                    "is JSON, but not of the documented form (line {line}, column {column})"
                )
            }
            Self::NamelessBase => f.write_str("names no base organization"),
        }
    }
}

impl Capillary {
    /// Nothing is fetched or sent before the first question. `fetch_siblings`: whether a child
    /// organisation asks for its siblings too, or for itself and its parent alone.
    pub fn new(
        http: Client,
        base_url: BaseUrl,
        secrets: Arc<Secrets>,
        secret_id: String,
        fetch_siblings: bool,
        clock: Clock,
    ) -> Self {
        Self {
            base_url,
            fetch_siblings,
            caller: Caller::new(http, secrets, secret_id, clock),
        }
    }

    /// With other waits than the default ones.
    #[must_use]
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.caller.policy = policy;
        self
    }

    /// The same API, of which nothing is known yet, with what is in these secrets.
    pub(crate) fn anew(&self, secrets: Arc<Secrets>) -> Self {
        Self {
            base_url: self.base_url.clone(),
            fetch_siblings: self.fetch_siblings,
            caller: self.caller.anew(secrets),
        }
    }

    /// The name or ARN of its secret.
    pub(crate) fn secret_id(&self) -> &str {
        &self.caller.secret_id
    }

    /// Fetches what the next question proves us by. What goes wrong is told by that question, as its first attempt.
    pub(crate) async fn prepare(&self, deadline: Instant) {
        let question = Question { capillary: self };
        self.caller.prepare(&question, deadline).await;
    }

    /// What went wrong in preparing no question has to be told any more.
    pub(crate) fn forget_preparation(&self) {
        self.caller.forget_preparation();
    }

    /// Asks for all organisations that the credential can see.
    ///
    /// # Errors
    /// [`CapillaryError`], no later than `deadline`.
    pub async fn organizations(&self, deadline: Instant) -> Result<Organizations, CapillaryError> {
        let Answered { body, asked_at } = self
            .caller
            .call(&Question { capillary: self }, deadline)
            .await?;
        answer::read(&body, self.fetch_siblings, asked_at).map_err(CapillaryError::Answer)
    }
}

/// One question, asked as often as it takes.
struct Question<'a> {
    capillary: &'a Capillary,
}

struct Answered {
    body: Vec<u8>,
    asked_at: Timestamp,
}

impl Remote for Question<'_> {
    type Credential = CapillaryCredential;
    type Answer = Answered;

    fn token_request(
        &self,
        credential: &CapillaryCredential,
        _now: Timestamp,
    ) -> Result<Option<RequestBuilder>, &'static str> {
        let Some(body) = credential.token_request()? else {
            return Ok(None);
        };
        let request = self
            .capillary
            .caller
            .http
            .post(self.capillary.base_url.at(TOKEN_PATH));
        let request = request.header(CONTENT_TYPE, "application/json");
        Ok(Some(request.header(ACCEPT, "application/json").body(body)))
    }

    fn read_token(
        &self,
        _credential: &CapillaryCredential,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Fetched, BadTokenAnswer> {
        credential::read_token(body, now)
    }

    fn request(
        &self,
        credential: &CapillaryCredential,
        token: Option<&SecretString>,
    ) -> RequestBuilder {
        let mut url = self.capillary.base_url.at(HIERARCHY_PATH);
        // Sent even where it is the default: the default is not documented for every kind of org.
        url.set_query(Some(match self.capillary.fetch_siblings {
            true => "fetchSiblings=true",
            false => "fetchSiblings=false",
        }));
        let request = self
            .capillary
            .caller
            .http
            .get(url)
            .header(ACCEPT, "application/json");
        let (name, text): (HeaderName, SecretString) = credential.header(token);
        match sensitive_header(text.expose_secret()) {
            Some(value) => request.header(name, value),
            // What cannot be a header's value makes a request that is refused before it is sent.
            None => request.header(name, "\n"),
        }
    }

    /// The body is part of the attempt: one that is cut off on its way is asked for again.
    async fn read(
        &self,
        response: Response,
        sent_at: Timestamp,
        until: Instant,
    ) -> Result<Answered, Fault> {
        let body = read_body(response, ANSWER_LIMIT_BYTES, until).await;
        let body = body.map_err(|failure| body_fault(&failure, Step::Request))?;
        Ok(Answered {
            body,
            asked_at: sent_at,
        })
    }
}

#[cfg(test)]
mod tests;
