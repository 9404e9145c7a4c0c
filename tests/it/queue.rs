//! Batches from the queue: all merged, one PUT, and who is poisoned fails alone.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::store::{BoxFuture, Loaded, StateStore, StoreError, Swap, Tag};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{NOW, Request, Setup, World, remove, upsert};

/// A record as the HTTP edge queues it.
pub(crate) fn record(world: &World, source: &str, body: &Value) -> Value {
    let Request { headers, body, .. } = world.signed(source, body);
    let headers: serde_json::Map<_, _> = headers
        .into_iter()
        .map(|(name, value)| (name, json!(value)))
        .collect();
    let queued = json!({"v": 1, "source": source, "requestId": "r", "receivedAt": NOW,
        "headers": headers, "body": STANDARD.encode(body)});
    record_of(&queued.to_string())
}

pub(crate) fn record_of(text: &str) -> Value {
    let id = hex::encode(Sha256::digest(text));
    json!({"messageId": id, "receiptHandle": "h", "body": text, "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "md5OfBody": "",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bridge", "awsRegion": "us-east-1"})
}

#[tokio::test]
async fn a_batch_is_merged_and_sent_by_one_put() {
    let world = World::seeded(&["Top [Division]"]).await;
    let records: Vec<Value> = (0..10)
        .map(|n| {
            let row = format!("Team {n} [Team] < Top [Division]");
            record(
                &world,
                "acme",
                &json!({"id": format!("evt_{n}"), "changes": [upsert(&row)]}),
            )
        })
        .collect();
    let answer = world.action(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!((world.puts(), world.holds().len()), (2, 11));
    let state = world.state().await.unwrap();
    assert_eq!(state["version"], 2);
    assert_eq!(state["history"][0]["cause"], "queue");
}

#[tokio::test]
async fn the_order_within_a_batch_does_not_matter() {
    let at = |minute: u32, change: Value| json!({"id": format!("{minute}"), "occurredAt": format!("2026-01-10T11:{minute:02}:00Z"), "changes": [change]});
    let bodies = [
        at(1, upsert("A [T]")),
        at(2, remove("A [T]")),
        at(3, upsert("B [T]")),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let world = World::seeded(&["Top [Division]"]).await;
        let records = order.map(|index| record(&world, "acme", &bodies[index]));
        world.action(json!({"Records": records})).await;
        world.assert_holds(&["Top [Division]", "B [T]"]);
    }
}

#[tokio::test]
async fn a_poisoned_record_fails_alone() {
    let world = World::seeded(&["Top [Division]"]).await;
    let good = record(
        &world,
        "acme",
        &json!({"id": "1", "changes": [upsert("A [T]")]}),
    );
    let queued = |source: &str, body: &[u8]| json!({"v": 1, "source": source, "requestId": "r", "receivedAt": NOW, "headers": {}, "body": STANDARD.encode(body)});
    let mut newer = queued("acme", b"{\"changes\": []}");
    newer["v"] = json!(2);
    let mut timeless = queued("acme", b"{\"changes\": []}");
    timeless["receivedAt"] = json!("noon");
    let mut undecodable = queued("acme", b"");
    undecodable["body"] = json!("{}");
    let bad = [
        record_of("no json"),
        record_of("{}"),
        record_of(&newer.to_string()),
        record_of(&timeless.to_string()),
        record_of(&undecodable.to_string()),
        record_of(&queued("nobody", b"{\"changes\": []}").to_string()),
        record_of(&queued("acme", b"").to_string()),
        record_of(&queued("acme", b"{\"changes\": 7}").to_string()),
    ];
    for poisoned in bad {
        let answer = world.action(json!({"Records": [poisoned, good]})).await;
        let failed = json!({"batchItemFailures": [{"itemIdentifier": poisoned["messageId"]}]});
        assert_eq!(answer, failed, "{poisoned}");
    }
    world.assert_holds(&["Top [Division]", "A [T]"]);
}

#[tokio::test]
async fn the_queue_is_trusted_however_old_the_signature_is() {
    let setup = Setup::default().variable("SOURCES_FILE", "tests/fixtures/sources/strict.toml");
    let world = setup.start().await.seed(&["Top [Division]"]).await;
    let queued = record(
        &world,
        "acme",
        &json!({"id": "1", "changes": [upsert("A [T]")]}),
    );
    world.pass(std::time::Duration::from_secs(86_400));
    world.action(json!({"Records": [queued]})).await;
    world.assert_holds(&["Top [Division]", "A [T]"]);
}

#[tokio::test]
async fn the_time_of_receipt_at_the_edge_counts() {
    let world = World::seeded(&["Top [Division]"]).await;
    let queued = record(
        &world,
        "acme",
        &json!({"id": "1", "changes": [upsert("A [T]")]}),
    );
    world.pass(std::time::Duration::from_secs(60));
    let direct = json!({"id": "2", "changes": [remove("A [T]")]});
    world.webhook("acme", &direct).await;
    world.pass(std::time::Duration::from_secs(60));
    world.action(json!({"Records": [queued]})).await;
    world.assert_holds(&["Top [Division]"]);
}

/// A home that cannot be written to.
#[derive(Debug)]
struct ReadOnly;

impl StateStore for ReadOnly {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn swap(&self, _: Vec<u8>, _: Option<Tag>) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(async {
            Err(StoreError::Unavailable {
                home: "test".to_owned(),
                reason: "nothing can be written".to_owned(),
            })
        })
    }
}

#[tokio::test]
async fn what_could_not_be_saved_is_sent_again_by_the_queue_and_by_the_sender() {
    let world = Setup::default().store(Arc::new(ReadOnly)).start().await;
    let body = json!({"id": "1", "changes": [upsert("A [T]")]});
    let queued = record(&world, "acme", &body);
    let answer = world.action(json!({"Records": [queued]})).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    let answer = world.webhook("acme", &body).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(world.puts(), 0);
}

#[tokio::test]
async fn a_dry_run_leaves_its_records_to_the_queue() {
    let mut world = World::seeded(&["Top [Division]"]).await;
    world.reconfigure("DRY_RUN", "true");
    let body = json!({"id": "evt_1", "changes": [upsert("A [T]")]});
    let queued = record(&world, "acme", &body);
    let answer = world.action(json!({"Records": [queued]})).await;
    let failed = json!([{"itemIdentifier": queued["messageId"]}]);
    assert_eq!(answer, json!({"batchItemFailures": failed}));
    world.reconfigure("DRY_RUN", "false");
    let answer = world.action(json!({"Records": [queued]})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    world.assert_holds(&["A [T]", "Top [Division]"]);
}
