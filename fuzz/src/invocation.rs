//! Invocations: any event, by all four ways in, is answered once; and nothing is sent or saved that nobody has proven.
//!
//! An input: what function it is; then some steps, each a byte that says which, and what it needs, its texts ended by
//! [`END`](crate::input::END).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::invocation::Failure;
use serde_json::{Map, Value, json};

use crate::{
    input::Input,
    measure::{Bound, linear},
    senders::{self, KEY},
    world::{self, Came, Sent, Setup, World},
};

/// The sources of `sources.toml`, and of which preset each is.
const SOURCES: [(&str, &str); 8] = [
    ("acme", "generic"),
    ("people", "bamboohr"),
    ("thin", "kombo"),
    ("scim", "scim"),
    ("okta", "okta"),
    ("hibob", "hibob"),
    ("merge", "merge"),
    ("newcomer", "gusto"),
];

/// No input has more steps.
const STEPS: usize = 6;

/// What an invocation may cost, the function's making and its state included: so much for a step, and so much more a byte.
const BOUND: Bound = Bound {
    bytes: 24 * 1024 * 1024,
    bytes_a_byte: 48 * 1024,
    times: 64 * 1024,
    times_a_line: 8 * 1024,
};

/// How a body that is posted is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proven {
    Well,
    NotAtAll,
    ByAnotherKey,
    OfAnotherBody,
    TooLate,
}

/// Plays one input.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    world::warm();
    linear("an invocation", data.len(), BOUND, || {
        play(Input::new(data))
    });
}

fn play(mut input: Input<'_>) {
    let setup = Setup::of(input.byte());
    let mut world = World::new(setup);
    let mut messages = Vec::new();
    for _ in 0..STEPS {
        if input.is_empty() {
            return;
        }
        let came = match input.below(8) {
            0 => raw(&mut world, &input.text(), setup),
            1..4 => posted(&mut world, &mut input, setup),
            4 => action(&mut world, &mut input, setup),
            5 => Some(world.invoke(json!({"source": "aws.events"}))),
            6 => batch(&mut world, &mut input, &mut messages),
            _ => {
                world.wait(i64::from(input.byte()) * 60);
                None
            }
        };
        if let Some(came) = came {
            messages.extend(came.sent.iter().filter_map(|sent| match sent {
                Sent::Message(text) => Some(text.clone()),
                Sent::Put(_) | Sent::Organizations | Sent::Page | Sent::Auth => None,
            }));
            if setup.dry_run {
                assert_eq!(
                    (came.swaps, came.taken),
                    (0, 0),
                    "a dry run leaves nothing behind"
                );
            }
            if let Err(failure) = &came.answer {
                assert!(!failure.to_string().is_empty());
            }
        }
    }
}

/// An event as it stands. An HTTP request among these is proven by nobody.
fn raw(world: &mut World, text: &str, setup: Setup) -> Option<Came> {
    let event: Value = serde_json::from_str(text).ok()?;
    let is_http = is_http(&event);
    let before = is_http.then(|| world.state());
    let came = world.invoke(event);
    if let Some(before) = before {
        if let Ok(answer) = &came.answer {
            http_answer(answer, &came, false, setup);
        }
        unproven(world, &came, before.as_ref());
    }
    Some(came)
}

/// Whether an event is one that anybody may send; the others come from AWS and from operators.
fn is_http(event: &Value) -> bool {
    let is_of_aws = matches!(
        event["source"].as_str(),
        Some("aws.events" | "aws.scheduler")
    );
    event.get("action").is_none() && !is_of_aws && event.get("requestContext").is_some()
}

/// What nobody has proven changes nothing but a newcomer's token.
fn unproven(world: &World, came: &Came, before: Option<&calven_bridge::state::State>) {
    assert!(
        came.sent.is_empty(),
        "something is sent that nobody has proven: {:?}",
        came.sent
    );
    if came.swaps == 0 {
        return;
    }
    let Some(mut after) = world.state() else {
        return;
    };
    let token = after.handshakes.remove("newcomer");
    assert!(token.is_some(), "something is saved that nobody has proven");
    match before {
        Some(before) => {
            let mut before = before.clone();
            before.handshakes.remove("newcomer");
            assert_eq!(
                after, before,
                "more than a token is saved that nobody has proven"
            );
        }
        None => assert!(after.published.is_none() && after.version == 0),
    }
}

fn posted(world: &mut World, input: &mut Input<'_>, setup: Setup) -> Option<Came> {
    let (source, preset) = SOURCES[input.below(SOURCES.len())];
    let proven = match input.below(8) {
        0..4 => Proven::Well,
        4 => Proven::NotAtAll,
        5 => Proven::ByAnotherKey,
        6 => Proven::OfAnotherBody,
        _ => Proven::TooLate,
    };
    let form = input.byte();
    let added = input.text();
    let body = input.part().to_vec();
    let mut headers: BTreeMap<String, String> = added
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .filter(|(name, value)| is_header(name, value))
        .collect();
    let seconds = world.now();
    let signed = match proven {
        Proven::Well => senders::headers(preset, KEY, seconds, &body),
        Proven::NotAtAll => None,
        Proven::ByAnotherKey => senders::headers(preset, "another key", seconds, &body),
        Proven::OfAnotherBody => {
            senders::headers(preset, KEY, seconds, &[&body[..], b" "].concat())
        }
        Proven::TooLate => senders::headers(preset, KEY, seconds - 301, &body),
    };
    headers.extend(signed.into_iter().flatten());
    // Who signs nothing proves itself with any body, and who signs no time at any time.
    let signs_time = matches!(preset, "generic" | "bamboohr");
    let is_proven = preset != "gusto"
        && match proven {
            Proven::Well => true,
            Proven::NotAtAll | Proven::ByAnotherKey => false,
            Proven::OfAnotherBody => !senders::signs_the_body(preset),
            Proven::TooLate => !signs_time,
        };
    let before = world.state();
    let event = envelope(form, source, &headers, &body);
    let came = world.invoke(event);
    let answer = came
        .answer
        .as_ref()
        .expect("an HTTP request is always answered");
    http_answer(answer, &came, is_proven, setup);
    if !is_proven {
        unproven(world, &came, before.as_ref());
    }
    Some(came)
}

/// Whether AWS would hand a header on; it is a server, and refuses what is none.
fn is_header(name: &str, value: &str) -> bool {
    http::HeaderName::try_from(name).is_ok() && http::HeaderValue::try_from(value).is_ok()
}

/// A request in one of the four forms.
fn envelope(form: u8, source: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> Value {
    let plain = std::str::from_utf8(body).ok().filter(|_| form & 4 == 0);
    let (text, is_encoded) = match plain {
        Some(text) => (text.to_owned(), false),
        None => (STANDARD.encode(body), true),
    };
    let method = if form & 0xf8 == 0xf8 { "GET" } else { "POST" };
    let path = format!("/webhooks/{source}");
    let mut event = match form % 4 {
        0 | 1 => {
            let (stage, prefix) = match form % 4 {
                0 => ("$default", ""),
                _ => ("prod", "/prod"),
            };
            json!({
                "version": "2.0", "routeKey": "$default", "rawPath": format!("{prefix}{path}"),
                "rawQueryString": "event=Group.changed",
                "requestContext": {
                    "accountId": "1", "apiId": "a", "domainName": "a.example", "domainPrefix": "a",
                    "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                        "userAgent": "x"},
                    "requestId": "r", "routeKey": "$default", "stage": stage,
                    "time": "06/Jan/2026:10:00:01 +0000", "timeEpoch": 1_767_693_601_000_i64
                }
            })
        }
        2 => json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": method,
            "queryStringParameters": {"event": "Group.changed"}, "multiValueHeaders": {},
            "multiValueQueryStringParameters": {}, "pathParameters": null, "stageVariables": null,
            "requestContext": {
                "accountId": "1", "apiId": "a", "httpMethod": method, "path": path, "requestId": "r",
                "resourceId": "x", "resourcePath": "/{proxy+}", "stage": "prod", "identity": {"sourceIp": "192.0.2.1"}
            }
        }),
        _ => json!({
            "httpMethod": method, "path": path, "queryStringParameters": {"event": "Group.changed"},
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/1"}}
        }),
    };
    event["headers"] = json!(headers);
    event["body"] = text.into();
    event["isBase64Encoded"] = is_encoded.into();
    event
}

/// An HTTP answer is by the contract.
fn http_answer(answer: &Value, came: &Came, is_proven: bool, setup: Setup) {
    let status = answer["statusCode"].as_u64().expect("a status");
    let header = |name: &str| {
        let header = answer["headers"].get(name);
        let listed = answer["multiValueHeaders"]
            .get(name)
            .and_then(|values| values.get(0));
        header.or(listed).and_then(Value::as_str)
    };
    assert!(
        header("x-request-id").is_some_and(|id| id.starts_with("request-")),
        "{answer}"
    );
    let body = answer["body"].as_str().unwrap_or_default();
    if status >= 400 {
        assert!(
            [400, 401, 404, 405, 413, 422, 500, 503].contains(&status),
            "{answer}"
        );
        assert_eq!(
            header("content-type"),
            Some("application/problem+json"),
            "{answer}"
        );
        let problem: Value = serde_json::from_str(body).expect("a problem");
        assert_eq!(problem["status"], status, "{answer}");
        assert!(
            ["type", "title", "detail", "requestId"]
                .iter()
                .all(|key| problem[key].is_string())
        );
        assert!(
            is_proven || status != 422,
            "what nobody has proven is not mapped"
        );
        assert!(status != 503 || header("retry-after").is_some());
        return;
    }
    assert!([200, 202].contains(&status), "{answer}");
    let report: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(word) = report["status"].as_str() else {
        // A greeting, a challenge or the health.
        assert!(came.taken == 0 && came.sent.is_empty(), "{answer}");
        return;
    };
    assert!(is_proven, "what nobody has proven is reported: {answer}");
    let expected = match word {
        "published" | "unchanged" | "ignored" | "planned" => 200,
        "accepted" | "held" => 202,
        _ => panic!("{word} is no status"),
    };
    assert_eq!(status, expected, "{answer}");
    let is_queued = came
        .sent
        .iter()
        .any(|sent| matches!(sent, Sent::Message(_)));
    let applied = report["statements"]["applied"].as_u64().expect("a count");
    if word == "published" {
        assert!(
            came.taken > 0 && came.swaps > 0,
            "nothing is published: {answer}"
        );
    }
    if applied > 0 && !setup.dry_run {
        assert!(
            came.swaps > 0 || is_queued,
            "what counts is not saved: {answer}"
        );
    }
    assert!(word != "planned" || setup.dry_run, "{answer}");
}

fn action(world: &mut World, input: &mut Input<'_>, setup: Setup) -> Option<Came> {
    let kind = input.below(8);
    let text = input.text();
    let event = match kind {
        0 => {
            let rows: Value = serde_json::from_str(&text).unwrap_or_default();
            json!({"action": "seed", "groupRelationships": rows})
        }
        1 => json!({"action": "plan"}),
        2 => json!({"action": "export"}),
        3 => json!({"action": "history", "format": "text"}),
        4 => json!({"action": "rollback", "version": text.trim().parse::<u64>().unwrap_or(1)}),
        5 => {
            let planned = world.invoke(json!({"action": "plan"}));
            assert!(
                planned.swaps == 0 && planned.taken == 0,
                "a plan changes nothing"
            );
            let digest = planned.answer.ok()?["digest"].clone();
            json!({"action": "approve", "digest": digest})
        }
        6 => {
            let (name, group_type) = text.split_once('/').unwrap_or((&text, "Department"));
            json!({"action": "explain", "group": name, "groupType": group_type, "format": "text"})
        }
        _ => {
            let formats = ["json", "text", "tree", "mermaid", "html"];
            let names = ["plan", "export", "history", "check", "reconcile"];
            let (name, format) = (input.below(names.len()), input.below(formats.len()));
            json!({"action": names[name], "format": formats[format]})
        }
    };
    let is_seed = kind == 0;
    let only_looks = matches!(kind, 1 | 2 | 3 | 6);
    let came = world.invoke(event);
    if only_looks {
        assert!(
            came.swaps == 0 && came.taken == 0,
            "who only looks changes something"
        );
    }
    if let Err(failure) = &came.answer {
        let refused = matches!(failure, Failure::BadAction(_) | Failure::UnknownEvent);
        assert!(
            !refused || came.is_nothing(),
            "a malformed action changes something"
        );
    }
    let applied = came
        .answer
        .as_ref()
        .ok()
        .and_then(|answer| answer["statements"]["applied"].as_u64());
    if is_seed && applied > Some(0) && !setup.dry_run {
        assert!(came.swaps > 0, "a seed is saved");
    }
    Some(came)
}

/// A batch of what was queued before, and of one message that is made up.
fn batch(world: &mut World, input: &mut Input<'_>, messages: &mut Vec<String>) -> Option<Came> {
    let text = input.text();
    let mut bodies = std::mem::take(messages);
    let of_ours = bodies.len();
    if let Some((head, body)) = text.split_once('\n') {
        let mut message: Map<String, Value> = serde_json::from_str(head).unwrap_or_default();
        message.entry("v").or_insert(json!(1));
        message.entry("source").or_insert(json!("acme"));
        message
            .entry("receivedAt")
            .or_insert(json!("2026-01-06T10:00:01Z"));
        message.insert("body".to_owned(), STANDARD.encode(body).into());
        bodies.push(Value::Object(message).to_string());
    } else {
        bodies.push(text);
    }
    let records = bodies.iter().enumerate().map(|(number, body)| {
        json!({"messageId": format!("m{number}"), "body": body, "eventSource": "aws:sqs"})
    });
    let count = bodies.len();
    let came = world.invoke(json!({"Records": records.collect::<Vec<_>>()}));
    let answer = came.answer.as_ref().expect("a batch is always answered");
    let failures = answer["batchItemFailures"].as_array().expect("failures");
    let failed: Vec<&str> = failures
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().expect("an id"))
        .collect();
    let known: Vec<String> = (0..count).map(|number| format!("m{number}")).collect();
    assert!(
        failed
            .iter()
            .all(|id| known.iter().any(|known| known == id)),
        "{answer}"
    );
    let distinct: std::collections::BTreeSet<&&str> = failed.iter().collect();
    assert_eq!(distinct.len(), failed.len(), "a record fails once");
    // What we have queued ourselves was mapped before.
    assert!(
        known[..of_ours]
            .iter()
            .all(|id| !failed.contains(&id.as_str())),
        "{answer}"
    );
    Some(came)
}
