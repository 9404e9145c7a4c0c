//! What comes with a webhook of any sender: order of work, envelopes and encodings, queries, and what does not fit.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use stand_ins::{calven::Endpoint, fault::Fault};

use crate::{
    harness::{Answer, Request, Setup, World},
    logs,
    queue::record_of,
    senders::{KEY, proven, secret_of},
};

/// Anything goes: a token proves it, and what is a group is told by the mapping.
const OWN: &str = r#"
    [sources.own]
    proof = "bearer"
    secret_id = "own/token"
    event_id = "header:X-Delivery"
    [sources.own.events]
    type = "query:event"
    [sources.own.events.meaning]
    "Group.*" = "say"
    "" = "say"
    [sources.own.groups.team]
    at = "$.teams"
    name = "$.name"
    type = { value = "Team" }
    parent_name = "query:under-of"
    parent_type = { value = "Division" }

    [sources.numbers]
    proof = "bearer"
    secret_id = "own/numbers"
    [sources.numbers.groups.number]
    at = "$"
    name = "$"
    type = { value = "Number" }

    [sources.enveloped]
    proof = "bearer"
    secret_id = "own/enveloped"
    envelope = "$.payload"
    [sources.enveloped.groups.team]
    name = "$.name"
    type = { value = "Team" }
"#;

/// With the secrets of these sources.
fn with(sources: &str) -> Setup {
    let ids = ["own/token", "own/numbers", "own/enveloped"];
    let setup = Setup::default().sources(sources);
    ids.into_iter()
        .fold(setup, |setup, id| setup.secret(id, json!({"token": "t"})))
}

async fn own() -> World {
    with(OWN).start().await.seed(&["Top [Division]"]).await
}

fn from(source: &str, body: impl AsRef<[u8]>) -> Request {
    Request::post(source, body).with("authorization", "Bearer t")
}

/// What a front makes of a request.
type Envelope = fn(&Request) -> Value;

fn in_base64(mut event: Value) -> Value {
    let body = event["body"].as_str().unwrap();
    event["body"] = json!(STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
    event
}

const FRONTS: [(&str, Envelope); 8] = [
    ("HTTP API", |r| r.v2("$default")),
    ("HTTP API with a stage", |r| r.v2("prod")),
    ("HTTP API, base64", |r| in_base64(r.v2("$default"))),
    ("REST API", |r| r.v1("prod")),
    ("REST API, one value each", |r| {
        let mut event = r.v1("prod");
        event["multiValueQueryStringParameters"] = Value::Null;
        event
    }),
    ("REST API, base64", |r| in_base64(r.v1("prod"))),
    ("ALB", Request::alb),
    ("ALB, base64", |r| in_base64(r.alb())),
];

#[tokio::test]
async fn a_form_and_its_query_say_the_same_by_every_front() {
    for (front, envelope) in FRONTS {
        let world = own().await;
        let mut request = from("own", "teams[0][name]=R%26D+%C3%84&teams[1][name]=B")
            .with("Content-Type", "application/x-www-form-urlencoded")
            .with("X-DELIVERY", "d-1");
        request.query =
            "event=Group.changed%2Fx%26y%3D%25&under%2Dof=Top+%26+more%2B&empty=".to_owned();
        let answer = Answer::of(&world.invoke(envelope(&request)).await.unwrap());
        assert_eq!(
            answer.word(),
            (200, "published"),
            "{front}: {}",
            answer.body
        );
        assert_eq!(answer.body["eventId"], "d-1", "{front}");
        let mut held = world.holds();
        held.retain(|row| !row.starts_with("Top [") && !row.starts_with("Top & more+ ["));
        let expected = [
            "B [Team] < Top & more+ [Division]",
            "R&D Ä [Team] < Top & more+ [Division]",
        ];
        assert_eq!(held, expected, "{front}");
        let record = record_of(&request.queued("own", world.now()));
        world.action(json!({"Records": [record]})).await;
        assert_eq!(world.holds().len(), 4, "{front}: the queue reads the same");
        request.query = "event=Person.changed".to_owned();
        let answer = Answer::of(&world.invoke(envelope(&request)).await.unwrap());
        assert_eq!(answer.word(), (200, "ignored"), "{front}");
    }
}

#[tokio::test]
async fn a_host_or_query_that_no_address_could_have_is_answered_all_the_same() {
    let world = own().await;
    let body = json!({"teams": [{"name": "A"}]}).to_string();
    for host in [
        "", " ", "a b", "::", "[::1", "x:99999", "a/b?c#d", "a@b:c", "\u{e9}", "<>", "%",
    ] {
        let request = from("own", &body).with("host", host);
        for (front, envelope) in FRONTS {
            let mut event = envelope(&request);
            if event["requestContext"].get("elb").is_none() {
                event["requestContext"]["domainName"] = host.into();
            }
            let answer = Answer::of(&world.invoke(event).await.unwrap());
            assert_eq!(answer.status, 200, "{front}: {host}");
        }
    }
    for scheme in ["", "ht tp", "javascript", "1", "://"] {
        let request = from("own", &body).with("X-Forwarded-Proto", scheme);
        for (front, envelope) in FRONTS {
            let answer = Answer::of(&world.invoke(envelope(&request)).await.unwrap());
            assert_eq!(answer.status, 200, "{front}: {scheme}");
        }
    }
    for path in [
        "/webhooks/a b",
        "/webhooks/\u{e9}",
        "/webhooks/own\"<>`{}|\\^",
        "//webhooks/own",
        "/webhooks/own?x",
        "",
        "@",
        ":x",
        "webhooks",
    ] {
        let mut request = from("own", &body);
        request.path = path.to_owned();
        for (front, envelope) in FRONTS {
            let answer = Answer::of(&world.invoke(envelope(&request)).await.unwrap());
            assert_eq!(answer.status, 404, "{front}: {path}");
        }
    }
    let mut request = from("own", &body);
    request.query = "event=Group.<\"\u{e4}\u{7f}#>&under-of=Oben \u{e4}".to_owned();
    let answer = Answer::of(&world.invoke(request.v2("$default")).await.unwrap());
    assert_eq!(answer.word(), (200, "published"));
    let holds = world.holds();
    assert!(
        holds.contains(&"A [Team] < Oben \u{e4} [Division]".to_owned()),
        "{holds:?}"
    );
}

#[tokio::test]
async fn a_presets_webhook_is_looked_at_in_one_order_and_nothing_is_parsed_before_it_is_verified() {
    let setup = Setup::default()
        .sources("sources.hibob = { preset = \"hibob\", secret_id = \"own/hibob\" }")
        .secret("own/hibob", secret_of("hibob", KEY))
        .variable("MAX_BODY_BYTES", "300");
    let world = setup.start().await.seed(&["Top [Division]"]).await;
    let before = world.everything().await;
    let ping = "{\"text\":\"Ping test\"}";
    let check =
        async |method: &'static str, path: &str, signed: bool, body: &str, expected: u64| {
            let mut request = Request::post("hibob", body);
            request.method = method;
            request.path = path.to_owned();
            if signed {
                request = proven("hibob", KEY, world.now(), request);
            }
            let answer = world.send(&request).await;
            assert_eq!(answer.status, expected, "{method} {path} {signed} {body}");
            assert_eq!(world.everything().await, before);
        };
    let (here, large) = ("/webhooks/hibob", " ".repeat(301));
    check("PUT", "/webhooks/nobody", false, &large, 413).await;
    check("PUT", "/webhooks/nobody", false, ping, 404).await;
    check("PUT", here, false, ping, 405).await;
    check("POST", here, false, ping, 200).await;
    for garbage in ["{", "\"Ping", "", "\u{7f}", "{\"type\": {}}"] {
        check("POST", here, false, garbage, 401).await;
    }
    for garbage in ["{", "\"Ping", "", "\u{7f}"] {
        check("POST", here, true, garbage, 400).await;
    }
    check("POST", here, true, "{\"type\": {}}", 422).await;
    check("POST", here, true, "{\"type\": \"other\"}", 200).await;
}

#[tokio::test]
async fn who_hangs_up_early_is_answered_in_time_though_calven_never_does() {
    let patient = OWN.replacen("secret_id", "patience_seconds = 1\nsecret_id", 1);
    let world = with(&patient).start().await;
    let world = world.seed(&["Top [Division]"]).await;
    world.calven.fail_next(Endpoint::Put, Fault::Hang);
    let began = Instant::now();
    let answer = world
        .send(&from("own", json!({"teams": [{"name": "A"}]}).to_string()))
        .await;
    let took = began.elapsed();
    assert_eq!(answer.word(), (202, "accepted"));
    assert!(took.as_secs() < 4, "{took:?}: the budget of others is 8 s");
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.holds().len(), 2);
}

#[tokio::test]
async fn what_does_not_fit_is_told_by_its_place_and_the_key_is_for_the_log_alone() {
    let setup = Setup::default()
        .sources("sources.merge = { preset = \"merge\", secret_id = \"own/merge\" }\nsources.peopleforce = { preset = \"peopleforce\", secret_id = \"own/peopleforce\" }")
        .secret("own/merge", secret_of("merge", KEY))
        .secret("own/peopleforce", secret_of("peopleforce", KEY));
    let world = setup.start().await.seed(&["Top [Division]"]).await;
    let check = async |source: &str, body: Value, expected: &[(&str, &str)]| {
        let request = Request::post(source, body.to_string());
        let request = proven(source, KEY, world.now(), request);
        let before = world.everything().await;
        let answer = world.send(&request).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        let errors = answer.body["errors"].as_array().unwrap();
        let told: Vec<(&str, bool)> = errors
            .iter()
            .map(|error| (error["path"].as_str().unwrap(), error["detail"].is_string()))
            .collect();
        let wanted: Vec<_> = expected.iter().map(|(path, _)| (*path, true)).collect();
        assert_eq!(told, wanted, "{body}");
        let text = answer.body.to_string();
        for hidden in ["Melpomene", "sources.", "groups.", "persons.", "(by"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        for (path, key) in expected {
            let lines = logs::lines_with(key);
            let told = |line: &String| line.contains(path) && line.contains("refused");
            assert!(lines.iter().any(told), "{key}: {lines:?}");
        }
        assert_eq!(world.everything().await, before);
    };
    let data =
        json!({"id": {"Melpomene": 1}, "name": "Melpomene\u{7}", "modified_at": "Melpomene"});
    check(
        "merge",
        json!({"hook": {"event": "Group.added"}, "data": data}),
        &[
            (
                "$['data']['modified_at']",
                "sources.merge.groups.group.time",
            ),
            ("$['data']['id']", "sources.merge.groups.group.key"),
            ("$['data']['name']", "sources.merge.groups.group.name"),
        ],
    )
    .await;
    check(
        "merge",
        json!({"hook": {"event": ["Melpomene"]}}),
        &[("$['hook']['event']", "sources.merge.events.type")],
    )
    .await;
    check(
        "peopleforce",
        json!({"action": "employee_update", "data": {"division": {"name": "Melpomene"}}}),
        &[("$['data']['id']", "sources.peopleforce.persons.employee.id")],
    )
    .await;
    assert_eq!(logs::lines_with("Melpomene"), [""; 0]);
}

#[tokio::test]
async fn a_body_of_more_records_than_anybody_means_is_422() {
    let world = own().await;
    let before = world.everything().await;
    let many = format!("[{}1]", "1,".repeat(100_000));
    let answer = world.send(&from("numbers", &many)).await;
    assert_eq!(answer.status, 422);
    let error = &answer.body["errors"][0];
    assert_eq!(error["path"], "$[100000]");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("100000 statements"),
        "{error}"
    );
    assert_eq!(world.everything().await, before);
    let record = record_of(&from("numbers", &many).queued("numbers", world.now()));
    let answer = world.action(json!({"Records": [record]})).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn faults_without_end_are_counted_and_not_all_told() {
    let world = own().await;
    let many = json!({"teams": vec![json!({}); 5_000]});
    let answer = world.send(&from("own", many.to_string())).await;
    assert_eq!(answer.status, 422);
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1_001);
    assert_eq!(errors[1_000]["detail"], "has 4000 more faults");
    let lines = logs::lines_with("$['teams'][0]['name']");
    assert!(lines.iter().all(|line| line.len() < 10_000), "{lines:?}");
}

#[tokio::test]
async fn odd_names_and_deep_bodies_are_refused_plainly() {
    let world = own().await;
    let before = world.everything().await;
    for name in ["a\u{0}b", "a\nb", "\u{1b}[31m", "\u{85}", &"n".repeat(1025)] {
        let body = json!({"teams": [{"name": name}]}).to_string();
        let answer = world.send(&from("own", body)).await;
        assert_eq!(answer.status, 422, "{name:?}");
        assert_eq!(answer.body["errors"][0]["path"], "$['teams'][0]['name']");
    }
    let deep = |open: &str, close: &str, depth: usize| {
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    for depth in [200, 100_000] {
        for body in [deep("[", "]", depth), deep("{\"teams\":", "}", depth)] {
            let answer = world.send(&from("own", body)).await;
            assert_eq!(answer.status, 400);
        }
    }
    let inner = deep("[", "]", 200);
    let body = json!({"payload": inner}).to_string();
    assert_eq!(world.send(&from("enveloped", body)).await.status, 400);
    let form = format!("a{}=1", "[b]".repeat(10_000));
    let form = from("own", form).with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(world.send(&form).await.status, 400);
    for body in [json!({}), json!({"payload": [1]}), json!({"payload": {}})] {
        let answer = world.send(&from("enveloped", body.to_string())).await;
        assert_eq!(answer.status, 422, "{body}");
    }
    assert_eq!(world.everything().await, before);
}
