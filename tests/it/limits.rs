//! How much is taken: what is too deep, too much, or would make the state too large, and what is told of what is taken.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Answer, Request, Setup, World, remove, upsert},
    logs::told_and_answered,
    queue::record,
};

fn rows(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("Group {at} [Team]")).collect()
}

async fn seeded(setup: Setup, count: usize) -> World {
    let rows = rows(count);
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    setup.start().await.seed(&rows).await
}

#[tokio::test]
async fn a_body_that_is_nested_too_deeply_is_400_and_changes_nothing() {
    let world = World::seeded(&["Top [Division]"]).await;
    let before = world.everything().await;
    for body in [
        "[".repeat(100_000),
        format!("{}{}", "{\"a\":[".repeat(50_000), "]}".repeat(50_000)),
        format!("{}1{}", "[".repeat(65), "]".repeat(65)),
    ] {
        let request = Request::webhook("acme", "evt_1", world.now(), body.as_bytes());
        let answer = world.send(&request).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn more_statements_than_a_body_may_have_are_422_and_none_of_them_counts() {
    let setup = Setup::default().variable("MAX_BODY_BYTES", "8000000");
    let world = seeded(setup, 1).await;
    let before = world.everything().await;
    let change = r#"{"group":"a","groupType":"T"}"#;
    let body = format!("{{\"changes\":[{}]}}", vec![change; 100_001].join(","));
    let request = Request::webhook("acme", "evt_1", world.now(), body.as_bytes());
    let answer = world.send(&request).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    let told = answer.body["errors"][0]["detail"].as_str().unwrap();
    assert_eq!(told, "goes beyond the 100000 statements of one body");
    assert_eq!(world.everything().await, before);
}

async fn state_bytes(world: &World) -> usize {
    world.state().await.unwrap().to_string().len()
}

/// Takes another instance that may have a state of so large a part of what is there, in percent.
async fn allow(world: &mut World, percent: usize) {
    let bytes = state_bytes(world).await * percent / 100;
    world.reconfigure("MAX_STATE_BYTES", &bytes.to_string());
}

fn seed_of(group: &str) -> Value {
    json!({"action": "seed", "groupRelationships": [
        {"group": group, "groupType": "Team", "parent": null, "parentType": null}]})
}

#[tokio::test]
async fn a_state_that_is_full_takes_no_more_from_webhooks_and_says_so() {
    let mut world = seeded(Setup::default(), 100).await;
    allow(&mut world, 99).await;
    let before = world.everything().await;
    for _ in 0..2 {
        let answer = world
            .says(1, upsert("Another [Team] < Group 1 [Team]"))
            .await;
        assert_eq!(answer.status, 500, "{}", answer.body);
        assert_eq!(world.everything().await, before);
        // An instance that has only just loaded it is no other.
        world.restart();
    }
    // What was said before is no news.
    let known = world.says(
        1,
        json!({"op": "upsert", "group": "Group 1", "groupType": "Team"}),
    );
    assert_eq!(known.await.status, 500, "acme has not said it yet");
    world.reconfigure("MAX_STATE_BYTES", "1000000");
    let answer = world
        .says(1, upsert("Another [Team] < Group 1 [Team]"))
        .await;
    assert!(answer.status < 300, "{}", answer.body);
    allow(&mut world, 99).await;
    let answer = world
        .says(1, upsert("Another [Team] < Group 1 [Team]"))
        .await;
    assert_eq!(answer.word(), (200, "unchanged"), "{}", answer.body);
}

#[tokio::test]
async fn operators_make_room_in_a_full_state_by_its_limit_and_by_forgetting() {
    let mut world = seeded(Setup::default(), 1).await;
    // What somebody fills it with who knows a source's secret: ends of what never was.
    let changes: Vec<Value> = (0..300)
        .map(|at| remove(&format!("Never {at} [Team]")))
        .collect();
    let filling = json!({"id": "evt_1", "changes": changes});
    let filled = world.webhook("acme", &filling).await;
    assert_eq!(filled.word(), (200, "unchanged"), "{}", filled.body);
    let full = state_bytes(&world).await;
    allow(&mut world, 60).await;
    let says = |id: &str, group: &str| json!({"id": id, "changes": [upsert(group)]});
    let refused = world.webhook("acme", &says("evt_2", "A [Team]")).await;
    assert_eq!(refused.status, 500, "{}", refused.body);
    // Operators and the schedule go on.
    world.pass(Duration::from_secs(1));
    let report = world.action(seed_of("Another")).await;
    assert_eq!(report["status"], "published", "{report}");
    // What no longer counts is forgotten by the next reconcile, once it is old enough.
    let limit = (full * 60 / 100).to_string();
    world.pass(Duration::from_secs(2 * 86_400));
    world.reconfigure("TOMBSTONE_DAYS", "1");
    world.action(json!({"action": "reconcile"})).await;
    assert!(state_bytes(&world).await < full * 60 / 100);
    let taken = world.webhook("acme", &says("evt_3", "A [Team]")).await;
    assert_eq!(taken.word(), (200, "published"), "{}", taken.body);
    // Or one lets it be larger.
    world.reconfigure("MAX_STATE_BYTES", "100");
    let refused = world.webhook("acme", &says("evt_4", "B [Team]")).await;
    assert_eq!(refused.status, 500, "{}", refused.body);
    world.reconfigure("MAX_STATE_BYTES", &limit);
    let taken = world.webhook("acme", &says("evt_4", "B [Team]")).await;
    assert_eq!(taken.word(), (200, "published"), "{}", taken.body);
}

#[tokio::test]
async fn what_only_ends_is_taken_into_a_full_state_from_its_reserve() {
    let mut world = seeded(Setup::default(), 100).await;
    world.pass(Duration::from_secs(1));
    let says = |id: &str, group: &str| json!({"id": id, "changes": [remove(group)]});
    allow(&mut world, 99).await;
    let answer = world
        .webhook("acme", &says("evt_1", "Group 1 [Team]"))
        .await;
    assert_eq!(answer.word(), (200, "published"), "{}", answer.body);
    allow(&mut world, 50).await;
    let answer = world
        .webhook("acme", &says("evt_2", "Group 2 [Team]"))
        .await;
    assert_eq!(answer.status, 500, "{}", answer.body);
}

#[tokio::test]
async fn a_batch_has_a_reserve_and_what_says_nothing_new_never_fails_with_what_does() {
    let mut world = seeded(Setup::default(), 100).await;
    let says = |id: &str, group: &str| json!({"id": id, "changes": [upsert(group)]});
    let batch = |bodies: &[Value]| {
        let records = bodies.iter().map(|body| record(&world, "acme", body));
        let records: Vec<Value> = records.collect();
        let id = |at: usize| records[at]["messageId"].clone();
        (json!({"Records": records}), id(0), id(bodies.len() - 1))
    };
    let (first, ..) = batch(&[says("evt_1", "A [Team]")]);
    let (both, _, second) = batch(&[says("evt_1", "A [Team]"), says("evt_2", "B [Team]")]);
    let nothing = json!({"batchItemFailures": []});
    allow(&mut world, 99).await;
    assert_eq!(world.action(first).await, nothing);
    assert!(world.holds().contains(&"A [Team]".to_owned()));
    allow(&mut world, 50).await;
    let before = world.everything().await;
    let answer = world.action(both.clone()).await;
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": second}]})
    );
    assert_eq!(world.everything().await, before);
    world.reconfigure("MAX_STATE_BYTES", "1000000");
    assert_eq!(world.action(both).await, nothing);
    assert!(world.holds().contains(&"B [Team]".to_owned()));
}

#[tokio::test]
async fn a_dry_run_over_a_full_state_is_planned_and_says_that_it_is_full() {
    let mut world = seeded(Setup::default(), 100).await;
    world.reconfigure("DRY_RUN", "true");
    allow(&mut world, 99).await;
    let before = world.everything().await;
    let answer = world.says(1, upsert("Another [Team]")).await;
    assert_eq!(answer.word(), (200, "planned"), "{}", answer.body);
    let warnings = answer.body["warnings"].to_string();
    assert!(
        warnings.contains("otherwise it would be refused"),
        "{warnings}"
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn of_what_waits_no_more_is_told_than_fits_into_an_answer() {
    let world = seeded(Setup::default(), 1).await;
    let changes: Vec<Value> = (0..1_500)
        .map(|at| json!({"group": format!("g{at}"), "groupType": "T", "key": at, "parentKey": format!("x{at}")}))
        .collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_1", "changes": changes}))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.body["held"].as_array().unwrap().len(), 1_000);
    let warnings = answer.body["warnings"].to_string();
    assert!(
        warnings.contains("there are 500 more entries of held"),
        "{warnings}"
    );
    // Operators are told all.
    let plan = world.action(json!({"action": "plan"})).await;
    assert_eq!(plan["held"].as_array().unwrap().len(), 1_500);
    assert!(
        !plan["warnings"].to_string().contains("more entries"),
        "{}",
        plan["warnings"]
    );
}

#[tokio::test]
async fn of_what_waits_no_more_is_told_than_has_a_mebibyte_and_the_log_counts_all() {
    let world = seeded(Setup::default(), 1).await;
    let name = "\"".repeat(450);
    let changes: Vec<Value> = (0..900)
        .map(|at| json!({"group": format!("{at}{name}"), "groupType": "T", "key": at, "parentKey": format!("x{at}")}))
        .collect();
    let body = json!({"id": "evt_1", "changes": changes});
    assert!(body.to_string().len() < 1024 * 1024);
    let event = world.signed("acme", &body).v2("$default");
    let (answer, line) = told_and_answered(&world, event).await;
    let envelope = answer.to_string().len();
    assert!(envelope < 2_500_000, "{envelope}");
    let answer = Answer::of(&answer);
    assert_eq!(answer.status, 202, "{}", answer.body["status"]);
    let told = answer.body["held"].as_array().unwrap().len();
    assert!((100..900).contains(&told), "{told}");
    let warnings = answer.body["warnings"].to_string();
    let untold = format!("there are {} more entries of held", 900 - told);
    assert!(warnings.contains(&untold), "{warnings}");
    assert_eq!((&line["held"], &line["warnings"]), (&json!(900), &json!(0)));
}

#[tokio::test]
async fn who_has_nothing_to_do_with_a_long_cycle_is_not_told_of_it() {
    let world = seeded(Setup::default(), 1).await;
    let ring: Vec<Value> = (0..1_200)
        .map(|at| upsert(&format!("g{at} [T] < g{} [T]", (at + 1) % 1_200)))
        .collect();
    let says = |id: &str, changes: Value| json!({"id": id, "changes": changes});
    world.webhook("acme", &says("evt_1", json!(ring))).await;
    let changes = json!([upsert("Unrelated [Team]")]);
    let answer = world.webhook("acme", &says("evt_2", changes.clone())).await;
    assert_eq!(answer.word(), (200, "published"), "{}", answer.body);
    assert_eq!(answer.body["held"], json!([]));
    let answer = world.webhook("acme", &says("evt_2", changes)).await;
    assert_eq!(answer.word(), (200, "unchanged"), "{}", answer.body);
    // Who is in it is told, wherever in it that is.
    for at in [5, 1_100] {
        let row = upsert(&format!("g{at} [T] < g{} [T]", at + 1));
        let answer = world
            .webhook("acme", &says(&format!("evt_g{at}"), json!([row])))
            .await;
        assert_eq!(answer.word(), (202, "held"), "{at}");
        assert_eq!(answer.body["held"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn of_a_very_long_cycle_the_beginning_is_told_and_its_length() {
    let world = seeded(Setup::default(), 1).await;
    let changes: Vec<Value> = (0..1_200)
        .map(|at| {
            let parent = format!("g{}", (at + 1) % 1_200);
            json!({"group": format!("g{at}"), "groupType": "T", "parent": parent, "parentType": "T"})
        })
        .collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_1", "changes": changes}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let held = answer.body["held"].as_array().unwrap();
    let [held] = held.as_slice() else {
        panic!("{held:?}");
    };
    assert_eq!(held["cycle"].as_array().unwrap().len(), 1_000);
    assert_eq!(held["cycleGroups"], 1_200);
    assert_eq!(held["cycle"][0]["group"], held["group"]);
    assert_eq!(world.holds().len(), 1_201);
    // Operators are told all of it, and of every group in it.
    let plan = world.action(json!({"action": "plan"})).await;
    assert_eq!(plan["held"][0]["cycle"].as_array().unwrap().len(), 1_200);
    assert_eq!(plan["held"][0]["cycleGroups"], Value::Null);
    for at in [3, 700, 1_199] {
        let group = format!("g{at}");
        let told = json!({"action": "explain", "group": group, "groupType": "T"});
        let told = world.action(told).await;
        assert_eq!(told["waits"].as_array().unwrap().len(), 1, "{group}");
    }
}
