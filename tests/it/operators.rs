//! What operators do: seed, plan, approve, export, history, rollback, handshake.

use calven_bridge::{
    hierarchy::SourceName,
    state::{HandshakeToken, State},
    store::Swap,
};
use serde_json::{Value, json};

use crate::harness::{NOW, World, held, remove, row_of, upsert};

/// Ten teams; seven of them are asked to go, which the guard holds.
async fn with_a_held_plan() -> World {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows).await;
    let removals: Vec<_> = rows.iter().take(7).map(|row| remove(row)).collect();
    let body = json!({"id": "evt_removals", "changes": removals});
    assert_eq!(world.webhook("acme", &body).await.held(), ["guard"]);
    world
}

async fn digest(world: &World) -> Value {
    world.action(json!({"action": "plan"})).await["digest"].clone()
}

async fn approve(world: &World, digest: &Value) -> Value {
    world
        .action(json!({"action": "approve", "digest": digest}))
        .await
}

#[tokio::test]
async fn a_plan_shows_every_change_and_changes_nothing() {
    let world = with_a_held_plan().await;
    let before = world.everything().await;
    let plan = world.action(json!({"action": "plan"})).await;
    assert_eq!(plan["status"], "planned");
    assert_eq!(plan["saved"], false);
    assert_eq!(held(&plan), ["guard"]);
    assert_eq!(plan["digest"].as_str().unwrap().len(), 64);
    let removed = plan["changes"]["removed"].as_array().unwrap();
    assert_eq!(removed.len(), 7);
    assert_eq!(removed[0], row_of("Team 0 [Team]"));
    for kind in ["added", "moved", "renamed"] {
        assert_eq!(plan["changes"][kind], json!([]));
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn where_nothing_is_pending_there_is_no_digest() {
    let world = World::seeded(&["A [T]"]).await;
    let plan = world.action(json!({"action": "plan"})).await;
    assert_eq!(plan["digest"], Value::Null);
    let (kind, _) = world
        .refused(json!({"action": "approve", "digest": "00"}))
        .await;
    assert_eq!(kind, "Refused");
}

#[tokio::test]
async fn an_approved_plan_is_published_and_its_digest_is_good_once() {
    let world = with_a_held_plan().await;
    let digest = digest(&world).await;
    let report = approve(&world, &digest).await;
    assert_eq!(report["status"], "published");
    assert_eq!(world.holds().len(), 3);
    let again = json!({"action": "approve", "digest": digest});
    assert_eq!(world.refused(again.clone()).await.0, "Refused");
    // The same groups come back and are to go again: another plan, though it looks the same.
    let back: Vec<_> = (0..7)
        .map(|n| upsert(&format!("Team {n} [Team]")))
        .collect();
    world.pass(std::time::Duration::from_secs(60));
    world
        .webhook("acme", &json!({"id": "evt_back", "changes": back}))
        .await;
    let go: Vec<_> = (0..7)
        .map(|n| remove(&format!("Team {n} [Team]")))
        .collect();
    world.pass(std::time::Duration::from_secs(60));
    world
        .webhook("acme", &json!({"id": "evt_go", "changes": go}))
        .await;
    assert_eq!(world.refused(again).await.0, "Refused");
    assert_eq!(world.holds().len(), 10);
}

#[tokio::test]
async fn a_wrong_digest_is_refused_and_changes_nothing() {
    let world = with_a_held_plan().await;
    let before = world.everything().await;
    let wrong = "0".repeat(64);
    let (kind, message) = world
        .refused(json!({"action": "approve", "digest": wrong}))
        .await;
    assert_eq!(kind, "Refused");
    assert!(message.contains("look at the plan again"), "{message}");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn what_is_added_meanwhile_does_not_spoil_an_approval_but_what_is_removed_does() {
    let world = with_a_held_plan().await;
    let digest = digest(&world).await;
    world.says(30, upsert("New [Team]")).await;
    let report = approve(&world, &digest).await;
    assert_eq!(report["status"], "published");
    assert_eq!(world.holds().len(), 4);

    let world = with_a_held_plan().await;
    let digest = self::digest(&world).await;
    world.says(30, remove("Team 9 [Team]")).await;
    let stale = json!({"action": "approve", "digest": digest});
    assert_eq!(world.refused(stale).await.0, "Refused");
    assert_eq!(world.holds().len(), 10);
}

#[tokio::test]
async fn a_move_of_most_is_held_too() {
    let rows: Vec<String> = (0..30).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows).await;
    let moves: Vec<_> = rows
        .iter()
        .take(25)
        .map(|row| upsert(&format!("{row} < Top [Division]")))
        .collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_1", "changes": moves}))
        .await;
    assert_eq!(
        (answer.word(), answer.held()),
        ((202, "held"), vec!["guard"])
    );
    let digest = digest(&world).await;
    approve(&world, &digest).await;
    assert_eq!(world.holds().len(), 31);
}

#[tokio::test]
async fn what_the_guard_lets_pass_passes() {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows).await;
    let five: Vec<_> = rows.iter().take(5).map(|row| remove(row)).collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_1", "changes": five}))
        .await;
    assert_eq!(
        answer.word(),
        (200, "published"),
        "five are not more than five"
    );
}

#[tokio::test]
async fn a_seed_is_held_by_the_guard_like_anything_else() {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows).await;
    let seed = json!({"action": "seed", "groupRelationships": [row_of("Team 1 [Team]")]});
    let report = world.action(seed).await;
    assert_eq!(
        (report["status"].as_str(), held(&report)),
        (Some("held"), vec!["guard"])
    );
    assert_eq!(world.holds().len(), 10);
}

#[tokio::test]
async fn an_export_is_exactly_calvens_body_and_a_seed_takes_it_back_unchanged() {
    let world = World::seeded(&["A [T]", "B [T] < A [T]"]).await;
    world.says(1, upsert("C [T] < B [T]")).await;
    world
        .says(2, crate::harness::rename("A [T]", "Alpha"))
        .await;
    let export = world.action(json!({"action": "export"})).await;
    let put: Value = serde_json::from_slice(&world.calven.puts().pop().unwrap().body).unwrap();
    assert_eq!(export, put);
    let mut seed = export.clone();
    seed["action"] = json!("seed");
    world.pass(std::time::Duration::from_secs(60));
    assert_eq!(world.action(seed.clone()).await["status"], "unchanged");
    let other = World::new().await;
    other.action(seed).await;
    assert_eq!(other.holds(), world.holds());
    assert_eq!(other.action(json!({"action": "export"})).await, export);
}

#[tokio::test]
async fn before_anything_is_published_there_is_nothing_to_export() {
    let world = World::new().await;
    assert_eq!(
        world.refused(json!({"action": "export"})).await.0,
        "Refused"
    );
    let history = world.action(json!({"action": "history"})).await;
    assert_eq!(history["history"], json!([]));
}

#[tokio::test]
async fn history_tells_who_changed_what_and_when() {
    let world = World::seeded(&["A [T]"]).await;
    world.says(1, upsert("B [T]")).await;
    world.action(json!({"action": "reconcile"})).await;
    let history = world.action(json!({"action": "history"})).await;
    let quiet = json!({"added": 0, "moved": 0, "renamed": 0, "removed": 0});
    let one = json!({"added": 1, "moved": 0, "renamed": 0, "removed": 0});
    let at = crate::harness::NOW;
    assert_eq!(
        history["history"],
        json!([
            {"version": 3, "time": at, "cause": "reconcile", "groups": 2, "counts": quiet},
            {"version": 2, "time": at, "cause": "webhook acme", "groups": 2, "counts": one},
            {"version": 1, "time": at, "cause": "seed", "groups": 1, "counts": one},
        ])
    );
}

#[tokio::test]
async fn a_rollback_publishes_the_old_version_and_holds_what_comes_until_it_is_approved() {
    let world = World::seeded(&["A [T]", "B [T]"]).await;
    world.says(1, upsert("B [T] < A [T]")).await;
    let report = world
        .action(json!({"action": "rollback", "version": 1}))
        .await;
    assert_eq!(report["status"], "published");
    world.assert_holds(&["A [T]", "B [T]"]);
    let answer = world.says(2, upsert("C [T]")).await;
    assert_eq!(
        (answer.word(), answer.held()),
        ((202, "held"), vec!["rolled_back"])
    );
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(held(&report), ["rolled_back"]);
    world.assert_holds(&["A [T]", "B [T]"]);
    let digest = digest(&world).await;
    assert_eq!(approve(&world, &digest).await["status"], "published");
    world.assert_holds(&["A [T]", "B [T] < A [T]", "C [T]"]);
    assert_eq!(
        world.says(3, upsert("D [T]")).await.word(),
        (200, "published")
    );
}

#[tokio::test]
async fn a_rollback_that_removes_too_much_waits_for_approval_itself() {
    let world = World::seeded(&["A [T]"]).await;
    let many: Vec<_> = (0..10)
        .map(|n| upsert(&format!("Team {n} [Team]")))
        .collect();
    world
        .webhook("acme", &json!({"id": "evt_1", "changes": many}))
        .await;
    let report = world
        .action(json!({"action": "rollback", "version": 1}))
        .await;
    assert_eq!(
        (report["status"].as_str(), held(&report)),
        (Some("held"), vec!["guard"])
    );
    assert_eq!(world.holds().len(), 11);
    let digest = digest(&world).await;
    approve(&world, &digest).await;
    world.assert_holds(&["A [T]"]);
    assert_eq!(
        world.says(30, upsert("C [T]")).await.held(),
        ["rolled_back"]
    );
}

#[tokio::test]
async fn a_version_that_is_not_remembered_is_refused() {
    let world = World::seeded(&["A [T]"]).await;
    let before = world.everything().await;
    for version in [0, 2, u64::MAX] {
        let rollback = json!({"action": "rollback", "version": version});
        let (kind, message) = world.refused(rollback).await;
        assert_eq!(kind, "Refused");
        assert!(message.contains("remembered are: 1"), "{message}");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn the_schedule_may_be_eventbridge_scheduler_without_an_input() {
    let world = World::seeded(&["A [T]"]).await;
    let event = json!({"version": "0", "id": "a", "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "account": "123456789012", "time": "2026-01-10T12:00:00Z", "region": "us-east-1", "resources": [], "detail": "{}"});
    assert_eq!(world.action(event).await["status"], "published");
    assert_eq!(world.puts(), 2);
}

#[tokio::test]
async fn what_calven_did_not_take_was_neither_approved_nor_rolled_back() {
    let mut world = with_a_held_plan().await;
    let digest = digest(&world).await;
    world.calven.go_down().await;
    world.leave_little();
    let approval = json!({"action": "approve", "digest": digest});
    assert_eq!(world.refused(approval.clone()).await.0, "NotPublished");
    let rollback = json!({"action": "rollback", "version": 1});
    assert_eq!(world.refused(rollback).await.0, "NotPublished");
    world.calven.come_back().await.unwrap();
    world.leave_enough();
    assert_eq!(world.action(approval).await["status"], "published");
    assert_eq!(world.holds().len(), 3);
    assert_eq!(
        world.says(1, upsert("New [Team]")).await.word(),
        (200, "published")
    );
}

#[tokio::test]
async fn one_can_go_back_further_and_forth_again() {
    let world = World::seeded(&["A [T]"]).await;
    world.says(1, upsert("B [T]")).await;
    world.says(2, upsert("C [T]")).await;
    let all = world.holds();
    for (version, groups) in [(2, 2), (1, 1), (3, 3), (2, 2)] {
        let rollback = json!({"action": "rollback", "version": version});
        assert_eq!(world.action(rollback).await["status"], "published");
        assert_eq!(world.holds().len(), groups, "version {version}");
    }
    let digest = digest(&world).await;
    approve(&world, &digest).await;
    assert_eq!(world.holds(), all);
}

#[tokio::test]
async fn a_seed_from_the_future_counts_as_now_and_is_warned_of() {
    let world = World::new().await;
    let seed = json!({"action": "seed", "occurredAt": "2036-01-01T00:00:00Z", "groupRelationships": [row_of("A [T]")]});
    let report = world.action(seed).await;
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "{report}");
    world.pass(std::time::Duration::from_secs(60));
    let body = json!({"id": "1", "changes": [remove("A [T]")]});
    assert_eq!(
        world.webhook("acme", &body).await.word(),
        (200, "published")
    );
    world.assert_holds(&[]);
}

#[tokio::test]
async fn groups_that_a_seed_leaves_out_stay_while_a_source_claims_them() {
    let world = World::seeded(&["A [T]", "B [T]"]).await;
    world.says(1, upsert("C [T]")).await;
    world.pass(std::time::Duration::from_secs(60));
    let seed = json!({"action": "seed", "groupRelationships": [row_of("A [T]")]});
    assert_eq!(world.action(seed).await["status"], "published");
    world.assert_holds(&["A [T]", "C [T]"]);
}

#[tokio::test]
async fn a_whole_hierarchy_may_go_once_it_is_approved() {
    let world = with_a_held_plan().await;
    let seed = json!({"action": "seed", "groupRelationships": []});
    world.pass(std::time::Duration::from_secs(60));
    assert_eq!(held(&world.action(seed).await), ["guard"]);
    let digest = digest(&world).await;
    approve(&world, &digest).await;
    world.assert_holds(&[]);
    assert_eq!(world.calven.rows(), Some(Vec::new()));
}

#[tokio::test]
async fn a_handshake_is_handed_out_once() {
    let world = World::seeded(&["A [T]"]).await;
    let loaded = world.store.load().await.unwrap().unwrap();
    let mut state = State::decode(&loaded.bytes).unwrap();
    let token = HandshakeToken::new("t0ken-of-a-handshake", world.now()).unwrap();
    state.handshakes.insert(SourceName::new("gusto"), token);
    let swap = world.store.swap(state.encode().unwrap(), Some(loaded.tag));
    assert!(matches!(swap.await, Ok(Swap::Won(_))));
    let (kind, message) = world.refused(json!({"action": "handshake"})).await;
    assert_eq!(kind, "BadAction", "{message}");
    let unknown = json!({"action": "handshake", "source": "gusto", "all": true});
    let (_, message) = world.refused(unknown).await;
    assert_eq!(message, "all is not a field of the action handshake");
    let action = json!({"action": "handshake", "source": "gusto"});
    let answer = world.action(action.clone()).await;
    let expected =
        json!({"source": "gusto", "verificationToken": "t0ken-of-a-handshake", "receivedAt": NOW});
    assert_eq!(answer, expected);
    let (kind, message) = world.refused(action).await;
    assert_eq!(kind, "Refused");
    assert!(
        message.starts_with("no handshake of gusto is waiting: "),
        "{message}"
    );
    assert_eq!(world.state().await.unwrap()["handshakes"], json!({}));
}
