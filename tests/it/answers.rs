//! What a webhook is answered, for each status, and that it is so.

use serde_json::json;

use crate::harness::{Request, Setup, World, remove, rename, upsert};

const BRAND: &str = "Brand [Department] < Marketing [Division]";
const MARKETING: &str = "Marketing [Division]";

#[tokio::test]
async fn published_tells_the_version_and_what_changed() {
    let world = World::seeded(&[MARKETING]).await;
    let answer = world.says(1, upsert(BRAND)).await;
    assert_eq!(answer.word(), (200, "published"));
    let hierarchy =
        json!({"version": 2, "groups": 2, "added": 1, "moved": 0, "renamed": 0, "removed": 0});
    assert_eq!(answer.body["hierarchy"], hierarchy);
    assert_eq!(answer.body["statements"], json!({"applied": 1, "stale": 0}));
    assert_eq!(answer.body["source"], "acme");
    assert_eq!(answer.headers["cache-control"], "no-store");
    world.assert_holds(&[BRAND, MARKETING]);
}

#[tokio::test]
async fn a_move_a_rename_and_a_removal_are_counted_as_such() {
    let world = World::seeded(&[MARKETING, "Sales [Division]", BRAND]).await;
    let counts = |answer: &crate::harness::Answer| answer.body["hierarchy"].clone();
    let answer = world
        .says(1, upsert("Brand [Department] < Sales [Division]"))
        .await;
    assert_eq!(counts(&answer)["moved"], 1, "{}", answer.body);
    let answer = world.says(2, rename("Brand [Department]", "Brands")).await;
    assert_eq!(counts(&answer)["renamed"], 1, "{}", answer.body);
    let answer = world.says(3, remove("Brands [Department]")).await;
    assert_eq!(counts(&answer)["removed"], 1, "{}", answer.body);
    world.assert_holds(&[MARKETING, "Sales [Division]"]);
}

#[tokio::test]
async fn what_is_so_already_is_unchanged_and_not_sent() {
    let world = World::seeded(&[MARKETING, BRAND]).await;
    let answer = world.says(1, upsert(BRAND)).await;
    assert_eq!(answer.word(), (200, "unchanged"));
    assert_eq!(answer.body["statements"], json!({"applied": 1, "stale": 0}));
    assert_eq!(world.puts(), 1);
}

#[tokio::test]
async fn before_the_first_seed_everything_is_held_and_kept() {
    let world = World::new().await;
    let answer = world.says(1, upsert(BRAND)).await;
    assert_eq!(answer.word(), (202, "held"));
    assert_eq!(answer.held(), ["not_seeded"]);
    assert_eq!(world.puts(), 0);
    let world = world.seed(&["Sales [Division]"]).await;
    world.assert_holds(&[BRAND, MARKETING, "Sales [Division]"]);
}

#[tokio::test]
async fn a_seed_is_not_waited_for_where_that_is_configured() {
    let world = Setup::default().unseeded().start().await;
    assert_eq!(
        world.says(1, upsert(BRAND)).await.word(),
        (200, "published")
    );
    world.assert_holds(&[BRAND, MARKETING]);
}

#[tokio::test]
async fn what_the_guard_holds_is_told_to_who_asked_for_it_and_to_nobody_else() {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows).await;
    let removals: Vec<_> = rows.iter().take(6).map(|row| remove(row)).collect();
    let body = json!({"id": "evt_1", "changes": removals});
    let answer = world.webhook("acme", &body).await;
    assert_eq!(answer.word(), (202, "held"));
    assert_eq!(answer.held(), ["guard"]);
    assert_eq!(answer.body["held"][0]["removed"], 6);
    let other = world.says(1, upsert("Team 9 [Team]")).await;
    assert_eq!(other.word(), (200, "unchanged"), "{}", other.body);
    assert!(other.held().is_empty());
    assert_eq!(world.puts(), 1);
    world.assert_holds(&rows);
}

#[tokio::test]
async fn a_held_cycle_is_told_whole() {
    let world = World::seeded(&["A [T]", "B [T] < A [T]", "C [T] < B [T]"]).await;
    let answer = world.says(1, upsert("A [T] < C [T]")).await;
    assert_eq!(answer.word(), (202, "held"));
    let held = &answer.body["held"][0];
    assert_eq!(held["reason"], "cycle");
    assert_eq!(
        (&held["group"], &held["parent"]),
        (&json!("A"), &json!("C"))
    );
    let mut cycle: Vec<_> = held["cycle"].as_array().unwrap().clone();
    cycle.sort_by_key(ToString::to_string);
    cycle.dedup();
    assert_eq!(cycle.len(), 3, "{held}");
    assert_eq!(world.puts(), 1);
}

#[tokio::test]
async fn what_can_be_sent_is_sent_though_something_is_held() {
    let world = World::seeded(&["A [T]", "B [T] < A [T]"]).await;
    let body = json!({"id": "evt_1", "changes": [upsert("A [T] < B [T]"), upsert("D [T]")]});
    let answer = world.webhook("acme", &body).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(answer.held(), ["cycle"]);
    world.assert_holds(&["A [T]", "B [T] < A [T]", "D [T]"]);
}

#[tokio::test]
async fn a_conflict_names_both_parents() {
    let world = World::seeded(&["Facilities [Department]"]).await;
    let first =
        json!({"id": "1", "changes": [upsert("Facilities [Department] < Finance [Division]")]});
    world.webhook("workday", &first).await;
    let answer = world
        .says(
            30,
            upsert("Facilities [Department] < Operations [Division]"),
        )
        .await;
    let conflict = &answer.body["conflicts"][0];
    assert_eq!(
        conflict["won"]["source"], "workday",
        "the higher priority: {}",
        answer.body
    );
    assert_eq!(conflict["won"]["parent"], "Finance");
    assert_eq!(conflict["lost"]["parent"], "Operations");
    assert!(
        world
            .holds()
            .contains(&"Facilities [Department] < Finance [Division]".to_owned())
    );
}

#[tokio::test]
async fn a_dry_run_plans_and_neither_saves_nor_sends() {
    let mut world = World::seeded(&[MARKETING]).await;
    world.reconfigure("DRY_RUN", "true");
    let before = world.everything().await;
    let answer = world.says(1, upsert(BRAND)).await;
    assert_eq!(answer.word(), (200, "planned"));
    assert_eq!(answer.body["saved"], false);
    assert_eq!(answer.body["changes"]["added"][0]["group"], "Brand");
    assert_eq!(answer.body["warnings"].as_array().unwrap().len(), 1);
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(report["status"], "planned");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_time_ahead_of_ours_counts_as_now_and_is_warned_of() {
    let world = World::seeded(&[MARKETING]).await;
    let body =
        json!({"id": "evt_1", "occurredAt": "2036-01-01T00:00:00Z", "changes": [upsert(BRAND)]});
    let answer = world.webhook("acme", &body).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(
        answer.body["warnings"].as_array().unwrap().len(),
        1,
        "{}",
        answer.body
    );
    world.pass(std::time::Duration::from_secs(60));
    let later = json!({"id": "evt_2", "changes": [remove("Brand [Department]")]});
    assert_eq!(
        world.webhook("acme", &later).await.word(),
        (200, "published")
    );
    world.assert_holds(&[MARKETING]);
}

#[tokio::test]
async fn the_event_id_is_the_bodys_else_the_headers() {
    let world = World::seeded(&[MARKETING]).await;
    let body = json!({"changes": [upsert(BRAND)]}).to_string();
    let request = Request::webhook("acme", "msg_7", world.now(), body.as_bytes());
    assert_eq!(world.send(&request).await.body["eventId"], "msg_7");
    let body = json!({"id": 8, "changes": [upsert(BRAND)]}).to_string();
    let request = Request::webhook("acme", "msg_7", world.now(), body.as_bytes());
    assert_eq!(world.send(&request).await.body["eventId"], "8");
}
