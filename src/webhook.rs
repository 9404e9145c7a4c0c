//! HTTP in, HTTP out: the only module that knows status codes.
//!
//! Order of work: size (413), path and source (404), method (405), signature over the raw bytes
//! (401), parse (400), map (422), merge and publish. Nothing is parsed before it is verified.

mod response;

use std::{sync::Arc, time::Duration};

use lambda_http::{
    Body, Request, Response,
    http::{HeaderMap, Method},
};

pub use self::response::Refusal;
use self::response::{health, refused, reported};
use crate::{
    bridge::{Bridge, Change, Deadlines},
    hierarchy::{Delivery, EventId},
    report::Report,
    secrets::{Secret, Secrets, SecretsError, SourceSecret},
    sources::{
        config::{Source, Sources},
        generic,
        signature::{Proof, SignatureFault, SigningKey, Verified, verify},
    },
    timestamp::{Clock, Timestamp},
};

/// The HTTP edge.
#[derive(Debug)]
pub struct Edge {
    /// The bridge behind it.
    pub bridge: Arc<Bridge>,
    /// Who may post.
    pub sources: Sources,
    /// Where their secrets are.
    pub secrets: Arc<Secrets>,
    /// The largest body that is taken.
    pub max_body_bytes: usize,
    /// The present time.
    pub clock: Clock,
}

/// What of an answer is worth a log line.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The HTTP status.
    pub http_status: u16,
    /// The source, where one was named and known.
    pub source: Option<String>,
    /// The report, where there is one.
    pub report: Option<Report>,
}

/// What a path leads to.
enum Route<'a> {
    Health,
    Webhook(&'a Source),
}

impl Edge {
    /// Answers a request. `path` is without a stage prefix; `body` is an error where the envelope's
    /// base64 was none.
    pub async fn answer(
        &self,
        request: &Request,
        path: &str,
        body: Result<&[u8], String>,
        request_id: &str,
        deadlines: Deadlines,
    ) -> (Response<Body>, Outcome) {
        let route = self.route(path);
        let source = match &route {
            Some(Route::Webhook(source)) => Some(source.name.to_string()),
            Some(Route::Health) | None => None,
        };
        let answered = match body {
            Ok(body) if body.len() > self.max_body_bytes => {
                Err(Refusal::TooLarge(self.max_body_bytes))
            }
            body => self.at(route, request, body, deadlines).await,
        };
        let (response, report) = match answered {
            Ok(Answer::Health) => (health(request_id), None),
            Ok(Answer::Report(report)) => (reported(&report, request_id), Some(*report)),
            Err(refusal) => (refused(&refusal, request_id), None),
        };
        let http_status = response.status().as_u16();
        (
            response,
            Outcome {
                http_status,
                source,
                report,
            },
        )
    }

    /// What a queued webhook says; it was verified before it was queued.
    ///
    /// # Errors
    /// [`Refusal`] where its source is not known any more, or its body does not fit.
    pub fn queued(&self, queued: &crate::queue::Queued) -> Result<Delivery, Refusal> {
        let source = self
            .sources
            .by_name
            .get(queued.source.as_str())
            .ok_or(Refusal::NotFound)?;
        let header = |name: &str| queued.headers.get(name).map(String::as_str);
        let seconds = header("webhook-timestamp").and_then(|text| text.parse().ok());
        let attempted = seconds.map_or(queued.received, Timestamp::from_seconds);
        let id = header("webhook-id");
        delivery(source, &queued.body, id, attempted, queued.received)
    }

    fn route(&self, path: &str) -> Option<Route<'_>> {
        match path.strip_prefix('/')?.split_once('/') {
            None if path == "/health" => Some(Route::Health),
            Some(("webhooks", name)) => self.sources.by_name.get(name).map(Route::Webhook),
            None | Some(_) => None,
        }
    }

    async fn at(
        &self,
        route: Option<Route<'_>>,
        request: &Request,
        body: Result<&[u8], String>,
        deadlines: Deadlines,
    ) -> Result<Answer, Refusal> {
        let source = match route.ok_or(Refusal::NotFound)? {
            Route::Health if request.method() == Method::GET => return Ok(Answer::Health),
            Route::Health => return Err(Refusal::Method(Method::GET)),
            Route::Webhook(source) => source,
        };
        if request.method() != Method::POST {
            return Err(Refusal::Method(Method::POST));
        }
        let body = body.map_err(Refusal::Unreadable)?;
        let received = self.clock.now();
        let Verified { id, signed_at } = self
            .verify(source, request.headers(), body, received)
            .await?;
        let delivery = delivery(source, body, Some(id), signed_at, received)?;
        let change = Change::Deliveries {
            deliveries: &[delivery],
            queued: false,
        };
        let report = self.bridge.apply(&change, deadlines).await?;
        Ok(Answer::Report(Box::new(report)))
    }

    /// Verifies by the current and the previous secret; if neither fits, by the one that may have
    /// been made since they were fetched.
    async fn verify<'a>(
        &self,
        source: &Source,
        headers: &'a HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Verified<'a>, Refusal> {
        let id = &source.secret_id;
        let proof = proof(headers);
        let held = self.secrets.verifying(id).await?;
        let fault = match verify(proof, body, &keys(&held, id)?, now, source.tolerance) {
            Ok(verified) => return Ok(verified),
            Err(fault @ SignatureFault::NoMatch) => fault,
            Err(fault) => return Err(Refusal::Unverified(fault)),
        };
        let Some(current) = held.first() else {
            return Err(Refusal::Unverified(fault));
        };
        let renewed = self.secrets.renewed(id, current).await;
        if renewed.is_ok_and(|renewed| renewed.version() != current.version()) {
            let held = self.secrets.verifying(id).await?;
            return verify(proof, body, &keys(&held, id)?, now, source.tolerance)
                .map_err(Refusal::Unverified);
        }
        Err(Refusal::Unverified(fault))
    }
}

enum Answer {
    Health,
    Report(Box<Report>),
}

fn proof(headers: &HeaderMap) -> Proof<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Proof {
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp"),
        signature: text("webhook-signature"),
    }
}

fn keys(held: &[Secret], id: &str) -> Result<Vec<SigningKey>, SecretsError> {
    let unusable = |reason: &str| SecretsError::Unusable {
        id: id.to_owned(),
        reason: reason.to_owned(),
    };
    let mut keys = Vec::new();
    for secret in held {
        match SourceSecret::parse(secret, id)? {
            SourceSecret::Signing(secrets) => {
                for secret in &secrets {
                    keys.push(
                        SigningKey::new(secret).map_err(|fault| unusable(&fault.to_string()))?,
                    );
                }
            }
            SourceSecret::Token(_) | SourceSecret::Basic { .. } => {
                return Err(unusable(
                    "this source signs, so its secret must have signingSecret or signingSecrets",
                ));
            }
        }
    }
    Ok(keys)
}

fn delivery(
    source: &Source,
    body: &[u8],
    id: Option<&str>,
    attempted: Timestamp,
    received: Timestamp,
) -> Result<Delivery, Refusal> {
    if body.is_empty() {
        return Err(Refusal::Unreadable("the body is empty".to_owned()));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Refusal::Unreadable("the body is not UTF-8".to_owned()))?;
    let json = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Refusal::Unreadable(format!(
            "the body is not JSON: see line {line}, column {column}"
        ))
    })?;
    let generic::GenericBody {
        id: own_id,
        statements,
    } = generic::map(&json).map_err(Refusal::Unfitting)?;
    let event_id = own_id.or_else(|| EventId::new(id?).ok());
    Ok(Delivery {
        source: source.name.clone(),
        event_id,
        received,
        attempted,
        statements,
    })
}

/// The time that a webhook may take for publishing: senders hang up early.
pub(crate) fn deadlines(end: tokio::time::Instant, budget: Duration) -> Deadlines {
    let Deadlines { publish, end } = Deadlines::before(end);
    let publish = publish.min(tokio::time::Instant::now() + budget);
    Deadlines { publish, end }
}
