//! The client against a stand-in that checks credentials and queries.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use stand_ins::{
    capillary::{CapillaryStandIn, Credentials, Endpoint},
    fault::Fault as StandInFault,
};
use tempfile::TempDir;

use super::*;
use crate::{http, secrets::SecretsHome};

const BODY: &str = include_str!("../../tests/fixtures/capillary/super-org-with-one-child.json");
const CUT_OFF: &str = include_str!("../../tests/fixtures/capillary/standard-org-cut-off.json");

const BASIC: &str = r#"{"auth":"basic","username":"till.1","password":"s3cret"}"#;
const OAUTH: &str = r#"{"auth":"oauth","key":"key-1","secret":"s3cret"}"#;

const START: i64 = 1_795_341_600;

/// Capillary with one secret, the stand-in that takes it, and the clock of both.
struct Scene {
    capillary: Capillary,
    stand_in: CapillaryStandIn,
    folder: TempDir,
    now: Arc<AtomicI64>,
}

/// The stand-in's side of a secret.
fn accepted(secret: &str) -> Credentials {
    let fields: serde_json::Value = serde_json::from_str(secret).unwrap();
    let text = |name: &str| fields[name].as_str().unwrap().to_owned();
    match fields["auth"].as_str().unwrap() {
        "basic" => Credentials::Basic {
            username: text("username"),
            password: text("password"),
        },
        _ => Credentials::OAuth {
            key: text("key"),
            secret: text("secret"),
        },
    }
}

impl Scene {
    async fn new(secret: &str) -> Self {
        let now = Arc::new(AtomicI64::new(START));
        let theirs = Arc::clone(&now);
        let theirs = move || theirs.load(Ordering::SeqCst);
        let stand_in = CapillaryStandIn::start(accepted(secret), BODY, theirs)
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ours = Arc::clone(&now);
        let clock = Clock::new(move || Timestamp::from_seconds(ours.load(Ordering::SeqCst)));
        let home = SecretsHome::File(folder.path().join("secrets.json"));
        let secrets = Arc::new(Secrets::new(
            home,
            Duration::from_secs(1_000_000),
            clock.clone(),
        ));
        let base_url = BaseUrl::parse(&stand_in.url()).unwrap();
        let http = http::Client::from(http::client().unwrap());
        let capillary =
            Capillary::new(http, base_url, secrets, "capillary".to_owned(), true, clock)
                .with_retry_policy(RetryPolicy {
                    first: Duration::from_millis(1),
                    cap: Duration::from_millis(2),
                    attempt: Duration::from_secs(20),
                });
        let scene = Self {
            capillary,
            stand_in,
            folder,
            now,
        };
        scene.write_secret(secret);
        scene
    }

    fn write_secret(&self, secret: &str) {
        let file = format!(r#"{{"capillary":{secret}}}"#);
        std::fs::write(self.folder.path().join("secrets.json"), file).unwrap();
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn ask(&self) -> Result<Organizations, CapillaryError> {
        self.ask_within(Duration::from_secs(20)).await
    }

    async fn ask_within(&self, time: Duration) -> Result<Organizations, CapillaryError> {
        self.capillary.organizations(Instant::now() + time).await
    }

    fn fail(&self, faults: impl IntoIterator<Item = StandInFault>) {
        for fault in faults {
            self.stand_in.fail_next(Endpoint::Hierarchy, fault);
        }
    }

    /// How many questions came, and how many requests for a token.
    fn requests(&self) -> (usize, usize) {
        (
            self.stand_in.queries().len(),
            self.stand_in.token_requests(),
        )
    }
}

#[tokio::test]
async fn both_credentials_are_taken() {
    for (secret, token_requests) in [(BASIC, 0), (OAUTH, 1)] {
        let scene = Scene::new(secret).await;
        let organizations = scene.ask().await.unwrap();
        assert_eq!(organizations.base.name, "connectedOrgChildOne");
        assert_eq!(organizations.connected[0].id, 51957);
        assert!(organizations.complete);
        assert_eq!(organizations.asked_at, Timestamp::from_seconds(START));
        assert_eq!(scene.requests(), (1, token_requests));
    }
}

#[tokio::test]
async fn whether_siblings_are_wanted_is_always_said() {
    let mut scene = Scene::new(BASIC).await;
    scene.ask().await.unwrap();
    scene.capillary.fetch_siblings = false;
    scene.ask().await.unwrap();
    assert_eq!(
        scene.stand_in.queries(),
        ["fetchSiblings=true", "fetchSiblings=false"]
    );
}

#[tokio::test]
async fn a_token_serves_until_shortly_before_its_end() {
    let scene = Scene::new(OAUTH).await;
    scene.ask().await.unwrap();
    scene.pass(269);
    scene.ask().await.unwrap();
    assert_eq!(scene.requests(), (2, 1));
    scene.pass(1);
    scene.ask().await.unwrap();
    assert_eq!(scene.requests(), (3, 2));
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let scene = Scene::new(OAUTH).await;
    scene.ask().await.unwrap();
    scene.stand_in.revoke_tokens();
    scene.ask().await.unwrap();
    assert_eq!(scene.requests(), (3, 2));
}

#[tokio::test]
async fn a_rotated_secret_is_read_again() {
    for (secret, rotated) in [
        (
            BASIC,
            r#"{"auth":"basic","username":"till.1","password":"another secret"}"#,
        ),
        (
            OAUTH,
            r#"{"auth":"oauth","key":"key-1","secret":"another secret"}"#,
        ),
    ] {
        let scene = Scene::new(secret).await;
        scene.ask().await.unwrap();
        scene.stand_in.rotate(accepted(rotated));
        scene.stand_in.revoke_tokens();
        scene.write_secret(rotated);
        scene.ask().await.unwrap();
    }
}

#[tokio::test]
async fn a_secret_that_stays_wrong_is_final() {
    for secret in [BASIC, OAUTH] {
        let scene = Scene::new(secret).await;
        scene.stand_in.rotate(accepted(
            r#"{"auth":"oauth","key":"other","secret":"other"}"#,
        ));
        let error = scene.ask().await.unwrap_err();
        assert!(!error.is_transient());
        assert!(
            error.to_string().ends_with("was refused with status 401"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_denied_in_a_200_is_a_refusal() {
    let scene = Scene::new(OAUTH).await;
    let denied = r#"{"data":null,"errors":[{"code":1}]}"#.to_owned();
    scene
        .stand_in
        .fail_next(Endpoint::Token, StandInFault::Garbage(denied));
    let error = scene.ask().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Capillary: the request for a token was refused with status 200"
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let scene = Scene::new(BASIC).await;
    scene.fail([429, 500, 503].map(StandInFault::Status));
    // Inside the body: what arrived of it is thrown away.
    scene.fail([StandInFault::Reset, StandInFault::CutOff(400)]);
    let organizations = scene.ask().await.unwrap();
    assert_eq!(organizations.connected.len(), 1);
    assert_eq!(scene.requests().0, 6);
}

#[tokio::test]
async fn an_answer_is_as_of_the_request_that_was_answered() {
    let mut scene = Scene::new(BASIC).await;
    let reads = AtomicI64::new(0);
    scene.capillary.caller.clock =
        Clock::new(move || Timestamp::from_seconds(reads.fetch_add(1, Ordering::SeqCst)));
    let first = scene.ask().await.unwrap().asked_at;
    scene.fail([503, 503].map(StandInFault::Status));
    let after_failures = scene.ask().await.unwrap().asked_at;
    // Each attempt reads the clock when it begins and when it sends.
    assert_eq!(after_failures.seconds() - first.seconds(), 6);
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let scene = Scene::new(BASIC).await;
    scene.fail([StandInFault::Status(404)]);
    let error = scene.ask().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Capillary: the request was refused with status 404"
    );
    assert_eq!(scene.requests().0, 1);
}

#[tokio::test]
async fn a_body_that_is_no_answer_is_an_error_and_not_an_empty_company() {
    let scene = Scene::new(BASIC).await;
    for (body, expected) in [
        (
            CUT_OFF,
            "Capillary: the answer is cut off: its JSON ends too soon, in line 28",
        ),
        (
            "<html>",
            "Capillary: the answer is no JSON (line 1, column 1)",
        ),
        (
            "[]",
            "Capillary: the answer is JSON, but not of the documented form (line 1, column 2)",
        ),
    ] {
        scene.stand_in.answer_with("application/json", body);
        let error = scene.ask().await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let scene = Scene::new(BASIC).await;
    scene
        .stand_in
        .answer_with("application/json", " ".repeat(ANSWER_LIMIT_BYTES + 1));
    let error = scene.ask().await.unwrap_err();
    let expected = "Capillary: the request got an answer that is not as documented: the answer is larger than 16777216 bytes";
    assert_eq!(error.to_string(), expected);
    assert_eq!(scene.requests().0, 1);
}

#[tokio::test]
async fn the_deadline_holds_for_an_answer_that_never_comes() {
    let scene = Scene::new(BASIC).await;
    scene.fail([StandInFault::Hang]);
    let start = Instant::now();
    let error = scene
        .ask_within(Duration::from_millis(200))
        .await
        .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_service_that_is_down_is_unreachable_for_now() {
    let scene = Scene::new(OAUTH).await;
    scene.stand_in.go_down().await;
    let error = scene
        .ask_within(Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(error.is_transient());
    assert!(
        error
            .to_string()
            .starts_with("Capillary: the request for a token was not sent"),
        "{error}"
    );
    scene.stand_in.come_back().await.unwrap();
    scene.ask().await.unwrap();
}

#[tokio::test]
async fn a_question_can_be_asked_from_a_task_of_its_own() {
    let scene = Arc::new(Scene::new(OAUTH).await);
    let theirs = Arc::clone(&scene);
    let asked = tokio::spawn(async move { theirs.ask().await })
        .await
        .unwrap();
    assert!(asked.unwrap().complete);
}
