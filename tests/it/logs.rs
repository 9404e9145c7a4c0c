//! No secret, token, signature or body is ever logged, whatever happens.

use std::{
    io,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use lambda_runtime::tracing::subscriber;
use serde_json::{Value, json};
use stand_ins::{calven::Endpoint, fault::Fault};
use tracing::instrument::WithSubscriber as _;

use crate::harness::{Request, Setup, read, root, secrets, upsert};

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
