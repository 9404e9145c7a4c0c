//! Calven: takes the complete hierarchy, and refuses what Calven's documentation says it refuses.
//!
//! Facts: apidocs.calven.com, "Submit group hierarchy relationships" (with and without Basic Auth),
//! "Org Hierarchy Information Overview", "HMAC Authentication Overview", "Generate a token with an API
//! key and client secret". The rules are written anew here, and share no code with the bridge.

mod credentials;
mod rows;
mod view;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

pub use self::{
    credentials::Credentials,
    rows::{Row, check, tree},
};
use self::{
    credentials::{authorise, issue},
    view::View,
};
use crate::{
    fault::{Fault, Faults, Struck},
    server::{Connection, Server, locked},
    traffic::Traffic,
};

const PUT_BEARER: &str = "/v1/directory/group-hierarchy-relationship";
const PUT_BASIC: &str = "/v1/directory/group-hierarchy-relationship/basic";
const TOKEN_HMAC: &str = "/v1/auth";
const TOKEN_CLIENT_SECRET: &str = "/v1/auth/token";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payload {
    group_relationships: Vec<Row>,
}

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The PUT of the hierarchy, on either path.
    Put,
    /// The request for a token, on either path.
    Token,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Path, with the query if there was one.
    pub path: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Received {
    /// First word of the `Authorization` header: `Bearer`, `Basic`, or nothing.
    pub fn auth_kind(&self) -> &str {
        let header = self.headers.get("authorization").map_or("", String::as_str);
        header.split(' ').next().unwrap_or("")
    }
}

/// A running stand-in for Calven.
#[derive(Debug)]
pub struct CalvenStandIn {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    put_faults: Faults,
    token_faults: Faults,
    held: Mutex<Held>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Held {
    credentials: Vec<Credentials>,
    token_lifetime_seconds: i64,
    tokens_made: u64,
    /// Tokens that are good, each with the second it ends.
    tokens: HashMap<String, i64>,
    rows: Option<Vec<Row>>,
    puts: Vec<Received>,
    put_count: usize,
    only_counts: bool,
    token_requests: Vec<Received>,
}

impl Held {
    fn note_put(&mut self, request: &Received) {
        self.put_count += 1;
        if !self.only_counts {
            self.puts.push(request.clone());
        }
    }
}

impl CalvenStandIn {
    /// Starts on a free port. `now` gives seconds since 1970.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start(
        credentials: Credentials,
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_on(0, credentials, now).await
    }

    /// Starts on the given port.
    ///
    /// # Errors
    /// Where the port is taken.
    pub async fn start_on(
        port: u16,
        credentials: Credentials,
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            now: Box::new(now),
            put_faults: Faults::default(),
            token_faults: Faults::default(),
            held: Mutex::new(Held {
                credentials: vec![credentials],
                token_lifetime_seconds: 3600,
                tokens_made: 0,
                tokens: HashMap::new(),
                rows: None,
                puts: Vec::new(),
                put_count: 0,
                only_counts: false,
                token_requests: Vec::new(),
            }),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let server = Server::start(port, router).await?;
        Ok(Self { server, shared })
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// What Calven holds; `None` before the first PUT that was taken.
    pub fn rows(&self) -> Option<Vec<Row>> {
        locked(&self.shared.held).rows.clone()
    }

    /// Every PUT that came, taken or not, oldest first; those that were [only counted](Self::only_count) are left out.
    pub fn puts(&self) -> Vec<Received> {
        locked(&self.shared.held).puts.clone()
    }

    /// How many PUTs came, taken or not.
    pub fn put_count(&self) -> usize {
        locked(&self.shared.held).put_count
    }

    /// From now on PUTs are counted and not kept: for who sends many thousands.
    pub fn only_count(&self) {
        locked(&self.shared.held).only_counts = true;
    }

    /// Every request for a token that came, granted or not, oldest first.
    pub fn token_requests(&self) -> Vec<Received> {
        locked(&self.shared.held).token_requests.clone()
    }

    /// Orders a fault for the next request to `endpoint` that has none yet.
    pub fn fail_next(&self, endpoint: Endpoint, fault: Fault) {
        match endpoint {
            Endpoint::Put => self.shared.put_faults.push(fault),
            Endpoint::Token => self.shared.token_faults.push(fault),
        }
    }

    /// Every request to `endpoint` goes wrong like this, until [`mend`](Self::mend).
    pub fn fail_always(&self, endpoint: Endpoint, fault: Fault) {
        match endpoint {
            Endpoint::Put => self.shared.put_faults.stand(fault),
            Endpoint::Token => self.shared.token_faults.stand(fault),
        }
    }

    /// Ends what went wrong always; how often it did.
    pub fn mend(&self, endpoint: Endpoint) -> Struck {
        match endpoint {
            Endpoint::Put => self.shared.put_faults.mend(),
            Endpoint::Token => self.shared.token_faults.mend(),
        }
    }

    /// From now on only these credentials are accepted; tokens that were issued stay good.
    pub fn rotate(&self, credentials: Credentials) {
        locked(&self.shared.held).credentials = vec![credentials];
    }

    /// From now on these credentials are accepted too, beside those that are.
    pub fn also_accept(&self, credentials: Credentials) {
        locked(&self.shared.held).credentials.push(credentials);
    }

    /// Ends every token that was issued.
    pub fn revoke_tokens(&self) {
        locked(&self.shared.held).tokens.clear();
    }

    /// How long the tokens live that are issued from now on; 3600 seconds until this is called.
    pub fn set_token_lifetime(&self, seconds: i64) {
        locked(&self.shared.held).token_lifetime_seconds = seconds;
    }

    /// Refuses connections until [`come_back`](Self::come_back).
    pub async fn go_down(&self) {
        self.server.go_down().await;
    }

    /// Is there again, on the same port, with all that it held.
    ///
    /// # Errors
    /// Where somebody else has taken the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        self.server.come_back().await
    }

    /// What Calven holds as an indented tree, one `Name [Type]` a line, children under their parent and
    /// siblings in order of name and type.
    pub fn tree(&self) -> String {
        tree(self.rows().as_deref().unwrap_or_default())
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
    let request = Received {
        path: uri.to_string(),
        headers: headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.to_vec(),
    };
    match (method, uri.to_string().as_str()) {
        (Method::PUT, PUT_BEARER | PUT_BASIC) => {
            locked(&shared.held).note_put(&request);
            shared
                .put_faults
                .answer(&connection, || put(&shared, &request))
                .await
        }
        (Method::POST, TOKEN_HMAC | TOKEN_CLIENT_SECRET) => {
            locked(&shared.held).token_requests.push(request.clone());
            shared
                .token_faults
                .answer(&connection, || issue(&shared, &request))
                .await
        }
        (Method::GET, path) if let Some(view) = View::at(path) => view.show(&shared),
        (_, PUT_BEARER | PUT_BASIC | TOKEN_HMAC | TOKEN_CLIENT_SECRET) => {
            fault(StatusCode::METHOD_NOT_ALLOWED, "no such method here")
        }
        (_, path) => fault(StatusCode::NOT_FOUND, &format!("Calven has no {path}")),
    }
}

fn fault(status: StatusCode, message: &str) -> Response {
    (
        status,
        Json(json!({"statusCode": status.as_u16(), "message": message})),
    )
        .into_response()
}

fn is_json(request: &Received) -> bool {
    let content_type = request
        .headers
        .get("content-type")
        .map_or("", String::as_str);
    content_type.split(';').next().map(str::trim) == Some("application/json")
}

fn put(shared: &Shared, request: &Received) -> Response {
    let mut held = locked(&shared.held);
    if let Err(reason) = authorise(&held, request, (shared.now)()) {
        return fault(StatusCode::UNAUTHORIZED, reason);
    }
    if !is_json(request) {
        return fault(
            StatusCode::BAD_REQUEST,
            "Content-Type must be application/json",
        );
    }
    let rows = match serde_json::from_slice(&request.body) {
        Ok(Payload {
            group_relationships,
        }) => group_relationships,
        Err(error) => return fault(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if let Err(reason) = check(&rows) {
        return fault(StatusCode::BAD_REQUEST, &reason);
    }
    held.rows = Some(rows);
    StatusCode::NO_CONTENT.into_response()
}
