//! An HRIS's API that is read as a whole: answers what it was told to answer, and nothing else.
//!
//! A request must be one of those that were scripted, by method, path, query and body, with every
//! header that is required; anything else is answered 404 or 400 and remembered as unexpected. Answers can
//! be held back at a gate, so that a test decides what happens while a question is on its way.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::{
    fault::{Fault, Faults, Struck},
    server::{Connection, Server, locked},
};

/// A running stand-in for the API of an HRIS.
#[derive(Debug)]
pub struct HrisStandIn {
    server: Server,
    shared: Arc<Shared>,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET /groups?cursor=2`: method, path and query.
    pub line: String,
    /// The headers, by lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body, as text.
    pub body: String,
}

#[derive(Debug)]
struct Shared {
    faults: Faults,
    gate: Semaphore,
    arrivals: Semaphore,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    hold_back: usize,
    required: BTreeMap<String, String>,
    script: BTreeMap<(String, String), VecDeque<(u16, String)>>,
    requests: Vec<Request>,
    unexpected: Vec<String>,
}

impl HrisStandIn {
    /// Starts on a free port; nothing is scripted yet.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            faults: Faults::default(),
            gate: Semaphore::new(0),
            arrivals: Semaphore::new(0),
            held: Mutex::default(),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let server = Server::start(0, router).await?;
        Ok(Self { server, shared })
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// From now on every request must have this header, with exactly this value.
    pub fn require(&self, name: &str, value: &str) {
        let mut held = locked(&self.shared.held);
        held.required
            .insert(name.to_ascii_lowercase(), value.to_owned());
    }

    /// From now on this request, `GET /groups?cursor=2`, is answered 200 with this body.
    pub fn answer(&self, line: &str, body: impl Into<String>) {
        self.answers(line, "", [(200, body.into())]);
    }

    /// From now on this request with this body is answered so, one after the other; the last answer
    /// stays.
    pub fn answers(
        &self,
        line: &str,
        body: &str,
        answers: impl IntoIterator<Item = (u16, String)>,
    ) {
        let mut held = locked(&self.shared.held);
        let key = (line.to_owned(), body.to_owned());
        held.script.insert(key, answers.into_iter().collect());
    }

    /// Orders a fault for the next request that has none yet.
    pub fn fail_next(&self, fault: Fault) {
        self.shared.faults.push(fault);
    }

    /// Every request goes wrong like this, until [`mend`](Self::mend).
    pub fn fail_always(&self, fault: Fault) {
        self.shared.faults.stand(fault);
    }

    /// Ends what went wrong always; how often it did.
    pub fn mend(&self) -> Struck {
        self.shared.faults.mend()
    }

    /// The answers to so many of the next requests are held back, each until one
    /// [`let_through`](Self::let_through).
    pub fn hold_back(&self, requests: usize) {
        locked(&self.shared.held).hold_back += requests;
    }

    /// Lets one answer through that is held back, the one that came first; or the next one that will be.
    pub fn let_through(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Waits until one more request has come; each counts once.
    pub async fn arrived(&self) {
        let arrival = self.shared.arrivals.acquire().await;
        arrival.expect("the semaphore is never closed").forget();
    }

    /// Every request so far, answered or not, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.shared.held).requests.clone()
    }

    /// The same: method, path and query alone.
    pub fn lines(&self) -> Vec<String> {
        let held = locked(&self.shared.held);
        held.requests
            .iter()
            .map(|request| request.line.clone())
            .collect()
    }

    /// What came and was not scripted, or lacked a header. A test that ends well has none.
    pub fn unexpected(&self) -> Vec<String> {
        locked(&self.shared.held).unexpected.clone()
    }

    /// Refuses connections until [`come_back`](Self::come_back).
    pub async fn go_down(&self) {
        self.server.go_down().await;
    }

    /// Is there again, on the same port.
    ///
    /// # Errors
    /// Where somebody else has taken the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        self.server.come_back().await
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let line = match uri.query() {
        Some(query) => format!("{method} {}?{query}", uri.path()),
        None => format!("{method} {}", uri.path()),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let request = Request {
        line,
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: text(&body),
    };
    let is_held_back = {
        let mut held = locked(&shared.held);
        held.requests.push(request.clone());
        let is_held_back = held.hold_back > 0;
        held.hold_back = held.hold_back.saturating_sub(1);
        is_held_back
    };
    shared.arrivals.add_permits(1);
    // What is answered is decided when the request comes, as by a server that has read its data and is slow
    // to write them.
    let answered = shared
        .faults
        .answer(&connection, || answer(&shared, &request));
    let response = answered.await;
    if is_held_back {
        let permit = shared.gate.acquire().await;
        permit.expect("the semaphore is never closed").forget();
    }
    response
}

fn answer(shared: &Shared, request: &Request) -> Response {
    let mut held = locked(&shared.held);
    for (name, value) in &held.required {
        if request.headers.get(name) == Some(value) {
            continue;
        }
        let status = match name.as_str() {
            "authorization" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        return (status, format!("wrong {name}")).into_response();
    }
    let key = (request.line.clone(), request.body.clone());
    let scripted = held.script.get_mut(&key).and_then(|answers| {
        if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        }
    });
    let Some((status, body)) = scripted else {
        held.unexpected
            .push(format!("{} {}", request.line, request.body));
        return (StatusCode::NOT_FOUND, "not expected").into_response();
    };
    let status = StatusCode::from_u16(status).expect("a scripted status is one");
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
