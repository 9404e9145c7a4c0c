use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    hierarchy::{GroupRef, Statement},
    sources::{
        form::tests as forms,
        place::tests::{any_json, reading},
        presets,
    },
};

fn mapping(toml: &str) -> Mapping {
    let (mapping, problems) = reading(toml, Mapping::read);
    assert_eq!(problems, [""; 0]);
    mapping.unwrap()
}

fn map(toml: &str, body: &Value) -> Result<Mapped, MapFault> {
    mapping(toml).map(body.to_string().as_bytes(), &Given::default())
}

#[track_caller]
fn check_meaning(toml: &str, body: Value, meaning: Meaning, statements: usize) {
    let mapped = map(toml, &body).unwrap();
    assert_eq!(
        (mapped.meaning, mapped.statements.len()),
        (meaning, statements)
    );
}

#[track_caller]
fn check_unfitting(toml: &str, body: Value, expected: &[&str]) {
    let Err(MapFault::Unfitting(faults)) = map(toml, &body) else {
        panic!("{body} fits");
    };
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, expected);
}

const MERGE: &str = r#"
    event_id = ["$.event_id", "header:X-Delivery"]
    [events]
    type = "$.hook.event"
    [events.meaning]
    "Group.*" = "say"
    "Group.deleted" = "remove"
    "Employee.*" = "reread"
    [groups.group]
    at = "$.data"
    key = "$.id"
    name = "$.name"
    type = { from = "$.type", lookup = { DEPARTMENT = "Department" }, default = "Team" }
    parent_key = "$.parent_group"
"#;

#[test]
fn an_event_says_what_it_means() {
    let body = |event: &str| json!({"hook": {"event": event}, "data": {"id": 1, "name": "A"}});
    let said = map(MERGE, &body("Group.changed")).unwrap();
    assert_eq!(said.event_type.as_deref(), Some("Group.changed"));
    assert!(matches!(
        said.statements[0].statement,
        Statement::Exists { .. }
    ));
    let removed = map(MERGE, &body("Group.deleted")).unwrap();
    assert_eq!(removed.meaning, Meaning::Remove);
    assert!(matches!(
        removed.statements[0].statement,
        Statement::Gone { .. }
    ));
    check_meaning(MERGE, body("Employee.changed"), Meaning::Reread, 0);
    check_meaning(MERGE, body("Candidate.changed"), Meaning::Ignore, 0);
    check_meaning(MERGE, json!("Ping test"), Meaning::Ignore, 0);
}

#[test]
fn without_events_the_other_keys_say_what_every_body_means() {
    let rules = "[groups.a]\nkey = '$.id'";
    check_meaning(rules, json!({"id": 1}), Meaning::Say, 1);
    check_meaning("contract = true", json!({"changes": []}), Meaning::Say, 0);
    check_meaning("", json!({}), Meaning::Ignore, 0);
    let with_snapshot = |toml: &str| {
        let toml = format!("{toml}\n[snapshot]\npath = '/x'");
        let (mapping, problems) = reading(&toml, Mapping::read);
        assert_eq!(problems, ["snapshot is not known"]);
        mapping
            .unwrap()
            .map(b"{\"id\": 1}", &Given::default())
            .unwrap()
            .meaning
    };
    assert_eq!(with_snapshot(""), Meaning::Reread);
    assert_eq!(with_snapshot(rules), Meaning::Say);
}

#[test]
fn the_contract_counts_only_without_rules_and_brings_its_own_id() {
    let toml = "contract = true\nevent_id = ['$.id', 'header:webhook-id']";
    let mapping_by_contract = mapping(toml);
    let mut given = Given::default();
    given
        .headers
        .insert("webhook-id".to_owned(), "msg_1".to_owned());
    let id = |body: &str| {
        let mapped = mapping_by_contract.map(body.as_bytes(), &given).unwrap();
        mapped.event_id.map(|id| id.as_str().to_owned())
    };
    assert_eq!(
        id(r#"{"id": "evt_1", "changes": []}"#).as_deref(),
        Some("evt_1")
    );
    assert_eq!(id(r#"{"changes": []}"#).as_deref(), Some("msg_1"));
    check_unfitting(
        toml,
        json!({"id": "a", "changes": [7]}),
        &["changes[0] must be an object"],
    );
    let ruled = format!("{toml}\n[groups.a]\nkey = '$.k'");
    check_meaning(&ruled, json!({"k": 1, "changes": 7}), Meaning::Say, 1);
}

#[test]
fn an_id_that_is_none_is_a_fault_of_the_body_and_not_of_a_header() {
    let body = json!({"hook": {"event": "Group.x"}, "event_id": [], "data": {}});
    check_unfitting(
        "event_id = '$.event_id'\n[groups.a]\nat = '$.data'\nkey = '$.id'",
        body.clone(),
        &[
            "$['event_id'] must be a text, a number, true or false (by event_id)",
            "$['data']['id'] has no value (by groups.a.key)",
        ],
    );
    let mut given = Given::default();
    given
        .headers
        .insert("x-delivery".to_owned(), "x".repeat(2_000));
    let body = json!({"hook": {"event": "Group.x"}, "data": []});
    let mapped = mapping(MERGE)
        .map(body.to_string().as_bytes(), &given)
        .unwrap();
    assert_eq!(mapped.event_id, None);
    let body = json!({"hook": {"event": "Employee.x"}, "event_id": {}});
    check_meaning(MERGE, body, Meaning::Reread, 0);
}

#[test]
fn groups_without_names_are_warned_of() {
    let body = json!({"hook": {"event": "Group.x"}, "data": [{"id": 1}, {"id": 2}]});
    let mapped = map(MERGE, &body).unwrap();
    assert_eq!(
        mapped.warnings,
        ["2 groups came by their key alone, without a name"]
    );
}

#[test]
fn what_cannot_be_read_is_told_apart_from_what_does_not_fit() {
    let unreadable = mapping(MERGE).map(b"{", &Given::default()).unwrap_err();
    let why = "the body is not JSON: see line 1, column 1".to_owned();
    assert_eq!(unreadable, MapFault::Unreadable(why));
    check_unfitting(
        "envelope = '$.payload'",
        json!({}),
        &["$['payload'] must be one value, and there are 0 (by envelope)"],
    );
    let body = json!({"hook": {"event": []}});
    check_unfitting(
        MERGE,
        body,
        &["$['hook']['event'] must be a text, a number, true or false (by events.type)"],
    );
}

#[test]
fn an_enveloped_form_is_mapped_as_its_inner_body() {
    let toml =
        "envelope = '$.payload'\nutc_offset = '+02:00'\n[groups.a]\nkey = '$.id'\ntime = '$.at'";
    let form = b"payload=%7B%22id%22%3A1%2C%22at%22%3A%222026-01-31+02%3A00%3A00%22%7D";
    let mapped = mapping(toml).map(form, &Given::default()).unwrap();
    assert_eq!(
        mapped.statements[0].at.unwrap().to_string(),
        "2026-01-31T00:00:00Z"
    );
}

#[test]
fn all_problems_of_a_mapping_are_noted() {
    let toml = r#"
        body = "xml"
        envelope = "payload"
        contract = "yes"
        utc_offset = "CET"
        event_id = "id"
        [events]
        type = "$.type["
        [events.meaning]
        a = "add"
        [groups.a]
        [persons.b]
    "#;
    let (mapping, problems) = reading(toml, Mapping::read);
    assert_eq!(mapping, None);
    assert_eq!(
        problems,
        [
            "body must be one of: auto, json, form",
            "envelope must be a JSONPath, which begins with $",
            "contract must be true or false",
            "utc_offset must be an offset such as \"+02:00\"",
            "event_id must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
             a constant is { value = \"…\" }",
            "groups.a must have key or name",
            "persons.b.id is missing",
            "events.type is no JSONPath: at column 7, not understood",
            "events.meaning.a must be one of: say, remove, reread, ignore",
        ]
    );
}

#[test]
fn a_meaning_that_nothing_can_be_made_of_is_a_problem() {
    let events = "[events]\nmeaning = { a = 'say', 'b.*' = 'remove', c = 'reread', d = 'ignore' }";
    let (_, problems) = reading(events, Mapping::read);
    let needs = "needs rules in groups or persons";
    assert_eq!(
        problems,
        [
            format!("events.meaning.a {needs}"),
            format!("events.meaning.\"b.*\" {needs}")
        ]
    );
    let (_, problems) = reading(&format!("contract = true\n{events}"), Mapping::read);
    assert_eq!(
        problems,
        ["events.meaning.\"b.*\" needs rules: by the contract a body says itself what is removed"]
    );
}

/// The keys of a source that are no mapping's are left in a preset's table.
#[test]
fn every_preset_s_mapping_is_read() {
    for name in presets::names() {
        let (mapping, problems) = reading(presets::text(name).unwrap(), Mapping::read);
        let unknown =
            |problem: &&String| !problem.ends_with("is not known") || problem.contains('.');
        let wrong: Vec<&String> = problems.iter().filter(unknown).collect();
        assert!(mapping.is_some() && wrong.is_empty(), "{name}: {wrong:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..80), json in any_json()) {
        let mapping = mapping(MERGE);
        let given = Given::default();
        let inner = json!({"hook": {"event": "Group.x"}, "data": json});
        for body in [body, inner.to_string().into_bytes()] {
            let read = || format!("{:?}", mapping.map(&body, &given));
            prop_assert_eq!(read(), read());
        }
    }

    #[test]
    fn a_form_says_what_its_json_says(name in "[a-zA-Zé&=]{1,8}", parent in "[a-z]{1,8}") {
        let body = json!({"hook": {"event": "Group.x"}, "data": [{"id": "1", "name": name, "parent_group": parent}]});
        let mapping = mapping(MERGE);
        let given = Given::default();
        let by_form = mapping.map(forms::encode(&body).as_bytes(), &given).unwrap();
        let by_json = mapping.map(body.to_string().as_bytes(), &given).unwrap();
        prop_assert_eq!(format!("{by_form:?}"), format!("{by_json:?}"));
        let [Stated { statement: Statement::Exists { group: GroupRef::Keyed { named: Some(group), .. }, .. }, .. }] =
            by_form.statements.as_slice() else { panic!("{by_form:?}") };
        prop_assert_eq!(group.name.as_str(), name);
    }
}
