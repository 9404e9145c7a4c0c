//! No secret, token, signature or body is ever logged, whatever happens.

use std::{
    io,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use calven_bridge::invocation::Failure;
use lambda_runtime::tracing::subscriber;
use serde_json::{Value, json};
use stand_ins::{calven::Endpoint, fault::Fault};
use tracing::instrument::WithSubscriber as _;

use crate::harness::{Request, Setup, World, read, root, secrets, upsert};

/// What all tests of this process have logged by now.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static BEGUN: Once = Once::new();

/// Begins to keep what is logged: by all, since what one thread's subscriber sees hangs on the others.
pub(crate) fn keep() {
    BEGUN.call_once(|| {
        let keeping = subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(|| Kept)
            .finish();
        tracing::subscriber::set_global_default(keeping).unwrap();
    });
}

/// What was logged by now that has this text in it.
pub(crate) fn lines_with(text: &str) -> Vec<String> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let lines = log.lines().filter(|line| line.contains(text));
    lines.map(str::to_owned).collect()
}

/// What `work` itself logs for operators, line by line, whatever else is logged meanwhile. It is kept like all the rest.
pub(crate) async fn of<T>(work: impl Future<Output = T>) -> (T, Vec<Value>) {
    let lines: Arc<Mutex<Vec<u8>>> = Arc::default();
    let also = Arc::clone(&lines);
    let keeping = subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || KeptTwice(Arc::clone(&also)))
        .finish();
    let done = work.with_subscriber(keeping).await;
    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (done, lines.collect())
}

struct KeptTwice(Arc<Mutex<Vec<u8>>>);

impl io::Write for KeptTwice {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Kept;

impl io::Write for Kept {
    #[expect(
        clippy::print_stdout,
        reason = "whoever runs the tests uncaptured wants to search what they log"
    )]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        print!("{}", String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything in a JSON text that is a text.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What must not be logged: every value of every secret, but for the words that name a kind.
pub(crate) fn secret_texts() -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets().values() {
        texts(secret, &mut found);
    }
    found.retain(|text| {
        !["hmac", "client_secret", "basic", "jwt", "oauth"].contains(&text.as_str())
    });
    found
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let mut forbidden = secret_texts();
    forbidden.extend(
        [
            "token-1",
            "token-2",
            "capillary-token",
            "Bearer ",
            "Basic c",
        ]
        .map(str::to_owned),
    );
    for secret in [
        "calven/api",
        "calven/client-secret",
        "calven/basic",
        "calven/jwt",
    ] {
        let oauth = secret == "calven/basic";
        let capillary = if oauth {
            "capillary/oauth"
        } else {
            "capillary/api"
        };
        let setup = Setup::default()
            .calven_secret(secret)
            .capillary(&read("examples/sandbox/capillary.json"))
            .variable("CAPILLARY_SECRET_ID", capillary);
        let mut world = setup.start().await;
        for entry in std::fs::read_dir(root().join("events")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let _refused = world.invoke(serde_json::from_str(&text).unwrap()).await;
        }
        let body = json!({"id": "evt_private", "changes": [upsert("Xanthippe [Team] < Quixotry [Division]")]});
        let good = world.signed("acme", &body);
        for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            world.send(&good.clone().without(header)).await;
        }
        let wrong = good.clone().with(
            "webhook-signature",
            "v1,d3Jvbmctc2lnbmF0dXJlLW9mLWEtdGVzdA==",
        );
        forbidden.push("d3Jvbmctc2lnbmF0dXJlLW9mLWEtdGVzdA".to_owned());
        world.send(&wrong).await;
        for text in [
            "{\"changes\": \"Xanthippe\"}",
            "{\"changes\": [Xanthippe",
            "[\"Xanthippe\"]",
        ] {
            let request = Request::webhook("acme", "evt_bad", world.now(), text.as_bytes());
            world.send(&request).await;
        }
        world
            .calven
            .fail_next(Endpoint::Token, Fault::Garbage("Xanthippe".to_owned()));
        world.calven.revoke_tokens();
        world.calven.fail_next(Endpoint::Put, Fault::Status(401));
        world
            .calven
            .fail_next(Endpoint::Put, Fault::Garbage("Xanthippe".to_owned()));
        world
            .capillary()
            .answer_with("application/json", "{\"Xanthippe\": ");
        world.pass(Duration::from_secs(1000));
        world.leave(Duration::from_secs(1));
        world.send(&good).await;
        world.calven.go_down().await;
        world.capillary().go_down().await;
        let _failed = world.invoke(json!({"action": "reconcile"})).await;
        let _refused = world
            .invoke(json!({"action": "Xanthippe", "secret": "Quixotry"}))
            .await;
        let signature = good
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-signature");
        forbidden.push(signature.unwrap().1.trim_start_matches("v1,").to_owned());
    }
    forbidden.extend(
        [
            "Xanthippe",
            "Quixotry",
            "Channel Marketing",
            "Qualit",
            "Trade Fairs",
        ]
        .map(str::to_owned),
    );

    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("\"applied\""),
        "one line an invocation is there"
    );
    assert!(log.contains("refused"), "and refusals");
    for text in forbidden {
        if let Some(line) = log.lines().find(|line| line.contains(&text)) {
            panic!("{text} is in the log: {line}");
        }
    }
}

/// The one line that an invocation of this world ends with.
async fn told(world: &World, event: Value) -> Value {
    let (_answer, line) = told_or_failed(world, event).await;
    line
}

/// What an invocation answers, and the one line that it ends with.
pub(crate) async fn told_and_answered(world: &World, event: Value) -> (Value, Value) {
    let (answer, line) = told_or_failed(world, event).await;
    (answer.unwrap(), line)
}

async fn told_or_failed(world: &World, event: Value) -> (Result<Value, Failure>, Value) {
    let (answer, lines) = of(world.invoke(event)).await;
    let ends = ["done", "the invocation failed"];
    let mut told = lines.into_iter().filter(|line| {
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        ends.contains(&message)
    });
    let line = told.next().unwrap();
    assert_eq!(told.next(), None, "one line an invocation");
    (answer, line["fields"].clone())
}

/// The steps that a line says were taken.
fn steps(line: &Value) -> Vec<&str> {
    let fields = line.as_object().unwrap().keys();
    let steps = fields.filter_map(|key| key.strip_suffix("_ms"));
    let mut steps: Vec<&str> = steps.collect();
    steps.sort_unstable();
    steps
}

#[tokio::test]
async fn the_line_of_an_invocation_has_what_one_would_query() {
    let mut world = World::new().await;
    let seed: Value = serde_json::from_str(&read("events/01-seed.json")).unwrap();
    let line = told(&world, seed).await;
    assert_eq!(
        (&line["invocation"], &line["cold"]),
        (&json!("seed"), &json!(true))
    );
    assert_eq!(steps(&line), ["load", "merge", "put", "save", "total"]);

    let body = json!({"id": "evt_1", "changes": [upsert("Legal [Department]")]});
    let line = told(&world, world.signed("acme", &body).v2("$default")).await;
    for (field, expected) in [
        ("invocation", json!("webhook")),
        ("cold", json!(false)),
        ("source", json!("acme")),
        ("event_id", json!("evt_1")),
        ("http_status", json!(200)),
        ("status", json!("published")),
        ("applied", json!(1)),
        ("stale", json!(0)),
        ("version", json!(2)),
        ("added", json!(1)),
        ("removed", json!(0)),
        ("held", json!(0)),
    ] {
        assert_eq!(line[field], expected, "{field}");
    }
    let request_id = line["request_id"].as_str().unwrap();
    assert!(
        request_id.starts_with("00000000-0000-4000-8000-"),
        "{request_id}"
    );
    let expected = ["load", "merge", "put", "save", "secrets", "total", "verify"];
    assert_eq!(steps(&line), expected);
    let ms = |step: &str| line[format!("{step}_ms")].as_f64().unwrap();
    let sum: f64 = expected
        .iter()
        .filter(|step| **step != "total")
        .map(|step| ms(step))
        .sum();
    assert!(sum <= ms("total") + 0.01, "steps follow each other: {line}");

    // What is refused needs no state.
    let wrong = world
        .signed("acme", &body)
        .with("webhook-signature", "v1,AAAA");
    let line = told(&world, wrong.v2("$default")).await;
    assert_eq!(
        (&line["http_status"], &line["source"]),
        (&json!(401), &json!("acme"))
    );
    assert_eq!(steps(&line), ["secrets", "total", "verify"]);

    world.calven.go_down().await;
    world.leave_little();
    world.restart();
    let line = told(&world, json!({"action": "reconcile"})).await;
    assert_eq!(
        (&line["invocation"], &line["error_type"]),
        (&json!("reconcile"), &json!("NotPublished"))
    );
    assert_eq!(line["cold"], true);
    let put = line["put_ms"].as_f64().unwrap();
    assert!(put > 100.0, "Calven was waited for: {line}");
}

#[tokio::test]
async fn the_line_says_what_was_read_and_queued() {
    let setup = Setup::default().capillary(&read("examples/sandbox/capillary.json"));
    let world = setup.start().await;
    let line = told(&world, json!({"action": "reconcile"})).await;
    assert!(steps(&line).contains(&"capillary"), "{line}");
    let sqs = stand_ins::sqs::Sqs::start().await.unwrap();
    let world = crate::queueing::with(&sqs).start().await;
    let body = json!({"id": "evt_1", "changes": [upsert("A [Team]")]});
    let line = told(&world, world.signed("acme", &body).v2("$default")).await;
    assert_eq!(
        (&line["status"], &line["source"]),
        (&json!("accepted"), &json!("acme"))
    );
    assert_eq!(steps(&line), ["queue", "secrets", "total", "verify"]);
    let line = told(&world, sqs.deliver(10).unwrap()).await;
    assert_eq!(
        (&line["records"], &line["failed_records"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(line["invocation"], "queue");
    assert!(steps(&line).contains(&"save"), "{line}");
}
