//! A state that cannot be read is never started over; instances that meet lose nothing.

use std::sync::Arc;

use calven_bridge::store::{MemoryStore, StateStore, Swap};
use serde_json::json;

use crate::harness::{Answer, Setup, World, secrets, upsert};

/// A world whose state is these bytes.
async fn with_state(bytes: &[u8]) -> World {
    let store = Arc::new(MemoryStore::default());
    assert!(matches!(
        store.swap(bytes.to_vec(), None).await.unwrap(),
        Swap::Won(_)
    ));
    Setup::default().unseeded().store(store).start().await
}

async fn bytes_of(world: &World) -> Vec<u8> {
    world.store.load().await.unwrap().unwrap().bytes
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_refused_and_left_as_it_is() {
    let world = World::seeded(&["A [T]"]).await;
    let whole = bytes_of(&world).await;
    let mut newer: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    newer["format"] = json!(99);
    for (bytes, said) in [
        (&whole[..whole.len() / 2], "cannot be read"),
        (b"", "cannot be read"),
        (b"{}", "cannot be read"),
        (newer.to_string().as_bytes(), "format 99"),
    ] {
        let world = with_state(bytes).await;
        let answer = world.says(1, upsert("B [T]")).await;
        assert_eq!(answer.status, 500, "{}", answer.body);
        assert!(
            !answer.body.to_string().contains("state"),
            "{}",
            answer.body
        );
        for action in ["reconcile", "plan", "export", "history"] {
            let (kind, message) = world.refused(json!({"action": action})).await;
            assert_eq!(kind, "StateUnreadable");
            assert!(message.contains(said), "{message}");
        }
        assert_eq!(bytes_of(&world).await, bytes);
        assert_eq!(world.puts(), 0);
    }
}

#[tokio::test]
async fn instances_that_meet_lose_nothing() {
    let world = World::seeded(&["Top [Division]"]).await;
    let instances: Vec<_> = (0..4).map(|_| Arc::new(world.another())).collect();
    let mut running = tokio::task::JoinSet::new();
    for n in 0..40 {
        let function = Arc::clone(&instances[n % 4]);
        let row = format!("Team {n} [Team] < Top [Division]");
        let body = json!({"id": format!("evt_{n}"), "changes": [upsert(&row)]});
        let event = world.signed("acme", &body).v2("$default");
        let context = world.context();
        running.spawn(async move { Answer::of(&function.handle(event, context).await.unwrap()) });
    }
    while let Some(answer) = running.join_next().await {
        let answer = answer.unwrap();
        assert!(
            answer.status == 200 || answer.status == 202,
            "{}",
            answer.body
        );
    }
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.holds().len(), 41);
}

#[tokio::test]
async fn a_source_without_a_usable_secret_is_a_500_that_tells_the_sender_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    let mut all = secrets();
    all.insert(
        "hris/acme".to_owned(),
        json!({"token": "not-a-signing-secret"}),
    );
    all.remove("hris/workday");
    std::fs::write(&file, json!(all).to_string()).unwrap();
    let world = Setup::default().secrets_file(&file).start().await;
    let body = json!({"id": "1", "changes": []});
    for source in ["acme", "workday"] {
        let answer = world.webhook(source, &body).await;
        assert_eq!(answer.status, 500);
        assert!(
            !answer.body.to_string().contains("hris/"),
            "{}",
            answer.body
        );
    }
    assert_eq!((world.state().await, world.puts()), (None, 0));
}

#[tokio::test]
async fn while_a_signing_secret_rotates_both_verify() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    let mut all = secrets();
    let old = all["hris/acme"].clone();
    all.insert("hris/acme@AWSPREVIOUS".to_owned(), old);
    let new = "whsec_bmV3LXNpZ25pbmctc2VjcmV0LW9mLWEtdGVzdCE=";
    all.insert("hris/acme".to_owned(), json!({"signingSecret": new}));
    std::fs::write(&file, json!(all).to_string()).unwrap();
    let world = Setup::default()
        .unseeded()
        .secrets_file(&file)
        .start()
        .await;
    let by_old = world.signed("acme", &json!({"id": "1", "changes": [upsert("A [T]")]}));
    assert_eq!(world.send(&by_old).await.status, 200);
    let body = json!({"id": "2", "changes": [upsert("B [T]")]}).to_string();
    let seconds = world.now().seconds();
    let signature = crate::harness::sign_with(new, "2", seconds, body.as_bytes());
    let mut by_new = by_old
        .with("webhook-id", "2")
        .with("webhook-signature", &signature);
    by_new.body = body.into_bytes();
    assert_eq!(world.send(&by_new).await.status, 200);
}
