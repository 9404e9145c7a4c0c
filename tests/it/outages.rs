//! What is acknowledged reaches Calven, whatever is down for a while.

use std::{sync::Arc, time::Duration};

use calven_bridge::store::FileStore;
use serde_json::json;
use stand_ins::{calven::Endpoint, fault::Fault};

use crate::harness::{Setup, World, upsert};

const TOP: &str = "Top [Division]";

#[tokio::test]
async fn while_calven_is_down_a_webhook_is_accepted_and_the_next_one_sends_both() {
    let mut world = World::seeded(&[TOP]).await;
    world.calven.go_down().await;
    world.leave_little();
    let answer = world.says(1, upsert("A [T] < Top [Division]")).await;
    assert_eq!(answer.word(), (202, "accepted"));
    let reason = answer.body["reason"].as_str().unwrap();
    assert!(reason.contains("could not be reached"), "{reason}");
    world.calven.come_back().await.unwrap();
    world.leave_enough();
    world.restart();
    assert_eq!(
        world.says(2, upsert("B [T] < Top [Division]")).await.word(),
        (200, "published")
    );
    world.assert_holds(&[TOP, "A [T] < Top [Division]", "B [T] < Top [Division]"]);
}

#[tokio::test]
async fn while_calven_is_down_a_webhook_is_accepted_and_the_schedule_sends_it() {
    let mut world = World::seeded(&[TOP]).await;
    world.calven.go_down().await;
    world.leave_little();
    world.says(1, upsert("A [T] < Top [Division]")).await;
    let (kind, message) = world.refused(json!({"action": "reconcile"})).await;
    assert_eq!(kind, "NotPublished", "{message}");
    world.calven.come_back().await.unwrap();
    world.leave_enough();
    world.action(json!({"action": "reconcile"})).await;
    world.assert_holds(&[TOP, "A [T] < Top [Division]"]);
}

#[tokio::test]
async fn what_calven_refuses_is_accepted_and_says_so() {
    let world = World::seeded(&[TOP]).await;
    world.calven.fail_next(Endpoint::Put, Fault::Status(400));
    let answer = world.says(1, upsert("A [T] < Top [Division]")).await;
    assert_eq!(answer.word(), (202, "accepted"));
    let reason = answer.body["reason"].as_str().unwrap();
    assert!(reason.contains("refused"), "{reason}");
    assert_eq!(
        world.says(1, upsert("A [T] < Top [Division]")).await.word(),
        (200, "published")
    );
}

#[tokio::test]
async fn passing_failures_are_retried_within_the_webhook() {
    for fault in [
        Fault::Status(500),
        Fault::Status(503),
        Fault::StatusRetryAfter(429, "0".to_owned()),
        Fault::Reset,
        Fault::ResetAfterApplying,
    ] {
        let world = World::seeded(&[TOP]).await;
        world.calven.fail_next(Endpoint::Put, fault.clone());
        let answer = world.says(1, upsert("A [T] < Top [Division]")).await;
        assert_eq!(
            answer.word(),
            (200, "published"),
            "{fault:?}: {}",
            answer.body
        );
        assert_eq!(world.puts(), 3, "{fault:?}");
        world.assert_holds(&[TOP, "A [T] < Top [Division]"]);
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_there_is_time() {
    let world = World::seeded(&[TOP]).await;
    world.calven.fail_next(
        Endpoint::Put,
        Fault::StatusRetryAfter(429, "3600".to_owned()),
    );
    let answer = world.says(1, upsert("A [T] < Top [Division]")).await;
    assert_eq!(answer.word(), (202, "accepted"));
    assert_eq!(world.puts(), 2);
}

#[tokio::test]
async fn who_cannot_tell_whether_a_put_was_applied_leaves_a_debt_that_the_next_pays() {
    let mut world = World::seeded(&[TOP]).await;
    world
        .calven
        .fail_next(Endpoint::Put, Fault::HangAfterApplying);
    world.leave_little();
    let answer = world.says(1, upsert("A [T] < Top [Division]")).await;
    assert_eq!(answer.word(), (202, "accepted"));
    assert_eq!(world.state().await.unwrap()["unsure"], true);
    world.leave_enough();
    world.restart();
    let plan = async |world: &World| world.action(json!({"action": "plan"})).await;
    assert_eq!(plan(&world).await["unsure"], true);
    assert_eq!(
        world.says(1, upsert("A [T] < Top [Division]")).await.status,
        200
    );
    assert_eq!(world.puts(), 3);
    assert_eq!(world.state().await.unwrap()["unsure"], false);
    assert_eq!(plan(&world).await.get("unsure"), None);
    // Paid: a duplicate sends nothing any more.
    assert_eq!(
        world.says(1, upsert("A [T] < Top [Division]")).await.word(),
        (200, "unchanged")
    );
    assert_eq!(world.puts(), 3);
}

#[tokio::test]
async fn who_owes_a_put_that_was_owed_already_is_seen_by_who_pays_meanwhile() {
    let mut world = World::seeded(&[TOP]).await;
    world.leave_little();
    let webhook = upsert("A [T] < Top [Division]");
    for attempt in 1..=3 {
        world
            .calven
            .fail_next(Endpoint::Put, Fault::HangAfterApplying);
        let answer = world.says(1, webhook.clone()).await;
        assert_eq!(answer.word(), (202, "accepted"));
        // Each leaves another document, so that a swap which began before fails.
        assert_eq!(world.state().await.unwrap()["unpaid"], attempt);
    }
    world.leave_enough();
    assert_eq!(world.says(1, webhook).await.status, 200);
    assert_eq!(world.state().await.unwrap()["unsure"], false);
}

#[tokio::test]
async fn a_debt_is_paid_even_where_the_plan_is_held() {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut world = World::seeded(&rows).await;
    world
        .calven
        .fail_next(Endpoint::Put, Fault::HangAfterApplying);
    world.leave_little();
    world.says(1, upsert("New [Team]")).await;
    world.leave_enough();
    let removals: Vec<_> = rows
        .iter()
        .take(8)
        .map(|row| crate::harness::remove(row))
        .collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_2", "changes": removals}))
        .await;
    assert_eq!(answer.word(), (202, "held"));
    assert_eq!(world.puts(), 3);
    world.assert_holds(&rows);
    assert_eq!(world.state().await.unwrap()["unsure"], false);
}

#[tokio::test]
async fn every_reconcile_puts_though_nothing_changed() {
    let world = World::seeded(&[TOP]).await;
    for puts in 2..5 {
        let report = world.action(json!({"action": "reconcile"})).await;
        assert_eq!(
            (report["status"].as_str(), world.puts()),
            (Some("published"), puts)
        );
    }
    let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    assert_eq!(world.action(event).await["status"], "published");
    assert_eq!(world.puts(), 5);
}

#[tokio::test]
async fn a_reconcile_before_anything_is_known_sends_nothing() {
    let world = World::new().await;
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(report["status"], "unchanged", "{report}");
    assert_eq!(world.puts(), 0);
}

#[tokio::test]
async fn a_seed_while_calven_is_down_is_kept() {
    let mut world = World::new().await;
    world.calven.go_down().await;
    world.leave_little();
    let rows = [crate::harness::row_of(TOP)];
    let report = world
        .action(json!({"action": "seed", "groupRelationships": rows}))
        .await;
    assert_eq!(report["status"], "accepted");
    world.calven.come_back().await.unwrap();
    world.leave_enough();
    world.action(json!({"action": "reconcile"})).await;
    world.assert_holds(&[TOP]);
}

/// The memory store answers at once; a file, as S3, takes a moment, for which there must be time left.
#[tokio::test]
async fn there_is_always_time_left_to_save() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let store = Arc::new(FileStore::new(file, Duration::from_secs(5)));
    let mut world = Setup::default()
        .store(store)
        .start()
        .await
        .seed(&[TOP])
        .await;
    world.calven.go_down().await;
    world.leave(Duration::from_secs(3));
    let queued = json!({"Records": [crate::queue::record(&world, "acme", &json!({
        "id": "evt_1", "changes": [upsert("A [T] < Top [Division]")]}))]});
    let answer = world.action(queued).await;
    assert_eq!(
        answer,
        json!({"batchItemFailures": []}),
        "what is durable is not sent again"
    );
    let rows = [crate::harness::row_of(TOP), crate::harness::row_of("B [T]")];
    let seed = json!({"action": "seed", "groupRelationships": rows});
    assert_eq!(world.action(seed).await["status"], "accepted");
    world.calven.come_back().await.unwrap();
    world.leave_enough();
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.holds().len(), 3, "{:?}", world.holds());
}
