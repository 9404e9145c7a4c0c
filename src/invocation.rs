//! Which of the four ways we were called, and the function that answers them all.

mod assemble;
mod batch;
mod kind;
mod log;
mod panics;
mod telling;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{
    Adapter, Body, Request, RequestExt as _, Response,
    request::{LambdaRequest, RequestContext},
};
use lambda_runtime::{
    Context, Diagnostic, LambdaEvent, service_fn,
    tower::{Service as _, ServiceExt as _},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

pub use self::panics::log_places_of_panics;
use self::{
    batch::{Merged, Said},
    kind::Invocation,
    panics::caught,
    telling::{Invoked, Teller, Told},
};
use crate::{
    bridge::{Bridge, BridgeError, Deadlines},
    hierarchy::Salt,
    http::Client,
    metrics::Metrics,
    operator::{ACTIONS, Action, Answer, Asked, BadAction, Commands, carry_out},
    queue::{Batch, BatchResponse, Queue},
    retry::RetryPolicy,
    secrets::SecretsHome,
    store::{BoxFuture, StateStore},
    tally::Tally,
    timestamp::{Clock, Timestamp},
    webhook::{Edge, Outcome, Says, deadlines},
};
#[cfg(feature = "planted")]
use crate::{
    planted::{self, Bug},
    report::Status,
};

/// How long an invocation may take where Lambda does not say.
const DEFAULT_TIME: Duration = Duration::from_secs(30);

/// What the function is made of beside its configuration: what `main` and the tests choose.
#[derive(Debug)]
pub struct Parts {
    /// The one HTTP client.
    pub http: Client,
    /// Where secrets come from.
    pub secrets: SecretsHome,
    /// Where the state lies.
    pub store: Arc<dyn StateStore>,
    /// Where webhooks are queued, where they are.
    pub queue: Option<Queue>,
    /// The present time.
    pub clock: Clock,
    /// How the remotes are retried.
    pub retry: RetryPolicy,
    /// Where the metrics go, where they are wanted.
    pub metrics: Option<Metrics>,
    /// The first state's salt, random; of no use where there is a state.
    pub salt: Salt,
}

/// The function: all four ways in.
#[derive(Debug)]
pub struct Function {
    edge: Arc<Edge>,
    bridge: Arc<Bridge>,
    publish_budget: Duration,
    commands: Commands,
    clock: Clock,
    teller: Arc<Teller>,
}

/// A failed invocation: what Lambda shows as `errorType` and `errorMessage`.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The event is none that is known.
    #[error(
        "the event is not one of: an HTTP request (Function URL, HTTP API, REST API or ALB), \
         a schedule (\"source\":\"aws.events\"), an SQS batch, or {{\"action\": …}} with one of: {ACTIONS}"
    )]
    UnknownEvent,
    /// An action is malformed.
    #[error(transparent)]
    BadAction(#[from] BadAction),
    /// It could not be carried out.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The answer could not be written.
    #[error("the answer could not be written")]
    Unwritable(#[from] serde_json::Error),
    /// It ran into what nobody had thought of.
    #[error("the function panicked; the log says where")]
    Panicked,
}

impl Failure {
    /// The `errorType`.
    pub const fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownEvent => "UnknownEvent",
            Self::BadAction(_) => "BadAction",
            Self::Bridge(error) => match error {
                BridgeError::Store(_) => "StateUnavailable",
                BridgeError::Unsaved(_) | BridgeError::Full(_) => "StateNotSaved",
                BridgeError::State(_) => "StateUnreadable",
                BridgeError::TimeIsUp => "TimeIsUp",
                BridgeError::Refused(_) => "Refused",
                BridgeError::NotPublished(_) | BridgeError::NoTimeToPublish => "NotPublished",
            },
            Self::Unwritable(_) => "Unwritable",
            Self::Panicked => "Panicked",
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.error_type().to_owned(),
            error_message: failure.to_string(),
        }
    }
}

impl Function {
    /// Answers one invocation: with what Lambda hands back.
    ///
    /// # Errors
    /// [`Failure`]: a failed invocation. HTTP requests are always answered.
    pub fn handle(&self, event: Value, context: Context) -> BoxFuture<'_, Result<Value, Failure>> {
        // Boxed, since the compiler gives up on the layout of futures that lie so deep; and each way in by itself, so that no
        // frame has room for all of them. What panics within one of them is told of like any other failure; beside them, in
        // reading the event and in telling, it is caught too, or Lambda's runtime would answer with the panic's words.
        Box::pin(caught(async move {
            let invoked = self.teller.begin(&context.request_id);
            let end = self.end(&context);
            let mut tally = Tally::default();
            let (invocation, answered) = match Invocation::of(&event) {
                Ok(Invocation::Http) => {
                    let answered = Box::pin(self.http(event, context, end, &invoked));
                    let answered = caught(answered).await;
                    (Some("webhook"), answered)
                }
                Ok(Invocation::Batch(batch)) => {
                    let answered = self.batch(&batch, end, &invoked, &mut tally);
                    let answered = caught(Box::pin(answered)).await;
                    (Some("queue"), answered)
                }
                Ok(Invocation::Action(asked)) => {
                    let name = asked.action.name();
                    let answered = self.action(asked, end, &invoked, &mut tally);
                    let answered = caught(Box::pin(answered)).await;
                    (Some(name), answered)
                }
                Err(failure) => (None, Err(failure)),
            };
            if let Err(failure) = &answered {
                let told = Told {
                    invocation,
                    failure: Some(failure),
                    ..Told::default()
                };
                invoked.tell(&told, &tally);
            }
            answered
        }))
    }

    /// When everything must be saved: Lambda's deadline less a margin to save and answer.
    fn end(&self, context: &Context) -> Instant {
        let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
        let deadline = Timestamp::from_micros(deadline.saturating_mul(1_000));
        // Local emulators give none, or one that was over long ago.
        let left = match deadline.since(self.clock.now()) {
            Duration::ZERO => DEFAULT_TIME,
            left => left,
        };
        let margin = (left / 10).clamp(Duration::from_millis(300), Duration::from_secs(2));
        Instant::now() + left.saturating_sub(margin)
    }

    async fn http(
        &self,
        mut event: Value,
        context: Context,
        end: Instant,
        invoked: &Invoked,
    ) -> Result<Value, Failure> {
        let undecodable = take_undecodable_body(&mut event);
        take_unusable_address(&mut event);
        let request = enveloped(event).ok_or(Failure::UnknownEvent)?;
        let deadlines = deadlines(end, self.publish_budget);
        let edge = Arc::clone(&self.edge);
        let invoked = invoked.clone();
        let mut adapter = Adapter::from(service_fn(move |request: Request| {
            let (edge, invoked) = (Arc::clone(&edge), invoked.clone());
            async move { answer(&edge, &request, undecodable, deadlines, &invoked).await }
        }));
        let service = adapter
            .ready()
            .await
            .map_err(|_: Failure| Failure::UnknownEvent)?;
        let response = service.call(LambdaEvent::new(request, context)).await?;
        Ok(serde_json::to_value(response)?)
    }

    /// A batch of the queue: all that can be read is merged, with one PUT and one save.
    async fn batch(
        &self,
        batch: &Batch,
        end: Instant,
        invoked: &Invoked,
        tally: &mut Tally,
    ) -> Result<Value, Failure> {
        let mut response = BatchResponse::default();
        let mut deliveries = Vec::new();
        let mut delivered = Vec::new();
        let mut rereads = Vec::new();
        let mut proven = Vec::new();
        let mut taken = Vec::new();
        for record in &batch.records {
            let heard = record
                .webhook()
                .map_err(|fault| fault.to_string())
                .and_then(|queued| {
                    self.edge.queued(&queued).map_err(|refusal| {
                        format!("{refusal} (of the request {})", queued.request_id)
                    })
                });
            match heard {
                Ok(heard) => {
                    for warning in &heard.warnings {
                        tracing::warn!(
                            message_id = record.message_id,
                            warning,
                            "a queued webhook is odd"
                        );
                    }
                    proven.extend(heard.proven);
                    match heard.says {
                        Says::Statements(delivery) => {
                            deliveries.push(delivery);
                            delivered.push(record);
                        }
                        Says::ReadAgain(event) => rereads.push(event),
                        Says::Nothing(_) => {}
                    }
                    taken.push(record);
                }
                Err(error) => {
                    tracing::error!(
                        message_id = record.message_id,
                        error,
                        "a queued webhook cannot be used"
                    );
                    response.fail(record);
                }
            }
        }
        let mut report = None;
        if deliveries.is_empty() && rereads.is_empty() {
            proven.sort();
            proven.dedup();
            for source in &proven {
                let forgotten = self.bridge.forget_handshake(source, Deadlines::before(end));
                if let Err(error) = forgotten.await {
                    tracing::warn!(%error, "a handshake's token is kept: the next webhook or the schedule forgets it");
                }
            }
        } else {
            let said = Said {
                has_others: taken.len() > deliveries.len() + rereads.len(),
                deliveries,
                rereads,
                proven,
            };
            let Merged { applied, left } = said.merged(&self.bridge, end, tally).await;
            for record in left.iter().filter_map(|at| delivered.get(*at)) {
                response.fail(record);
                taken.retain(|taken| !std::ptr::eq(*taken, *record));
            }
            match applied {
                Ok(answer) => {
                    // A dry run saves nothing, so the queue must keep what it handed over.
                    let is_to_be_kept = answer.saved == Some(false);
                    #[cfg(feature = "planted")]
                    let is_to_be_kept = is_to_be_kept
                        || (answer.status == Status::Accepted
                            && planted::has(Bug::SavedBatchFails));
                    if is_to_be_kept {
                        taken.into_iter().for_each(|record| response.fail(record));
                    }
                    report = Some(answer);
                }
                #[cfg(feature = "planted")]
                Err(_) if planted::has(Bug::UnsavedBatchTaken) => {}
                Err(error) => {
                    tracing::error!(%error, "a batch could not be saved");
                    taken.into_iter().for_each(|record| response.fail(record));
                }
            }
        }
        let told = Told {
            invocation: Some("queue"),
            report: report.as_ref(),
            records: Some(batch.records.len()),
            failed_records: Some(response.failures()),
            ..Told::default()
        };
        let answer = serde_json::to_value(response)?;
        invoked.tell(&told, tally);
        Ok(answer)
    }

    async fn action(
        &self,
        asked: Asked,
        end: Instant,
        invoked: &Invoked,
        tally: &mut Tally,
    ) -> Result<Value, Failure> {
        let Asked { action, format } = asked;
        let name = action.name();
        let deadlines = Deadlines::before(end);
        let proven = match action {
            // Not to be known in time, it can wait for the next reconcile.
            Action::Reconcile => timeout_at(deadlines.for_a_part(4), self.edge.proven())
                .await
                .unwrap_or_default(),
            Action::Seed { .. }
            | Action::Plan
            | Action::Explain(_)
            | Action::Approve(_)
            | Action::Export
            | Action::History
            | Action::Rollback(_)
            | Action::Check
            | Action::Handshake(_) => Vec::new(),
        };
        let premises = self.edge.premises(&proven);
        let carried_out = carry_out(
            action,
            &self.bridge,
            &self.clock,
            &premises,
            deadlines,
            tally,
        );
        let answer = carried_out.await?;
        let report = match &answer {
            Answer::Report(report) => Some(&**report),
            Answer::Plan(plan) => Some(&plan.report),
            Answer::Explain(_)
            | Answer::Export(_)
            | Answer::History(_)
            | Answer::Check(_)
            | Answer::Handshake(_) => None,
        };
        let told = Told {
            invocation: Some(name),
            report,
            ..Told::default()
        };
        let value = answer.rendered(format, &self.commands, self.clock.now())?;
        invoked.tell(&told, tally);
        Ok(value)
    }
}

async fn answer(
    edge: &Edge,
    request: &Request,
    undecodable: bool,
    deadlines: Deadlines,
    invoked: &Invoked,
) -> Result<Response<Body>, Failure> {
    let request_id = &invoked.request_id;
    let mut tally = Tally::default();
    let body = match undecodable {
        true => Err("the body is not base64, and the envelope says it is".to_owned()),
        false => Ok(request.body().as_ref()),
    };
    let path = without_stage(request);
    let (response, outcome) = edge
        .answer(request, path, body, request_id, deadlines, &mut tally)
        .await;
    let Outcome {
        http_status,
        source,
        report,
    } = outcome;
    let told = Told {
        invocation: Some("webhook"),
        source: source.as_deref(),
        http_status: Some(http_status),
        report: report.as_ref(),
        ..Told::default()
    };
    invoked.tell(&told, &tally);
    Ok(response)
}

/// Reads the envelope. A Function URL's and an HTTP API's names its version, and so is read at once; `lambda_http` would write it anew, and try
/// the REST API's on it first.
fn enveloped(event: Value) -> Option<LambdaRequest> {
    let is_v2 = event.get("version").and_then(Value::as_str) == Some("2.0");
    if is_v2 && let Ok(request) = Deserialize::deserialize(&event) {
        return Some(LambdaRequest::ApiGatewayV2(request));
    }
    serde_json::from_value(event).ok()
}

/// The path below a stage's prefix, which HTTP APIs, and REST APIs' base paths, put in front of it. A stage
/// may bear the name of one of our own paths, so a prefix is only one before such a path.
fn without_stage(request: &Request) -> &str {
    let path = request.raw_http_path();
    let stage = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.stage.as_deref(),
        Some(RequestContext::ApiGatewayV2(context)) => context.stage.as_deref(),
        Some(_) | None => None,
    };
    stage
        .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage))
        .filter(|rest| rest.starts_with("/webhooks/") || *rest == "/health")
        .unwrap_or(path)
}

/// Takes away what no address can be made of, where `lambda_http` would panic: a host, and the scheme before it, and
/// what must be escaped in a query. The host is the sender's text, and nothing here hangs on it.
fn take_unusable_address(event: &mut Value) {
    if let Some(query) = event.get_mut("rawQueryString")
        && let Some(text) = query.as_str()
        && !text.bytes().all(is_in_queries)
    {
        let escaped = text.bytes().map(|byte| match is_in_queries(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        *query = Value::String(escaped.collect());
    }
    for field in ["rawPath", "path"] {
        if let Some(path) = event.get_mut(field)
            && let Some(text) = path.as_str()
            && !text.starts_with('/')
        {
            *path = Value::String(format!("/{text}"));
        }
    }
    let context = event
        .get_mut("requestContext")
        .and_then(Value::as_object_mut);
    if let Some(context) = context {
        context.retain(|name, value| match name.as_str() {
            "domainName" => value.as_str().is_none_or(is_host),
            _ => true,
        });
    }
    let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) else {
        return;
    };
    headers.retain(|name, value| {
        let text = value.as_str().unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "host" => is_host(text),
            "x-forwarded-proto" => ["http", "https"].contains(&text),
            _ => true,
        }
    });
}

/// Whether a byte may stand in an address' query as it is.
const fn is_in_queries(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x24..=0x3B | 0x3D | 0x3F..=0x7E)
}

/// Whether a text is a host, and a port where there is one, and nothing that would be read as more.
fn is_host(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    text.bytes().all(is_plain) && reqwest::Url::parse(&format!("https://{text}/")).is_ok()
}

/// Takes away a body that the envelope calls base64 and that is none: `lambda_http` would panic.
fn take_undecodable_body(event: &mut Value) -> bool {
    let is_encoded = event.get("isBase64Encoded").and_then(Value::as_bool) == Some(true);
    let decodes = event
        .get("body")
        .and_then(Value::as_str)
        .is_none_or(|body| STANDARD.decode(body).is_ok());
    if is_encoded && !decodes {
        if let Some(fields) = event.as_object_mut() {
            fields.remove("body");
            fields.insert("isBase64Encoded".to_owned(), Value::Bool(false));
        }
        return true;
    }
    false
}
