//! Answers as pictures: a page that needs nothing else, and a flowchart.

use serde_json::{Value, json};

use crate::harness::{NOW, Setup, World, held, remove, rename, upsert};

/// A name as nobody should choose it.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)> \"%%{init}%%\" # [x]";

async fn drawn(world: &World, mut action: Value, format: &str) -> String {
    action["format"] = json!(format);
    let answer = world.action(action).await;
    let text = answer.as_str().unwrap_or_else(|| panic!("{answer}"));
    text.to_owned()
}

/// What a page draws.
fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once("type=\"application/json\"").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))
}

/// The marks of a page by name: what happens, where it was, what it was called.
fn marks(data: &Value) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let marks = data["marks"].as_array().unwrap().iter();
    let mut marks: Vec<_> = marks
        .map(|mark| {
            let at = usize::try_from(mark["at"].as_u64().unwrap()).unwrap();
            let name = text(&data["names"][at]);
            (
                name,
                text(&mark["is"]),
                text(&mark["from"]),
                text(&mark["was"]),
            )
        })
        .collect();
    marks.sort();
    marks
}

fn row(name: &str, is: &str, from: &str, was: &str) -> (String, String, String, String) {
    (
        name.to_owned(),
        is.to_owned(),
        from.to_owned(),
        was.to_owned(),
    )
}

/// A plan with all four kinds of change, which the guard holds, and two statements that wait.
async fn with_all_kinds_pending() -> World {
    let setup = Setup::default()
        .variable("GUARD_MAX_REMOVED_GROUPS", "0")
        .variable("GUARD_MAX_REMOVED_PERCENT", "10")
        .variable("AWS_LAMBDA_FUNCTION_NAME", "calven-bridge");
    let rows = [
        "Ops [Division]",
        "Tech [Division]",
        "Mktg [Division]",
        "Web [Department] < Ops [Division]",
        "Shop [Team] < Web [Department]",
        "Fax [Department] < Ops [Division]",
    ];
    let world = setup.start().await.seed(&rows).await;
    let hostile = format!("{HOSTILE} [Team] < Tech [Division]");
    let mut unknown = upsert("Lab [Team]");
    unknown["parentKey"] = json!("p-1");
    let body = json!({"id": "evt_1", "changes": [
        upsert(&hostile),
        upsert("Web [Department] < Tech [Division]"),
        rename("Mktg [Division]", "Marketing"),
        remove("Fax [Department]"),
        unknown,
    ]});
    let answer = world.webhook("acme", &body).await;
    assert_eq!(answer.held(), ["guard", "unknown_parent"]);
    world
}

#[tokio::test]
async fn a_plan_as_a_page_shows_every_kind_of_change_what_waits_and_the_command_that_approves_it() {
    let world = with_all_kinds_pending().await;
    let before = world.everything().await;
    let plan = world.action(json!({"action": "plan"})).await;
    let page = drawn(&world, json!({"action": "plan"}), "html").await;
    assert_eq!(world.everything().await, before);
    assert!(page.starts_with("<!doctype html>"), "{page:.100}");
    assert!(!page.contains(HOSTILE) && !page.contains("<img"));
    let data = data_of(&page);
    assert_eq!(data["title"], "What would be sent to Calven");
    assert_eq!(data["version"], 1);
    assert_eq!(data["time"], NOW);
    assert_eq!(data["groups"], plan["groupsAfter"]);
    let counts = json!({"added": 1, "moved": 1, "renamed": 1, "removed": 1});
    assert_eq!(data["counts"], counts);
    assert_eq!(data["digest"], plan["digest"]);
    let waits = "The plan removes or moves more than the guard lets pass: look at the plan and approve its digest.";
    assert_eq!(data["waits"], waits);
    let expected = [
        row(HOSTILE, "added", "-", "-"),
        row("Fax", "removed", "-", "-"),
        row("Lab", "waits", "-", "-"),
        row("Marketing", "changed", "-", "Mktg"),
        row("Web", "changed", "Ops [Division]", "-"),
    ];
    assert_eq!(marks(&data), expected);
    let why = data["held"][0][1][0].as_str().unwrap();
    assert!(why.contains("the group with the key p-1"), "{why}");
    // The command's payload does what it says.
    let command = data["approve"].as_str().unwrap();
    let (_, payload) = command.split_once("--payload '").unwrap();
    let (payload, _) = payload.split_once('\'').unwrap();
    let report = world.action(serde_json::from_str(payload).unwrap()).await;
    assert_eq!(report["status"], "published");
    let data = data_of(&drawn(&world, json!({"action": "plan"}), "html").await);
    assert_eq!(
        (&data["digest"], &data["approve"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&data["version"], &data["waits"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(marks(&data), [row("Lab", "waits", "-", "-")]);
}

#[tokio::test]
async fn a_plan_as_a_flowchart_shows_every_kind_of_change_and_no_name_is_syntax() {
    let world = with_all_kinds_pending().await;
    let chart = drawn(&world, json!({"action": "plan"}), "mermaid").await;
    assert!(chart.contains("flowchart"), "{chart}");
    for told in ["Marketing", "Mktg", "Fax", "Web", "Lab", "Shop"] {
        assert!(chart.contains(told), "{told}: {chart}");
    }
    for syntax in ["<img", "</script", "%%{init", "\"%%"] {
        assert!(!chart.contains(syntax), "{syntax}: {chart}");
    }
}

#[tokio::test]
async fn an_export_is_drawn_as_it_was_published() {
    let world = with_all_kinds_pending().await;
    let data = data_of(&drawn(&world, json!({"action": "export"}), "html").await);
    assert_eq!(data["title"], "What Calven holds");
    assert_eq!((&data["version"], &data["time"]), (&json!(1), &json!(NOW)));
    assert_eq!(
        (&data["groups"], &data["counts"]),
        (&json!(6), &Value::Null)
    );
    let names = json!(["Mktg", "Ops", "Fax", "Web", "Shop", "Tech"]);
    assert_eq!(data["names"], names);
    assert!(marks(&data).is_empty());
    let chart = drawn(&world, json!({"action": "export"}), "mermaid").await;
    assert!(
        chart.contains("Fax") && !chart.contains("Marketing"),
        "{chart}"
    );
}

#[tokio::test]
async fn while_a_rollback_waits_the_picture_leads_to_where_it_would_go_back_to() {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows[..3]).await;
    let more: Vec<Value> = rows[3..].iter().map(|row| upsert(row)).collect();
    let said = json!({"id": "evt_1", "changes": more});
    assert_eq!(
        world.webhook("acme", &said).await.word(),
        (200, "published")
    );
    // Said after it, and in no plan before the rollback is done with.
    let report = world
        .action(json!({"action": "rollback", "version": 1}))
        .await;
    assert_eq!(held(&report), ["guard"]);
    let plan = world.action(json!({"action": "plan"})).await;
    let data = data_of(&drawn(&world, json!({"action": "plan"}), "html").await);
    assert_eq!(
        (&data["groups"], &plan["groupsAfter"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(data["digest"], plan["digest"]);
    let gone: Vec<_> = (3..10)
        .map(|n| row(&format!("Team {n}"), "removed", "-", "-"))
        .collect();
    assert_eq!(marks(&data), gone);
    let approve = json!({"action": "approve", "digest": data["digest"]});
    assert_eq!(world.action(approve).await["status"], "published");
    world.assert_holds(&rows[..3]);
}
