//! A stand-in for Lambda itself: the Runtime API that a built `bootstrap` asks for its invocations.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use crate::{server::Server, traffic::Traffic};

/// What came of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Invoked {
    /// The function's answer.
    Response(Value),
    /// A failed invocation: `errorType`, `errorMessage`; `Sandbox.Timedout` where none came in time.
    Error(Value),
    /// The function reported that it cannot start: `errorType`, `errorMessage`.
    InitError(Value),
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Pending>,
    running: BTreeMap<String, oneshot::Sender<Invoked>>,
    init_error: Option<Value>,
    invocations: u64,
    last_answer: Bytes,
}

#[derive(Debug)]
struct Pending {
    id: String,
    event: Value,
    deadline_ms: u128,
    answer: oneshot::Sender<Invoked>,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<Notify>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no test panics while it holds the lock")
    }
}

/// A running Runtime API, for any number of bootstraps.
#[derive(Debug)]
pub struct LambdaRuntime {
    server: Server,
    shared: Shared,
}

impl LambdaRuntime {
    /// Starts one without invocations.
    pub async fn start() -> Self {
        let shared = Shared::default();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        Self {
            server: Server::start(0, router).await.expect("a free port"),
            shared,
        }
    }

    /// Host and port, for `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// How many invocations were handed out and not answered.
    pub fn unanswered(&self) -> usize {
        self.shared.lock().running.len()
    }

    /// The bytes of the function's last answer, good or bad.
    pub fn last_answer(&self) -> Vec<u8> {
        self.shared.lock().last_answer.to_vec()
    }

    /// Invokes the function: `timeout` is its deadline and how long its answer is waited for.
    pub async fn invoke(&self, event: Value, timeout: Duration) -> Invoked {
        let (answer, answered) = oneshot::channel();
        {
            let mut inner = self.shared.lock();
            if let Some(problem) = &inner.init_error {
                return Invoked::InitError(problem.clone());
            }
            inner.invocations += 1;
            let id = format!("00000000-0000-4000-9000-{:012}", inner.invocations);
            let deadline_ms = now().saturating_add(timeout).as_millis();
            inner.waiting.push_back(Pending {
                id,
                event,
                deadline_ms,
                answer,
            });
        }
        self.shared.arrived.notify_one();
        match tokio::time::timeout(timeout, answered).await {
            Ok(Ok(invoked)) => invoked,
            Ok(Err(_)) | Err(_) => Invoked::Error(json!({
                "errorType": "Sandbox.Timedout",
                "errorMessage": format!("Error: Task timed out after {:.2} seconds", timeout.as_secs_f64()),
            })),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "Lambda gives a deadline by the machine's clock, and the function reads that one"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is past 1970")
}

async fn next(State(shared): State<Shared>) -> Response {
    loop {
        let arrived = shared.arrived.notified();
        let pending = shared.lock().waiting.pop_front();
        let Some(pending) = pending else {
            arrived.await;
            continue;
        };
        // Whoever asked has gone: Lambda does not hand out what has timed out.
        if pending.answer.is_closed() {
            continue;
        }
        let mut inner = shared.lock();
        inner.running.insert(pending.id.clone(), pending.answer);
        if !inner.waiting.is_empty() {
            shared.arrived.notify_one();
        }
        return (
            [
                ("Lambda-Runtime-Aws-Request-Id", pending.id),
                (
                    "Lambda-Runtime-Deadline-Ms",
                    pending.deadline_ms.to_string(),
                ),
                (
                    "Lambda-Runtime-Invoked-Function-Arn",
                    "arn:aws:lambda:us-east-1:123456789012:function:calven-bridge".to_owned(),
                ),
                (
                    "Lambda-Runtime-Trace-Id",
                    "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"
                        .to_owned(),
                ),
                ("Content-Type", "application/json".to_owned()),
            ],
            pending.event.to_string(),
        )
            .into_response();
    }
}

async fn response(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> (StatusCode, String) {
    conclude(&shared, &id, body, Invoked::Response)
}

async fn error(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> (StatusCode, String) {
    conclude(&shared, &id, body, Invoked::Error)
}

fn conclude(
    shared: &Shared,
    id: &str,
    body: Bytes,
    outcome: fn(Value) -> Invoked,
) -> (StatusCode, String) {
    let Ok(value) = serde_json::from_slice(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "the body is no JSON");
    };
    let mut inner = shared.lock();
    let Some(answer) = inner.running.remove(id) else {
        return refuse(StatusCode::BAD_REQUEST, "no such invocation is running");
    };
    inner.last_answer = body;
    // An answer after the deadline finds nobody waiting, as with the real service.
    let _late = answer.send(outcome(value));
    accepted()
}

async fn init_error(State(shared): State<Shared>, body: Bytes) -> (StatusCode, String) {
    let Ok(value) = serde_json::from_slice::<Value>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "the body is no JSON");
    };
    let mut inner = shared.lock();
    for pending in std::mem::take(&mut inner.waiting) {
        let _gone = pending.answer.send(Invoked::InitError(value.clone()));
    }
    inner.init_error = Some(value);
    accepted()
}

fn accepted() -> (StatusCode, String) {
    (StatusCode::ACCEPTED, json!({"status": "OK"}).to_string())
}

fn refuse(status: StatusCode, message: &str) -> (StatusCode, String) {
    let body = json!({"errorType": "InvalidRequest", "errorMessage": message});
    (status, body.to_string())
}

#[cfg(test)]
mod tests;
