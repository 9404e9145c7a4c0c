//! HTTP in, HTTP out: the only module that knows status codes.
//!
//! Order of work: size (413), path and source (404), method (405), handshake where the source has one, proof over the
//! raw bytes (401), parse (400), map (422), then queue, or merge and publish. Nothing but a handshake is parsed before it is verified.

mod handshakes;
mod queueing;
mod response;
mod verification;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lambda_http::{
    Body, Request, Response,
    http::{HeaderMap, Method},
};
use tokio::time::{Instant, timeout_at};

pub use self::response::Refusal;
use self::{
    handshakes::Greeting,
    queueing::Webhook,
    response::{empty, greeted, health, refused, reported},
};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::{
    bridge::{Bridge, BridgeError, Change, Deadlines, ThinEvent},
    hierarchy::{Delivery, SourceName},
    operator::Premises,
    queue::{Queue, Queued},
    report::Report,
    secrets::Secrets,
    sources::{
        config::{Rereading, Source, Sources},
        events::Meaning,
        given::Given,
        handshake::Handshake,
        mapping::{MapFault, Mapped},
        proof::Verified,
    },
    tally::{Lap, Steps, Tally},
    timestamp::{Clock, Timestamp},
};

/// What an answer takes on its way to a sender that hangs up early.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);

/// The HTTP edge.
#[derive(Debug)]
pub struct Edge {
    /// The bridge behind it.
    pub bridge: Arc<Bridge>,
    /// Who may post.
    pub sources: Sources,
    /// Where their secrets are.
    pub secrets: Arc<Secrets>,
    /// Where webhooks are queued; without it they are published in the request.
    pub queue: Option<Queue>,
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

/// A genuine webhook, understood.
#[derive(Debug)]
pub struct Heard {
    /// What it says.
    pub says: Says,
    /// The source, where a handshake's token of it is done with by this proof.
    pub proven: Option<SourceName>,
    /// What its sender or an operator should know.
    pub warnings: Vec<String>,
}

/// What a genuine webhook says.
#[derive(Debug)]
pub enum Says {
    /// This, to be merged.
    Statements(Delivery),
    /// That something changed: the source is to be read again.
    ReadAgain(ThinEvent),
    /// Nothing about the organisation.
    Nothing(ThinEvent),
}

/// What a path leads to.
enum Route<'a> {
    Health,
    Webhook(&'a Source),
}

enum Answer {
    Health,
    Greeting(Greeting),
    Report(Box<Report>),
}

impl Edge {
    /// What an operator's action finds beside the bridge.
    pub(crate) fn premises<'a>(&'a self, proven: &'a [SourceName]) -> Premises<'a> {
        Premises {
            sources: &self.sources,
            secrets: &self.secrets,
            queue: self.queue.as_ref(),
            proven,
        }
    }

    /// Answers a request. `path` is without a stage prefix; `body` is an error where the envelope's
    /// base64 was none.
    pub async fn answer(
        &self,
        request: &Request,
        path: &str,
        body: Result<&[u8], String>,
        request_id: &str,
        deadlines: Deadlines,
        tally: &mut Tally,
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
            body => {
                self.at(route, request, body, request_id, deadlines, tally)
                    .await
            }
        };
        let (response, report) = match answered {
            Ok(Answer::Health) => (health(request_id), None),
            Ok(Answer::Greeting(Greeting::Taken)) => (empty(request_id), None),
            Ok(Answer::Greeting(Greeting::Challenge { key, value })) => {
                (greeted(&key, &value, request_id), None)
            }
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
    pub fn queued(&self, queued: &Queued) -> Result<Heard, Refusal> {
        let Queued {
            source,
            request_id: _,
            received,
            given,
            body,
        } = queued;
        let source = self
            .sources
            .by_name
            .get(source.as_str())
            .ok_or(Refusal::NotFound)?;
        let claimed = source.proof.claimed(&given.headers);
        let received = *received;
        #[cfg(feature = "planted")]
        let received = match planted::has(Bug::HandoverIsReceipt) {
            true => self.clock.now(),
            false => received,
        };
        heard(source, body, given, &claimed, received)
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
        request_id: &str,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Answer, Refusal> {
        let source = match route.ok_or(Refusal::NotFound)? {
            Route::Health if request.method() == Method::GET => return Ok(Answer::Health),
            Route::Health => return Err(Refusal::Method("GET")),
            Route::Webhook(source) => source,
        };
        let given = given(request);
        if let Some(challenge) = handshakes::challenge(source, request.method(), &given)? {
            return Ok(Answer::Greeting(challenge));
        }
        let received = self.clock.now();
        let deadlines = patient(source, deadlines);
        let webhook = Webhook {
            source,
            given: &given,
            body: body.map_err(Refusal::Unreadable)?,
            received,
            request_id,
        };
        let posted = Box::pin(self.posted(&webhook, deadlines, tally));
        match self.queue {
            // What is queued needs neither the state nor Calven.
            Some(_) => posted.await,
            None => self.bridge.with_a_head_start(deadlines, posted).await,
        }
    }

    /// Answers what was posted to a source.
    async fn posted(
        &self,
        webhook: &Webhook<'_>,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Answer, Refusal> {
        let Webhook {
            source,
            given,
            body,
            received,
            request_id: _,
        } = *webhook;
        // Boxed, as what follows: the frame would have room for all of them.
        let greeting = Box::pin(self.greeting(source, body, received, deadlines));
        if let Some(greeting) = in_time(deadlines, greeting).await? {
            return Ok(Answer::Greeting(greeting));
        }
        let Steps {
            secrets, verify, ..
        } = &mut tally.steps;
        let verified = {
            let _lap = Lap::of(verify);
            let verified = self.verify(source, &given.headers, body, received, secrets);
            in_time(deadlines, Box::pin(verified)).await
        };
        // What is waited for is no work.
        *verify = verify.saturating_sub(*secrets);
        let verified = verified?;
        let heard = {
            let _lap = Lap::of(verify);
            heard(source, body, given, &verified, received)?
        };
        let enqueued = Box::pin(self.enqueue(webhook, &heard, deadlines, tally));
        if let Some(report) = enqueued.await {
            return Ok(Answer::Report(Box::new(report)));
        }
        let Heard {
            says,
            proven,
            warnings,
        } = heard;
        let (deliveries, rereads) = match says {
            Says::Statements(delivery) => (vec![delivery], Vec::new()),
            Says::ReadAgain(event) => (Vec::new(), vec![event]),
            Says::Nothing(event) => {
                if let Some(source) = &proven {
                    Box::pin(self.bridge.forget_handshake(source, deadlines)).await?;
                }
                let ignored = self.bridge.ignored(&event, deadlines, tally);
                let mut report = Box::pin(ignored).await?;
                report.warnings.extend(warnings);
                return Ok(Answer::Report(Box::new(report)));
            }
        };
        let change = Change::Deliveries {
            deliveries: &deliveries,
            rereads: &rereads,
            proven: proven.as_slice(),
            queued: false,
        };
        let mut report = Box::pin(self.bridge.apply(&change, deadlines, tally)).await?;
        report.warnings.splice(..0, warnings);
        Ok(Answer::Report(Box::new(report)))
    }
}

/// Secrets have timeouts of their own, which may be longer than what is left.
async fn in_time<T>(
    deadlines: Deadlines,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    timeout_at(deadlines.end, work)
        .await
        .unwrap_or(Err(Refusal::Bridge(BridgeError::TimeIsUp)))
}

/// What came beside the body: of a header or parameter that came twice, the first.
fn given(request: &Request) -> Given {
    let query = Given::query_of(request.uri().query().unwrap_or_default());
    Given {
        headers: headers(request.headers()),
        query,
    }
}

fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in map {
        if let Ok(text) = value.to_str() {
            headers
                .entry(name.as_str().to_owned())
                .or_insert_with(|| text.to_owned());
        }
    }
    headers
}

/// Maps a body that is known to be genuine.
fn heard(
    source: &Source,
    body: &[u8],
    given: &Given,
    verified: &Verified,
    received: Timestamp,
) -> Result<Heard, Refusal> {
    let Mapped {
        event_id,
        event_type: _,
        meaning,
        statements,
        mut warnings,
    } = source
        .mapping
        .map(body, given)
        .map_err(|fault| match fault {
            MapFault::Unreadable(why) => Refusal::Unreadable(why),
            MapFault::Unfitting(faults) => Refusal::Unfitting(faults),
        })?;
    let event = |event_id| ThinEvent {
        source: source.name.clone(),
        received,
        event_id,
    };
    let says = match (meaning, &source.rereading) {
        (Meaning::Say | Meaning::Remove, _) if !statements.is_empty() => {
            Says::Statements(Delivery {
                source: source.name.clone(),
                event_id,
                received,
                attempted: verified.signed_at.unwrap_or(received),
                statements,
            })
        }
        (Meaning::Say | Meaning::Remove | Meaning::Ignore, _) => Says::Nothing(event(event_id)),
        (Meaning::Reread, Rereading::Ready(_) | Rereading::Lacking { .. }) => {
            Says::ReadAgain(event(event_id))
        }
        (Meaning::Reread, Rereading::Never) => {
            warnings.push(format!(
                "{} says that something changed and not what, and has no snapshot to read it from",
                source.name
            ));
            Says::Nothing(event(event_id))
        }
    };
    let takes_token = matches!(source.handshake, Some(Handshake::Token(_)));
    Ok(Heard {
        says,
        proven: takes_token.then(|| source.name.clone()),
        warnings,
    })
}

/// The time that a webhook may take for publishing: senders hang up early.
pub(crate) fn deadlines(end: Instant, budget: Duration) -> Deadlines {
    let Deadlines { publish, end } = Deadlines::before(end);
    let publish = publish.min(Instant::now() + budget);
    Deadlines { publish, end }
}

/// No more than this sender waits for an answer.
fn patient(source: &Source, deadlines: Deadlines) -> Deadlines {
    let Some(patience) = source.patience else {
        return deadlines;
    };
    let budget = patience.saturating_sub(ANSWER_MARGIN).max(patience / 2);
    let Deadlines { publish, end } = deadlines;
    let publish = publish.min(Instant::now() + budget);
    Deadlines { publish, end }
}
