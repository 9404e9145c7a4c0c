//! Why a group stands where it stands: who said what, what won, and what waits.

use serde_json::{Value, json};

use crate::harness::{NOW, Setup, World, remove, rename, upsert};

async fn explain(world: &World, group: &str, group_type: &str) -> Value {
    let action = json!({"action": "explain", "group": group, "groupType": group_type});
    world.action(action).await
}

/// One change that `workday`, which outranks `acme`, says happened at this minute.
async fn workday_says(world: &World, minute: u32, change: Value) {
    let at = format!("2026-01-10T11:{minute:02}:00Z");
    let body = json!({"id": format!("w{minute}"), "occurredAt": at, "changes": [change]});
    let answer = world.webhook("workday", &body).await;
    assert!(answer.status < 300, "{:?}", answer.body);
}

/// Two sources, a conflict, a rename, a stale statement, a held cycle and a seed.
async fn a_history() -> World {
    let world = World::seeded(&[
        "Ops [Division]",
        "Mktg [Division]",
        "Sales [Division]",
        "Legal [Department]",
    ])
    .await;
    world.says(1, upsert("Fax [Team] < Ops [Division]")).await;
    workday_says(&world, 2, upsert("Fax [Team] < Sales [Division]")).await;
    world.says(5, rename("Mktg [Division]", "Marketing")).await;
    // Late: something newer is known.
    world
        .says(0, upsert("Fax [Team] < Legal [Department]"))
        .await;
    world
        .says(6, upsert("Ops [Division] < Legal [Department]"))
        .await;
    world
        .says(7, upsert("Legal [Department] < Ops [Division]"))
        .await;
    world
}

#[tokio::test]
async fn who_said_what_and_what_won_is_told_with_every_time() {
    let world = a_history().await;
    let before = world.everything().await;
    let fax = explain(&world, "Fax", "Team").await;
    let at = |minute: u32| format!("2026-01-10T11:{minute:02}:00Z");
    assert_eq!(
        fax,
        json!({
            "group": "Fax", "groupType": "Team", "exists": true,
            "parent": "Sales", "parentType": "Division",
            "children": 0, "below": 0,
            "why": [
                "it exists: so say acme and workday",
                format!("workday (priority 10) decides on its parent: under Division \"Sales\", as of {}", at(2)),
                "over acme (priority 0), which says under Division \"Ops\": the higher priority wins",
            ],
            "sources": [
                {"source": "acme", "priority": 0, "persons": [], "said": [
                    {"what": "placed", "group": "Fax", "parent": "Legal", "parentType": "Department",
                     "occurredAt": at(0), "receivedAt": NOW, "counts": false,
                     "because": format!("something newer was said as of {}", at(1))},
                    {"what": "placed", "group": "Fax", "parent": "Ops", "parentType": "Division",
                     "occurredAt": at(1), "receivedAt": NOW, "counts": false,
                     "because": "workday (priority 10) is over it (priority 0)"},
                ]},
                {"source": "workday", "priority": 10, "persons": [], "said": [
                    {"what": "placed", "group": "Fax", "parent": "Sales", "parentType": "Division",
                     "occurredAt": at(2), "receivedAt": NOW, "counts": true},
                ]},
            ],
            "seed": null, "waits": [],
            "published": {"group": "Fax", "groupType": "Team", "parent": "Sales", "parentType": "Division",
                          "sinceVersion": 3, "since": NOW, "orBefore": false},
            "pending": null,
        })
    );
    assert_eq!(world.everything().await, before, "it changes nothing");
}

#[tokio::test]
async fn a_group_is_explained_by_the_name_that_it_had() {
    let world = a_history().await;
    let marketing = explain(&world, "Mktg", "Division").await;
    assert_eq!(marketing["group"], "Marketing");
    assert_eq!(marketing["askedAs"], "Mktg");
    assert_eq!(marketing["seed"]["occurredAt"], "2026-01-01T00:00:00Z");
    assert_eq!(marketing["sources"][0]["said"][0]["what"], "renamed");
    assert_eq!(marketing["sources"][0]["said"][0]["to"], "Marketing");
    assert_eq!(marketing["published"]["group"], "Marketing");
    assert_eq!(
        explain(&world, "Marketing", "Division").await["askedAs"],
        Value::Null
    );
}

#[tokio::test]
async fn what_waits_is_told_with_its_reason_and_what_frees_it() {
    let world = a_history().await;
    let legal = explain(&world, "Legal", "Department").await;
    assert_eq!(
        (&legal["parent"], &legal["children"]),
        (&Value::Null, &json!(1))
    );
    let waits = &legal["waits"][0];
    assert_eq!(waits["reason"], "cycle");
    assert_eq!(
        (&waits["source"], &waits["parent"]),
        (&json!("acme"), &json!("Ops"))
    );
    assert_eq!(waits["cycle"].as_array().unwrap().len(), 2);
    let freed_by = "takes effect by itself once a group of the cycle is placed elsewhere";
    assert_eq!(waits["freedBy"], freed_by);
    assert_eq!(legal["published"]["sinceVersion"], 1);
    world.says(8, upsert("Ops [Division]")).await;
    let legal = explain(&world, "Legal", "Department").await;
    assert_eq!(
        (&legal["parent"], &legal["waits"]),
        (&json!("Ops"), &json!([]))
    );
}

#[tokio::test]
async fn a_plan_that_waits_and_changes_the_group_is_told() {
    let rows: Vec<String> = (0..10).map(|n| format!("Team {n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = World::seeded(&rows).await;
    let removals: Vec<_> = rows.iter().take(7).map(|row| remove(row)).collect();
    let body = json!({"id": "evt_removals", "changes": removals});
    assert_eq!(world.webhook("acme", &body).await.held(), ["guard"]);
    let gone = explain(&world, "Team 0", "Team").await;
    assert_eq!(gone["exists"], false);
    assert_eq!(
        gone["why"],
        json!([format!("it is gone: so say acme as of {NOW}")])
    );
    assert_eq!(gone["pending"]["changes"], json!(["removed"]));
    assert_eq!(gone["pending"]["held"]["reason"], "guard");
    assert_eq!(gone["published"]["sinceVersion"], 1);
    assert_eq!(
        explain(&world, "Team 9", "Team").await["pending"],
        Value::Null
    );
}

#[tokio::test]
async fn of_persons_an_explanation_has_counts_and_no_id() {
    let sources = r#"
[sources.people]
preset = "bamboohr"
secret_id = "hris/people"
"#;
    let secret = json!({"signingSecret": "key-of-people"});
    let setup = Setup::default()
        .sources(sources)
        .secret("hris/people", secret);
    let world = setup.unseeded().start().await;
    let employee = |number: u32, division: &str| {
        json!({"id": format!("person-{number}"), "action": "Updated", "timestamp": "2026-01-10T11:00:00Z",
               "fields": {"Department": "Compliance", "Division": division}})
    };
    let employees = [employee(1, "Ops"), employee(2, "Ops"), employee(3, "Tech")];
    let body = json!({"employees": employees}).to_string();
    let now = world.now().seconds().to_string();
    let signature = crate::harness::hmac_hex("key-of-people", &format!("{body}{now}"));
    let request = crate::harness::Request::post("people", &body)
        .with("X-BambooHR-Timestamp", &now)
        .with("X-BambooHR-Signature", &signature);
    assert_eq!(world.send(&request).await.word(), (200, "published"));
    let compliance = explain(&world, "Compliance", "Department").await;
    let persons = compliance["sources"][0]["persons"].as_array().unwrap();
    let counts: Vec<_> = persons
        .iter()
        .map(|p| (&p["parent"], &p["persons"]))
        .collect();
    assert_eq!(
        counts,
        [(&json!("Ops"), &json!(2)), (&json!("Tech"), &json!(1))]
    );
    let why = "2 of 3 persons of people decide on its parent: under Division \"Ops\"";
    assert_eq!(compliance["why"][1], why);
    assert!(!compliance.to_string().contains("person-"), "{compliance}");
}

#[tokio::test]
async fn a_group_that_nobody_knows_is_refused_with_the_nearest() {
    let world = World::seeded(&["Fax [Team]", "FAX [Division]", "Fax Support [Team]"]).await;
    let ask = |group: &str| json!({"action": "explain", "group": group, "groupType": "Department"});
    let (kind, message) = world.refused(ask("fax")).await;
    assert_eq!(kind, "Refused");
    assert_eq!(
        message,
        "nobody has said anything of Department \"fax\", letter by letter; \
         the nearest are: Division \"FAX\", Team \"Fax\", Team \"Fax Support\""
    );
    let (_, message) = world.refused(ask("Zoo")).await;
    assert!(
        message.ends_with("and no group has a name like it"),
        "{message}"
    );
}

#[tokio::test]
async fn a_malformed_question_is_told_every_fault() {
    let world = World::seeded(&["Fax [Team]"]).await;
    let ask = json!({"action": "explain", "groupType": "a\u{0}b", "deep": true});
    let (kind, message) = world.refused(ask).await;
    assert_eq!(kind, "BadAction");
    assert_eq!(
        message,
        "deep is not a field of the action explain; group is missing, or no text: a name, letter by letter; \
         groupType must not contain control characters"
    );
}
