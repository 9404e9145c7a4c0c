//! One authorised call to a remote: its secret, its token, and the attempts at it.
//!
//! What Calven and Capillary have in common is decided here, once: what is tried again, what a 401
//! leads to, and what may have taken effect. What differs (paths, headers, bodies) is a `Remote`.
//!
//! - Connection errors, 408, 429 and 5xx are tried again with backoff, within the deadline.
//! - A 401 fetches a new token, once; then the secret, once, and a token for it; then it is final. A
//!   secret that turns out to be the same one again is final at once.
//! - Every other answer is final.

mod fault;
mod remote;

use std::{sync::Arc, time::Duration};

use reqwest::{RequestBuilder, Response, StatusCode, header::RETRY_AFTER};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

pub use self::fault::{CallError, Fault, Step};
pub(crate) use self::remote::{BadTokenAnswer, Remote};
use crate::{
    http::{BodyFailure, Client, SendFailure, read_body},
    retry::{Attempts, RetryPolicy, retry_after},
    secrets::{Secret, Secrets, SecretsError},
    timestamp::Clock,
    token::{Busy, Fetched, Token, Tokens},
};

/// More than any token takes.
const TOKEN_ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// What it takes to call a remote.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) http: Client,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) secret_id: String,
    pub(crate) clock: Clock,
    pub(crate) policy: RetryPolicy,
    pub(crate) tokens: Tokens,
    prepared: Mutex<Option<Result<Prepared, Fault>>>,
}

/// The first steps of a call, made before it.
#[derive(Debug)]
struct Prepared {
    secret: Secret,
    token: Result<Option<Arc<Token>>, Failed>,
}

/// One attempt that failed.
#[derive(Debug)]
struct Failed {
    fault: Fault,
    retry_after: Option<Duration>,
    denied: Option<Denied>,
}

/// What was not believed.
#[derive(Debug)]
enum Denied {
    /// The token of this serial.
    Token(u64),
    /// The credential itself.
    Credential,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            retry_after: None,
            denied: None,
        }
    }
}

impl From<SecretsError> for Failed {
    fn from(error: SecretsError) -> Self {
        Fault::from(error).into()
    }
}

impl From<Busy> for Failed {
    fn from(Busy: Busy) -> Self {
        Fault::Unanswered {
            step: Step::Token,
            reason: "timed out".to_owned(),
        }
        .into()
    }
}

impl Caller {
    pub(crate) fn new(
        http: Client,
        secrets: Arc<Secrets>,
        secret_id: String,
        clock: Clock,
    ) -> Self {
        let (policy, tokens) = (RetryPolicy::default(), Tokens::default());
        Self {
            http,
            secrets,
            secret_id,
            clock,
            policy,
            tokens,
            prepared: Mutex::default(),
        }
    }

    /// The same remote, of which nothing is known yet, with what is in these secrets.
    pub(crate) fn anew(&self, secrets: Arc<Secrets>) -> Self {
        Self {
            policy: self.policy,
            ..Self::new(
                self.http.clone(),
                secrets,
                self.secret_id.clone(),
                self.clock.clone(),
            )
        }
    }

    /// Fetches a token for a credential, as often as it takes and the deadline allows, and keeps none: whether it is one that
    /// has tokens.
    pub(crate) async fn prove<R: Remote>(
        &self,
        remote: &R,
        credential: &R::Credential,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let mut attempts = Attempts::new(self.policy, deadline);
        loop {
            let request = remote
                .token_request(credential, self.clock.now())
                .map_err(|reason| self.unusable(reason))?;
            let Some(request) = request else {
                return Ok(false);
            };
            let until = attempts.give_up_at();
            let Failed {
                fault, retry_after, ..
            } = match self.fetch_token(remote, credential, request, until).await {
                Ok(_) => return Ok(true),
                Err(failed) => failed,
            };
            if !fault.is_transient() || !attempts.another(retry_after).await {
                return Err(fault);
            }
        }
    }

    /// Takes the first steps of the next call, up to its request. Who calls meanwhile waits for them, and takes what came of
    /// them, a failure too, for what came of its own.
    pub(crate) async fn prepare<R: Remote>(&self, remote: &R, deadline: Instant) {
        let mut prepared = self.prepared.lock().await;
        let until = Attempts::new(self.policy, deadline).give_up_at();
        *prepared = Some(match self.current_secret(deadline).await {
            Err(fault) => Err(fault),
            Ok(secret) => {
                let token = self.token(remote, &secret, None, until).await;
                Ok(Prepared { secret, token })
            }
        });
    }

    /// The next call takes its steps itself.
    pub(crate) fn forget_preparation(&self) {
        if let Ok(mut prepared) = self.prepared.try_lock() {
            *prepared = None;
        }
    }

    /// Calls `remote`, as often as it takes and the deadline allows.
    pub(crate) async fn call<R: Remote>(
        &self,
        remote: &R,
        deadline: Instant,
    ) -> Result<R::Answer, CallError> {
        let mut may_have_landed = false;
        self.attempts(remote, deadline, &mut may_have_landed)
            .await
            .map_err(|fault| CallError {
                fault,
                may_have_landed,
            })
    }

    async fn attempts<R: Remote>(
        &self,
        remote: &R,
        deadline: Instant,
        may_have_landed: &mut bool,
    ) -> Result<R::Answer, Fault> {
        let mut attempts = Attempts::new(self.policy, deadline);
        let prepared = timeout_at(deadline, self.prepared.lock()).await;
        let prepared = prepared.map_err(|_| secret_timed_out())?.take();
        let (mut secret, mut prepared_token) = match prepared.transpose()? {
            None => (self.current_secret(deadline).await?, None),
            Some(Prepared { secret, token }) => (secret, Some(token)),
        };
        let mut refused_token = None;
        let mut secret_is_renewed = false;
        loop {
            let until = attempts.give_up_at();
            let token = match prepared_token.take() {
                Some(token) => token,
                None => self.token(remote, &secret, refused_token, until).await,
            };
            let attempt = match token {
                Ok(token) => {
                    self.attempt(remote, &secret, token, until, may_have_landed)
                        .await
                }
                Err(failed) => Err(failed),
            };
            let Failed {
                fault,
                retry_after,
                denied,
            } = match attempt {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            match denied {
                Some(Denied::Token(serial)) if refused_token.is_none() => {
                    tracing::info!("a token was refused before its end; fetching another");
                    refused_token = Some(serial);
                    continue;
                }
                Some(Denied::Token(_) | Denied::Credential) if !secret_is_renewed => {
                    let renewed = self.renewed_secret(&secret, deadline).await?;
                    if renewed.version() == secret.version() {
                        return Err(fault);
                    }
                    tracing::info!(
                        secret = self.secret_id,
                        "the credentials were refused; there is a newer secret"
                    );
                    secret = renewed;
                    secret_is_renewed = true;
                    continue;
                }
                Some(Denied::Token(_) | Denied::Credential) => return Err(fault),
                None => {}
            }
            if !fault.is_transient() || !attempts.another(retry_after).await {
                return Err(fault);
            }
        }
    }

    async fn attempt<R: Remote>(
        &self,
        remote: &R,
        secret: &Secret,
        token: Option<Arc<Token>>,
        until: Instant,
        may_have_landed: &mut bool,
    ) -> Result<R::Answer, Failed> {
        let credential: R::Credential = secret.parse(&self.secret_id)?;
        let request = remote.request(&credential, token.as_ref().map(|token| &token.value));
        let sent_at = self.clock.now();
        let response = match self.http.send(request, until).await {
            Ok(response) => response,
            Err(failure) => {
                *may_have_landed |= matches!(failure, SendFailure::Unanswered(_));
                return Err(self.send_fault(failure, Step::Request).into());
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(remote.read(response, sent_at, until).await?);
        }
        // Who gave up waiting in between may have passed it on.
        *may_have_landed |= status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
        let denied = match token {
            _ if status != StatusCode::UNAUTHORIZED => None,
            Some(token) => Some(Denied::Token(token.serial)),
            None => Some(Denied::Credential),
        };
        Err(Failed {
            denied,
            ..self.status_fault(&response, Step::Request)
        })
    }

    /// A token, where the credential needs one.
    async fn token<R: Remote>(
        &self,
        remote: &R,
        secret: &Secret,
        refused_token: Option<u64>,
        until: Instant,
    ) -> Result<Option<Arc<Token>>, Failed> {
        let now = self.clock.now();
        // It was fetched with this very secret. To ask for another one would have to be signed.
        if let Some(token) = self.tokens.kept(secret.version(), refused_token, now) {
            return Ok(Some(token));
        }
        let credential: R::Credential = secret.parse(&self.secret_id)?;
        let token_request = remote
            .token_request(&credential, now)
            .map_err(|reason| self.unusable(reason))?;
        let Some(request) = token_request else {
            return Ok(None);
        };
        let fetch = async || self.fetch_token(remote, &credential, request, until).await;
        let token = self
            .tokens
            .get(secret.version(), refused_token, now, until, fetch)
            .await?;
        Ok(Some(token))
    }

    async fn fetch_token<R: Remote>(
        &self,
        remote: &R,
        credential: &R::Credential,
        request: RequestBuilder,
        until: Instant,
    ) -> Result<Fetched, Failed> {
        let response = self
            .http
            .send(request, until)
            .await
            .map_err(|failure| self.send_fault(failure, Step::Token))?;
        let status = response.status();
        if !status.is_success() {
            // Which of these a wrong secret gets is documented by neither vendor beyond "400, 401".
            let denied = matches!(status.as_u16(), 400 | 401 | 403).then_some(Denied::Credential);
            return Err(Failed {
                denied,
                ..self.status_fault(&response, Step::Token)
            });
        }
        let body = read_body(response, TOKEN_ANSWER_LIMIT_BYTES, until)
            .await
            .map_err(|failure| body_fault(&failure, Step::Token))?;
        remote
            .read_token(credential, &body, self.clock.now())
            .map_err(|bad| match bad {
                BadTokenAnswer::Denied => {
                    let fault = Fault::Refused {
                        step: Step::Token,
                        status: status.as_u16(),
                    };
                    Failed {
                        denied: Some(Denied::Credential),
                        ..fault.into()
                    }
                }
                BadTokenAnswer::Garbage => Fault::Garbage {
                    step: Step::Token,
                    reason: "there is no token in it".to_owned(),
                }
                .into(),
            })
    }

    async fn current_secret(&self, deadline: Instant) -> Result<Secret, Fault> {
        let current = timeout_at(deadline, self.secrets.current(&self.secret_id)).await;
        Ok(current.map_err(|_| secret_timed_out())??)
    }

    async fn renewed_secret(&self, refused: &Secret, deadline: Instant) -> Result<Secret, Fault> {
        let renewed = timeout_at(deadline, self.secrets.renewed(&self.secret_id, refused)).await;
        Ok(renewed.map_err(|_| secret_timed_out())??)
    }

    fn unusable(&self, reason: &str) -> Fault {
        let (id, reason) = (self.secret_id.clone(), reason.to_owned());
        SecretsError::Unusable { id, reason }.into()
    }

    fn send_fault(&self, failure: SendFailure, step: Step) -> Fault {
        match failure {
            // Base URLs are valid by type, so what cannot be written comes from the secret.
            SendFailure::Unsendable => {
                self.unusable("it holds what cannot stand in an HTTP header")
            }
            SendFailure::NeverSent(reason) => Fault::Unreachable { step, reason },
            SendFailure::Unanswered(reason) => Fault::Unanswered { step, reason },
        }
    }

    fn status_fault(&self, response: &Response, step: Step) -> Failed {
        let status = response.status();
        let code = status.as_u16();
        let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        if !passes && !status.is_server_error() {
            return Fault::Refused { step, status: code }.into();
        }
        let header = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        Failed {
            fault: Fault::Unavailable { step, status: code },
            retry_after: header.and_then(|header| retry_after(header, self.clock.now())),
            denied: None,
        }
    }
}

fn secret_timed_out() -> Fault {
    Fault::Unanswered {
        step: Step::Secret,
        reason: "timed out".to_owned(),
    }
}

/// What a body that could not be read means for `step`.
pub(crate) fn body_fault(failure: &BodyFailure, step: Step) -> Fault {
    let reason = failure.to_string();
    match failure {
        BodyFailure::TooLarge { .. } => Fault::Garbage { step, reason },
        BodyFailure::CutOff(_) => Fault::Unanswered { step, reason },
    }
}
