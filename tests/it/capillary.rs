//! Organisations from Capillary: the documentation's own samples, and what real answers do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Setup, World, read, upsert};

fn sample(name: &str) -> String {
    read(&format!("tests/fixtures/capillary/{name}.json"))
}

async fn reconciled(setup: Setup) -> (World, Value) {
    let world = setup.unseeded().start().await;
    let report = world.action(json!({"action": "reconcile"})).await;
    (world, report)
}

async fn check(name: &str, expected: &[&str]) {
    let (world, report) = reconciled(Setup::default().capillary(&sample(name))).await;
    assert_eq!(report["status"], "published", "{name}: {report}");
    assert_eq!(report["warnings"], json!([]), "{name}");
    world.assert_holds(expected);
}

#[tokio::test]
async fn a_child_that_asks_with_its_siblings() {
    check(
        "child-with-siblings",
        &[
            "Parent-One-Org [Organization]",
            "Child-One-Org [Organization] < Parent-One-Org [Organization]",
            "Child-Two-Org [Organization] < Parent-One-Org [Organization]",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_child_that_asks_without_its_siblings() {
    check(
        "child-without-siblings",
        &[
            "Parent-One-Org [Organization]",
            "Child-One-Org [Organization] < Parent-One-Org [Organization]",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_parent_with_one_child() {
    check(
        "super-org-with-one-child",
        &[
            "connectedOrgChildOne [Organization]",
            "connectedOrgChildTwo [Organization] < connectedOrgChildOne [Organization]",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_parent_with_custom_fields() {
    check(
        "super-org-with-custom-fields",
        &[
            "connectedOrgChild1 [Organization]",
            "connectedOrgChildOne [Organization] < connectedOrgChild1 [Organization]",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cut_off_leaves_everything_untouched_and_is_told() {
    let cut_off = sample("standard-org-cut-off");
    let (world, _) = reconciled(Setup::default().capillary(&sample("child-with-siblings"))).await;
    let before = world.holds();
    world
        .capillary()
        .answer_with("application/json", cut_off.clone());
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(report["status"], "published");
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("capillary: "), "{warning}");
    assert_eq!(world.holds(), before);
    // With its last brace it is a whole answer, of an organisation that stands alone.
    world
        .capillary()
        .answer_with("application/json", format!("{cut_off}}}"));
    world.action(json!({"action": "reconcile"})).await;
    assert!(
        world
            .holds()
            .contains(&"Nightly_ApiAuto [Organization]".to_owned()),
        "{:?}",
        world.holds()
    );
}

#[tokio::test]
async fn what_an_answer_leaves_out_by_its_nature_stays() {
    let (mut world, _) =
        reconciled(Setup::default().capillary(&sample("child-with-siblings"))).await;
    world.reconfigure("CAPILLARY_FETCH_SIBLINGS", "false");
    world
        .capillary()
        .answer_with("application/json", sample("child-without-siblings"));
    world.pass(Duration::from_secs(60));
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(
        world.capillary().queries().pop().unwrap(),
        "fetchSiblings=false"
    );
    assert_eq!(world.holds().len(), 3);
    // The same from who asked for all of them means that the sibling is gone.
    world.reconfigure("CAPILLARY_FETCH_SIBLINGS", "true");
    world.pass(Duration::from_secs(60));
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.holds().len(), 2);
}

#[tokio::test]
async fn an_organisation_that_is_not_active_is_gone() {
    let (world, _) = reconciled(Setup::default().capillary(&sample("child-with-siblings"))).await;
    let mut answer: Value = serde_json::from_str(&sample("child-with-siblings")).unwrap();
    answer["connectedOrganizations"][0]["active"] = json!(false);
    world
        .capillary()
        .answer_with("application/json", answer.to_string());
    world.pass(Duration::from_secs(60));
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.holds().len(), 2);
}

#[tokio::test]
async fn organisations_of_one_name_are_told_apart_by_their_ids() {
    let org = |id: i64, name: &str, parent: i64| json!({"id": id, "name": name, "parentId": parent, "active": true});
    let answer = json!({"baseOrganization": org(1, "Top", -1),
        "connectedOrganizations": [org(30, "Shop", 1), org(7, "Shop", 1), org(31, "Till", 30)], "warnings": []});
    let (world, report) = reconciled(Setup::default().capillary(&answer.to_string())).await;
    world.assert_holds(&[
        "Top [Organization]",
        "Shop [Organization] < Top [Organization]",
        "Shop (30) [Organization] < Top [Organization]",
        "Till [Organization] < Shop (30) [Organization]",
    ]);
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "{report}");
}

#[tokio::test]
async fn a_renamed_organisation_is_renamed() {
    let (world, _) =
        reconciled(Setup::default().capillary(&sample("super-org-with-one-child"))).await;
    let renamed = sample("super-org-with-one-child").replace("connectedOrgChildOne", "Head Office");
    world.capillary().answer_with("application/json", renamed);
    world.pass(Duration::from_secs(60));
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(report["hierarchy"]["renamed"], 1, "{report}");
    assert_eq!(report["hierarchy"]["removed"], 0, "{report}");
    world.assert_holds(&[
        "Head Office [Organization]",
        "connectedOrgChildTwo [Organization] < Head Office [Organization]",
    ]);
}

#[tokio::test]
async fn top_level_groups_go_under_the_base_organisation_where_that_is_wanted() {
    let setup = Setup::default()
        .capillary(&sample("super-org-with-one-child"))
        .variable("CAPILLARY_ATTACH_ROOTS", "true")
        .variable("CAPILLARY_GROUP_TYPE", "Company");
    let world = setup.unseeded().start().await;
    let answer = world
        .says(1, upsert("Brand [Department] < Marketing [Division]"))
        .await;
    assert_eq!(answer.word(), (200, "published"));
    world.assert_holds(&[
        "connectedOrgChildOne [Company]",
        "connectedOrgChildTwo [Company] < connectedOrgChildOne [Company]",
        "Marketing [Division] < connectedOrgChildOne [Company]",
        "Brand [Department] < Marketing [Division]",
    ]);
}

#[tokio::test]
async fn a_webhook_asks_again_only_when_what_is_known_is_too_old() {
    let setup = Setup::default().capillary(&sample("super-org-with-one-child"));
    let world = setup.unseeded().start().await;
    let asked = || world.capillary().queries().len();
    world.says(1, upsert("A [T]")).await;
    assert_eq!(asked(), 1);
    assert_eq!(world.capillary().queries(), ["fetchSiblings=true"]);
    world.pass(Duration::from_secs(900));
    world.says(2, upsert("B [T]")).await;
    assert_eq!(asked(), 1);
    world.pass(Duration::from_secs(1));
    world.says(3, upsert("C [T]")).await;
    assert_eq!(asked(), 2);
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(asked(), 3, "a reconcile always asks");
}

#[tokio::test]
async fn its_failure_blocks_no_webhook() {
    for (content_type, body) in [("text/html", "<html>"), ("application/json", "{}")] {
        let setup = Setup::default().capillary(&sample("super-org-with-one-child"));
        let world = setup.unseeded().start().await;
        world.capillary().answer_with(content_type, body);
        let answer = world.says(1, upsert("A [T]")).await;
        assert_eq!(answer.word(), (200, "published"), "{}", answer.body);
        assert_eq!(answer.body["warnings"].as_array().unwrap().len(), 1);
        world.assert_holds(&["A [T]"]);
    }
}

#[tokio::test]
async fn its_absence_blocks_no_webhook_and_is_not_waited_for_twice() {
    let setup = Setup::default().capillary(&sample("super-org-with-one-child"));
    let mut world = setup.unseeded().start().await;
    world.leave(Duration::from_secs(3));
    world.capillary().go_down().await;
    assert_eq!(
        world.says(1, upsert("A [T]")).await.word(),
        (200, "published")
    );
    let answer = world.says(2, upsert("B [T]")).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(
        answer.body["warnings"],
        json!([]),
        "not asked again so soon"
    );
    world.capillary().come_back().await.unwrap();
    world.leave_enough();
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.holds().len(), 4);
}

#[tokio::test]
async fn by_oauth_a_token_is_used_again() {
    let setup = Setup::default()
        .capillary(&sample("super-org-with-one-child"))
        .variable("CAPILLARY_SECRET_ID", "capillary/oauth");
    let (world, report) = reconciled(setup).await;
    assert_eq!(report["status"], "published");
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.capillary().queries().len(), 2);
    assert_eq!(world.capillary().token_requests(), 1);
    world.capillary().revoke_tokens();
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(world.capillary().token_requests(), 2);
    assert_eq!(world.holds().len(), 2);
}

#[tokio::test]
async fn what_the_hr_system_says_of_an_organisation_wins_by_priority() {
    let (world, _) =
        reconciled(Setup::default().capillary(&sample("super-org-with-one-child"))).await;
    let body = json!({"id": "1", "changes": [upsert("connectedOrgChildTwo [Organization] < Retail [Division]")]});
    let answer = world.webhook("workday", &body).await;
    assert_eq!(
        answer.body["conflicts"][0]["lost"]["source"], "capillary",
        "{}",
        answer.body
    );
    assert!(
        world
            .holds()
            .contains(&"connectedOrgChildTwo [Organization] < Retail [Division]".to_owned())
    );
}

#[tokio::test]
async fn regular_reconciles_do_not_crowd_out_what_can_be_gone_back_to() {
    let (world, _) = reconciled(Setup::default().capillary(&sample("child-with-siblings"))).await;
    world.says(1, upsert("A [T]")).await;
    for _ in 0..25 {
        world.pass(Duration::from_secs(900));
        world.action(json!({"action": "reconcile"})).await;
    }
    let history = world.action(json!({"action": "history"})).await;
    let versions: Vec<u64> = history["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, [27, 2, 1]);
    let rollback = json!({"action": "rollback", "version": 1});
    world.action(rollback).await;
    assert_eq!(world.holds().len(), 3);
}

#[tokio::test]
async fn before_the_first_seed_its_organisations_wait_too() {
    let world = Setup::default()
        .capillary(&sample("super-org-with-one-child"))
        .start()
        .await;
    let report = world.action(json!({"action": "reconcile"})).await;
    assert_eq!(crate::harness::held(&report), ["not_seeded"]);
    assert_eq!(world.puts(), 0);
    let world = world.seed(&["Top [Division]"]).await;
    assert_eq!(world.holds().len(), 3);
}

#[tokio::test]
async fn while_it_is_away_its_organisations_stay() {
    let (mut world, _) =
        reconciled(Setup::default().capillary(&sample("child-with-siblings"))).await;
    world.capillary().go_down().await;
    world.leave(Duration::from_secs(1));
    world.pass(Duration::from_secs(3600));
    let answer = world.says(1, upsert("A [T]")).await;
    assert_eq!(answer.word(), (200, "published"), "{}", answer.body);
    assert_eq!(world.holds().len(), 4);
}
