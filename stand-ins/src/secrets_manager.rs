//! A strict stand-in for AWS Secrets Manager's `GetSecretValue`.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    canaries,
    fault::{self, Faults, Struck},
    server::{Connection, Server},
    traffic::Traffic,
};

const REGION: &str = "us-east-1";

/// What AWS's variables say to who asks the stand-in at `url`.
pub fn variables(url: &str) -> impl Fn(&str) -> Option<String> {
    let url = url.to_owned();
    move |name| match name {
        "AWS_REGION" => Some(REGION.to_owned()),
        "AWS_ACCESS_KEY_ID" => Some("test-access-key".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("test-secret-access-key".to_owned()),
        "AWS_ENDPOINT_URL_SECRETS_MANAGER" => Some(url.clone()),
        _ => None,
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status and AWS error code.
    Error(u16, &'static str),
    /// Answered with a 200 that is no JSON.
    Garbage,
    /// Never answered.
    Hang,
}

#[derive(Clone, Debug)]
enum Content {
    Text(String),
    Binary(Vec<u8>),
}

#[derive(Debug, Default)]
struct Stored {
    current: Option<(String, Content)>,
    previous: Option<(String, Content)>,
}

#[derive(Debug, Default)]
struct Inner {
    secrets: BTreeMap<String, Stored>,
    faults: VecDeque<Fault>,
    standing_faults: BTreeMap<String, Fault>,
    seen: Vec<(String, String)>,
    versions: u64,
}

#[derive(Clone, Debug)]
struct Shared {
    inner: Arc<Mutex<Inner>>,
    gate: Arc<Semaphore>,
    faults: Arc<Faults>,
}

/// A running Secrets Manager.
#[derive(Debug)]
pub struct SecretsManager {
    server: Server,
    shared: Shared,
}

/// As many requests as may ever be answered while the gate is open.
const OPEN: usize = 1 << 20;

impl SecretsManager {
    /// Starts one without secrets.
    pub async fn start() -> Self {
        let shared = Shared {
            inner: Arc::default(),
            gate: Arc::new(Semaphore::new(OPEN)),
            faults: Arc::default(),
        };
        let router = Router::new()
            .route("/", post(call))
            .with_state(shared.clone());
        Self {
            server: Server::start(0, router).await.expect("a free port"),
            shared,
        }
    }

    /// For `AWS_ENDPOINT_URL` or `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// A new current version of a secret; the one that was current becomes the previous one.
    pub fn put(&self, id: &str, text: &str) {
        self.stage(id, Content::Text(text.to_owned()));
    }

    /// Like [`Self::put`], as a binary secret.
    pub fn put_binary(&self, id: &str, bytes: &[u8]) {
        self.stage(id, Content::Binary(bytes.to_vec()));
    }

    /// The word for [`Self::put`] of a secret that is there already.
    ///
    /// # Panics
    /// Where there is no such secret.
    pub fn rotate(&self, id: &str, text: &str) {
        assert!(
            self.lock().secrets.contains_key(id),
            "{id} is there to be rotated"
        );
        self.put(id, text);
    }

    /// Removes a secret.
    pub fn delete(&self, id: &str) {
        self.lock().secrets.remove(id);
    }

    /// The next requests, whatever they ask for, go wrong like this, one each, in this order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// Every request for this version stage goes wrong like this, until [`Self::mend`].
    pub fn fail_stage(&self, stage: &str, fault: Fault) {
        self.lock().standing_faults.insert(stage.to_owned(), fault);
    }

    /// Every request goes wrong like this, until [`Self::mend`].
    pub fn fail_always(&self, fault: fault::Fault) {
        self.shared.faults.stand(fault);
    }

    /// Ends all faults; how often the one that [stood for all](Self::fail_always) has happened.
    pub fn mend(&self) -> Struck {
        let mut inner = self.lock();
        inner.faults.clear();
        inner.standing_faults.clear();
        self.shared.faults.mend()
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

    /// From now on answers wait for [`Self::open`], so that a test sees who asks side by side.
    pub fn shut(&self) {
        self.shared.gate.forget_permits(OPEN);
    }

    /// Lets everybody through.
    pub fn open(&self) {
        self.shared.gate.add_permits(OPEN);
    }

    /// How many requests have come, refused and failed ones included.
    pub fn requests(&self) -> usize {
        self.lock().seen.len()
    }

    /// Id and version stage of each request, in order of arrival.
    pub fn seen(&self) -> Vec<(String, String)> {
        self.lock().seen.clone()
    }

    fn stage(&self, id: &str, content: Content) {
        match &content {
            Content::Text(text) => canaries::note_secret(text),
            Content::Binary(bytes) => canaries::note_secret(&String::from_utf8_lossy(bytes)),
        }
        let mut inner = self.lock();
        inner.versions += 1;
        let version = format!("00000000-0000-4000-8000-{:012}", inner.versions);
        let stored = inner.secrets.entry(id.to_owned()).or_default();
        stored.previous = stored.current.replace((version, content));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.shared.inner)
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner
        .lock()
        .expect("no test panics while it holds the lock")
}

/// The stage must be said, though the real service has a default: moto, against which the bridge is
/// tested too, returns an old version where it is not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetSecretValue {
    secret_id: String,
    version_stage: String,
}

async fn call(
    State(shared): State<Shared>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    if !is("x-amz-target", "secretsmanager.GetSecretValue") {
        return refuse(400, "UnknownOperationException");
    }
    if !is("content-type", "application/x-amz-json-1.1") {
        return refuse(400, "SerializationException");
    }
    let signed = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            // Who asks is told by a header that may be changed on the way, and so is not signed.
            value.starts_with("AWS4-HMAC-SHA256 Credential=") && !value.contains("user-agent;")
        });
    let is_ours = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("calven-bridge/"));
    if !is_ours {
        return refuse(400, "AccessDeniedException");
    }
    if !signed {
        return refuse(400, "MissingAuthenticationTokenException");
    }
    let Ok(asked) = serde_json::from_slice::<GetSecretValue>(&body) else {
        return refuse(400, "InvalidParameterException");
    };
    let fault = {
        let mut inner = lock(&shared.inner);
        inner
            .seen
            .push((asked.secret_id.clone(), asked.version_stage.clone()));
        let standing = inner.standing_faults.get(&asked.version_stage).cloned();
        inner.faults.pop_front().or(standing)
    };
    let _through = shared
        .gate
        .acquire()
        .await
        .expect("the gate is never closed");
    match fault {
        None => {
            let answer = || answer(&lock(&shared.inner), &asked);
            shared.faults.answer(&connection, answer).await
        }
        Some(Fault::Error(status, code)) => refuse(status, code),
        Some(Fault::Garbage) => "<html>".into_response(),
        Some(Fault::Hang) => std::future::pending().await,
    }
}

fn answer(inner: &Inner, asked: &GetSecretValue) -> Response {
    let prefix = format!("arn:aws:secretsmanager:{REGION}:123456789012:secret:");
    let name = asked
        .secret_id
        .strip_prefix(&prefix)
        .unwrap_or(&asked.secret_id);
    let Some(stored) = inner.secrets.get(name) else {
        return refuse(400, "ResourceNotFoundException");
    };
    let staged = match asked.version_stage.as_str() {
        "AWSCURRENT" => &stored.current,
        "AWSPREVIOUS" => &stored.previous,
        _ => &None,
    };
    let Some((version, content)) = staged else {
        return refuse(400, "ResourceNotFoundException");
    };
    let (field, value) = match content {
        Content::Text(text) => ("SecretString", text.clone()),
        Content::Binary(bytes) => ("SecretBinary", STANDARD.encode(bytes)),
    };
    let body = json!({
        "ARN": format!("{prefix}{name}"),
        "Name": name,
        "VersionId": version,
        "VersionStages": [asked.version_stage],
        "CreatedDate": 1_795_000_000.0,
        field: value,
    });
    json_1_1(200, body.to_string())
}

fn refuse(status: u16, code: &str) -> Response {
    let body = json!({"__type": code, "message": "scripted or refused by the stand-in"});
    json_1_1(status, body.to_string())
}

fn json_1_1(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).expect("a test scripts a status that exists");
    (
        status,
        [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
        body,
    )
        .into_response()
}
