//! In whatever order, and however often: the newest word counts.

use serde_json::{Value, json};

use crate::harness::{Setup, World, remove, rename, upsert};

const MARKETING: &str = "Marketing [Division]";
const BRAND: &str = "Brand [Department] < Marketing [Division]";

#[tokio::test]
async fn a_duplicate_is_unchanged() {
    let world = World::seeded(&[MARKETING]).await;
    assert_eq!(
        world.says(1, upsert(BRAND)).await.word(),
        (200, "published")
    );
    let again = world.says(1, upsert(BRAND)).await;
    assert_eq!(again.word(), (200, "unchanged"));
    assert_eq!(again.body["statements"], json!({"applied": 0, "stale": 1}));
    assert_eq!(world.puts(), 2);
}

#[tokio::test]
async fn a_late_event_changes_nothing() {
    let world = World::seeded(&[MARKETING, "Sales [Division]"]).await;
    world.says(20, upsert(BRAND)).await;
    let late = world
        .says(10, upsert("Brand [Department] < Sales [Division]"))
        .await;
    assert_eq!(late.word(), (200, "unchanged"));
    assert_eq!(late.body["statements"]["stale"], 1);
    world.assert_holds(&[MARKETING, "Sales [Division]", BRAND]);
}

#[tokio::test]
async fn a_late_duplicate_never_brings_a_group_back() {
    let world = World::seeded(&[MARKETING]).await;
    world.says(1, upsert(BRAND)).await;
    world.says(2, remove("Brand [Department]")).await;
    assert_eq!(
        world.says(1, upsert(BRAND)).await.word(),
        (200, "unchanged")
    );
    world.assert_holds(&[MARKETING]);
}

#[tokio::test]
async fn without_a_time_of_its_own_the_first_attempt_counts() {
    let world = World::seeded(&[MARKETING]).await;
    let first = json!({"id": "evt_1", "changes": [upsert(BRAND)]});
    world.webhook("acme", &first).await;
    world.pass(std::time::Duration::from_secs(60));
    let second = json!({"id": "evt_2", "changes": [remove("Brand [Department]")]});
    world.webhook("acme", &second).await;
    world.pass(std::time::Duration::from_secs(60));
    assert_eq!(
        world.webhook("acme", &first).await.word(),
        (200, "unchanged")
    );
    world.assert_holds(&[MARKETING]);
}

#[tokio::test]
async fn any_order_gives_the_same_hierarchy() {
    let changes = [
        (1, upsert(BRAND)),
        (2, rename(MARKETING, "Growth")),
        (3, upsert("Events [Team] < Brand [Department]")),
        (4, upsert("Brand [Department] < Sales [Division]")),
        (5, remove("Events [Team]")),
    ];
    let orders = [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
        [2, 4, 0, 3, 1],
        [1, 3, 0, 4, 2],
    ];
    for order in orders {
        let world = World::seeded(&[MARKETING, "Sales [Division]"]).await;
        for index in order {
            let (minute, change) = &changes[index];
            world.says(*minute, change.clone()).await;
        }
        assert_eq!(
            world.holds(),
            [
                "Brand [Department] < Sales [Division]",
                "Growth [Division]",
                "Sales [Division]"
            ],
            "{order:?}"
        );
    }
}

#[tokio::test]
async fn a_rename_keeps_the_children() {
    let world = World::seeded(&[MARKETING, BRAND, "Events [Team] < Brand [Department]"]).await;
    let answer = world.says(1, rename(MARKETING, "Growth")).await;
    assert_eq!(answer.body["hierarchy"]["renamed"], 1);
    assert_eq!(answer.body["hierarchy"]["removed"], 0);
    assert_eq!(answer.body["hierarchy"]["moved"], 0);
    world.assert_holds(&[
        "Growth [Division]",
        "Brand [Department] < Growth [Division]",
        "Events [Team] < Brand [Department]",
    ]);
}

#[tokio::test]
async fn who_has_ids_renames_by_saying_the_new_name() {
    let world = World::seeded(&["Top [Division]"]).await;
    let keyed = |name: &str, key: u64, parent: Option<u64>| json!({"group": name, "groupType": "Team", "key": key, "parentKey": parent});
    world.says(1, keyed("Alpha", 1, None)).await;
    world.says(2, keyed("Beta", 2, Some(1))).await;
    let answer = world.says(3, keyed("Omega", 1, None)).await;
    assert_eq!(answer.body["hierarchy"]["renamed"], 1, "{}", answer.body);
    world.assert_holds(&[
        "Top [Division]",
        "Omega [Team]",
        "Beta [Team] < Omega [Team]",
    ]);
}

#[tokio::test]
async fn a_parent_known_by_its_key_alone_is_waited_for() {
    let world = World::seeded(&["Top [Division]"]).await;
    let child = json!({"group": "Beta", "groupType": "Team", "key": 2, "parentKey": 1});
    let answer = world.says(1, child).await;
    assert_eq!(answer.word(), (202, "held"));
    assert_eq!(answer.held(), ["unknown_parent"]);
    assert_eq!(answer.body["held"][0]["parentKey"], "1");
    world.assert_holds(&["Top [Division]"]);
    let parent = json!({"group": "Alpha", "groupType": "Team", "key": 1});
    assert_eq!(world.says(2, parent).await.word(), (200, "published"));
    world.assert_holds(&[
        "Top [Division]",
        "Alpha [Team]",
        "Beta [Team] < Alpha [Team]",
    ]);
}

#[tokio::test]
async fn a_cycle_is_held_and_released_by_the_statement_that_breaks_it() {
    let world = World::seeded(&["A [T]", "B [T] < A [T]"]).await;
    let held = world.says(1, upsert("A [T] < B [T]")).await;
    assert_eq!(held.word(), (202, "held"));
    world.assert_holds(&["A [T]", "B [T] < A [T]"]);
    let freed = world.says(2, upsert("B [T]")).await;
    assert_eq!(freed.word(), (200, "published"));
    assert!(freed.held().is_empty());
    world.assert_holds(&["B [T]", "A [T] < B [T]"]);
}

#[tokio::test]
async fn a_group_under_itself_is_a_cycle() {
    let world = World::seeded(&["A [T]"]).await;
    let held = world.says(1, upsert("A [T] < A [T]")).await;
    assert_eq!((held.word(), held.held()), ((202, "held"), vec!["cycle"]));
    world.assert_holds(&["A [T]"]);
}

#[tokio::test]
async fn a_removed_parent_stays_while_groups_name_it() {
    let world = World::seeded(&["Top [Division]"]).await;
    world
        .says(1, upsert("Dept [Department] < Top [Division]"))
        .await;
    world
        .says(2, upsert("Team [Team] < Dept [Department]"))
        .await;
    world.says(3, remove("Dept [Department]")).await;
    let all = [
        "Top [Division]",
        "Dept [Department] < Top [Division]",
        "Team [Team] < Dept [Department]",
    ];
    world.assert_holds(&all);
    world.says(4, remove("Team [Team]")).await;
    world.assert_holds(&["Top [Division]"]);
}

#[tokio::test]
async fn a_snapshot_ends_what_its_source_said_before_and_nothing_else() {
    let world = World::seeded(&[MARKETING, "Sales [Division]"]).await;
    world.says(1, upsert(BRAND)).await;
    let other = json!({"id": "w", "occurredAt": "2026-01-10T11:02:00Z", "changes": [upsert("Legal [Department]")]});
    world.webhook("workday", &other).await;
    let rows: Vec<Value> = vec![crate::harness::row_of(
        "Press [Department] < Marketing [Division]",
    )];
    let snapshot =
        json!({"id": "s", "occurredAt": "2026-01-10T11:05:00Z", "groupRelationships": rows});
    assert_eq!(
        world.webhook("acme", &snapshot).await.word(),
        (200, "published")
    );
    let expected = [
        MARKETING,
        "Sales [Division]",
        "Legal [Department]",
        "Press [Department] < Marketing [Division]",
    ];
    world.assert_holds(&expected);
    // What is older than the snapshot and comes after it changes nothing; what is newer does.
    world
        .says(4, upsert("Trade Fairs [Team] < Brand [Department]"))
        .await;
    world.assert_holds(&expected);
    world.says(6, upsert(BRAND)).await;
    assert_eq!(world.holds().len(), 5);
}

#[tokio::test]
async fn statements_of_a_source_that_is_gone_do_not_count_and_go_through_the_guard() {
    let mut world = Setup::default().unseeded().start().await;
    for n in 0..7 {
        let body = json!({"id": format!("w{n}"), "changes": [upsert(&format!("Group {n} [T]"))]});
        world.webhook("workday", &body).await;
    }
    world.reconfigure("SOURCES_FILE", "tests/fixtures/sources/acme-alone.toml");
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(crate::harness::held(&report), ["guard"]);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("workday"), "{warnings}");
    assert_eq!(world.holds().len(), 7);
}
