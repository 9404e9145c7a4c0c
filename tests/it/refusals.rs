//! Bad input: each is refused with its status, and nothing is changed and nothing sent.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, NOW, Request, Setup, World, secrets, upsert};

const ROW: &str = "Channel Marketing [Department] < Marketing [Division]";

/// As it is deployed: signatures are good for five minutes.
async fn strict() -> World {
    let setup = Setup::default().variable("SOURCES_FILE", "tests/fixtures/sources/strict.toml");
    setup.start().await.seed(&["Marketing [Division]"]).await
}

fn good(world: &World) -> Request {
    world.signed("acme", &json!({"id": "evt_1", "changes": [upsert(ROW)]}))
}

/// Sends it, and sees that it is refused and nothing else happens.
async fn refused(world: &World, request: &Request, status: u64, title: &str) -> Answer {
    let before = world.everything().await;
    let answer = world.send(request).await;
    assert_eq!(answer.status, status, "{request:?}: {}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.body["type"], "about:blank");
    assert_eq!(answer.body["title"], title);
    assert_eq!(answer.body["status"], status);
    assert_eq!(
        answer.body["requestId"],
        json!(answer.headers["x-request-id"])
    );
    assert_eq!(world.everything().await, before, "{request:?}");
    answer
}

/// The cached secret may be older than the one that an operator has just filled.
#[tokio::test]
async fn a_posted_token_is_refused_as_soon_as_the_secret_has_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    let fill = |secret: Value| {
        let mut known = secrets();
        known.insert("hris/pay".to_owned(), secret);
        std::fs::write(&file, json!(known).to_string()).unwrap();
    };
    fill(json!({}));
    let sources = folder.path().join("sources.toml");
    let pay = "[sources.pay]\npreset = \"gusto\"\nsecret_id = \"hris/pay\"\n";
    std::fs::write(&sources, pay).unwrap();
    let setup = Setup::default().secrets_file(&file);
    let setup = setup.variable("SOURCES_FILE", sources.to_str().unwrap());
    let world = setup.start().await;
    let mut post = Request::new("POST", "/webhooks/pay");
    post.body = br#"{"verification_token": "t1"}"#.to_vec();
    assert_eq!(world.send(&post).await.status, 200);
    fill(json!({"signingSecret": "t1"}));
    world.pass(Duration::from_secs(6));
    post.body = br#"{"verification_token": "t2"}"#.to_vec();
    refused(&world, &post, 401, "Unauthorized").await;
}

#[tokio::test]
async fn the_good_one_is_taken() {
    let world = strict().await;
    assert_eq!(world.send(&good(&world)).await.word(), (200, "published"));
}

#[tokio::test]
async fn a_missing_or_wrong_signature_is_401_and_does_not_say_why() {
    let world = strict().await;
    let good = good(&world);
    let header = |name: &str| {
        let found = good.headers.iter().find(|(known, _)| known == name);
        found.unwrap().1.clone()
    };
    let signature = header("webhook-signature");
    let mut other_body = good.clone();
    other_body.body = json!({"id": "evt_1", "changes": []})
        .to_string()
        .into_bytes();
    let mut added_space = good.clone();
    added_space.body.push(b' ');
    let mut other_source = good.clone();
    other_source.path = "/webhooks/workday".to_owned();
    let bad = [
        good.clone().without("webhook-id"),
        good.clone().without("webhook-timestamp"),
        good.clone().without("webhook-signature"),
        good.clone().with("webhook-signature", ""),
        good.clone().with("webhook-signature", "v1,"),
        good.clone().with("webhook-signature", "v1,AAAA"),
        good.clone()
            .with("webhook-signature", &signature.replace("v1,", "v2,")),
        good.clone()
            .with("webhook-signature", &signature.to_lowercase()),
        good.clone().with("webhook-id", "evt_2"),
        good.clone().with("webhook-timestamp", "soon"),
        good.clone().with("webhook-timestamp", "1768046401"),
        other_body,
        added_space,
        other_source,
    ];
    let mut details = std::collections::BTreeSet::new();
    for request in &bad {
        let answer = refused(&world, request, 401, "Unauthorized").await;
        details.insert(answer.body["detail"].to_string());
    }
    assert_eq!(details.len(), 1, "{details:?}");
}

#[tokio::test]
async fn an_old_or_a_future_signature_is_401() {
    let world = strict().await;
    let body = json!({"id": "evt_1", "changes": [upsert(ROW)]}).to_string();
    let tolerance = Duration::from_secs(300);
    let second = Duration::from_secs(1);
    let old = world.now().minus(tolerance + second);
    let future = world.now().plus(tolerance + second);
    for signed_at in [old, future] {
        let request = Request::webhook("acme", "evt_1", signed_at, body.as_bytes());
        refused(&world, &request, 401, "Unauthorized").await;
    }
    let just = Request::webhook(
        "acme",
        "evt_1",
        world.now().minus(tolerance),
        body.as_bytes(),
    );
    assert_eq!(world.send(&just).await.status, 200);
}

#[tokio::test]
async fn unknown_sources_and_paths_are_404() {
    let world = strict().await;
    for path in [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/nobody",
        "/webhooks/ACME",
        "/webhooks/manual",
        "/webhooks/capillary",
        "/webhooks/acme/",
        "/webhooks/acme/more",
        "/webhooks/acme%2F",
        "/hooks/acme",
        "/healthy",
        "/health/",
        "/admin",
    ] {
        let mut request = good(&world);
        request.path = path.to_owned();
        refused(&world, &request, 404, "Not Found").await;
    }
}

#[tokio::test]
async fn another_method_is_405_and_told_which_is_allowed() {
    let world = strict().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
        let request = Request {
            method,
            ..good(&world)
        };
        let answer = refused(&world, &request, 405, "Method Not Allowed").await;
        assert_eq!(answer.headers["allow"], "POST");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = refused(
            &world,
            &Request::new(method, "/health"),
            405,
            "Method Not Allowed",
        )
        .await;
        assert_eq!(answer.headers["allow"], "GET");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_before_anything_else() {
    let mut world = strict().await;
    world.reconfigure("MAX_BODY_BYTES", "200");
    let mut request = good(&world);
    request.body = vec![b' '; 201];
    refused(&world, &request, 413, "Payload Too Large").await;
    request.path = "/nowhere".to_owned();
    refused(&world, &request, 413, "Payload Too Large").await;
    let mut just = json!({"changes": [upsert(ROW)]}).to_string();
    just.extend(std::iter::repeat_n(' ', 200 - just.len()));
    let just = Request::webhook("acme", "evt_1", world.now(), just.as_bytes());
    assert_eq!(world.send(&just).await.status, 200);
}

#[tokio::test]
async fn what_is_no_json_is_400() {
    let world = strict().await;
    for body in [
        &b""[..],
        b"   ",
        b"changes",
        b"{\"changes\": [",
        b"{\"changes\": []} and more",
        b"\xff\xfe{}",
        b"{\"id\": \"\xe4\", \"changes\": []}",
        b"<changes/>",
    ] {
        let request = Request::webhook("acme", "evt_1", world.now(), body);
        let answer = refused(&world, &request, 400, "Bad Request").await;
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(!detail.contains("and more"), "{detail}");
    }
}

#[tokio::test]
async fn json_nested_too_deep_is_400() {
    let world = strict().await;
    let body = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let request = Request::webhook("acme", "evt_1", world.now(), body.as_bytes());
    refused(&world, &request, 400, "Bad Request").await;
}

#[tokio::test]
async fn what_does_not_fit_is_422_with_every_path() {
    let world = strict().await;
    let check = async |body: Value, expected: &[&str]| {
        let request = world.signed("acme", &body);
        let answer = refused(&world, &request, 422, "Unprocessable Entity").await;
        let errors = answer.body["errors"].as_array().unwrap();
        let paths: Vec<&str> = errors.iter().map(|e| e["path"].as_str().unwrap()).collect();
        assert_eq!(paths, expected, "{body}");
        assert!(
            errors
                .iter()
                .all(|e| !e["detail"].as_str().unwrap().is_empty())
        );
    };
    check(json!([]), &[""]).await;
    check(json!({"id": "evt_1"}), &["changes"]).await;
    check(json!({"changes": {}}), &["changes"]).await;
    check(
        json!({"changes": [], "groupRelationships": []}),
        &["groupRelationships"],
    )
    .await;
    check(json!({"changes": [7]}), &["changes[0]"]).await;
    check(
        json!({"id": {}, "occurredAt": "noon", "changes": [
            {"group": "A"},
            {"group": "", "groupType": "T"},
            {"group": "A\u{7}", "groupType": "T"},
            {"group": 7, "groupType": "T"},
            {"group": "A", "groupType": "T", "parent": "P"},
            {"group": "A", "groupType": "T", "parentType": "T"},
            {"op": "merge", "group": "A", "groupType": "T"},
            {"op": "rename", "group": "A", "groupType": "T"},
            {"group": "A", "groupType": "T", "colour": "red"},
            {"group": "A", "groupType": "T", "key": true},
            upsert(ROW)]}),
        &[
            "id",
            "occurredAt",
            "changes[0].groupType",
            "changes[1].group",
            "changes[2].group",
            "changes[3].group",
            "changes[4].parentType",
            "changes[5].parent",
            "changes[6].op",
            "changes[7].to",
            "changes[8].colour",
            "changes[9].key",
        ],
    )
    .await;
    check(
        json!({"groupRelationships": [upsert(ROW), {"group": "A", "groupType": "T", "parent": "P"}]}),
        &["groupRelationships[0].op", "groupRelationships[1].parentType"],
    )
    .await;
}

#[tokio::test]
async fn an_unknown_invocation_is_told_what_is_accepted() {
    let world = strict().await;
    let before = world.everything().await;
    for event in [
        json!(null),
        json!([]),
        json!("reconcile"),
        json!({}),
        json!({"detail-type": "Scheduled Event", "source": "my.app"}),
        json!({"Records": []}),
        json!({"Records": [{"eventSource": "aws:s3"}]}),
        json!({"Records": [{"eventSource": "aws:sqs"}]}),
        json!({"requestContext": {}}),
        json!({"requestContext": 7}),
        json!({"httpMethod": "POST", "path": "/webhooks/acme"}),
    ] {
        let (kind, message) = world.refused(event.clone()).await;
        assert_eq!(kind, "UnknownEvent", "{event}");
        for accepted in [
            "HTTP",
            "aws.events",
            "SQS",
            "reconcile",
            "rollback",
            "approve",
        ] {
            assert!(message.contains(accepted), "{event}: {message}");
        }
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_malformed_action_is_a_failed_invocation_that_names_every_fault() {
    let world = strict().await;
    let before = world.everything().await;
    let row = |group: &str, parent: Option<&str>| json!({"group": group, "groupType": "T", "parent": parent, "parentType": parent.map(|_| "T")});
    for (event, expected) in [
        (
            json!({"action": "destroy"}),
            vec!["seed, plan, explain, approve"],
        ),
        (json!({"action": 7}), vec!["seed, plan, explain, approve"]),
        (
            json!({"action": "seed"}),
            vec!["groupRelationships is missing"],
        ),
        (
            json!({"action": "seed", "groupRelationships": {}}),
            vec!["must be an array"],
        ),
        (
            json!({"action": "seed", "groupRelationships": [], "occurredAt": "noon"}),
            vec!["occurredAt"],
        ),
        (
            json!({"action": "seed", "groupRelationships": [row("A", Some("B")), row("B", Some("A"))]}),
            vec!["cycle"],
        ),
        (
            json!({"action": "seed", "groupRelationships": [row("A", Some("B")), row("A", None)]}),
            vec!["more than one parent"],
        ),
        (
            json!({"action": "seed", "groupRelationships": [{"group": "A"}, {"groupType": "T"}]}),
            vec![
                "groupRelationships[0].groupType",
                "groupRelationships[1].group",
            ],
        ),
        (json!({"action": "approve"}), vec!["digest is missing"]),
        (json!({"action": "rollback"}), vec!["version is missing"]),
        (
            json!({"action": "rollback", "version": -1}),
            vec!["version is missing"],
        ),
        (
            json!({"action": "plan", "digest": "x", "force": true}),
            vec!["digest is not a field", "force is not a field"],
        ),
    ] {
        let (kind, message) = world.refused(event.clone()).await;
        assert_eq!(kind, "BadAction", "{event}");
        for part in expected {
            assert!(message.contains(part), "{event}: {message}");
        }
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn an_action_never_comes_by_http() {
    let world = strict().await;
    let mut request = good(&world);
    request.body = json!({"action": "export"}).to_string().into_bytes();
    refused(&world, &request, 401, "Unauthorized").await;
    let body = json!({"action": "seed", "groupRelationships": []}).to_string();
    let signed = Request::webhook("acme", "evt_1", world.now(), body.as_bytes());
    let answer = world.send(&signed).await;
    assert_ne!(answer.body["source"], "manual", "{NOW}: {}", answer.body);
}
