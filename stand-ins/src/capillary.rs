//! Capillary: answers the organisation hierarchy that it was given.
//!
//! Facts: docs.capillarytech.com, "Get organization hierarchy" and the pages on Basic and OAuth
//! authentication.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::json;

use crate::{
    canaries,
    fault::{Fault, Faults, Struck},
    server::{Connection, Server, locked},
    traffic::Traffic,
};

const HIERARCHY: &str = "/v2/organization/hierarchy";
const TOKEN: &str = "/v3/oauth/token/generate";

/// The one credential that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Till credentials; the password goes over the wire as its MD5.
    Basic {
        /// User name of the till.
        username: String,
        /// Its password, in clear.
        password: String,
    },
    /// A key and secret for which a token is had.
    OAuth {
        /// The key.
        key: String,
        /// The secret.
        secret: String,
    },
}

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The organisation hierarchy.
    Hierarchy,
    /// The request for a token.
    Token,
}

/// A running stand-in for Capillary.
#[derive(Debug)]
pub struct CapillaryStandIn {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    hierarchy_faults: Faults,
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
    credentials: Credentials,
    token_lifetime_seconds: i64,
    tokens_made: u64,
    tokens: HashMap<String, i64>,
    body: String,
    content_type: String,
    queries: Vec<String>,
    token_requests: usize,
}

impl CapillaryStandIn {
    /// Starts on a free port with this answer. `now` gives seconds since 1970.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start(
        credentials: Credentials,
        body: impl Into<String>,
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_on(0, credentials, body, now).await
    }

    /// Starts on the given port.
    ///
    /// # Errors
    /// Where the port is taken.
    pub async fn start_on(
        port: u16,
        credentials: Credentials,
        body: impl Into<String>,
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            now: Box::new(now),
            hierarchy_faults: Faults::default(),
            token_faults: Faults::default(),
            held: Mutex::new(Held {
                credentials,
                token_lifetime_seconds: 300,
                tokens_made: 0,
                tokens: HashMap::new(),
                body: body.into(),
                content_type: "application/json".to_owned(),
                queries: Vec::new(),
                token_requests: 0,
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

    /// From now on the answer is this text, JSON or not.
    pub fn answer_with(&self, content_type: impl Into<String>, body: impl Into<String>) {
        let mut held = locked(&self.shared.held);
        held.content_type = content_type.into();
        held.body = body.into();
    }

    /// The query of every request for the hierarchy, answered or not, oldest first; without the `?`.
    pub fn queries(&self) -> Vec<String> {
        locked(&self.shared.held).queries.clone()
    }

    /// How many requests for a token came, granted or not.
    pub fn token_requests(&self) -> usize {
        locked(&self.shared.held).token_requests
    }

    /// Orders a fault for the next request to `endpoint` that has none yet.
    pub fn fail_next(&self, endpoint: Endpoint, fault: Fault) {
        match endpoint {
            Endpoint::Hierarchy => self.shared.hierarchy_faults.push(fault),
            Endpoint::Token => self.shared.token_faults.push(fault),
        }
    }

    /// Every request to `endpoint` goes wrong like this, until [`mend`](Self::mend).
    pub fn fail_always(&self, endpoint: Endpoint, fault: Fault) {
        match endpoint {
            Endpoint::Hierarchy => self.shared.hierarchy_faults.stand(fault),
            Endpoint::Token => self.shared.token_faults.stand(fault),
        }
    }

    /// Ends what went wrong always; how often it did.
    pub fn mend(&self, endpoint: Endpoint) -> Struck {
        match endpoint {
            Endpoint::Hierarchy => self.shared.hierarchy_faults.mend(),
            Endpoint::Token => self.shared.token_faults.mend(),
        }
    }

    /// From now on only these credentials are accepted; tokens that were issued stay good.
    pub fn rotate(&self, credentials: Credentials) {
        locked(&self.shared.held).credentials = credentials;
    }

    /// Ends every token that was issued.
    pub fn revoke_tokens(&self) {
        locked(&self.shared.held).tokens.clear();
    }

    /// How long the tokens live that are issued from now on; 300 seconds until this is called.
    pub fn set_token_lifetime(&self, seconds: i64) {
        locked(&self.shared.held).token_lifetime_seconds = seconds;
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
    match (method, uri.path()) {
        (Method::GET, HIERARCHY) => {
            locked(&shared.held)
                .queries
                .push(uri.query().unwrap_or("").to_owned());
            shared
                .hierarchy_faults
                .answer(&connection, || hierarchy(&shared, &uri, &headers))
                .await
        }
        (Method::POST, TOKEN) => {
            locked(&shared.held).token_requests += 1;
            shared
                .token_faults
                .answer(&connection, || issue(&shared, &headers, &body))
                .await
        }
        (_, HIERARCHY | TOKEN) => fault(StatusCode::METHOD_NOT_ALLOWED, "no such method here"),
        (_, path) => fault(StatusCode::NOT_FOUND, &format!("Capillary has no {path}")),
    }
}

fn fault(status: StatusCode, message: &str) -> Response {
    let errors = json!({"errors": [{"code": status.as_u16(), "message": message}]});
    (status, Json(errors)).into_response()
}

fn hierarchy(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Response {
    let held = locked(&shared.held);
    if let Err(reason) = authorise(&held, headers, (shared.now)()) {
        return fault(StatusCode::UNAUTHORIZED, reason);
    }
    for pair in uri
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let known = matches!(
            pair.split_once('='),
            Some(("fetchSiblings" | "fetchCustomFields", "true" | "false"))
        );
        if !known {
            return fault(
                StatusCode::BAD_REQUEST,
                &format!("unknown query parameter {pair}"),
            );
        }
    }
    (
        StatusCode::OK,
        [(CONTENT_TYPE, held.content_type.clone())],
        held.body.clone(),
    )
        .into_response()
}

fn authorise(held: &Held, headers: &HeaderMap, now: i64) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match &held.credentials {
        Credentials::Basic { username, password } => {
            let hashed = hex::encode(Md5::digest(password));
            let expected = format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{username}:{hashed}"))
            );
            match text("authorization") {
                Some(given) if given == expected => Ok(()),
                Some(_) | None => Err("wrong user name or password"),
            }
        }
        Credentials::OAuth { .. } => {
            if headers.contains_key("authorization") {
                return Err("the token belongs into X-CAP-API-OAUTH-TOKEN alone");
            }
            match text("x-cap-api-oauth-token").and_then(|token| held.tokens.get(token)) {
                Some(end) if now < *end => Ok(()),
                Some(_) | None => Err("no token, or none that is good"),
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    key: String,
    secret: String,
}

fn issue(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Response {
    let mut held = locked(&shared.held);
    if headers
        .get(CONTENT_TYPE)
        .is_none_or(|value| value != "application/json")
    {
        return fault(
            StatusCode::BAD_REQUEST,
            "Content-Type must be application/json",
        );
    }
    let request: TokenRequest = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return fault(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let known = matches!(&held.credentials, Credentials::OAuth { key, secret }
        if *key == request.key && *secret == request.secret);
    if !known {
        return fault(StatusCode::UNAUTHORIZED, "wrong key or secret");
    }
    held.tokens_made += 1;
    let token = format!("capillary-token-{}", held.tokens_made);
    canaries::note(canaries::Kind::Secret, &token);
    let lifetime = held.token_lifetime_seconds;
    held.tokens
        .insert(token.clone(), (shared.now)().saturating_add(lifetime));
    Json(json!({"data": {"accessToken": token, "ttlSeconds": lifetime}, "errors": null}))
        .into_response()
}
