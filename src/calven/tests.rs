//! The client against a stand-in that checks credentials, paths and payloads.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use stand_ins::{
    calven::{CalvenStandIn, Credentials, Endpoint},
    fault::Fault as StandInFault,
};
use tempfile::TempDir;

use super::*;
use crate::{call::Step, http, secrets::SecretsHome};

const BODY: &str = r#"{"groupRelationships":[{"group":"Marketing","groupType":"Division","parent":null,"parentType":null}]}"#;

const HMAC: &str = r#"{"auth":"hmac","apiKey":"key-1","apiSecret":"s3cret"}"#;
const CLIENT_SECRET: &str = r#"{"auth":"client_secret","clientId":"id-1","clientSecret":"s3cret"}"#;
const BASIC: &str = r#"{"auth":"basic","apiKey":"key-1","apiSecret":"s3cret"}"#;
const JWT: &str = r#"{"auth":"jwt","token":"ready.made.token"}"#;

const START: i64 = 1_795_341_600;

/// Calven with one secret, the stand-in that takes it, and the clock of both.
struct Scene {
    calven: Calven,
    stand_in: CalvenStandIn,
    folder: TempDir,
    now: Arc<AtomicI64>,
}

/// The stand-in's side of a secret.
fn accepted(secret: &str) -> Credentials {
    let fields: serde_json::Value = serde_json::from_str(secret).unwrap();
    let text = |name: &str| fields[name].as_str().unwrap().to_owned();
    match fields["auth"].as_str().unwrap() {
        "hmac" => Credentials::Hmac {
            api_key: text("apiKey"),
            api_secret: text("apiSecret"),
        },
        "client_secret" => Credentials::ClientSecret {
            client_id: text("clientId"),
            client_secret: text("clientSecret"),
        },
        "basic" => Credentials::Basic {
            api_key: text("apiKey"),
            api_secret: text("apiSecret"),
        },
        _ => Credentials::Jwt {
            token: text("token"),
        },
    }
}

impl Scene {
    async fn new(secret: &str) -> Self {
        Self::with_credentials(secret, accepted(secret)).await
    }

    async fn with_credentials(secret: &str, credentials: Credentials) -> Self {
        let now = Arc::new(AtomicI64::new(START));
        let theirs = Arc::clone(&now);
        let stand_in = CalvenStandIn::start(credentials, move || theirs.load(Ordering::SeqCst))
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
        let calven = Calven::new(
            http::client().unwrap().into(),
            base_url,
            secrets,
            "calven".to_owned(),
            clock,
        )
        .with_retry_policy(RetryPolicy {
            first: Duration::from_millis(1),
            cap: Duration::from_millis(2),
            attempt: Duration::from_secs(20),
        });
        let scene = Self {
            calven,
            stand_in,
            folder,
            now,
        };
        scene.write_secret(secret);
        scene
    }

    fn write_secret(&self, secret: &str) {
        let file = format!(r#"{{"calven":{secret}}}"#);
        std::fs::write(self.folder.path().join("secrets.json"), file).unwrap();
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn put(&self) -> Result<(), CalvenError> {
        self.put_within(Duration::from_secs(20)).await
    }

    async fn put_within(&self, time: Duration) -> Result<(), CalvenError> {
        self.calven.put(BODY.into(), Instant::now() + time).await
    }

    fn fail(&self, faults: impl IntoIterator<Item = StandInFault>) {
        for fault in faults {
            self.stand_in.fail_next(Endpoint::Put, fault);
        }
    }

    /// How many PUTs came, and how many requests for a token.
    fn requests(&self) -> (usize, usize) {
        (
            self.stand_in.puts().len(),
            self.stand_in.token_requests().len(),
        )
    }
}

#[tokio::test]
async fn each_form_of_the_secret_is_taken_on_the_path_that_fits_it() {
    for (secret, path, authorization, token_path) in [
        (HMAC, PUT_PATH, "Bearer token-1", Some("/v1/auth")),
        (
            CLIENT_SECRET,
            PUT_PATH,
            "Bearer token-1",
            Some("/v1/auth/token"),
        ),
        (BASIC, PUT_PATH_BASIC, "Basic a2V5LTE6czNjcmV0", None),
        (JWT, PUT_PATH, "Bearer ready.made.token", None),
    ] {
        let scene = Scene::new(secret).await;
        scene.put().await.unwrap();
        let puts = scene.stand_in.puts();
        assert_eq!(puts.len(), 1);
        assert_eq!(puts[0].path, path);
        assert_eq!(puts[0].body, BODY.as_bytes());
        assert_eq!(puts[0].headers["authorization"], authorization);
        assert_eq!(puts[0].headers["content-type"], "application/json");
        assert!(puts[0].headers["user-agent"].starts_with("calven-bridge/"));
        let token_requests = scene.stand_in.token_requests();
        assert_eq!(
            token_requests.first().map(|request| request.path.as_str()),
            token_path
        );
        assert_eq!(scene.stand_in.tree(), "Marketing [Division]\n");
    }
}

#[tokio::test]
async fn a_token_request_is_sent_byte_for_byte_as_documented() {
    let scene = Scene::new(HMAC).await;
    scene.put().await.unwrap();
    let request = &scene.stand_in.token_requests()[0];
    // printf 'key-11795341600' | openssl dgst -sha256 -hmac 's3cret'
    let expected = r#"{"apiKey":"key-1","timestamp":1795341600,"hash":"b75b204925f06604f91f45ef0e977d80862f17b7a5f0f7d5a9c75d18994644c0"}"#;
    assert_eq!(String::from_utf8_lossy(&request.body), expected);
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_token_serves_until_shortly_before_its_end() {
    for secret in [HMAC, CLIENT_SECRET] {
        let scene = Scene::new(secret).await;
        scene.put().await.unwrap();
        scene.pass(3_539);
        scene.put().await.unwrap();
        assert_eq!(scene.requests(), (2, 1));
        scene.pass(1);
        scene.put().await.unwrap();
        assert_eq!(scene.requests(), (3, 2));
    }
}

#[tokio::test]
async fn puts_at_the_same_time_share_one_token() {
    let scene = Scene::new(HMAC).await;
    let (a, b, c) = tokio::join!(scene.put(), scene.put(), scene.put());
    for put in [a, b, c] {
        put.unwrap();
    }
    assert_eq!(scene.requests(), (3, 1));
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let scene = Scene::new(HMAC).await;
    scene.put().await.unwrap();
    scene.stand_in.revoke_tokens();
    scene.put().await.unwrap();
    assert_eq!(scene.requests(), (3, 2));
}

#[tokio::test]
async fn a_rotated_secret_is_read_again() {
    for (secret, rotated) in [
        (
            HMAC,
            r#"{"auth":"hmac","apiKey":"key-2","apiSecret":"another secret"}"#,
        ),
        (
            CLIENT_SECRET,
            r#"{"auth":"client_secret","clientId":"id-1","clientSecret":"another secret"}"#,
        ),
        (
            BASIC,
            r#"{"auth":"basic","apiKey":"key-1","apiSecret":"another secret"}"#,
        ),
        (JWT, r#"{"auth":"jwt","token":"another.token"}"#),
        // A change of the kind of key changes the path as well.
        (BASIC, HMAC),
    ] {
        let scene = Scene::new(secret).await;
        scene.put().await.unwrap();
        scene.stand_in.rotate(accepted(rotated));
        scene.stand_in.revoke_tokens();
        scene.write_secret(rotated);
        scene.put().await.unwrap();
    }
}

#[tokio::test]
async fn a_secret_that_stays_wrong_is_final() {
    for secret in [HMAC, CLIENT_SECRET, BASIC, JWT] {
        let credentials = Credentials::Jwt {
            token: "what nobody knows".to_owned(),
        };
        let scene = Scene::with_credentials(secret, credentials).await;
        let error = scene.put().await.unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Refused { status: 401, .. }),
            "{error}"
        );
        assert!(!error.is_transient());
        assert!(!error.may_have_landed());
        let (puts, token_requests) = scene.requests();
        assert_eq!(
            puts + token_requests,
            1,
            "the secret that was read again is the same one"
        );
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_put_that_is_refused_with_every_token_ends() {
    let scene = Scene::new(HMAC).await;
    scene.fail([401, 401, 401, 401].map(StandInFault::Status));
    let error = scene.put().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Calven: the request was refused with status 401"
    );
    assert_eq!(scene.requests(), (2, 2));
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    for status in [301, 400, 403, 404, 413, 422] {
        let scene = Scene::new(BASIC).await;
        scene.fail([StandInFault::Status(status)]);
        let error = scene.put().await.unwrap_err();
        assert!(
            matches!(
                error.fault(),
                Fault::Refused {
                    step: Step::Request,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.is_transient());
        assert!(!error.may_have_landed());
        assert_eq!(scene.requests().0, 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let scene = Scene::new(HMAC).await;
    scene.fail([408, 429, 500, 502, 503].map(StandInFault::Status));
    scene.fail([
        StandInFault::Reset,
        StandInFault::ResetAfterApplying,
        StandInFault::CutOff(9),
    ]);
    scene.put().await.unwrap();
    assert_eq!(scene.requests(), (9, 1));
}

#[tokio::test]
async fn a_token_request_that_fails_in_passing_is_tried_again() {
    let scene = Scene::new(HMAC).await;
    for fault in [StandInFault::Status(503), StandInFault::Reset] {
        scene.stand_in.fail_next(Endpoint::Token, fault);
    }
    scene.put().await.unwrap();
    assert_eq!(scene.requests(), (1, 3));
}

#[tokio::test]
async fn a_token_answer_that_is_garbage_is_final_and_lands_nowhere() {
    for garbage in ["", "<html>", "{}", r#"{"authenticated":true,"token":""}"#] {
        let scene = Scene::new(HMAC).await;
        scene
            .stand_in
            .fail_next(Endpoint::Token, StandInFault::Garbage(garbage.to_owned()));
        let error = scene.put().await.unwrap_err();
        assert!(
            matches!(
                error.fault(),
                Fault::Garbage {
                    step: Step::Token,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.may_have_landed());
        assert_eq!(scene.requests().0, 0);
    }
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_is_honoured_by_giving_up() {
    for after in ["3600", "Sun, 22 Nov 2026 11:00:00 GMT"] {
        let scene = Scene::new(BASIC).await;
        scene.fail([StandInFault::StatusRetryAfter(429, after.to_owned())]);
        let error = scene.put().await.unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Unavailable { status: 429, .. }),
            "{error}"
        );
        assert!(error.is_transient());
        assert!(!error.may_have_landed());
        assert_eq!(scene.requests().0, 1);
    }
}

#[tokio::test]
async fn retry_after_a_time_that_is_past_waits_for_nothing() {
    let scene = Scene::new(BASIC).await;
    let past = "Sun, 22 Nov 2026 09:00:00 GMT".to_owned();
    scene.fail([StandInFault::StatusRetryAfter(503, past)]);
    scene.put().await.unwrap();
}

/// What is left when only faults came until the deadline.
async fn ended(faults: impl IntoIterator<Item = StandInFault>) -> (CalvenError, Scene) {
    let scene = Scene::new(BASIC).await;
    scene.fail(faults);
    let start = Instant::now();
    let error = scene.put_within(Duration::from_secs(2)).await.unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "the deadline is not passed"
    );
    (error, scene)
}

#[tokio::test]
async fn a_timeout_may_have_landed() {
    for fault in [StandInFault::Hang, StandInFault::HangAfterApplying] {
        let (error, _scene) = ended([fault]).await;
        assert_eq!(
            error.to_string(),
            "Calven: the request got no complete answer: timed out"
        );
        assert!(error.is_transient());
        assert!(error.may_have_landed());
    }
}

#[tokio::test]
async fn a_lost_answer_may_have_landed() {
    let stop = || StandInFault::StatusRetryAfter(429, "60".to_owned());
    for fault in [
        StandInFault::Reset,
        StandInFault::ResetAfterApplying,
        StandInFault::CutOff(9),
    ] {
        let landed = fault != StandInFault::Reset;
        let (error, scene) = ended([fault, stop()]).await;
        assert!(
            matches!(error.fault(), Fault::Unavailable { status: 429, .. }),
            "{error}"
        );
        assert!(
            error.may_have_landed(),
            "an earlier attempt may have, whatever the last one says"
        );
        assert_eq!(scene.stand_in.rows().is_some(), landed);
    }
}

#[tokio::test]
async fn a_server_error_may_have_landed() {
    let (error, _scene) = ended([StandInFault::StatusRetryAfter(500, "60".to_owned())]).await;
    assert!(
        matches!(error.fault(), Fault::Unavailable { status: 500, .. }),
        "{error}"
    );
    assert!(error.may_have_landed());
}

#[tokio::test]
async fn a_doubt_outlives_a_later_refusal() {
    let (error, _scene) = ended([StandInFault::Status(502), StandInFault::Status(400)]).await;
    assert!(
        matches!(error.fault(), Fault::Refused { status: 400, .. }),
        "{error}"
    );
    assert!(error.may_have_landed());
}

#[tokio::test]
async fn a_refused_connection_cannot_have_landed() {
    let scene = Scene::new(BASIC).await;
    scene.stand_in.go_down().await;
    let error = scene.put_within(Duration::from_secs(1)).await.unwrap_err();
    assert!(
        matches!(
            error.fault(),
            Fault::Unreachable {
                step: Step::Request,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_transient());
    assert!(!error.may_have_landed());
    scene.stand_in.come_back().await.unwrap();
    scene.put().await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_when_the_deadline_has_passed() {
    let scene = Scene::new(BASIC).await;
    let error = scene.put_within(Duration::ZERO).await.unwrap_err();
    assert!(error.is_transient());
    assert!(!error.may_have_landed());
    assert_eq!(scene.requests().0, 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_not_sent() {
    for secret in [
        r#"{"auth":"jwt","token":"two\nlines"}"#,
        r#"{"auth":"telepathy"}"#,
        r#"{"auth":"hmac"}"#,
    ] {
        let scene = Scene::with_credentials(secret, accepted(JWT)).await;
        let error = scene.put().await.unwrap_err();
        assert!(matches!(error.fault(), Fault::Secret(_)), "{error}");
        assert!(!error.is_transient());
        assert!(!error.may_have_landed());
        assert_eq!(scene.requests(), (0, 0));
    }
}

#[tokio::test]
async fn a_path_that_calven_does_not_have_is_refused() {
    let scene = Scene::new(BASIC).await;
    let base_url = BaseUrl::parse(&format!("{}/behind/a/proxy/", scene.stand_in.url())).unwrap();
    let calven = Calven {
        base_url,
        ..scene.calven
    };
    let error = calven
        .put(BODY.into(), Instant::now() + Duration::from_secs(20))
        .await
        .unwrap_err();
    assert!(
        matches!(error.fault(), Fault::Refused { status: 404, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn the_stand_in_refuses_what_calven_refuses() {
    let row = |group: &str, parent: &str| {
        let parent_type = if parent == "null" { "null" } else { r#""T""# };
        format!(
            r#"{{"group":"{group}","groupType":"T","parent":{parent},"parentType":{parent_type}}}"#
        )
    };
    let scene = Scene::new(BASIC).await;
    for rows in [
        [row("A", r#""A""#)].join(","),
        [row("A", r#""B""#), row("B", r#""A""#)].join(","),
        [row("A", r#""B""#), row("B", r#""C""#), row("C", r#""A""#)].join(","),
        [row("A", "null"), row("A", r#""B""#)].join(","),
        r#"{"group":"A","groupType":"T","parent":"B","parentType":null}"#.to_owned(),
        r#"{"group":"A","groupType":"T"}"#.to_owned(),
        r#"{"group":"A","groupType":"T","parent":null,"parentType":null,"more":1}"#.to_owned(),
    ] {
        let body = format!(r#"{{"groupRelationships":[{rows}]}}"#);
        let error = scene
            .calven
            .put(body.into(), Instant::now() + Duration::from_secs(20))
            .await
            .unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Refused { status: 400, .. }),
            "{rows}: {error}"
        );
        assert_eq!(scene.stand_in.rows(), None);
    }
    let rows = [
        row("B", r#""A""#),
        row("C", r#""B""#),
        row("A", "null"),
        row("D", r#""A""#),
    ]
    .join(",");
    let body = format!(r#"{{"groupRelationships":[{rows}]}}"#);
    scene
        .calven
        .put(body.into(), Instant::now() + Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!(
        scene.stand_in.tree(),
        "A [T]\n  B [T]\n    C [T]\n  D [T]\n"
    );
}

#[tokio::test]
async fn a_put_can_be_made_from_a_task_of_its_own() {
    let scene = Arc::new(Scene::new(HMAC).await);
    let theirs = Arc::clone(&scene);
    tokio::spawn(async move { theirs.put().await })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(scene.requests(), (1, 1));
}

#[tokio::test]
async fn a_prepared_put_has_its_token_already() {
    for (secret, tokens) in [(HMAC, 1), (CLIENT_SECRET, 1), (BASIC, 0), (JWT, 0)] {
        let scene = Scene::new(secret).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        scene.calven.prepare(deadline).await;
        assert_eq!(scene.stand_in.token_requests().len(), tokens);
        scene.put().await.unwrap();
        assert_eq!(scene.stand_in.token_requests().len(), tokens);
    }
}

#[tokio::test]
async fn who_puts_while_that_is_prepared_waits_for_it() {
    let scene = Scene::new(HMAC).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let (put, ()) = tokio::join!(
        biased;
        async {
            tokio::task::yield_now().await;
            scene.put().await
        },
        scene.calven.prepare(deadline)
    );
    put.unwrap();
    assert_eq!(scene.stand_in.token_requests().len(), 1);
}

#[tokio::test]
async fn what_goes_wrong_in_preparing_goes_wrong_once() {
    let prepared = async |scene: &Scene, fault| {
        scene.stand_in.fail_next(Endpoint::Token, fault);
        let deadline = Instant::now() + Duration::from_secs(20);
        scene.calven.prepare(deadline).await;
    };
    // What passes is tried again by the PUT.
    let scene = Scene::new(HMAC).await;
    prepared(&scene, StandInFault::Status(503)).await;
    assert_eq!(scene.stand_in.token_requests().len(), 1);
    scene.put().await.unwrap();
    assert_eq!(scene.stand_in.token_requests().len(), 2);
    // What is final is final, and for that PUT alone.
    let scene = Scene::new(HMAC).await;
    prepared(&scene, StandInFault::Status(404)).await;
    let error = scene.put().await.unwrap_err();
    assert!(!error.is_transient() && !error.may_have_landed(), "{error}");
    assert_eq!(scene.stand_in.token_requests().len(), 1);
    scene.put().await.unwrap();
    // What nobody waited for is no later PUT's business.
    let scene = Scene::new(HMAC).await;
    prepared(&scene, StandInFault::Status(404)).await;
    scene.calven.forget_preparation();
    scene.put().await.unwrap();
    // The secret's faults as well.
    let scene = Scene::new(HMAC).await;
    scene.write_secret("{}");
    let deadline = Instant::now() + Duration::from_secs(20);
    scene.calven.prepare(deadline).await;
    scene.write_secret(HMAC);
    assert!(scene.put().await.is_err());
}
