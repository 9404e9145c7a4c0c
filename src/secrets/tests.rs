//! The cache's promises, over a Secrets Manager that refuses what the real one refuses, and over a file.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use stand_ins::secrets_manager::{self, Fault, SecretsManager};
use tempfile::TempDir;

use crate::{http, timestamp::Timestamp};

use super::*;

const MAX_AGE: Duration = Duration::from_secs(300);
const ID: &str = "hris/acme";

/// A manager with one secret, the secrets under test, and a clock that is moved by hand.
struct Bench {
    manager: SecretsManager,
    secrets: Arc<Secrets>,
    seconds: Arc<AtomicI64>,
}

impl Bench {
    async fn new() -> Self {
        let manager = SecretsManager::start().await;
        manager.put(ID, r#"{"token":"one"}"#);
        let home = SecretsHome::SecretsManager(client(&manager.url()));
        let (clock, seconds) = moved_clock();
        let secrets = Arc::new(Secrets::new(home, MAX_AGE, clock));
        Self {
            manager,
            secrets,
            seconds,
        }
    }

    fn pass(&self, by: Duration) {
        let by = i64::try_from(by.as_secs()).unwrap();
        self.seconds.fetch_add(by, Ordering::SeqCst);
    }

    async fn token(&self) -> String {
        token(&self.secrets.current(ID).await.unwrap())
    }

    async fn verifying(&self) -> Vec<String> {
        let secrets = self.secrets.verifying(ID).await.unwrap();
        secrets.iter().map(token).collect()
    }
}

fn moved_clock() -> (Clock, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(1_795_000_000));
    let read = Arc::clone(&seconds);
    let clock = Clock::new(move || Timestamp::from_seconds(read.load(Ordering::SeqCst)));
    (clock, seconds)
}

fn client(url: &str) -> SecretsManagerClient {
    let variables = secrets_manager::variables(url);
    secrets_manager_client(&http::client().unwrap(), &variables).unwrap()
}

fn token(secret: &Secret) -> String {
    let value: Value = secret.parse(ID).unwrap();
    value["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_is_fetched_when_first_needed_and_then_kept_until_it_is_old() {
    let bench = Bench::new().await;
    assert_eq!(bench.manager.requests(), 0);
    assert_eq!(bench.token().await, "one");
    bench.manager.rotate(ID, r#"{"token":"two"}"#);
    bench.pass(MAX_AGE - Duration::from_secs(1));
    assert_eq!(bench.token().await, "one");
    assert_eq!(bench.manager.requests(), 1);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.token().await, "two");
    assert_eq!(
        bench.manager.seen(),
        vec![(ID.to_owned(), "AWSCURRENT".to_owned()); 2]
    );
}

#[tokio::test]
async fn a_binary_secret_that_holds_json_is_as_good_and_another_is_not() {
    let bench = Bench::new().await;
    bench.manager.put_binary(ID, br#"{"token":"binary"}"#);
    assert_eq!(bench.token().await, "binary");
    bench.manager.put_binary("blob", &[0xff, 0xfe]);
    let error = bench.secrets.current("blob").await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
}

#[tokio::test]
async fn sixteen_who_ask_at_once_make_one_fetch_and_another_secret_does_not_wait_for_it() {
    let bench = Bench::new().await;
    bench.manager.put("other", r#"{"token":"other"}"#);
    bench.manager.shut();
    let ask = |id: &'static str| {
        let secrets = Arc::clone(&bench.secrets);
        tokio::spawn(async move { secrets.current(id).await })
    };
    let asking: Vec<_> = (0..16).map(|_| ask(ID)).chain([ask("other")]).collect();
    // Both requests arrive while neither is answered.
    while bench.manager.requests() < 2 {
        tokio::task::yield_now().await;
    }
    bench.manager.open();
    for asked in asking {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(bench.manager.requests(), 2);
}

#[tokio::test]
async fn those_who_wait_for_a_fetch_share_its_failure() {
    let bench = Bench::new().await;
    bench
        .manager
        .fail_stage("AWSCURRENT", Fault::Error(400, "AccessDeniedException"));
    bench.manager.shut();
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let secrets = Arc::clone(&bench.secrets);
            tokio::spawn(async move { secrets.current(ID).await })
        })
        .collect();
    while bench.manager.requests() < 1 {
        tokio::task::yield_now().await;
    }
    bench.manager.open();
    for asked in asking {
        assert!(!asked.await.unwrap().unwrap_err().is_transient());
    }
    assert_eq!(bench.manager.requests(), 1);
    bench.manager.mend();
    assert_eq!(bench.token().await, "one");
}

#[tokio::test]
async fn a_stumble_of_the_manager_is_not_noticed() {
    let bench = Bench::new().await;
    bench
        .manager
        .fail_next([Fault::Error(500, "InternalServiceError")]);
    assert_eq!(bench.token().await, "one");
    assert_eq!(bench.manager.requests(), 2);
}

#[tokio::test]
async fn a_stale_secret_serves_while_the_manager_is_down_and_not_while_it_refuses() {
    let bench = Bench::new().await;
    assert_eq!(bench.token().await, "one");
    bench.pass(MAX_AGE);
    bench
        .manager
        .fail_stage("AWSCURRENT", Fault::Error(503, "ServiceUnavailable"));
    assert_eq!(bench.token().await, "one");
    let asked = bench.manager.requests();
    assert_eq!(bench.token().await, "one");
    assert_eq!(
        bench.manager.requests(),
        asked,
        "a manager that is down is not hammered"
    );

    bench.pass(PAUSE);
    bench
        .manager
        .fail_stage("AWSCURRENT", Fault::Error(400, "AccessDeniedException"));
    let error = bench.secrets.current(ID).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");

    bench.manager.mend();
    bench.manager.rotate(ID, r#"{"token":"two"}"#);
    assert_eq!(bench.token().await, "two");
}

#[tokio::test]
async fn the_pause_after_a_failure_begins_when_it_is_known() {
    let (clock, seconds) = moved_clock();
    let cached = Cached::new(Duration::ZERO);
    let get = async |fetched: Result<u8, SecretsError>, takes_seconds| {
        let fetch = async {
            seconds.fetch_add(takes_seconds, Ordering::SeqCst);
            fetched
        };
        let young = |_: &u8, age| age < MAX_AGE;
        cached.get(ID, &clock, young, fetch).await.unwrap()
    };
    assert_eq!(get(Ok(1), 0).await, 1);
    seconds.fetch_add(300, Ordering::SeqCst);
    let hung = Err(SecretsError::unavailable(ID, "no answer within 5s"));
    assert_eq!(get(hung, 5).await, 1);
    assert_eq!(get(Ok(2), 0).await, 1, "nobody is asked within the pause");
    seconds.fetch_add(5, Ordering::SeqCst);
    assert_eq!(get(Ok(2), 0).await, 2);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_taken_into_memory() {
    let bench = Bench::new().await;
    bench.manager.fail_always(stand_ins::fault::Fault::Endless);
    let error = bench.secrets.current(ID).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let taken = bench.manager.mend().bytes;
    assert!(taken < 16 * 1024 * 1024, "{taken} bytes were taken");
}

#[tokio::test]
async fn failures_that_pass_are_told_from_those_that_must_be_mended() {
    for (fault, transient) in [
        (Fault::Error(400, "ResourceNotFoundException"), false),
        (Fault::Error(400, "AccessDeniedException"), false),
        (Fault::Error(400, "DecryptionFailure"), false),
        (Fault::Error(400, "InvalidRequestException"), false),
        (Fault::Error(400, "ThrottlingException"), true),
        (Fault::Error(408, "RequestTimeout"), true),
        (Fault::Error(413, "RequestEntityTooLarge"), false),
        (Fault::Error(500, "InternalServiceError"), true),
        (Fault::Error(503, "SomethingNew"), true),
        (Fault::Garbage, true),
    ] {
        let bench = Bench::new().await;
        bench.manager.fail_stage("AWSCURRENT", fault.clone());
        let error = bench.secrets.current(ID).await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{fault:?}: {error}");
        assert!(error.to_string().contains(ID), "{error}");
    }
}

#[tokio::test]
async fn a_manager_that_is_not_there_is_a_passing_failure() {
    let home = SecretsHome::SecretsManager(client("http://127.0.0.1:9"));
    let secrets = Secrets::new(home, MAX_AGE, moved_clock().0);
    let error = secrets.current(ID).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn an_empty_secret_is_named_as_such() {
    let bench = Bench::new().await;
    bench.manager.put(ID, " ");
    let error = bench.secrets.current(ID).await.unwrap_err();
    assert_eq!(error.to_string(), "secret hris/acme: it is empty");
}

#[tokio::test]
async fn a_refused_secret_is_fetched_again_once_for_all_who_were_refused() {
    let bench = Bench::new().await;
    let refused = bench.secrets.current(ID).await.unwrap();
    bench.manager.rotate(ID, r#"{"token":"two"}"#);
    let (a, b) = tokio::join!(
        bench.secrets.renewed(ID, &refused),
        bench.secrets.renewed(ID, &refused),
    );
    assert_eq!(
        (token(&a.unwrap()), token(&b.unwrap())),
        ("two".into(), "two".into())
    );
    assert_eq!(bench.manager.requests(), 2);
}

#[tokio::test]
async fn a_secret_that_stays_refused_is_not_fetched_again_and_again() {
    let bench = Bench::new().await;
    let refused = bench.secrets.current(ID).await.unwrap();
    for _ in 0..5 {
        let same = bench.secrets.renewed(ID, &refused).await.unwrap();
        assert_eq!(same.version(), refused.version());
    }
    assert_eq!(bench.manager.requests(), 2);
    bench.pass(PAUSE);
    let _same = bench.secrets.renewed(ID, &refused).await.unwrap();
    assert_eq!(bench.manager.requests(), 3);
}

#[tokio::test]
async fn a_refused_secret_is_not_served_as_a_stale_one() {
    let bench = Bench::new().await;
    let refused = bench.secrets.current(ID).await.unwrap();
    bench
        .manager
        .fail_stage("AWSCURRENT", Fault::Error(503, "ServiceUnavailable"));
    for _ in 0..2 {
        let error = bench.secrets.renewed(ID, &refused).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn while_a_secret_rotates_both_versions_verify() {
    let bench = Bench::new().await;
    assert_eq!(bench.verifying().await, ["one"]);
    bench.manager.rotate(ID, r#"{"token":"two"}"#);
    assert_eq!(bench.verifying().await, ["one"], "from the cache");
    assert_eq!(
        bench.manager.requests(),
        2,
        "an absent version is cached too"
    );
    let refused = bench.secrets.current(ID).await.unwrap();
    bench.secrets.renewed(ID, &refused).await.unwrap();
    assert_eq!(bench.verifying().await, ["two", "one"]);
    bench.manager.rotate(ID, r#"{"token":"three"}"#);
    bench.pass(MAX_AGE);
    assert_eq!(bench.verifying().await, ["three", "two"]);
}

#[tokio::test]
async fn a_previous_version_that_cannot_be_had_never_harms_the_current_one() {
    for fault in [
        Fault::Error(503, "ServiceUnavailable"),
        Fault::Error(400, "AccessDeniedException"),
    ] {
        let bench = Bench::new().await;
        bench.manager.rotate(ID, r#"{"token":"two"}"#);
        bench.manager.fail_stage("AWSPREVIOUS", fault);
        assert_eq!(bench.verifying().await, ["two"]);
        let asked = bench.manager.requests();
        assert_eq!(bench.verifying().await, ["two"]);
        assert_eq!(bench.manager.requests(), asked);
        bench.manager.mend();
        bench.pass(PAUSE);
        assert_eq!(bench.verifying().await, ["two", "one"]);
    }
}

#[tokio::test]
async fn nothing_printed_shows_a_secret() {
    let bench = Bench::new().await;
    bench.manager.put(ID, r#"{"token":"hunter2"}"#);
    let secret = bench.secrets.current(ID).await.unwrap();
    let error = secret.parse::<Vec<u8>>(ID).unwrap_err();
    let printed = format!("{secret:?} {:?} {error:?} {error}", bench.secrets);
    assert!(!printed.contains("hunter2"), "{printed}");
}

// From a file.

fn file_secrets(content: &str) -> (TempDir, PathBuf, Secrets, Arc<AtomicI64>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secrets.json");
    std::fs::write(&path, content).unwrap();
    let (clock, seconds) = moved_clock();
    let secrets = Secrets::new(SecretsHome::File(path.clone()), MAX_AGE, clock);
    (folder, path, secrets, seconds)
}

#[tokio::test]
async fn a_file_of_secrets_is_read_again_when_old_and_when_refused() {
    let (_folder, path, secrets, seconds) = file_secrets(r#"{"hris/acme": {"token": "one"}}"#);
    let one = secrets.current(ID).await.unwrap();
    std::fs::write(&path, r#"{"hris/acme": {"token": "two"}}"#).unwrap();
    assert_eq!(token(&secrets.current(ID).await.unwrap()), "one");
    let two = secrets.renewed(ID, &one).await.unwrap();
    assert_eq!(token(&two), "two");
    assert_ne!(one.version(), two.version());
    std::fs::write(&path, r#"{"hris/acme": {"token": "three"}}"#).unwrap();
    seconds.fetch_add(300, Ordering::SeqCst);
    assert_eq!(token(&secrets.current(ID).await.unwrap()), "three");
}

#[tokio::test]
async fn a_file_of_secrets_may_hold_a_previous_version() {
    let text = r#"{"hris/acme": {"token": "two"}, "hris/acme@AWSPREVIOUS": {"token": "one"}, "x": {"token": "x"}}"#;
    let (_folder, _path, secrets, _) = file_secrets(text);
    let both = secrets.verifying(ID).await.unwrap();
    assert_eq!(both.iter().map(token).collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(secrets.verifying("x").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_of_secrets_that_is_wrong_is_named_and_not_quoted() {
    for content in [
        r#"{"hris/acme": hunter2}"#,
        r#"["hunter2"]"#,
        r#"{"other": "hunter2"}"#,
    ] {
        let (_folder, path, secrets, _) = file_secrets(content);
        let error = secrets.current(ID).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        std::fs::remove_file(path).unwrap();
        let error = secrets.current(ID).await.unwrap_err();
        assert!(error.to_string().contains("SECRETS_FILE"), "{error}");
    }
}
