//! The files of `events/`: whole invocations, as docs/local.md walks through them.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use stand_ins::calven::Row;

use crate::harness::{Answer, Setup, World, read, root, signature, text_of};

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

/// The walk: each event, what becomes of it, how many groups Calven holds then, and after how many PUTs.
pub(crate) const WALK: [(&str, &str, usize, usize); 18] = [
    ("01-seed.json", "published", 14, 1),
    ("02-snapshot.json", "published", 18, 2),
    ("03-upsert.json", "published", 20, 3),
    ("04-rename.json", "published", 20, 4),
    ("05-remove.json", "published", 19, 5),
    ("06-rest-api-v1.json", "published", 21, 6),
    ("07-alb.json", "published", 21, 7),
    ("08-function-url-base64.json", "published", 22, 8),
    ("09-sqs-batch.json", "", 24, 9),
    ("10-eventbridge-rule.json", "published", 24, 10),
    ("11-eventbridge-scheduler.json", "published", 24, 11),
    ("12-mass-removal.json", "held", 24, 11),
    ("13-plan.json", "planned", 24, 11),
    ("14-approve.json", "published", 11, 12),
    ("15-export.json", "", 11, 12),
    ("16-history.json", "", 11, 12),
    ("17-rollback.json", "published", 24, 13),
    ("18-explain.json", "", 24, 13),
];

#[test]
fn every_event_is_in_the_walk() {
    assert_eq!(names(), WALK.map(|(name, ..)| name));
}

#[tokio::test]
async fn the_walk_leads_where_the_docs_say() {
    let world = sandbox().await;
    let mut answers = BTreeMap::new();
    for (name, status, groups, puts) in WALK {
        let value = world.invoke(event(name)).await.unwrap();
        let answer = match value.get("statusCode") {
            Some(_) => Answer::of(&value).body,
            None => value,
        };
        let found = answer["status"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{name}: {answer}");
        assert_eq!(
            (world.holds().len(), world.puts()),
            (groups, puts),
            "{name}"
        );
        answers.insert(name, (answer, world.holds()));
        world.pass(Duration::from_secs(60));
    }
    let (plan, _) = &answers["13-plan.json"];
    let digest = &event("14-approve.json")["digest"];
    assert_eq!(
        &plan["digest"], digest,
        "what is approved is what is pending"
    );
    assert_eq!(
        answers["09-sqs-batch.json"].0,
        json!({"batchItemFailures": []})
    );
    let (history, _) = &answers["16-history.json"];
    assert_eq!(history["history"][0]["cause"], "approve");
    let version = event("17-rollback.json")["version"].as_u64().unwrap();
    assert_eq!(version, 9);
    assert_eq!(
        answers["17-rollback.json"].1,
        answers["09-sqs-batch.json"].1
    );
    let (export, held) = &answers["15-export.json"];
    let mut exported: Vec<String> =
        serde_json::from_value::<Vec<Row>>(export["groupRelationships"].clone())
            .unwrap()
            .iter()
            .map(text_of)
            .collect();
    exported.sort();
    assert_eq!(&exported, held);
}

#[tokio::test]
async fn each_event_leaves_in_calven_what_it_says() {
    let world = sandbox().await;
    let after = async |name: &str| {
        world.invoke(event(name)).await.unwrap();
        world.holds()
    };
    let has = |rows: &[String], row: &str| rows.iter().any(|known| known == row);
    let rows = after("01-seed.json").await;
    assert!(has(&rows, "Brand [Department] < Mktg [Division]"));
    let rows = after("02-snapshot.json").await;
    assert!(has(&rows, "Data [Team] < Product [Department]"));
    assert!(has(
        &rows,
        "Acme Asia [Organization] < Acme Group [Organization]"
    ));
    let rows = after("03-upsert.json").await;
    assert!(has(
        &rows,
        "Trade Fairs [Team] < Field Marketing [Department]"
    ));
    let rows = after("04-rename.json").await;
    assert!(has(&rows, "Brand [Department] < Marketing [Division]"));
    assert!(!has(&rows, "Mktg [Division]"));
    let rows = after("05-remove.json").await;
    assert!(!rows.iter().any(|row| row.starts_with("Fax Support")));
    let rows = after("06-rest-api-v1.json").await;
    assert!(has(&rows, "Finance [Department]"));
    let rows = after("07-alb.json").await;
    assert!(has(&rows, "Finance [Department] < Operations [Division]"));
    let rows = after("08-function-url-base64.json").await;
    assert!(has(
        &rows,
        "Qualitätssicherung [Team] < Product [Department]"
    ));
    let rows = after("09-sqs-batch.json").await;
    assert!(has(&rows, "Facilities [Department] < Finance [Department]"));
    assert!(has(
        &rows,
        "Day Shift [Team] < Customer Support [Department]"
    ));
}

#[tokio::test]
async fn the_walk_can_be_walked_twice() {
    let world = sandbox().await;
    for _ in 0..2 {
        for (name, ..) in WALK {
            // What is approved was approved already, the second time.
            let outcome = world.invoke(event(name)).await;
            assert!(
                outcome.is_ok() || name.starts_with("14"),
                "{name}: {outcome:?}"
            );
        }
    }
    assert_eq!(world.holds().len(), 24);
}
