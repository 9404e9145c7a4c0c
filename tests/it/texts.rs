//! Answers as a terminal shows them, and how old they say that they are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{NOW, Setup, World, remove, rename, upsert};

async fn text(world: &World, mut action: Value) -> String {
    action["format"] = json!("text");
    let answer = world.action(action).await;
    answer
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// A plan with all four kinds of change, which the guard holds.
async fn with_all_kinds_pending() -> World {
    let setup = Setup::default()
        .variable("GUARD_MAX_REMOVED_GROUPS", "0")
        .variable("AWS_LAMBDA_FUNCTION_NAME", "calven-bridge");
    let rows = [
        "Ops [Division]",
        "Tech [Division]",
        "Mktg [Division]",
        "Web [Department] < Ops [Division]",
        "Shop [Team] < Web [Department]",
        "Fax [Department] < Ops [Division]",
    ];
    // More of them than a fifth are to go.
    let setup = setup.variable("GUARD_MAX_REMOVED_PERCENT", "10");
    let world = setup.start().await.seed(&rows).await;
    let changes = [
        upsert("Platform [Team] < Tech [Division]"),
        upsert("Web [Department] < Tech [Division]"),
        rename("Mktg [Division]", "Marketing"),
        remove("Fax [Department]"),
    ];
    let body = json!({"id": "evt_1", "changes": changes});
    assert_eq!(world.webhook("acme", &body).await.held(), ["guard"]);
    world
}

#[tokio::test]
async fn a_plan_as_text_shows_every_kind_of_change_and_the_command_that_approves_it() {
    let world = with_all_kinds_pending().await;
    world.pass(Duration::from_secs(300));
    let plan = world.action(json!({"action": "plan"})).await;
    let digest = plan["digest"].as_str().unwrap();
    let text = text(&world, json!({"action": "plan"})).await;
    let sandbox = [
        format!("Source acme: last statement {NOW} (5 minutes ago)"),
        "Source workday: last statement never".to_owned(),
    ];
    let expected = format!(
        r#"+ Team "Platform" under Division "Tech"
~ Department "Web" moved from Division "Ops" to Division "Tech"
~ Division "Mktg" renamed to "Marketing"
- Department "Fax" (was under Division "Ops")

Plan: 1 to add, 1 to move, 1 to rename, 1 to remove.
Groups: 6 now (version 1), 6 after.
Largest move: Department "Web", with 1 group below it.

Held (guard): the plan removes or moves more than the guard lets pass: look at the plan and approve its digest.

Last webhook: {NOW} (5 minutes ago)
Last publish: {NOW} (5 minutes ago)
Last re-read: never
{}

Digest: {digest}
To approve it: aws lambda invoke --function-name calven-bridge --cli-binary-format raw-in-base64-out --payload '{{"action":"approve","digest":"{digest}"}}' /dev/stdout"#,
        sandbox.join("\n"),
    );
    assert_eq!(text, expected);
    // The command's payload does what it says.
    let (_, payload) = text.split_once("--payload '").unwrap();
    let (payload, _) = payload.split_once('\'').unwrap();
    let report = world.action(serde_json::from_str(payload).unwrap()).await;
    assert_eq!(report["status"], "published");
    assert_eq!(world.holds().len(), 6);
}

#[tokio::test]
async fn a_plan_tells_its_largest_move_and_how_old_all_is() {
    let world = with_all_kinds_pending().await;
    world.pass(Duration::from_secs(300));
    let plan = world.action(json!({"action": "plan"})).await;
    assert_eq!(plan["groupsAfter"], 6);
    let largest = json!({"group": "Web", "groupType": "Department", "below": 1});
    assert_eq!(plan["largestMove"], largest);
    let freshness = json!({
        "lastWebhook": NOW, "lastPublish": NOW, "lastReread": null,
        "sources": [
            {"source": "acme", "lastStatement": NOW, "ageSeconds": 300, "lastReread": null, "dueSince": null},
            {"source": "workday", "lastStatement": null, "ageSeconds": null, "lastReread": null, "dueSince": null},
        ],
    });
    assert_eq!(plan["freshness"], freshness);
    let history = world.action(json!({"action": "history"})).await;
    assert_eq!(history["freshness"], freshness);
}

#[tokio::test]
async fn a_re_read_is_no_webhook() {
    let capillary = crate::harness::read("examples/sandbox/capillary.json");
    let world = Setup::default().capillary(&capillary).start().await;
    let world = world.seed(&["A [T]"]).await;
    world.action(json!({"action": "reconcile"})).await;
    let freshness = world.action(json!({"action": "plan"})).await["freshness"].take();
    assert_eq!(freshness["lastWebhook"], Value::Null);
    assert_eq!(freshness["lastReread"], NOW);
    let sources = freshness["sources"].as_array().unwrap();
    let capillary = sources.iter().find(|s| s["source"] == "capillary").unwrap();
    assert_eq!(capillary["lastReread"], NOW);
    assert_eq!(capillary["ageSeconds"], 0);
}

#[tokio::test]
async fn every_action_that_has_a_text_answers_one() {
    let world = with_all_kinds_pending().await;
    let tree = r#"Division "Mktg"
Division "Ops"
  Department "Fax"
  Department "Web"
    Team "Shop"
Division "Tech"

6 groups."#;
    assert_eq!(text(&world, json!({"action": "export"})).await, tree);
    let history = text(&world, json!({"action": "history"})).await;
    let first = history.lines().next().unwrap();
    assert_eq!(first, format!("version 1  {NOW}  seed  6 groups  6 added"));
    let explain = json!({"action": "explain", "group": "Web", "groupType": "Department"});
    let web = format!(
        r#"Department "Web" is under Division "Tech".
Below it: 1 group, 1 of them its children.
Published: Department "Web" under Division "Ops", since version 1 ({NOW}).
Pending: it is to be moved, and the plan is held (guard): it removes or moves more than the guard lets pass: look at the plan and approve its digest.

Why:
  it exists: so say acme and the seed as of 2026-01-01T00:00:00Z
  acme (priority 0) decides on its parent: under Division "Tech", as of {NOW}
  over the seed as of 2026-01-01T00:00:00Z: what is newer than a seed counts

Who said what:
  acme (priority 0)
    {NOW}  "Web" is under Division "Tech"
  manual (the seed)
    2026-01-01T00:00:00Z  is under Division "Ops""#
    );
    assert_eq!(text(&world, explain).await, web);
    let reconcile = text(&world, json!({"action": "reconcile"})).await;
    assert!(
        reconcile.starts_with("Held: what is pending was not sent."),
        "{reconcile}"
    );
    let rollback = text(&world, json!({"action": "rollback", "version": 1})).await;
    assert!(rollback.starts_with("Published: version"), "{rollback}");
    let digest = world.action(json!({"action": "plan"})).await["digest"].take();
    let approve = text(&world, json!({"action": "approve", "digest": digest})).await;
    let changed = "Changes: 1 added, 1 moved, 1 renamed, 1 removed.";
    assert_eq!(approve.lines().nth(1), Some(changed), "{approve}");
    let rows: Vec<Value> = Vec::new();
    let seed = text(
        &world,
        json!({"action": "seed", "groupRelationships": rows}),
    )
    .await;
    assert!(
        seed.starts_with("Held: what is pending was not sent."),
        "{seed}"
    );
}

#[tokio::test]
async fn a_history_under_a_reconcile_tells_how_to_undo_the_last_change() {
    let world = World::seeded(&["A [T]"]).await;
    let back = async |world: &World| {
        let history = text(world, json!({"action": "history"})).await;
        let (_, payload) = history.split_once("--payload '")?;
        let (payload, _) = payload.split_once('\'').unwrap();
        Some(serde_json::from_str::<Value>(payload).unwrap())
    };
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(back(&world).await, None);
    world.says(1, upsert("Bad [T]")).await;
    world.action(json!({"action": "reconcile"})).await;
    world.action(json!({"action": "reconcile"})).await;
    let history = world.action(json!({"action": "history"})).await;
    let first = &history["history"][0];
    assert_eq!(
        (&first["cause"], &first["version"]),
        (&json!("reconcile"), &json!(5))
    );
    assert_eq!(first.get("changed"), None);
    let action = back(&world).await.unwrap();
    assert_eq!(action, json!({"action": "rollback", "version": 2}));
    world.action(action).await;
    assert_eq!(world.holds(), ["A [T]"]);
}

#[tokio::test]
async fn a_format_that_there_is_not_is_refused_and_changes_nothing() {
    let world = with_all_kinds_pending().await;
    let before = world.everything().await;
    for (action, message) in [
        (
            json!({"action": "plan", "format": "pdf"}),
            "format of the action plan must be one of: json, text, mermaid, html",
        ),
        (
            json!({"action": "reconcile", "format": 1}),
            "format of the action reconcile must be one of: json, text",
        ),
        (
            json!({"action": "history", "format": "html"}),
            "format of the action history must be one of: json, text",
        ),
        (
            json!({"action": "approve", "digest": "00", "format": "mermaid"}),
            "format of the action approve must be one of: json, text",
        ),
        (
            json!({"action": "handshake", "source": "acme", "format": "text"}),
            "format of the action handshake must be one of: json",
        ),
    ] {
        assert_eq!(
            world.refused(action).await,
            ("BadAction", message.to_owned())
        );
    }
    assert_eq!(world.everything().await, before);
}
