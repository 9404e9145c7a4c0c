//! The whole function, with a store in memory, remotes that answer what they are told to, and virtual time; all that it sends
//! and saves is written down.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http::{Client, SendFailure},
    invocation::{Failure, Function, Parts},
    queue::{Queue, QueueUrl},
    retry::RetryPolicy,
    secrets::{Found, Lookup, SecretsError, SecretsHome},
    state::State,
    store::{BoxFuture, Loaded, MemoryStore, StateStore, StoreError, Swap, Tag},
    timestamp::{Clock, Timestamp},
};
use lambda_runtime::Context;
use md5::{Digest as _, Md5};
use reqwest::{Request, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    rules::{self, Rows},
    senders,
};

/// When it begins.
pub const BEGINNING: i64 = 1_767_693_601;

/// The secret that proves us to Calven; it must never be seen.
pub const CALVEN_SECRET: &str = "calven-secret-7f3a9c";

/// The secret that proves us to the other two.
pub const API_SECRET: &str = "api-secret-1b2c3d";

const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/fuzzed";

/// Longer than any invocation may take.
const TIME: Duration = Duration::from_secs(60);

/// What makes one function another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// Whether webhooks are queued.
    pub queued: bool,
    /// Whether Capillary is asked.
    pub enriched: bool,
    /// Whether all is held before the first seed.
    pub seed_required: bool,
    /// Whether nothing is saved or sent.
    pub dry_run: bool,
}

impl Setup {
    /// By the bits of a byte.
    pub const fn of(bits: u8) -> Self {
        Self {
            queued: bits & 1 != 0,
            enriched: bits & 2 != 0,
            seed_required: bits & 4 != 0,
            dry_run: bits & 0x38 == 0x38,
        }
    }

    /// Reading a configuration takes longer than most inputs do.
    fn config(self) -> Config {
        static CONFIGS: OnceLock<Vec<Config>> = OnceLock::new();
        let configs = CONFIGS.get_or_init(|| (0..16).map(read_config).collect());
        let bits = [self.queued, self.enriched, self.seed_required, self.dry_run];
        let number = bits
            .iter()
            .rev()
            .fold(0, |bits, bit| bits * 2 + usize::from(*bit));
        configs[number].clone()
    }
}

fn read_config(number: u8) -> Config {
    let vars = move |name: &str| {
        let value = match name {
            "CALVEN_SECRET_ID" => "calven",
            "CALVEN_BASE_URL" => "https://calven.example",
            "CAPILLARY_BASE_URL" if number & 2 != 0 => "https://capillary.example",
            "CAPILLARY_SECRET_ID" if number & 2 != 0 => "capillary",
            "CAPILLARY_ATTACH_ROOTS" if number & 4 != 0 => "true",
            "STATE_URL" => "memory:",
            "SOURCES_FILE" => "sources.toml",
            "SEED_REQUIRED" if number & 4 == 0 => "false",
            "DRY_RUN" if number & 8 != 0 => "true",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let files = Files {
        beside_binary: None,
        working_dir: env!("CARGO_MANIFEST_DIR").into(),
    };
    Config::read(&vars, &files).expect("a good configuration")
}

/// One request that the function sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// To Calven.
    Put(Vec<u8>),
    /// To Capillary.
    Organizations,
    /// A page of the thin source's API.
    Page,
    /// To the queue.
    Message(String),
    /// To Calven, whether we are let in.
    Auth,
}

/// What a remote is told to answer.
#[derive(Clone, Debug)]
pub struct Told {
    /// The status; none: there is no answer at all.
    pub status: Option<u16>,
    /// What of it stands in headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Log {
    sent: Vec<Sent>,
    told: VecDeque<Told>,
    /// Whether an answer that was told was a success, and not to a PUT.
    told_groups: bool,
    swaps: usize,
    taken: usize,
}

type Shared = Arc<Mutex<Log>>;

fn locked(log: &Shared) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A function and all around it.
pub struct World {
    function: Function,
    runtime: Runtime,
    store: Arc<Kept>,
    log: Shared,
    seconds: Arc<AtomicI64>,
    invocations: u32,
}

/// What came of one invocation.
#[derive(Debug)]
pub struct Came {
    /// What it answered.
    pub answer: Result<Value, Failure>,
    /// What was sent.
    pub sent: Vec<Sent>,
    /// How many PUTs were taken.
    pub taken: usize,
    /// How often the state was saved.
    pub swaps: usize,
    /// Whether a remote that was told what to answer was told a success.
    pub told_groups: bool,
}

impl Came {
    /// Whether nothing was sent and nothing saved.
    pub fn is_nothing(&self) -> bool {
        self.sent.is_empty() && self.swaps == 0
    }
}

/// Makes what is made once and kept, so that no input is charged for it.
pub fn warm() {
    Setup::default().config();
    network();
}

impl World {
    /// A new one; nothing is seeded.
    pub fn new(setup: Setup) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let log = Shared::default();
        let seconds = Arc::new(AtomicI64::new(BEGINNING));
        let clock = {
            let seconds = Arc::clone(&seconds);
            Clock::new(move || Timestamp::from_seconds(seconds.load(Ordering::Relaxed)))
        };
        let exchange = {
            let log = Arc::clone(&log);
            move |request: Request| -> BoxFuture<'static, Result<Response, SendFailure>> {
                let answer = exchange(&mut locked(&log), &request);
                Box::pin(std::future::ready(answer))
            }
        };
        let http = Client::by_exchange(network(), Arc::new(exchange));
        let queue = setup.queued.then(|| {
            let url: QueueUrl = QUEUE_URL.parse().expect("a good URL");
            Queue::open(&url, &http, &aws, clock.clone()).expect("a queue")
        });
        let store = Arc::new(Kept {
            memory: MemoryStore::default(),
            log: Arc::clone(&log),
        });
        let parts = Parts {
            http,
            secrets: SecretsHome::Elsewhere(Lookup::new(|id| {
                let found = secret(id);
                Box::pin(std::future::ready(Ok::<Found, SecretsError>(found)))
            })),
            store: Arc::clone(&store) as Arc<dyn StateStore>,
            queue,
            clock,
            retry: RetryPolicy::default(),
            metrics: None,
            salt: Salt::new([7; 32]),
        };
        Self {
            function: Function::new(setup.config(), parts),
            runtime,
            store,
            log,
            seconds,
            invocations: 0,
        }
    }

    /// The present second.
    pub fn now(&self) -> i64 {
        self.seconds.load(Ordering::Relaxed)
    }

    /// Time goes on.
    pub fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// What the remotes are to answer next; then they answer well again.
    pub fn tell(&self, told: impl IntoIterator<Item = Told>) {
        let mut log = locked(&self.log);
        log.told = told.into_iter().collect();
        log.told_groups = false;
    }

    /// What is saved; `None` before the first time.
    pub fn state(&self) -> Option<State> {
        let loaded = self.runtime.block_on(self.store.memory.load());
        let loaded = loaded.expect("a memory store loads")?;
        Some(State::decode(&loaded.bytes).expect("what is saved can be read"))
    }

    /// What is published.
    pub fn published(&self) -> Rows {
        let state = self.state();
        let published = state.and_then(|state| state.published);
        published.map_or_else(Rows::new, |published| {
            rules::body(&published.hierarchy().to_json().unwrap())
        })
    }

    /// One invocation, and what must hold of any.
    ///
    /// # Panics
    /// Where it does not end in time, sends what Calven would refuse, or shows a secret.
    pub fn invoke(&mut self, event: Value) -> Came {
        self.invocations += 1;
        let mut context = Context::default();
        context.request_id = format!("request-{}", self.invocations);
        let deadline = (self.now() * 1_000).unsigned_abs() + 30_000;
        context.deadline = deadline;
        {
            let mut log = locked(&self.log);
            log.sent.clear();
            (log.swaps, log.taken) = (0, 0);
        }
        let answer = self.runtime.block_on(async {
            let running = self.function.handle(event, context);
            tokio::time::timeout(TIME, running).await
        });
        let answer = answer.expect("it is answered in time");
        let log = locked(&self.log);
        let came = Came {
            answer,
            sent: log.sent.clone(),
            taken: log.taken,
            swaps: log.swaps,
            told_groups: log.told_groups,
        };
        drop(log);
        let shown = match &came.answer {
            Ok(answer) => answer.to_string(),
            Err(failure) => failure.to_string(),
        };
        for secret in [CALVEN_SECRET, API_SECRET, senders::KEY] {
            assert!(!shown.contains(secret), "a secret is shown");
        }
        came
    }
}

/// Answers a request, as it is told or well.
fn exchange(log: &mut Log, request: &Request) -> Result<Response, SendFailure> {
    let body = request
        .body()
        .and_then(|body| body.as_bytes())
        .unwrap_or_default();
    let host = request.url().host_str().unwrap_or_default();
    assert_eq!(
        request.url().scheme(),
        "https",
        "{} is asked",
        request.url()
    );
    let sent = match (request.method().as_str(), host) {
        ("PUT", "calven.example") => {
            rules::body(body);
            Sent::Put(body.to_vec())
        }
        (_, "calven.example") => Sent::Auth,
        ("GET", "capillary.example") => Sent::Organizations,
        ("GET", "thin.example") => Sent::Page,
        ("POST", "sqs.eu-west-1.amazonaws.com") => {
            let asked: Value = serde_json::from_slice(body).expect("a message");
            Sent::Message(asked["MessageBody"].as_str().expect("a text").to_owned())
        }
        _ => panic!("nobody is to ask {}", request.url()),
    };
    let told = log.told.pop_front();
    let was_told = told.is_some();
    let told = told.unwrap_or_else(|| well(&sent));
    let is_success = matches!(told.status, Some(200..300));
    match sent {
        Sent::Put(_) => log.taken += usize::from(is_success),
        Sent::Organizations | Sent::Page => log.told_groups |= is_success && was_told,
        Sent::Message(_) | Sent::Auth => {}
    }
    log.sent.push(sent);
    let Some(status) = told.status else {
        return Err(SendFailure::Unanswered("reset".to_owned()));
    };
    let mut response = http::Response::new(told.body);
    *response.status_mut() = status.try_into().expect("a status");
    for (name, value) in told.headers {
        let name = http::HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response.into())
}

/// The good answer.
fn well(sent: &Sent) -> Told {
    let (status, body) = match sent {
        Sent::Put(_) => (204, String::new()),
        Sent::Auth => (200, "{}".to_owned()),
        Sent::Organizations => (200, ORGANIZATIONS.to_owned()),
        Sent::Page => (200, PAGE.to_owned()),
        Sent::Message(text) => {
            let md5 = hex::encode(Md5::digest(text));
            (
                200,
                json!({"MessageId": "m", "MD5OfMessageBody": md5}).to_string(),
            )
        }
    };
    Told {
        status: Some(status),
        headers: Vec::new(),
        body: body.into_bytes(),
    }
}

/// What Capillary answers when all is well.
const ORGANIZATIONS: &str = include_str!("../../tests/fixtures/capillary/child-with-siblings.json");

/// What the thin source's API answers when all is well.
const PAGE: &str = r#"{"status": "success", "data": {"next": null, "results": [
    {"id": "k1", "name": "Kitchen", "type": "DEPARTMENT", "parent_id": null, "remote_deleted_at": null},
    {"id": "k2", "name": "Bakery", "type": "TEAM", "parent_id": "k1", "remote_deleted_at": null}]}}"#;

fn secret(id: &str) -> Found {
    // Nothing rotates, so there is no version before.
    if id.contains('@') {
        return None;
    }
    let text = match id {
        "calven" => json!({"auth": "basic", "apiKey": "key", "apiSecret": CALVEN_SECRET}),
        "capillary" => json!({"auth": "basic", "username": "till", "password": API_SECRET}),
        "hris/api" => json!({"token": API_SECRET}),
        "hris/newcomer" => json!({}),
        _ => senders::secret(id.strip_prefix("hris/")?),
    };
    Some((text.to_string(), Some("1".to_owned())))
}

/// The client that writes all requests; making one takes long.
fn network() -> reqwest::Client {
    static NETWORK: OnceLock<reqwest::Client> = OnceLock::new();
    NETWORK
        .get_or_init(|| calven_bridge::http::client().expect("a client"))
        .clone()
}

/// AWS's variables, as the function finds them.
fn aws(name: &str) -> Option<String> {
    let value = match name {
        "AWS_REGION" => "eu-west-1",
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "fuzzed",
        _ => return None,
    };
    Some(value.to_owned())
}

/// A store in memory that counts.
struct Kept {
    memory: MemoryStore,
    log: Shared,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl StateStore for Kept {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.memory.load()
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        State::decode(&bytes).expect("what is saved can be read");
        locked(&self.log).swaps += 1;
        self.memory.swap(bytes, expected)
    }
}
