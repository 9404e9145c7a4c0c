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

/// What the queue hands over, and the messages' ids.
fn batch(world: &World, bodies: &[Value]) -> (Value, Vec<Value>) {
    let records = bodies.iter().map(|body| record(world, "acme", body));
    let records: Vec<Value> = records.collect();
    let ids = records.iter().map(|record| record["messageId"].clone());
    let ids = ids.collect();
    (json!({"Records": records}), ids)
}

fn failed(ids: &[Value]) -> Value {
    let failures = ids.iter().map(|id| json!({"itemIdentifier": id}));
    json!({"batchItemFailures": failures.collect::<Vec<Value>>()})
}

#[tokio::test]
async fn the_second_copy_of_what_finds_no_room_does_not_fail_the_others() {
    let mut world = seeded(Setup::default(), 100).await;
    let says = |id: &str, group: &str| json!({"id": id, "changes": [upsert(group)]});
    let (first, _) = batch(&world, &[says("evt_1", "A [Team]")]);
    assert_eq!(world.action(first).await, failed(&[]));
    allow(&mut world, 50).await;
    let before = world.everything().await;
    // Copies by their event, and one that says the same by another.
    let (mixed, ids) = batch(
        &world,
        &[
            says("evt_2", "B [Team]"),
            says("evt_1", "A [Team]"),
            says("evt_2", "B [Team]"),
            says("evt_3", "B [Team]"),
        ],
    );
    let answer = world.action(mixed).await;
    let mut left = answer["batchItemFailures"].as_array().unwrap().clone();
    left.sort_by_key(Value::to_string);
    let mut expected = [&ids[0], &ids[2], &ids[3]].map(|id| json!({"itemIdentifier": id}));
    expected.sort_by_key(Value::to_string);
    assert_eq!(left, expected);
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn one_webhook_makes_no_state_much_larger_than_it_may_be() {
    let mut world = seeded(Setup::default(), 100).await;
    let bytes = state_bytes(&world).await;
    world.reconfigure("MAX_STATE_BYTES", &(bytes * 2).to_string());
    let terse = |count: usize| {
        let changes = (0..count).map(|at| json!({"group": at.to_string(), "groupType": "T"}));
        json!({"id": format!("evt_{count}"), "changes": changes.collect::<Vec<Value>>()})
    };
    let before = world.everything().await;
    let event = world.signed("acme", &terse(2_000)).v2("$default");
    let (answer, line) = told_and_answered(&world, event).await;
    let answer = Answer::of(&answer);
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(line.to_string().contains("500"), "{line}");
    assert_eq!(world.everything().await, before);
    let taken = world.webhook("acme", &terse(20)).await;
    assert_eq!(taken.word(), (200, "published"), "{}", taken.body);
}

#[tokio::test]
async fn of_a_batch_as_much_is_taken_as_there_is_room_for() {
    let mut world = seeded(Setup::default(), 100).await;
    let bytes = state_bytes(&world).await;
    world.reconfigure("MAX_STATE_BYTES", &(bytes * 2).to_string());
    let bodies: Vec<Value> = (0..40)
        .map(|message| {
            let changes = (0..25).map(|at| upsert(&format!("{message}-{at} [T]")));
            json!({"id": format!("evt_{message}"), "changes": changes.collect::<Vec<Value>>()})
        })
        .collect();
    let (all, ids) = batch(&world, &bodies);
    let answer = world.action(all).await;
    let left = answer["batchItemFailures"].as_array().unwrap().len();
    assert!((1..ids.len() - 2).contains(&left), "{left}");
    let grown = state_bytes(&world).await;
    assert!(
        (bytes * 3 / 2..=bytes * 5 / 2).contains(&grown),
        "{grown} of {bytes}"
    );
}

#[tokio::test]
async fn a_long_name_above_very_many_groups_is_refused_before_what_is_sent_becomes_too_large() {
    let mut world = seeded(Setup::default(), 1).await;
    world.reconfigure("MAX_STATE_BYTES", "200000");
    let top = json!({"group": "p".repeat(1_000), "groupType": "t".repeat(1_000), "key": "1"});
    let top = json!({"id": "evt_1", "changes": [top]});
    assert_eq!(world.webhook("acme", &top).await.word(), (200, "published"));
    let below = |from: usize, to: usize| {
        let rows = (from..to)
            .map(|at| json!({"group": at.to_string(), "groupType": "T", "parentKey": "1"}));
        json!({"id": format!("evt_{to}"), "changes": rows.collect::<Vec<Value>>()})
    };
    let taken = world.webhook("acme", &below(0, 200)).await;
    assert_eq!(taken.word(), (200, "published"), "{}", taken.body);
    let before = world.everything().await;
    let refused = world.webhook("acme", &below(200, 500)).await;
    assert_eq!(refused.status, 500, "{}", refused.body);
    assert_eq!(world.everything().await, before);
    assert!(state_bytes(&world).await < 50_000);
}

#[tokio::test]
async fn an_answer_to_an_operator_fits_however_long_the_names_in_its_conflicts_and_changes_are() {
    let setup = Setup::default().variable("MAX_STATE_BYTES", "100000000");
    let mut world = seeded(setup, 1).await;
    let named = |key: u32| json!({"group": format!("{key}{}", "p".repeat(1_000)), "groupType": "t".repeat(1_000), "key": key});
    let says = |id: &str, changes: Vec<Value>| json!({"id": id, "changes": changes});
    world
        .webhook("acme", &says("evt_1", vec![named(1), named(2)]))
        .await;
    let claims = |parent: u32| {
        let rows = (0..2_000)
            .map(|at| json!({"group": "G", "groupType": "T", "key": 10 + at, "parentKey": parent}));
        rows.collect::<Vec<Value>>()
    };
    let mut rows = claims(1);
    rows.push(json!({"group": "G", "groupType": "T", "key": 9_999, "parentKey": 2}));
    let answer = world.webhook("acme", &says("evt_2", rows)).await;
    assert!(answer.status < 300, "{}", answer.body["status"]);
    let plan = world.action(json!({"action": "plan"})).await;
    let conflicts = plan["conflicts"].as_array().unwrap().len();
    assert!((10..2_000).contains(&conflicts), "{conflicts}");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("more conflicts"), "{warnings}");
    // So is a plan that waits, and a dry run's answer to who sends.
    world.reconfigure("DRY_RUN", "true");
    let below =
        (0..4_000).map(|at| json!({"group": format!("b{at}"), "groupType": "T", "parentKey": 1}));
    let answer = world.webhook("acme", &says("evt_3", below.collect())).await;
    assert_eq!(answer.word(), (200, "planned"));
    assert!(answer.body.to_string().len() < 3 * 1024 * 1024);
    assert_eq!(answer.body["hierarchy"]["added"], 4_000);
    let told = answer.body["changes"]["added"].as_array().unwrap().len();
    let warnings = answer.body["warnings"].to_string();
    let untold = format!("there are {} more changes in the plan", 4_000 - told);
    assert!(
        (100..4_000).contains(&told) && warnings.contains(&untold),
        "{told}"
    );
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
