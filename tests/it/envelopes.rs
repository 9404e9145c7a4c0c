//! All fronts that HTTP comes through give the same answer to the same request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Answer, NOW, Request, Setup, World, upsert};

/// What a front makes of a request.
type Envelope = fn(&Request) -> Value;

const CHANNEL: &str = "Channel Marketing [Department] < Marketing [Division]";

fn webhook(world: &World) -> Request {
    let body = json!({"id": "evt_1", "occurredAt": NOW, "changes": [upsert(CHANNEL)]});
    world.signed("acme", &body)
}

fn in_base64(mut event: Value) -> Value {
    let body = event["body"].as_str().unwrap();
    event["body"] = json!(STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
    event
}

/// Headers by lists alone, as a load balancer sends them when it is told to.
fn in_lists(mut event: Value) -> Value {
    let headers = event["headers"].take();
    let lists = headers.as_object().unwrap().iter();
    let lists: serde_json::Map<_, _> = lists
        .map(|(name, value)| (name.clone(), json!([value])))
        .collect();
    event["multiValueHeaders"] = lists.into();
    event.as_object_mut().unwrap().remove("headers");
    event
}

fn shouting(request: &Request) -> Request {
    let mut request = request.clone();
    for (name, _) in &mut request.headers {
        *name = name.to_uppercase();
    }
    request
}

#[tokio::test]
async fn a_webhook_is_the_same_by_every_front() {
    let fronts: [(&str, Envelope); 12] = [
        ("HTTP API or Function URL", |r| r.v2("$default")),
        ("HTTP API with a stage", |r| r.v2("prod")),
        ("Function URL, base64", |r| in_base64(r.v2("$default"))),
        ("REST API", |r| r.v1("prod")),
        ("REST API, base64", |r| in_base64(r.v1("prod"))),
        ("REST API, lists of headers", |r| in_lists(r.v1("prod"))),
        ("REST API, stage webhooks", |r| r.v1("webhooks")),
        ("ALB", Request::alb),
        ("ALB, base64", |r| in_base64(r.alb())),
        ("ALB, lists of headers", |r| in_lists(r.alb())),
        ("HTTP API, upper case", |r| shouting(r).v2("$default")),
        ("ALB, upper case", |r| shouting(r).alb()),
    ];
    for (front, envelope) in fronts {
        let world = Setup::default().unseeded().start().await;
        let value = world.invoke(envelope(&webhook(&world))).await.unwrap();
        let answer = Answer::of(&value);
        let expected = json!({
            "status": "published", "source": "acme", "eventId": "evt_1",
            "statements": {"applied": 1, "stale": 0},
            "hierarchy": {"version": 1, "groups": 2, "added": 2, "moved": 0, "renamed": 0, "removed": 0},
            "held": [], "conflicts": [], "warnings": [],
        });
        assert_eq!((answer.status, &answer.body), (200, &expected), "{front}");
        assert_eq!(
            answer.headers["content-type"], "application/json",
            "{front}"
        );
        assert_eq!(
            answer.headers["x-request-id"],
            "00000000-0000-4000-8000-000000000000"
        );
        world.assert_holds(&[CHANNEL, "Marketing [Division]"]);
    }
}

#[tokio::test]
async fn health_tells_name_and_version_by_every_front_and_needs_no_secrets() {
    let nowhere = std::path::Path::new("/nowhere/secrets.json");
    let world = Setup::default().secrets_file(nowhere).start().await;
    let request = Request::new("GET", "/health");
    for event in [
        request.v2("$default"),
        request.v2("prod"),
        request.v1("prod"),
        request.alb(),
    ] {
        let answer = Answer::of(&world.invoke(event).await.unwrap());
        let expected = json!({"name": "calven-bridge", "version": env!("CARGO_PKG_VERSION")});
        assert_eq!((answer.status, answer.body), (200, expected));
    }
    assert_eq!((world.state().await, world.puts()), (None, 0));
}

#[tokio::test]
async fn what_is_called_base64_and_is_none_is_refused() {
    let world = World::new().await;
    let mut event = webhook(&world).v2("$default");
    event["isBase64Encoded"] = json!(true);
    event["body"] = json!("{not base64}");
    let answer = Answer::of(&world.invoke(event).await.unwrap());
    assert_eq!(answer.status, 400);
    assert_eq!((world.state().await, world.puts()), (None, 0));
}
