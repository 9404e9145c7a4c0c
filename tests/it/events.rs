//! The files of `events/`: whole invocations, as the README walks through them.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Answer, Setup, World, read, root, signature, time};

/// The names of all events, in the walk's order.
fn names() -> Vec<String> {
    let folder = std::fs::read_dir(root().join("events")).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn event(name: &str) -> Value {
    serde_json::from_str(&read(&format!("events/{name}"))).unwrap()
}

async fn sandbox() -> World {
    let world = Setup::default().capillary(&read("examples/sandbox/capillary.json"));
    world.start().await
}

/// Every signed body in an event: source, id, timestamp, signature, body.
fn signed(event: &Value) -> Vec<(String, String, String, String, Vec<u8>)> {
    let part = |source: &str, headers: &Value, body: Vec<u8>| {
        let header = |name: &str| {
            let headers = headers.as_object().unwrap().iter();
            let found = headers
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str().unwrap().to_owned())
                .next();
            found.unwrap_or_else(|| panic!("no {name}"))
        };
        let [id, timestamp, signature] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
        (source.to_owned(), id, timestamp, signature, body)
    };
    let decoded = |body: &Value| STANDARD.decode(body.as_str().unwrap()).unwrap();
    if let Some(records) = event["Records"].as_array() {
        let queued = records.iter().map(|record| {
            let queued: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
            let source = queued["source"].as_str().unwrap();
            part(source, &queued["headers"], decoded(&queued["body"]))
        });
        return queued.collect();
    }
    if event["requestContext"].is_null() {
        return Vec::new();
    }
    let path = event["rawPath"].as_str().or(event["path"].as_str());
    let source = path.unwrap().rsplit('/').next().unwrap();
    let body = match event["isBase64Encoded"].as_bool().unwrap() {
        true => decoded(&event["body"]),
        false => event["body"].as_str().unwrap().as_bytes().to_vec(),
    };
    vec![part(source, &event["headers"], body)]
}

#[test]
fn every_signature_fits_its_body() {
    let mut checked = 0;
    for name in names() {
        for (source, id, timestamp, found, body) in signed(&event(&name)) {
            let seconds = timestamp.parse().unwrap();
            let right = signature(&format!("hris/{source}"), &id, seconds, &body);
            assert_eq!(
                found, right,
                "events/{name}: the body was edited; the signature of {id} must be {right}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 11);
}

#[tokio::test]
async fn print_walk() {
    let world = sandbox().await;
    for name in names() {
        let answer = world.invoke(event(&name)).await;
        match answer {
            Ok(value) if value.get("statusCode").is_some() => {
                println!("== {name}\n{:#}", json!(Answer::of(&value).body))
            }
            Ok(value) => println!("== {name}\n{value:#}"),
            Err(e) => println!("== {name} FAILED {} {e}", e.error_type()),
        }
        println!("{}\nputs {}", world.calven.tree(), world.puts());
        world.pass(Duration::from_secs(60));
    }
    let _ = time("2026-01-01T00:00:00Z");
}
