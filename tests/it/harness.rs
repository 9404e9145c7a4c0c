//! A world to try the bridge in: Calven, Capillary, a clock that only the test moves, and senders.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http,
    invocation::{Failure, Function, Parts},
    metrics::Metrics,
    queue::Queue,
    retry::RetryPolicy,
    secrets::{SecretsHome, SecretsManagerClient, secrets_manager_client},
    store::{MemoryStore, StateStore},
    timestamp::{Clock, Timestamp},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lambda_runtime::Context;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stand_ins::{
    calven::{self, CalvenStandIn},
    canaries,
    capillary::{self, CapillaryStandIn},
    secrets_manager::{self, SecretsManager},
};

use crate::kept::Kept;

/// When the tests play, unless they say otherwise: after all that the events say.
pub(crate) const NOW: &str = "2026-01-10T12:00:00Z";

/// The name under which the metrics are.
pub(crate) const FUNCTION_NAME: &str = "bridge-under-test";

/// Remotes are tried again at once.
const IMPATIENT: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(1),
    cap: Duration::from_millis(1),
    attempt: Duration::from_secs(20),
};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// The secrets of the sandbox, by id.
pub(crate) fn secrets() -> BTreeMap<String, Value> {
    serde_json::from_str(&read("examples/sandbox/secrets.json")).unwrap()
}

/// The key of Calven's that one of the sandbox's secrets is.
pub(crate) fn calven_key(id: &str) -> calven::Credentials {
    let secret = &secrets()[id];
    let field = |name: &str| secret[name].as_str().unwrap().to_owned();
    match secret["auth"].as_str().unwrap() {
        "hmac" => calven::Credentials::Hmac {
            api_key: field("apiKey"),
            api_secret: field("apiSecret"),
        },
        "client_secret" => calven::Credentials::ClientSecret {
            client_id: field("clientId"),
            client_secret: field("clientSecret"),
        },
        "basic" => calven::Credentials::Basic {
            api_key: field("apiKey"),
            api_secret: field("apiSecret"),
        },
        _ => calven::Credentials::Jwt {
            token: field("token"),
        },
    }
}

/// The key of Capillary's that one of the sandbox's secrets is.
pub(crate) fn capillary_key(id: &str) -> capillary::Credentials {
    let secret = &secrets()[id];
    let field = |name: &str| secret[name].as_str().unwrap().to_owned();
    match secret["auth"].as_str().unwrap() {
        "basic" => capillary::Credentials::Basic {
            username: field("username"),
            password: field("password"),
        },
        _ => capillary::Credentials::OAuth {
            key: field("key"),
            secret: field("secret"),
        },
    }
}

/// `v1,…` as Standard Webhooks has it, written anew here.
pub(crate) fn signature(secret_id: &str, id: &str, seconds: i64, body: &[u8]) -> String {
    let secrets = secrets();
    let secret = secrets[secret_id]["signingSecret"].as_str().unwrap();
    sign_with(secret, id, seconds, body)
}

pub(crate) fn sign_with(secret: &str, id: &str, seconds: i64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.unwrap()).unwrap();
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// HMAC-SHA256 in hexadecimal.
pub(crate) fn hmac_hex(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A request, before it is put into one of the envelopes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// As it stands in the address, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: vec![("host".to_owned(), "bridge.example.com".to_owned())],
            body: Vec::new(),
        }
    }

    /// A signed webhook.
    pub(crate) fn webhook(source: &str, id: &str, signed_at: Timestamp, body: &[u8]) -> Self {
        let seconds = signed_at.seconds();
        let signature = signature(&format!("hris/{source}"), id, seconds, body);
        let mut request = Self::new("POST", &format!("/webhooks/{source}"));
        request.body = body.to_vec();
        request
            .with("content-type", "application/json")
            .with("webhook-id", id)
            .with("webhook-timestamp", &seconds.to_string())
            .with("webhook-signature", &signature)
    }

    /// With this header in place of one of its name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        canaries::note_header(name, value);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    fn headers(&self) -> Value {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// A POST to a source, as it stands.
    pub(crate) fn post(source: &str, body: impl AsRef<[u8]>) -> Self {
        let mut request = Self::new("POST", &format!("/webhooks/{source}"));
        request.body = body.as_ref().to_vec();
        request.with("content-type", "application/json")
    }

    /// The query's parameters, each name's values in their order, by `read` of what stands in the address.
    fn parameters(&self, read: impl Fn(&str) -> String) -> BTreeMap<String, Vec<String>> {
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(read(name)).or_default().push(read(value));
        }
        parameters
    }

    fn body(&self) -> (Value, bool) {
        canaries::note_body(&self.body);
        match std::str::from_utf8(&self.body) {
            Ok("") => (Value::Null, false),
            Ok(text) => (json!(text), false),
            Err(_) => (json!(STANDARD.encode(&self.body)), true),
        }
    }

    /// As the HTTP edge puts it into the queue.
    pub(crate) fn queued(&self, source: &str, received: Timestamp) -> String {
        let mut headers = self.headers();
        headers
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name != "host");
        json!({"v": 1, "source": source, "requestId": "r", "receivedAt": received.to_string(),
            "headers": headers, "query": self.query, "body": STANDARD.encode(&self.body)})
        .to_string()
    }

    /// As an HTTP API or a Function URL sends it.
    pub(crate) fn v2(&self, stage: &str) -> Value {
        let (body, encoded) = self.body();
        let path = match stage {
            "$default" => self.path.clone(),
            stage => format!("/{stage}{}", self.path),
        };
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": self.query,
            "headers": self.headers(),
            "requestContext": {
                "accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "bridge.example.com",
                "domainPrefix": "bridge", "requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default",
                "http": {"method": self.method, "path": path, "protocol": "HTTP/1.1",
                         "sourceIp": "192.0.2.10", "userAgent": "test"},
                "stage": stage, "time": "10/Jan/2026:12:00:00 +0000", "timeEpoch": 1_768_046_400_000_u64,
            },
            "body": body, "isBase64Encoded": encoded,
        })
    }

    /// As a REST API sends it.
    pub(crate) fn v1(&self, stage: &str) -> Value {
        let (body, encoded) = self.body();
        let all = self.parameters(|text| {
            let text = format!("={text}");
            let (_, decoded) = form_urlencoded::parse(text.as_bytes()).next().unwrap();
            decoded.into_owned()
        });
        let last = last_of_each(&all);
        json!({
            "resource": "/{proxy+}", "path": self.path, "httpMethod": self.method,
            "headers": self.headers(), "multiValueHeaders": null,
            "queryStringParameters": last, "multiValueQueryStringParameters": all,
            "pathParameters": null, "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012", "apiId": "f6g7h8i9j0", "resourceId": "x1y2z3",
                "resourcePath": "/{proxy+}", "httpMethod": self.method, "stage": stage,
                "path": format!("/{stage}{}", self.path), "protocol": "HTTP/1.1",
                "requestId": "6d1c9d5e-7c0b-4a3f-9a57-000000000001", "requestTimeEpoch": 1_768_046_400_000_u64,
                "identity": {"sourceIp": "192.0.2.10", "userAgent": "test"},
            },
            "body": body, "isBase64Encoded": encoded,
        })
    }

    /// As a load balancer sends it.
    pub(crate) fn alb(&self) -> Value {
        let (body, encoded) = self.body();
        // Not decoded, unlike a REST API's.
        let all = self.parameters(str::to_owned);
        let last = last_of_each(&all);
        json!({
            "requestContext": {"elb": {"targetGroupArn":
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/bridge/0123456789abcdef"}},
            "httpMethod": self.method, "path": self.path, "queryStringParameters": last,
            "headers": self.headers(), "body": body, "isBase64Encoded": encoded,
        })
    }
}

fn last_of_each(parameters: &BTreeMap<String, Vec<String>>) -> BTreeMap<&str, &str> {
    let last = parameters
        .iter()
        .filter_map(|(name, values)| Some((name.as_str(), values.last()?.as_str())));
    last.collect()
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Answer {
    /// Reads what Lambda would hand back to the front.
    pub(crate) fn of(value: &Value) -> Self {
        let mut headers = BTreeMap::new();
        for (name, value) in value["headers"].as_object().into_iter().flatten() {
            headers.insert(name.to_lowercase(), value.as_str().unwrap().to_owned());
        }
        for (name, values) in value["multiValueHeaders"].as_object().into_iter().flatten() {
            headers.insert(name.to_lowercase(), values[0].as_str().unwrap().to_owned());
        }
        let text = value["body"].as_str().unwrap_or_default();
        Self {
            status: value["statusCode"].as_u64().expect("an HTTP answer"),
            headers,
            body: serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        }
    }

    /// The HTTP status and the word for what became of it.
    pub(crate) fn word(&self) -> (u64, &str) {
        (self.status, self.body["status"].as_str().unwrap_or("-"))
    }

    /// The reasons of what is held.
    pub(crate) fn held(&self) -> Vec<&str> {
        held(&self.body)
    }
}

/// The reasons of what a report says is held.
pub(crate) fn held(report: &Value) -> Vec<&str> {
    let entries = report["held"].as_array().into_iter().flatten();
    entries
        .map(|entry| entry["reason"].as_str().unwrap())
        .collect()
}

/// How the world is set up.
#[derive(Default)]
pub(crate) struct Setup {
    variables: BTreeMap<String, String>,
    secrets_file: Option<PathBuf>,
    store: Option<Arc<dyn StateStore>>,
    capillary: Option<String>,
    calven_key: Option<calven::Credentials>,
    sources: Option<String>,
    secrets: BTreeMap<String, Value>,
    secrets_manager: Option<SecretsManagerClient>,
    retry: Option<RetryPolicy>,
    http: Option<reqwest::Client>,
}

impl Setup {
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Which secret of the sandbox proves us to Calven, and is the one that Calven takes.
    pub(crate) fn calven_secret(mut self, id: &str) -> Self {
        self.calven_key = Some(calven_key(id));
        self.variable("CALVEN_SECRET_ID", id)
    }

    pub(crate) fn secrets_file(mut self, path: &Path) -> Self {
        self.secrets_file = Some(path.to_owned());
        self
    }

    /// With these sources in place of the sandbox's.
    pub(crate) fn sources(mut self, text: &str) -> Self {
        self.sources = Some(text.to_owned());
        self
    }

    /// With this secret beside the sandbox's.
    pub(crate) fn secret(mut self, id: &str, secret: Value) -> Self {
        self.secrets.insert(id.to_owned(), secret);
        self
    }

    /// Secrets are in this manager, those of the sandbox among them.
    pub(crate) fn secrets_manager(mut self, manager: &SecretsManager) -> Self {
        for (id, secret) in secrets() {
            manager.put(&id, &secret.to_string());
        }
        self.secrets_manager = Some(manager_at(&manager.url()));
        self
    }

    /// Secrets Manager is asked by this client.
    pub(crate) fn asking_by(mut self, client: SecretsManagerClient) -> Self {
        self.secrets_manager = Some(client);
        self
    }

    /// All instances share this client, which takes a while to make.
    pub(crate) fn http(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// The remotes are tried again like this.
    pub(crate) fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    pub(crate) fn store(mut self, store: Arc<dyn StateStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Capillary is there and answers this.
    pub(crate) fn capillary(mut self, body: &str) -> Self {
        self.capillary = Some(body.to_owned());
        self
    }

    /// Nothing waits for a seed.
    pub(crate) fn unseeded(self) -> Self {
        self.variable("SEED_REQUIRED", "false")
    }

    pub(crate) async fn start(self) -> World {
        crate::logs::keep();
        let Self {
            mut variables,
            secrets_file,
            store,
            capillary,
            calven_key: key,
            sources,
            secrets: own_secrets,
            secrets_manager,
            retry,
            http,
        } = self;
        let folder = tempfile::tempdir().unwrap();
        let micros = Arc::new(AtomicI64::new(time(NOW).micros()));
        let seconds = {
            let micros = Arc::clone(&micros);
            move || Timestamp::from_micros(micros.load(Ordering::SeqCst)).seconds()
        };
        let key = key.unwrap_or_else(|| calven_key("calven/api"));
        let calven = CalvenStandIn::start(key, seconds.clone()).await.unwrap();
        let mut set = |name: &str, value: String| {
            variables.entry(name.to_owned()).or_insert(value);
        };
        set("CALVEN_BASE_URL", calven.url());
        set("CALVEN_SECRET_ID", "calven/api".to_owned());
        let sources = match sources {
            Some(text) => {
                crate::contract::assert_is_sources(&text);
                let path = folder.path().join("sources.toml");
                std::fs::write(&path, text).unwrap();
                path
            }
            None => root().join("examples/sandbox/sources.toml"),
        };
        set("SOURCES_FILE", sources.display().to_string());
        set("STATE_URL", "memory:".to_owned());
        let capillary = match capillary {
            Some(body) => {
                let id = "capillary/api".to_owned();
                set("CAPILLARY_SECRET_ID", id);
                let key = capillary_key(&variables["CAPILLARY_SECRET_ID"]);
                let stand_in = CapillaryStandIn::start(key, body, seconds).await.unwrap();
                variables
                    .entry("CAPILLARY_BASE_URL".to_owned())
                    .or_insert_with(|| stand_in.url());
                Some(stand_in)
            }
            None => None,
        };
        let secrets_file = secrets_file.unwrap_or_else(|| folder.path().join("secrets.json"));
        let mut all_secrets = secrets();
        all_secrets.extend(own_secrets);
        let store = store.unwrap_or_else(|| Arc::new(MemoryStore::default()));
        let mut world = World {
            function: None,
            calven,
            capillary,
            micros,
            kept: Arc::new(Kept::of(Arc::clone(&store))),
            store,
            variables,
            secrets_file,
            time_left: Duration::ZERO,
            invocations: AtomicU64::new(0),
            secrets: Mutex::new(all_secrets),
            secrets_manager,
            retry: retry.unwrap_or(IMPATIENT),
            http,
            metrics: Arc::default(),
            folder,
        };
        world.write_secrets();
        world.restart();
        world
    }
}

/// Everything around one function, and the function.
pub(crate) struct World {
    function: Option<Function>,
    pub(crate) calven: CalvenStandIn,
    capillary: Option<CapillaryStandIn>,
    micros: Arc<AtomicI64>,
    pub(crate) store: Arc<dyn StateStore>,
    /// The same, as the functions have it: what they write is kept to be searched.
    kept: Arc<dyn StateStore>,
    variables: BTreeMap<String, String>,
    secrets_file: PathBuf,
    time_left: Duration,
    invocations: AtomicU64,
    secrets: Mutex<BTreeMap<String, Value>>,
    secrets_manager: Option<SecretsManagerClient>,
    retry: RetryPolicy,
    http: Option<reqwest::Client>,
    metrics: Arc<Mutex<Vec<u8>>>,
    folder: tempfile::TempDir,
}

impl World {
    /// As it is deployed: nothing seeded, nothing known.
    pub(crate) async fn new() -> Self {
        Setup::default().start().await
    }

    /// Seeded an hour ago with these rows, `"Group [Type]"` or `"Group [Type] < Parent [Type]"`.
    pub(crate) async fn seeded(rows: &[&str]) -> Self {
        Setup::default().start().await.seed(rows).await
    }

    pub(crate) async fn seed(self, rows: &[&str]) -> Self {
        let event = json!({"action": "seed", "occurredAt": "2026-01-01T00:00:00Z",
            "groupRelationships": rows.iter().map(|row| row_of(row)).collect::<Vec<_>>()});
        let report = self.action(event).await;
        assert_eq!(report["status"], "published", "{report}");
        self
    }

    /// Another instance takes over, which has nothing but the state.
    pub(crate) fn restart(&mut self) {
        self.function = Some(self.another());
    }

    /// One more instance on the same state.
    pub(crate) fn another(&self) -> Function {
        let files = Files {
            beside_binary: None,
            working_dir: root().to_owned(),
        };
        let variable = |name: &str| self.variables.get(name).cloned();
        let config = Config::read(&variable, &files).unwrap();
        let micros = Arc::clone(&self.micros);
        let clock = Clock::new(move || Timestamp::from_micros(micros.load(Ordering::SeqCst)));
        let http = self.http.clone();
        let http = http.unwrap_or_else(|| http::client().unwrap());
        let http = http::Client::from(http);
        let queue = config.queue_url.as_ref();
        let queue = queue.map(|url| Queue::open(url, &http, &variable, clock.clone()).unwrap());
        let metrics = Arc::clone(&self.metrics);
        let parts = Parts {
            http,
            secrets: match &self.secrets_manager {
                Some(client) => SecretsHome::SecretsManager(client.clone()),
                None => SecretsHome::File(self.secrets_file.clone()),
            },
            store: Arc::clone(&self.kept),
            queue,
            clock,
            retry: self.retry,
            metrics: Some(Metrics::new(FUNCTION_NAME.to_owned(), move |line| {
                canaries::keep("metrics", &String::from_utf8_lossy(line));
                metrics.lock().unwrap().extend_from_slice(line);
            })),
            salt: Salt::new([7; 32]),
        };
        Function::new(config, parts)
    }

    /// Puts a secret in place of the one of this id, or of none; `id@AWSPREVIOUS` is the one before.
    pub(crate) fn put_secret(&self, id: &str, secret: Value) {
        self.secrets.lock().unwrap().insert(id.to_owned(), secret);
        self.write_secrets();
    }

    fn write_secrets(&self) {
        let path = self.folder.path().join("secrets.json");
        let all = self.secrets.lock().unwrap();
        let secrets = all.values().map(Value::to_string);
        secrets.for_each(|secret| canaries::note_secret(&secret));
        let text = json!(*all).to_string();
        std::fs::write(path, text).unwrap();
    }

    /// Takes another instance that is configured with these sources.
    pub(crate) fn configure(&mut self, sources: &str) {
        crate::contract::assert_is_sources(sources);
        let path = self.folder.path().join("sources.toml");
        std::fs::write(&path, sources).unwrap();
        self.reconfigure("SOURCES_FILE", &path.display().to_string());
    }

    /// Sets a variable and takes another instance.
    pub(crate) fn reconfigure(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
        self.restart();
    }

    pub(crate) fn capillary(&self) -> &CapillaryStandIn {
        self.capillary.as_ref().expect("a world with Capillary")
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    /// It is this moment now, be it before or after what was now.
    pub(crate) fn travel(&self, to: Timestamp) {
        self.micros.store(to.micros(), Ordering::SeqCst);
    }

    pub(crate) fn pass(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.micros.fetch_add(by, Ordering::SeqCst);
    }

    /// From now on Lambda leaves every invocation so much time; zero: as much as there is.
    pub(crate) fn leave(&mut self, time_left: Duration) {
        self.time_left = time_left;
    }

    /// So little that what cannot be had is given up soon.
    pub(crate) fn leave_little(&mut self) {
        self.leave(Duration::from_secs(1));
    }

    pub(crate) fn leave_enough(&mut self) {
        self.leave(Duration::ZERO);
    }

    pub(crate) fn context(&self) -> Context {
        let number = self.invocations.fetch_add(1, Ordering::SeqCst);
        let mut context = Context::default();
        context.request_id = format!("00000000-0000-4000-8000-{number:012}");
        if !self.time_left.is_zero() {
            let deadline = self.now().plus(self.time_left).micros() / 1_000;
            context.deadline = u64::try_from(deadline).unwrap();
        }
        context
    }

    /// Invokes the function.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Value, Failure> {
        let function = self.function.as_ref().unwrap();
        let answered = function.handle(event, self.context()).await;
        match &answered {
            Ok(answer) => canaries::keep("answers", &answer.to_string()),
            Err(failure) => canaries::keep("answers", &format!("{failure} {failure:?}")),
        }
        answered
    }

    /// Sends an HTTP request, by an HTTP API.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        Answer::of(&self.invoke(request.v2("$default")).await.unwrap())
    }

    /// A webhook as the source would send it now: signed, its id the body's.
    pub(crate) fn signed(&self, source: &str, body: &Value) -> Request {
        let id = body["id"].as_str().unwrap_or("msg_1").to_owned();
        Request::webhook(source, &id, self.now(), body.to_string().as_bytes())
    }

    pub(crate) async fn webhook(&self, source: &str, body: &Value) -> Answer {
        self.send(&self.signed(source, body)).await
    }

    /// One change that the source `acme` says happened at this minute of the tenth of January.
    pub(crate) async fn says(&self, minute: u32, change: Value) -> Answer {
        let at = format!("2026-01-10T11:{minute:02}:00Z");
        let id = hex::encode(Sha256::digest(format!("{minute} {change}")));
        let body = json!({"id": id, "occurredAt": at, "changes": [change]});
        self.webhook("acme", &body).await
    }

    /// An operator's action, or a schedule's.
    pub(crate) async fn action(&self, event: Value) -> Value {
        match self.invoke(event).await {
            Ok(value) => value,
            Err(failure) => panic!("{}: {failure}", failure.error_type()),
        }
    }

    /// An action that is refused: `errorType` and `errorMessage`.
    pub(crate) async fn refused(&self, event: Value) -> (&'static str, String) {
        match self.invoke(event).await {
            Ok(value) => panic!("not refused: {value}"),
            Err(failure) => (failure.error_type(), failure.to_string()),
        }
    }

    /// What Calven holds: `"Group [Type] < Parent [Type]"`, in order.
    pub(crate) fn holds(&self) -> Vec<String> {
        let mut rows: Vec<String> = self
            .calven
            .rows()
            .unwrap_or_default()
            .iter()
            .map(text_of)
            .collect();
        rows.sort();
        rows
    }

    pub(crate) fn puts(&self) -> usize {
        self.calven.puts().len()
    }

    /// From now on who writes a metric panics.
    pub(crate) fn break_metrics(&self) {
        let metrics = Arc::clone(&self.metrics);
        let broken = std::thread::spawn(move || {
            let _held = metrics.lock().unwrap();
            panic!("the metrics' lock is broken on purpose");
        });
        assert!(broken.join().is_err());
    }

    /// What was measured since this was asked last: the metrics' lines.
    pub(crate) fn measured(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.metrics.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    /// The state as it is stored.
    pub(crate) async fn state(&self) -> Option<Value> {
        let loaded = self.store.load().await.unwrap()?;
        Some(serde_json::from_slice(&loaded.bytes).unwrap())
    }

    /// Everything that must be the same after what changes nothing.
    pub(crate) async fn everything(&self) -> (Option<Value>, Vec<String>, usize) {
        (self.state().await, self.holds(), self.puts())
    }

    #[track_caller]
    pub(crate) fn assert_holds(&self, expected: &[&str]) {
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(self.holds(), expected);
    }
}

pub(crate) fn manager_at(url: &str) -> SecretsManagerClient {
    let variables = secrets_manager::variables(url);
    secrets_manager_client(&http::client().unwrap(), &variables).unwrap()
}

/// `"Group [Type]"` or `"Group [Type] < Parent [Type]"` as one of Calven's rows.
pub(crate) fn row_of(text: &str) -> Value {
    let pair = |text: &str| {
        let (name, group_type) = text.strip_suffix(']').unwrap().rsplit_once(" [").unwrap();
        (name.to_owned(), group_type.to_owned())
    };
    let (group, parent) = match text.split_once(" < ") {
        Some((group, parent)) => (pair(group), Some(pair(parent))),
        None => (pair(text), None),
    };
    let (parent, parent_type) = parent.unzip();
    json!({"group": group.0, "groupType": group.1, "parent": parent, "parentType": parent_type})
}

/// The other way round.
pub(crate) fn text_of(row: &calven::Row) -> String {
    let calven::Row {
        group,
        group_type,
        parent,
        parent_type,
    } = row;
    match parent.as_ref().zip(parent_type.as_ref()) {
        Some((parent, parent_type)) => {
            format!("{group} [{group_type}] < {parent} [{parent_type}]")
        }
        None => format!("{group} [{group_type}]"),
    }
}

/// An upsert of a row, as `generic` takes it.
pub(crate) fn upsert(row: &str) -> Value {
    let mut change = row_of(row);
    change["op"] = json!("upsert");
    change
}

pub(crate) fn remove(group: &str) -> Value {
    let row = row_of(group);
    json!({"op": "remove", "group": row["group"], "groupType": row["groupType"]})
}

pub(crate) fn rename(group: &str, to: &str) -> Value {
    let row = row_of(group);
    json!({"op": "rename", "group": row["group"], "groupType": row["groupType"], "to": to})
}
