//! What a new instance waits for before its first PUT: no more than three answers one after the other. And what a warm one
//! still asks.
//!
//! Time is paused, and every answer takes the same: so when a request begins tells how many others it had to wait for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http::{self, SendFailure},
    invocation::{Function, Parts},
    queue::Queue,
    retry::RetryPolicy,
    secrets::{Lookup, SecretsHome},
    store::{BoxFuture, Loaded, MemoryStore, Since, StateStore, StoreError, Swap, Tag},
    timestamp::Clock,
};
use lambda_http::http::Response;
use lambda_runtime::Context;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::harness::{Answer, NOW, Request, read, root, row_of, secrets, time, upsert};

const LATENCY: Duration = Duration::from_millis(10);

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/bridge";

/// Everybody who is asked: what, and how long after the beginning.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<(Duration, String)>>);

/// Everything that is far away.
#[derive(Debug)]
struct Remotes {
    asked: Asked,
    begun: Mutex<Instant>,
    memory: MemoryStore,
    /// How long the state takes to be read.
    reading: Mutex<Duration>,
    /// Whether it can be read.
    is_there: Mutex<bool>,
    has_capillary: Mutex<bool>,
}

impl Remotes {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: Asked::default(),
            begun: Mutex::new(Instant::now()),
            memory: MemoryStore::default(),
            reading: Mutex::new(LATENCY),
            is_there: Mutex::new(true),
            has_capillary: Mutex::new(false),
        })
    }

    fn note(&self, what: &str) {
        let after = self.begun.lock().unwrap().elapsed();
        let mut asked = self.asked.0.lock().unwrap();
        asked.push((after, what.to_owned()));
    }

    /// What was asked since the last time, by how many answers had to be waited for before.
    fn rounds(&self) -> Vec<Vec<String>> {
        let asked = std::mem::take(&mut *self.asked.0.lock().unwrap());
        *self.begun.lock().unwrap() = Instant::now();
        let mut rounds: BTreeMap<u128, Vec<String>> = BTreeMap::new();
        for (after, what) in asked {
            assert_eq!(after.as_millis() % LATENCY.as_millis(), 0, "{what}");
            let round = after.as_millis() / LATENCY.as_millis();
            rounds.entry(round).or_default().push(what);
        }
        let sorted = rounds.into_values().map(|mut round| {
            round.sort();
            round
        });
        sorted.collect()
    }

    /// A new instance.
    fn instance(self: &Arc<Self>, calven_secret: &str, queued: bool) -> Function {
        let variable = |name: &str| {
            let value = match name {
                "CALVEN_SECRET_ID" => calven_secret,
                "CALVEN_BASE_URL" => "https://calven.example",
                "STATE_URL" => "memory:",
                "SOURCES_FILE" => "examples/sandbox/sources.toml",
                "QUEUE_URL" if queued => QUEUE,
                "CAPILLARY_BASE_URL" if *self.has_capillary.lock().unwrap() => {
                    "https://capillary.example"
                }
                "CAPILLARY_SECRET_ID" if *self.has_capillary.lock().unwrap() => "capillary/oauth",
                "AWS_REGION" => "eu-west-1",
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "played",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let files = Files {
            beside_binary: None,
            working_dir: root().to_owned(),
        };
        let config = Config::read(&variable, &files).unwrap();
        let clock = Clock::new(|| time(NOW));
        let exchange = {
            let remotes = Arc::clone(self);
            move |request| -> BoxFuture<'static, Result<reqwest::Response, SendFailure>> {
                Box::pin(Arc::clone(&remotes).exchange(request))
            }
        };
        let http = http::Client::by_exchange(http::client().unwrap(), Arc::new(exchange));
        let queue = config.queue_url.as_ref();
        let queue = queue.map(|url| Queue::open(url, &http, &variable, clock.clone()).unwrap());
        let remotes = Arc::clone(self);
        let lookup = Lookup::new(move |key| {
            let (remotes, key) = (Arc::clone(&remotes), key.to_owned());
            Box::pin(async move {
                remotes.note(&format!("secret {key}"));
                sleep(LATENCY).await;
                let secret = secrets().get(&key).map(Value::to_string);
                Ok(secret.map(|text| (text, Some(key))))
            })
        });
        let parts = Parts {
            http,
            secrets: SecretsHome::Elsewhere(lookup),
            store: Arc::new(Home(Arc::clone(self))),
            queue,
            clock,
            retry: RetryPolicy::default(),
            metrics: None,
            salt: Salt::new([7; 32]),
        };
        Function::new(config, parts)
    }

    async fn exchange(
        self: Arc<Self>,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, SendFailure> {
        let path = request.url().path();
        self.note(&format!("{} {path}", request.method()));
        sleep(LATENCY).await;
        let (status, answer) = match path {
            "/v1/auth" => (
                200,
                json!({"authenticated": true, "token": "t", "expiration": 2_000_000_000}),
            ),
            "/v1/auth/token" => (200, json!({"access_token": "t", "expires_in": 3_600})),
            "/v3/oauth/token/generate" => (
                200,
                json!({"data": {"accessToken": "t", "ttlSeconds": 3_600}}),
            ),
            "/v2/organization/hierarchy" => {
                let answer = read("tests/fixtures/capillary/child-with-siblings.json");
                (200, serde_json::from_str(&answer).unwrap())
            }
            "/v1/directory/group-hierarchy-relationship"
            | "/v1/directory/group-hierarchy-relationship/basic" => (204, Value::Null),
            _ => {
                let body = request.body().and_then(|body| body.as_bytes()).unwrap();
                let body: Value = serde_json::from_slice(body).unwrap();
                let md5 = Md5::digest(body["MessageBody"].as_str().unwrap());
                let md5 = hex::encode(md5);
                (200, json!({"MessageId": "m", "MD5OfMessageBody": md5}))
            }
        };
        let response = Response::builder().status(status);
        Ok(response.body(answer.to_string()).unwrap().into())
    }

    /// Seeds, so that webhooks are published, by an instance that is gone then.
    async fn seed(self: &Arc<Self>) {
        let rows = json!([row_of("Top [Division]")]);
        let seed = json!({"action": "seed", "groupRelationships": rows});
        let instance = self.instance("calven/basic", false);
        instance.handle(seed, Context::default()).await.unwrap();
        self.rounds();
    }
}

/// The state's home.
#[derive(Debug)]
struct Home(Arc<Remotes>);

impl Home {
    async fn read(&self, what: &str) -> Result<(), StoreError> {
        self.0.note(what);
        let takes = *self.0.reading.lock().unwrap();
        sleep(takes).await;
        match *self.0.is_there.lock().unwrap() {
            true => Ok(()),
            false => Err(StoreError::Unavailable {
                home: "test".to_owned(),
                reason: "it is away".to_owned(),
            }),
        }
    }
}

impl StateStore for Home {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        Box::pin(async {
            self.read("state").await?;
            self.0.memory.load().await
        })
    }

    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        Box::pin(async {
            self.read("state, if it is new").await?;
            self.0.memory.load_since(seen).await
        })
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(async {
            self.0.note("save");
            sleep(LATENCY).await;
            self.0.memory.swap(bytes, expected).await
        })
    }
}

fn webhook(id: &str, row: &str) -> Request {
    let body = json!({"id": id, "changes": [upsert(row)]});
    Request::webhook("acme", id, time(NOW), body.to_string().as_bytes())
}

async fn send(instance: &Function, request: &Request) -> Answer {
    let event = request.v2("$default");
    Answer::of(&instance.handle(event, Context::default()).await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_waits_for_no_more_than_three_answers_before_it_puts() {
    for (secret, token, put) in [
        ("calven/basic", None, "/basic"),
        ("calven/jwt", None, ""),
        ("calven/client-secret", Some("/v1/auth/token"), ""),
        ("calven/api", Some("/v1/auth"), ""),
    ] {
        let remotes = Remotes::new();
        remotes.seed().await;
        let instance = remotes.instance(secret, false);
        let answer = send(&instance, &webhook("evt_1", "One [Team]")).await;
        assert_eq!(answer.word(), (200, "published"), "{secret}");
        let put = format!("PUT /v1/directory/group-hierarchy-relationship{put}");
        let calven = format!("secret {secret}");
        let rounds = remotes.rounds();
        let before = rounds.iter().position(|round| round.contains(&put));
        assert!(before.is_some_and(|before| before <= 3), "{rounds:?}");
        let mut second = vec!["secret hris/acme@AWSPREVIOUS".to_owned()];
        second.extend(token.map(|path| format!("POST {path}")));
        second.sort();
        let mut first = vec![calven, "secret hris/acme".to_owned(), "state".to_owned()];
        first.sort();
        let expected = [first, second, vec![put.clone()], vec!["save".to_owned()]];
        assert_eq!(rounds, expected);
        // A warm one has all of it, and asks whether the state is new.
        send(&instance, &webhook("evt_2", "Two [Team]")).await;
        assert_eq!(
            remotes.rounds(),
            [["state, if it is new"], [&put], ["save"]]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_three_either_where_capillary_is_read() {
    let remotes = Remotes::new();
    remotes.seed().await;
    *remotes.has_capillary.lock().unwrap() = true;
    let instance = remotes.instance("calven/basic", false);
    let answer = send(&instance, &webhook("evt_1", "One [Team]")).await;
    assert_eq!(answer.word(), (200, "published"));
    let rounds = remotes.rounds();
    assert_eq!(
        rounds[1..4],
        [
            vec![
                "POST /v3/oauth/token/generate".to_owned(),
                "secret hris/acme@AWSPREVIOUS".to_owned()
            ],
            vec!["GET /v2/organization/hierarchy".to_owned()],
            vec!["PUT /v1/directory/group-hierarchy-relationship/basic".to_owned()],
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_and_a_reconcile_do_not_wait_for_the_token_either() {
    let remotes = Remotes::new();
    remotes.seed().await;
    let body = webhook("evt_1", "One [Team]").queued("acme", time(NOW));
    let batch = json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": body}]});
    for event in [batch, json!({"action": "reconcile"})] {
        let instance = remotes.instance("calven/api", false);
        instance.handle(event, Context::default()).await.unwrap();
        let rounds = remotes.rounds();
        assert_eq!(rounds[0], ["secret calven/api", "state"]);
        assert_eq!(rounds[1], ["POST /v1/auth"]);
        assert_eq!(
            rounds[2],
            ["PUT /v1/directory/group-hierarchy-relationship"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_proves_nothing_waits_for_nothing_and_makes_a_warm_instance_ask_nobody() {
    let remotes = Remotes::new();
    remotes.seed().await;
    *remotes.reading.lock().unwrap() = Duration::from_secs(4);
    let instance = remotes.instance("calven/basic", false);
    let forged = webhook("evt_1", "One [Team]").with("webhook-signature", "v1,AAAA");
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(send(&instance, &forged).await.status, 401);
    }
    assert!(begun.elapsed() <= 3 * LATENCY, "{:?}", begun.elapsed());
    let of_the_state = |rounds: &[Vec<String>]| {
        let asked = rounds.iter().flatten();
        asked.filter(|what| what.starts_with("state")).count()
    };
    assert_eq!(of_the_state(&remotes.rounds()), 1);
    // Who proves himself is answered as if nothing had been.
    *remotes.reading.lock().unwrap() = LATENCY;
    let answer = send(&instance, &webhook("evt_2", "Two [Team]")).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(of_the_state(&remotes.rounds()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_away_is_asked_for_once() {
    let remotes = Remotes::new();
    remotes.seed().await;
    *remotes.is_there.lock().unwrap() = false;
    let instance = remotes.instance("calven/basic", false);
    for (_, first) in [(1, 3), (2, 1)] {
        let answer = send(&instance, &webhook("evt_1", "One [Team]")).await;
        assert_eq!(answer.status, 503);
        assert_eq!(remotes.rounds()[0].len(), first);
    }
    *remotes.is_there.lock().unwrap() = true;
    let answer = send(&instance, &webhook("evt_1", "One [Team]")).await;
    assert_eq!(answer.word(), (200, "published"));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_for_what_is_not_needed() {
    let remotes = Remotes::new();
    let instance = remotes.instance("calven/basic", false);
    let health = Request::new("GET", "/health");
    assert_eq!(send(&instance, &health).await.status, 200);
    let unknown = Request::post("nobody", "{}");
    assert_eq!(send(&instance, &unknown).await.status, 404);
    assert_eq!(remotes.rounds(), Vec::<Vec<String>>::new());
    // What is queued needs neither the state nor Calven.
    let instance = remotes.instance("calven/basic", true);
    let answer = send(&instance, &webhook("evt_1", "One [Team]")).await;
    assert_eq!(answer.word(), (202, "accepted"));
    let asked = remotes.rounds().concat();
    assert_eq!(
        asked,
        ["secret hris/acme", "secret hris/acme@AWSPREVIOUS", "POST /"]
    );
}
