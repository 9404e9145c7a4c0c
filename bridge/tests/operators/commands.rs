//! What the commands show, and how they end.

use serde_json::{Value, json};
use stand_ins::lambda_api;

use crate::world::{FUNCTION, World, run};

const HIERARCHY: &str = r#"{"groupRelationships":[{"group":"Ops","groupType":"Division","parent":null,"parentType":null},{"group":"Web","groupType":"Department","parent":"Ops","parentType":"Division"}]}"#;

#[tokio::test]
async fn a_hierarchy_is_seeded_exported_to_the_byte_planned_held_approved_and_rolled_back() {
    let mut world = World::new().await;
    world.variables.remove("CAPILLARY_BASE_URL");
    world.variables.remove("CAPILLARY_SECRET_ID");
    world
        .variables
        .insert("GUARD_MAX_REMOVED_GROUPS".to_owned(), "0".to_owned());
    let deployed = world.deploy().await;

    let seeded = deployed.bridge_given(&["seed", "-"], HIERARCHY).await;
    assert_eq!(seeded.code, 0, "{seeded:?}");
    assert!(
        seeded.out.starts_with("Published: version 1, 2 groups.\n"),
        "{seeded:?}"
    );
    assert!(!seeded.out.contains('\x1b'), "{seeded:?}");

    let exported = deployed.bridge(&["export"]).await;
    assert_eq!(exported.code, 0, "{exported:?}");
    let rows = |text: &str| {
        let body: Value = serde_json::from_str(text).unwrap();
        let mut rows = body["groupRelationships"].as_array().unwrap().clone();
        rows.sort_by_key(|row| row["group"].as_str().unwrap().to_owned());
        rows
    };
    assert_eq!(rows(&exported.out), rows(HIERARCHY));
    let again = deployed.bridge_given(&["seed", "-"], &exported.out).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.starts_with("Unchanged: "), "{again:?}");

    let state = world.state();
    let checked = deployed.bridge(&["check"]).await;
    assert_eq!(checked.code, 0, "{checked:?}");
    let found = "✓ state: readable; published is version 1, with 2 groups.";
    assert!(checked.out.contains(found), "{checked:?}");
    assert_eq!((world.state(), world.calven.put_count()), (state, 1));

    let plan = deployed.bridge(&["plan"]).await;
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.out.starts_with("No changes"), "{plan:?}");
    assert_eq!(deployed.bridge(&["plan", "--json"]).await.code, 0);

    // The Web department is to go, which the guard holds.
    let one = r#"{"groupRelationships":[{"group":"Ops","groupType":"Division","parent":null,"parentType":null}]}"#;
    let held = deployed.bridge_given(&["seed", "-"], one).await;
    assert_eq!(held.code, 2, "{held:?}");
    assert!(held.out.starts_with("Held: "), "{held:?}");
    let plan = deployed.bridge(&["plan"]).await;
    assert_eq!(plan.code, 2, "{plan:?}");
    assert!(plan.out.starts_with("- Department \"Web\" "), "{plan:?}");
    let plan = deployed.bridge(&["plan", "--json"]).await;
    assert_eq!(plan.code, 2, "{plan:?}");
    let digest = plan.json()["digest"].as_str().unwrap().to_owned();

    let refused = deployed.bridge(&["approve", "00"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.starts_with("bridge: Refused: "), "{refused:?}");
    assert_eq!(refused.out, "");
    let approved = deployed.bridge(&["approve", &digest, "--json"]).await;
    assert_eq!(approved.code, 0, "{approved:?}");
    assert_eq!(approved.json()["status"], "published");

    let explained = deployed.bridge(&["explain", "Division", "Ops"]).await;
    assert_eq!(explained.code, 0, "{explained:?}");
    assert!(explained.out.contains("Division \"Ops\""), "{explained:?}");
    let unknown = deployed.bridge(&["explain", "Division", "Nobody"]).await;
    assert_eq!(unknown.code, 1, "{unknown:?}");

    let history = deployed.bridge(&["history"]).await;
    assert_eq!(history.code, 0, "{history:?}");
    assert!(history.out.contains("version 2"), "{history:?}");
    let back = deployed.bridge(&["rollback", "1"]).await;
    assert_eq!(back.code, 0, "{back:?}");
    let then = deployed.bridge(&["export"]).await;
    assert_eq!(then.out, exported.out);
    assert_eq!(deployed.bridge(&["rollback", "99"]).await.code, 1);
}

#[tokio::test]
async fn what_calven_refuses_waits_after_a_seed_and_fails_a_reconcile_which_says_where_to_look() {
    let world = World::new().await;
    world.calven.fail_always(
        stand_ins::calven::Endpoint::Put,
        stand_ins::fault::Fault::Status(400),
    );
    let deployed = world.deploy().await;
    let seeded = deployed.bridge_given(&["seed", "-"], HIERARCHY).await;
    assert_eq!(seeded.code, 2, "{seeded:?}");
    assert!(
        seeded.out.starts_with("Saved, and not published yet."),
        "{seeded:?}"
    );
    let failed = deployed.bridge(&["reconcile"]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("NotPublished"), "{failed:?}");
    assert!(failed.err.contains("`bridge check`"), "{failed:?}");
}

#[tokio::test]
async fn a_local_function_is_asked_without_credentials_and_by_the_name_it_has_there() {
    let world = World::new().await;
    let local = world.serve().await;
    let url = local.lambda.url();
    let variables = [
        ("AWS_ACCESS_KEY_ID", "never"),
        ("AWS_SECRET_ACCESS_KEY", "sent"),
    ];
    let history = run(&["history", "--url", &url], &variables, "").await;
    assert_eq!(history.code, 0, "{history:?}");
    assert!(
        history.out.contains("Nothing has been published yet."),
        "{history:?}"
    );
    let named = run(&["history", "--url", &url, "--function", "other"], &[], "").await;
    assert_eq!(named.code, 1, "{named:?}");
    assert!(named.err.contains("ResourceNotFoundException"), "{named:?}");
    assert!(named.err.contains("list-functions"), "{named:?}");
}

#[tokio::test]
async fn a_function_is_found_by_name_arn_and_alias_and_a_wrong_signature_is_refused() {
    let world = World::new().await;
    let deployed = world.deploy().await;
    let url = deployed.lambda.url();
    let variables = |secret: &'static str, region: &'static str| {
        [
            ("AWS_REGION", region),
            ("AWS_ACCESS_KEY_ID", lambda_api::ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_ENDPOINT_URL", url.as_str()),
        ]
    };
    let good = lambda_api::SECRET_ACCESS_KEY;
    let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}");
    let alias = format!("{FUNCTION}:live");
    // The region of an ARN is its own.
    for (name, region) in [
        (FUNCTION, "us-east-1"),
        (&alias, "us-east-1"),
        (&arn, "eu-west-1"),
    ] {
        let arguments = ["plan", "--json", "--function", name];
        let plan = run(&arguments, &variables(good, region), "").await;
        assert_eq!(plan.code, 0, "{name}: {plan:?}");
    }
    for (secret, region) in [("another", "us-east-1"), (good, "eu-west-1")] {
        let arguments = ["plan", "--function", FUNCTION];
        let refused = run(&arguments, &variables(secret, region), "").await;
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused.err.contains("InvalidSignatureException"),
            "{refused:?}"
        );
        assert!(
            refused
                .err
                .contains("Look at the credentials and the region"),
            "{refused:?}"
        );
    }
    assert_eq!(world.events.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn who_has_no_credentials_is_told_which_variables_are_missing() {
    let without = run(&["plan", "--function", FUNCTION], &[], "").await;
    assert_eq!(without.code, 1, "{without:?}");
    for text in [
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION are not set",
        "eval \"$(aws configure export-credentials --format env)\"",
    ] {
        assert!(without.err.contains(text), "{without:?}");
    }
    let half = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_REGION", "us-east-1")];
    let half = run(&["plan", "--function", FUNCTION], &half, "").await;
    assert!(
        half.err.contains("AWS_SECRET_ACCESS_KEY is not set"),
        "{half:?}"
    );
}

#[tokio::test]
async fn a_host_that_is_not_there_and_an_answer_of_somebody_else_are_told_as_such() {
    let world = World::new().await;
    let local = world.serve().await;
    let url = local.lambda.url();
    local.lambda.go_down().await;
    let gone = run(&["plan", "--url", &url], &[], "").await;
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("cannot be reached"), "{gone:?}");
    assert!(gone.err.contains("nothing was done"), "{gone:?}");
    let elsewhere = run(&["plan", "--url", &world.calven.url()], &[], "").await;
    assert_eq!(elsewhere.code, 1, "{elsewhere:?}");
    assert!(elsewhere.err.contains("answered 4"), "{elsewhere:?}");
}

#[tokio::test]
async fn what_is_no_hierarchy_is_refused_before_anything_is_asked() {
    let world = World::new().await;
    let deployed = world.deploy().await;
    for input in [
        "",
        "[]",
        "{}",
        r#"{"action":"approve","groupRelationships":[]}"#,
    ] {
        let refused = deployed.bridge_given(&["seed", "-"], input).await;
        assert_eq!(refused.code, 1, "{input}: {refused:?}");
        assert!(refused.err.contains("standard input"), "{refused:?}");
    }
    let missing = deployed.bridge(&["seed", "nowhere.json"]).await;
    assert!(
        missing.err.contains("nowhere.json cannot be read"),
        "{missing:?}"
    );
    assert_eq!(*world.events.lock().unwrap(), Vec::<Value>::new());
}

#[tokio::test]
async fn each_command_asks_for_its_action_in_the_form_that_is_wanted() {
    let world = World::new().await;
    let deployed = world.deploy().await;
    for (arguments, expected) in [
        (vec!["plan"], json!({"action": "plan", "format": "text"})),
        (
            vec!["plan", "--json"],
            json!({"action": "plan", "format": "json"}),
        ),
        (
            vec!["plan", "--format", "html"],
            json!({"action": "plan", "format": "html"}),
        ),
        (
            vec!["history", "--format", "text"],
            json!({"action": "history", "format": "text"}),
        ),
        (
            vec!["export"],
            json!({"action": "export", "format": "json"}),
        ),
        (
            vec!["export", "--format", "mermaid"],
            json!({"action": "export", "format": "mermaid"}),
        ),
        (
            vec!["approve", "ab"],
            json!({"action": "approve", "digest": "ab", "format": "text"}),
        ),
        (
            vec!["rollback", "3"],
            json!({"action": "rollback", "version": 3, "format": "text"}),
        ),
        (vec!["check"], json!({"action": "check", "format": "text"})),
        (
            vec!["reconcile"],
            json!({"action": "reconcile", "format": "text"}),
        ),
        (
            vec!["explain", "Team", "Web"],
            json!({"action": "explain", "groupType": "Team", "group": "Web", "format": "text"}),
        ),
    ] {
        let _whatever = deployed.bridge(&arguments).await;
        assert_eq!(world.events.lock().unwrap().pop().unwrap(), expected);
    }
}

#[tokio::test]
async fn help_ends_with_0_and_has_an_example_for_each_command() {
    for command in [
        "plan",
        "approve",
        "history",
        "rollback",
        "export",
        "seed",
        "explain",
        "reconcile",
        "check",
        "try",
    ] {
        let help = run(&[command, "--help"], &[], "").await;
        assert_eq!(help.code, 0, "{command}");
        assert!(
            help.out.contains(&format!("Example: bridge {command}")),
            "{}",
            help.out
        );
    }
}
