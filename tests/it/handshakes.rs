//! What senders want answered before they sign: challenges, pings, and a token that is kept for an operator.

use std::time::Duration;

use serde_json::{Value, json};
use stand_ins::{
    canaries,
    secrets_manager::{Fault, SecretsManager},
};

use crate::{
    harness::{Answer, Request, Setup, World, read},
    logs,
    queue::record_of,
    senders::{KEY, proven, secret_of},
};

const OKTA: &str = "sources.okta = { preset = \"okta\", secret_id = \"own/okta\" }";
const HIBOB: &str = "sources.hibob = { preset = \"hibob\", secret_id = \"own/hibob\" }";
const GUSTO: &str = "sources.gusto = { preset = \"gusto\", secret_id = \"own/gusto\" }";

fn with(sources: &str) -> Setup {
    Setup::default()
        .sources(sources)
        .secret("own/okta", secret_of("okta", KEY))
        .secret("own/hibob", secret_of("hibob", KEY))
}

/// Gusto's, with this secret.
async fn gusto(secret: Option<Value>) -> World {
    let world = with(GUSTO)
        .start()
        .await
        .seed(&["Sales [Department]"])
        .await;
    if let Some(secret) = secret {
        world.put_secret("own/gusto", secret);
    }
    world
}

/// What Gusto posts to a new subscription.
fn hands_over(token: &str) -> Request {
    canaries::note(canaries::Kind::Handshake, token);
    Request::post("gusto", json!({"verification_token": token}).to_string())
}

/// A genuine event of Gusto's.
fn signed(world: &World) -> Request {
    let body = read("tests/fixtures/payloads/gusto-employee.updated.json");
    proven("gusto", KEY, world.now(), Request::post("gusto", body))
}

async fn kept(world: &World) -> Vec<String> {
    let state = world.state().await.unwrap();
    let kept = state["handshakes"].as_object().unwrap().values();
    kept.map(|kept| kept["token"].as_str().unwrap().to_owned())
        .collect()
}

async fn fetch(world: &World) -> Value {
    world
        .action(json!({"action": "handshake", "source": "gusto"}))
        .await
}

async fn is_refused(world: &World) -> bool {
    let event = json!({"action": "handshake", "source": "gusto"});
    world.refused(event).await.0 == "Refused"
}

fn assert_taken(answer: &Answer) {
    assert_eq!((answer.status, &answer.body), (200, &json!("")));
}

#[tokio::test]
async fn oktas_challenge_is_given_back_and_nothing_else_comes_of_it() {
    let world = with(OKTA).start().await;
    let before = world.everything().await;
    let name = "X-Okta-Verification-Challenge";
    let challenge = Request::new("GET", "/webhooks/okta").with(name, "my \"verification\" <1>");
    for event in [
        challenge.v2("$default"),
        challenge.v1("prod"),
        challenge.alb(),
    ] {
        let answer = Answer::of(&world.invoke(event).await.unwrap());
        let expected = json!({"verification": "my \"verification\" <1>"});
        assert_eq!((answer.status, answer.body), (200, expected));
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    for absurd in [
        "",
        " ",
        "\u{e9}t\u{e9}",
        "a\tb",
        &"x".repeat(1025),
        &"x".repeat(100_000),
    ] {
        let answer = world.send(&challenge.clone().with(name, absurd)).await;
        assert_eq!(answer.status, 400, "{absurd:?}");
        assert_eq!(answer.body["title"], "Bad Request");
    }
    assert_eq!(world.send(&challenge.without(name)).await.status, 400);
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn only_who_has_a_challenge_is_asked_by_get() {
    let world = with(&format!("{OKTA}\n{HIBOB}\n{GUSTO}")).start().await;
    for (source, method, allowed) in [
        ("okta", "PUT", "GET, POST"),
        ("okta", "HEAD", "GET, POST"),
        ("hibob", "GET", "POST"),
        ("hibob", "PUT", "POST"),
        ("gusto", "GET", "POST"),
    ] {
        let request = Request::new(method, &format!("/webhooks/{source}"));
        let request = request.with("x-okta-verification-challenge", "1");
        let answer = world.send(&request).await;
        assert_eq!(answer.status, 405, "{source} {method}");
        assert_eq!(answer.headers["allow"], allowed, "{source} {method}");
    }
}

#[tokio::test]
async fn hibobs_pings_are_answered_unsigned_and_all_else_is_verified() {
    let world = with(HIBOB).start().await;
    let before = world.everything().await;
    for ping in [
        "\"Ping test\"",
        "{\"text\":\"Ping test\"}",
        "{\n  \"text\": \"Ping test\"\n}\n",
    ] {
        assert_taken(&world.send(&Request::post("hibob", ping)).await);
    }
    for other in [
        "",
        "{}",
        "\"ping test\"",
        "{\"text\":\"Ping test\",\"text\":1}",
        "{\"text\":\"Ping test\"}x",
        "[\"Ping test\"]",
        &format!("\"Ping test\"{}", " ".repeat(300)),
    ] {
        let answer = world.send(&Request::post("hibob", other)).await;
        assert_eq!(answer.status, 401, "{other}");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_token_is_kept_while_there_is_no_signing_secret_and_handed_out_once() {
    for secret in [None, Some(json!({})), Some(json!({"note": "to be filled"}))] {
        let world = gusto(secret).await;
        assert_taken(&world.send(&hands_over("Amalthea-1")).await);
        world.pass(Duration::from_secs(1));
        assert_taken(&world.send(&hands_over("Amalthea-2")).await);
        assert_eq!(kept(&world).await, ["Amalthea-2"], "the newest only");
        let mut told = vec![world.action(json!({"action": "plan"})).await];
        for action in ["export", "history", "reconcile"] {
            told.push(world.action(json!({"action": action})).await);
        }
        assert!(!json!(told).to_string().contains("Amalthea"), "{told:?}");
        let expected = json!({"source": "gusto", "verificationToken": "Amalthea-2",
            "receivedAt": "2026-01-10T12:00:01Z"});
        assert_eq!(fetch(&world).await, expected);
        assert!(is_refused(&world).await);
        assert_eq!(kept(&world).await, [""; 0]);
    }
    assert_eq!(logs::lines_with("Amalthea"), [""; 0]);
    let (kind, _) = gusto(None)
        .await
        .refused(json!({"action": "handshake"}))
        .await;
    assert_eq!(kind, "BadAction");
}

#[tokio::test]
async fn who_has_a_secret_is_given_no_token_right_or_wrong_as_it_may_be() {
    for (secret, status) in [
        (secret_of("gusto", KEY), 401),
        (json!({"signingSecrets": [KEY]}), 401),
        (json!({"signingSecret": ""}), 500),
        (json!({"signingSecret": null}), 500),
        (json!({"token": KEY}), 401),
        (json!("not an object"), 500),
    ] {
        let world = gusto(Some(secret.clone())).await;
        let answer = world.send(&hands_over("t")).await;
        assert_eq!(answer.status, status, "{secret}");
        assert_eq!(kept(&world).await, [""; 0], "{secret}");
    }
}

#[tokio::test]
async fn what_is_no_decent_token_is_not_kept() {
    let world = gusto(Some(json!({}))).await;
    let before = world.everything().await;
    let long = "t".repeat(1025);
    for body in [
        json!({"verification_token": long}).to_string(),
        json!({"verification_token": ""}).to_string(),
        json!({"verification_token": "  "}).to_string(),
        json!({"verification_token": "a\u{0}b"}).to_string(),
        json!({"verification_token": "\u{e9}"}).to_string(),
        json!({"verification_token": ["t"]}).to_string(),
        json!({"verification_token": {"t": "t"}}).to_string(),
        json!({"other": "t"}).to_string(),
        json!([{"verification_token": "t"}]).to_string(),
        format!("{{\"verification_token\": \"t\"{}}}", " ".repeat(5000)),
        "{\"verification_token\": \"t\"".to_owned(),
        "[".repeat(4000),
        "verification_token=t".to_owned(),
    ] {
        let answer = world.send(&Request::post("gusto", &body)).await;
        assert!(answer.status >= 400, "{body}: {}", answer.status);
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_secret_that_has_come_since_ends_the_handshake_and_verifies_at_once() {
    let world = gusto(Some(json!({}))).await;
    // The empty one is cached now.
    assert_taken(&world.send(&hands_over("first")).await);
    fetch(&world).await;
    world.put_secret("own/gusto", secret_of("gusto", KEY));
    world.pass(Duration::from_secs(6));
    assert_eq!(world.send(&hands_over("forged")).await.status, 401);
    assert_eq!(kept(&world).await, [""; 0]);
    let answer = world.send(&signed(&world)).await;
    assert_eq!(answer.word(), (202, "accepted"));
}

#[tokio::test]
async fn a_token_is_forgotten_with_the_next_proof_whatever_that_says() {
    let nothing = "[sources.gusto]\npreset = \"gusto\"\nsecret_id = \"own/gusto\"\n[sources.gusto.events.meaning]\n\"*\" = \"ignore\"\n";
    for (sources, word) in [(GUSTO, (202, "accepted")), (nothing, (200, "ignored"))] {
        let mut world = gusto(None).await;
        world.configure(sources);
        assert_taken(&world.send(&hands_over("t")).await);
        world.put_secret("own/gusto", secret_of("gusto", "another"));
        assert_eq!(world.send(&signed(&world)).await.status, 401);
        assert_eq!(kept(&world).await, ["t"], "that was no proof");
        world.put_secret("own/gusto", secret_of("gusto", KEY));
        world.restart();
        let answer = world.send(&signed(&world)).await;
        assert_eq!(answer.word(), word);
        assert_eq!(kept(&world).await, [""; 0]);
        assert!(is_refused(&world).await);
    }
}

#[tokio::test]
async fn a_token_is_forgotten_with_the_next_proof_out_of_the_queue() {
    let mut world = gusto(None).await;
    world.configure("[sources.gusto]\npreset = \"gusto\"\nsecret_id = \"own/gusto\"\n[sources.gusto.events.meaning]\n\"*\" = \"ignore\"\n");
    assert_taken(&world.send(&hands_over("t")).await);
    let record = record_of(&signed(&world).queued("gusto", world.now()));
    let answer = world.action(json!({"Records": [record]})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(kept(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_reconcile_forgets_a_token_once_the_secret_is_complete_and_not_before() {
    let mut world = gusto(None).await;
    assert_taken(&world.send(&hands_over("t")).await);
    for incomplete in [
        json!({}),
        json!({"signingSecret": ""}),
        json!({"token": KEY}),
        json!("nothing yet"),
    ] {
        world.put_secret("own/gusto", incomplete.clone());
        world.restart();
        world.action(json!({"action": "reconcile"})).await;
        assert_eq!(kept(&world).await, ["t"], "{incomplete}");
    }
    world.put_secret("own/gusto", secret_of("gusto", KEY));
    world.restart();
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(kept(&world).await, [""; 0]);
}

#[tokio::test]
async fn while_it_is_not_known_whether_there_is_a_secret_no_token_is_kept() {
    let manager = SecretsManager::start().await;
    let world = with(GUSTO).secrets_manager(&manager).start().await;
    let world = world.seed(&["Sales [Department]"]).await;
    manager.put("own/gusto", "{}");
    let down = Fault::Error(500, "InternalServiceError");
    manager.fail_stage("AWSCURRENT", down.clone());
    let answer = world.send(&hands_over("t")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(kept(&world).await, [""; 0]);
    manager.mend();
    world.pass(Duration::from_secs(6));
    assert_taken(&world.send(&hands_over("t")).await);
    fetch(&world).await;
    // What is cached says that there is none, and may be old.
    manager.fail_stage("AWSCURRENT", down);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.send(&hands_over("u")).await.status, 503);
    assert_eq!(kept(&world).await, [""; 0]);
}

#[tokio::test]
async fn of_two_instances_that_fetch_a_token_at_once_one_gets_it() {
    let world = gusto(None).await;
    assert_taken(&world.send(&hands_over("t")).await);
    let (one, other) = (world.another(), world.another());
    let event = || json!({"action": "handshake", "source": "gusto"});
    let (first, second) = tokio::join!(
        one.handle(event(), world.context()),
        other.handle(event(), world.context())
    );
    let tokens = [first, second].into_iter().filter_map(Result::ok);
    assert_eq!(tokens.count(), 1);
}

#[tokio::test]
async fn a_dry_run_keeps_no_token_and_does_not_say_so() {
    let mut world = gusto(None).await;
    world.configure("sources.gusto-dry = { preset = \"gusto\", secret_id = \"own/gusto\" }");
    world.reconfigure("DRY_RUN", "true");
    let mut request = hands_over("t");
    request.path = "/webhooks/gusto-dry".to_owned();
    let before = world.everything().await;
    assert_taken(&world.send(&request).await);
    assert_eq!(world.everything().await, before);
    let lines = logs::lines_with("gusto-dry");
    let told = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(told("is not kept") && !told("is kept:"), "{lines:?}");
}
