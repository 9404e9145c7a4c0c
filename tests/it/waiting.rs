//! Who waits for what: others that don't answer, and a rollback that is not approved yet.

use std::time::Duration;

use serde_json::json;
use stand_ins::{calven::Endpoint, capillary, fault::Fault};

use crate::harness::{Setup, World, held, row_of, upsert};

#[tokio::test]
async fn what_an_operator_says_is_saved_though_calven_never_answers() {
    let mut world = World::seeded(&["Sales [Dept]"]).await;
    world.leave(Duration::from_secs(2));
    world.calven.fail_next(Endpoint::Put, Fault::Hang);
    let rows = [row_of("Sales [Dept]"), row_of("Support [Dept]")];
    let report = world
        .action(json!({"action": "seed", "groupRelationships": rows}))
        .await;
    assert_eq!(report["status"], "accepted", "{report}");
    assert_eq!(world.state().await.unwrap()["unsure"], true);
    world.leave_enough();
    world.action(json!({"action": "reconcile"})).await;
    world.assert_holds(&["Sales [Dept]", "Support [Dept]"]);
}

#[tokio::test]
async fn a_reconcile_pays_its_put_though_capillary_never_answers() {
    let mut world = Setup::default()
        .capillary("{}")
        .start()
        .await
        .seed(&["Sales [Dept]"])
        .await;
    let puts = world.puts();
    world.leave(Duration::from_secs(3));
    for _ in 0..100 {
        world
            .capillary()
            .fail_next(capillary::Endpoint::Hierarchy, Fault::Hang);
    }
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(report["status"], "published", "{report}");
    assert_eq!(world.puts(), puts + 1);
}

#[tokio::test]
async fn what_is_said_while_a_rollback_waits_for_approval_is_held_and_not_unchanged() {
    let world = World::seeded(&["Base [Dept]"]).await;
    let many: Vec<_> = (0..20).map(|n| row_of(&format!("G{n} [Dept]"))).collect();
    let seeded = world
        .action(json!({"action": "seed", "groupRelationships": many}))
        .await;
    assert_eq!(seeded["status"], "published", "{seeded}");
    let report = world
        .action(json!({"action": "rollback", "version": 1}))
        .await;
    assert_eq!(held(&report), ["guard"], "{report}");
    let answer = world.says(1, upsert("New [Dept]")).await;
    assert_eq!(answer.word(), (202, "held"));
}
