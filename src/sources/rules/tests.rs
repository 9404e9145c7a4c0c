use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    hierarchy::{GroupRef, Parent, PersonSays, Scope},
    sources::place::tests::{any_json, reading},
};

fn rules(toml: &str) -> Rules {
    let (rules, problems) = reading(toml, Rules::read);
    assert_eq!(problems, [""; 0]);
    rules
}

fn outcome(toml: &str, body: &Value, removed: bool) -> Outcome {
    let rules = rules(toml);
    rules.statements(body, &Given::default(), removed, Some(UtcOffset::UTC))
}

/// A statement in a short form; persons' ids are not printed.
fn short(stated: &Stated) -> String {
    let group = |group: &GroupRef| match group {
        GroupRef::Named(group) => group.to_string(),
        GroupRef::Keyed { key, named: None } => format!("#{}", key.as_str()),
        GroupRef::Keyed {
            key,
            named: Some(group),
        } => format!("#{} {group}", key.as_str()),
    };
    let text = match &stated.statement {
        Statement::Exists { group: g, parent } => match parent {
            Parent::Under(parent) => format!("{} under {}", group(g), group(parent)),
            Parent::Top => format!("{} at the top", group(g)),
            Parent::NotSaid => group(g),
        },
        Statement::Member { group: g, parent } => format!("{} in {}", group(g), group(parent)),
        Statement::Gone { group: g } => format!("{} gone", group(g)),
        Statement::Renamed { .. } => "renamed".to_owned(),
        Statement::Person { says, .. } => match says {
            PersonSays::In(chain) => {
                let chain: Vec<String> = chain.iter().map(group).collect();
                format!("person in [{}]", chain.join(" > "))
            }
            PersonSays::Left => "person left".to_owned(),
        },
        Statement::Complete(Scope::ChildrenOf(g)) => format!("all children of {}", group(g)),
        Statement::Complete(Scope::Groups | Scope::Persons) => "complete".to_owned(),
    };
    match stated.at {
        Some(at) => format!("{text} at {at}"),
        None => text,
    }
}

#[track_caller]
fn check(toml: &str, body: Value, expected: &[&str]) {
    let outcome = outcome(toml, &body, false);
    assert_eq!(outcome.faults, []);
    let said: Vec<String> = outcome.statements.iter().map(short).collect();
    assert_eq!(said, expected, "{body}");
}

#[track_caller]
fn check_removed(toml: &str, body: Value, expected: &[&str]) {
    let outcome = outcome(toml, &body, true);
    assert_eq!(outcome.faults, []);
    let said: Vec<String> = outcome.statements.iter().map(short).collect();
    assert_eq!(said, expected, "{body}");
}

/// Faults are told, and what is without fault is said.
#[track_caller]
fn check_faults(toml: &str, body: Value, faults: &[&str], expected: &[&str]) {
    let outcome = outcome(toml, &body, false);
    let told: Vec<String> = outcome.faults.iter().map(ToString::to_string).collect();
    assert_eq!(told, faults, "{body}");
    let said: Vec<String> = outcome.statements.iter().map(short).collect();
    assert_eq!(said, expected, "{body}");
}

#[track_caller]
fn check_problems(toml: &str, expected: &[&str]) {
    let (_, problems) = reading(toml, Rules::read);
    assert_eq!(problems, expected);
}

const GROUP: &str = r#"
    [groups.group]
    at = "$.data"
    when = [{ at = "$.kind", is = ["group"] }]
    time = "$.modified_at"
    key = "$.id"
    name = "$.name"
    type = { from = "$.type", lookup = { DEPARTMENT = "Department" } }
    parent_key = "$.parent"
    removed = [{ at = "$.deleted" }, { at = "$.deleted_at" }]
"#;

const NAMED: &str = r#"
    [groups.department]
    at = "$.departments"
    name = "$.name"
    type = { value = "Department" }
    parent_name = "$.parent.name"
    parent_type = { from = "$.parent.type", lookup = { DIV = "Division" } }
    no_parent = "top"
"#;

const SCIM: &str = r#"
    [groups.group]
    key = "$.id"
    name = "$.displayName"
    type = { value = "Group" }
    [groups.group.members]
    at = "$.members[?@.type=='Group']"
    key = ["$.value", { from = "$['$ref']", after = "../Groups/" }]
    complete = "$.members"
"#;

const PERSON: &str = r#"
    [persons.employee]
    at = "$.employees[*]"
    id = "$.id"
    time = "$.timestamp"
    removed = [{ at = "$.action", is = ["Deleted"] }]
    chain = [
        { type = { value = "Company" }, name = "body:$.company" },
        { type = { value = "Division" }, name = "$.fields.Division", key = "$.fields.DivisionId" },
        { type = { value = "Department" }, name = "$.fields.Department" },
    ]
"#;

#[test]
fn a_record_is_a_group_under_its_parent_at_its_time() {
    let record = json!({"kind": "group", "id": 7, "name": " Platform  Engineering", "type": "DEPARTMENT",
        "parent": "9", "modified_at": "2026-02-11T09:15:27Z", "deleted": false, "deleted_at": null});
    let expected = r##"#7 Department "Platform Engineering" under #9 at 2026-02-11T09:15:27Z"##;
    check(GROUP, json!({"data": record}), &[expected]);
    check(
        GROUP,
        json!({"data": [record, record, null]}),
        &[expected, expected],
    );
    check(GROUP, json!({"data": {"kind": "person", "id": {}}}), &[]);
    check(GROUP, json!({"data": null}), &[]);
    check(GROUP, json!({}), &[]);
}

#[test]
fn a_removed_group_is_gone_by_what_names_it() {
    check(
        GROUP,
        json!({"data": {"kind": "group", "id": 7, "deleted": true}}),
        &["#7 gone"],
    );
    check(
        GROUP,
        json!({"data": {"kind": "group", "id": 7, "deleted_at": "2026-01-01"}}),
        &["#7 gone"],
    );
    let both = json!({"kind": "group", "id": 7, "name": "A", "type": "DEPARTMENT", "parent": {}});
    check_removed(
        GROUP,
        json!({"data": both}),
        &[r##"#7 Department "A" gone"##],
    );
    check_removed(
        NAMED,
        json!({"departments": {"name": "A"}}),
        &[r#"Department "A" gone"#],
    );
    check_removed(
        SCIM,
        json!({"id": "1", "members": [{"type": "Group"}]}),
        &["#1 gone"],
    );
}

#[test]
fn no_parent_means_what_the_rule_says() {
    check(
        NAMED,
        json!({"departments": [{"name": "A"}]}),
        &[r#"Department "A" at the top"#],
    );
    let under = json!({"name": "A", "parent": {"name": "B", "type": "DIV"}});
    check(
        NAMED,
        json!({"departments": [under]}),
        &[r#"Department "A" under Division "B""#],
    );
    check(
        SCIM,
        json!({"id": "1", "displayName": "A"}),
        &[r##"#1 Group "A""##],
    );
}

#[test]
fn groups_without_a_name_are_counted() {
    let body =
        json!({"data": [{"kind": "group", "id": 1}, {"kind": "group", "id": 2, "deleted": true}]});
    let outcome = outcome(GROUP, &body, false);
    assert_eq!((outcome.statements.len(), outcome.nameless), (2, 1));
}

#[test]
fn members_are_edges_and_a_list_of_them_is_complete() {
    let body = json!({"id": "1", "displayName": "A", "members": [
        {"type": "Group", "value": "2"}, {"type": "User", "value": "3"}, {"type": "Group", "$ref": "../Groups/4"}]});
    let a = r##"#1 Group "A""##;
    check(
        SCIM,
        body,
        &[
            a,
            &format!("all children of {a}"),
            &format!("#2 in {a}"),
            &format!("#4 in {a}"),
        ],
    );
    let none = json!({"id": "1", "displayName": "A", "members": []});
    check(SCIM, none, &[a, &format!("all children of {a}")]);
    check(SCIM, json!({"id": "1", "displayName": "A"}), &[a]);
}

#[test]
fn a_chain_skips_the_levels_that_have_no_value() {
    let body =
        |fields: Value| json!({"company": "Acme", "employees": [{"id": 1, "fields": fields}]});
    check(
        PERSON,
        body(json!({"Division": "D", "DivisionId": 5, "Department": "E"})),
        &[r##"person in [Company "Acme" > #5 Division "D" > Department "E"]"##],
    );
    check(
        PERSON,
        body(json!({"Division": "", "Department": "E"})),
        &[r#"person in [Company "Acme" > Department "E"]"#],
    );
    check(
        PERSON,
        body(json!({"DivisionId": 5})),
        &[r##"person in [Company "Acme" > #5]"##],
    );
    check(
        PERSON,
        body(json!({"Department": null})),
        &[r#"person in [Company "Acme"]"#],
    );
}

#[test]
fn a_record_without_any_of_the_chain_s_places_says_nothing_of_where() {
    let body =
        json!({"company": "Acme", "employees": [{"id": 1, "fields": {"Location": "London"}}]});
    check(PERSON, body, &[]);
    let beside = "[persons.p]\nid = '$.id'\nchain = [{ name = { value = 'Acme' }, type = { value = 'Company' } }]";
    check(beside, json!({"id": 1}), &[r#"person in [Company "Acme"]"#]);
    check("[persons.p]\nid = '$.id'", json!({"id": 1}), &[]);
}

#[test]
fn a_removed_person_has_left() {
    let body = json!({"employees": [{"id": 1, "action": "Deleted", "timestamp": 1_769_884_920}]});
    check(PERSON, body, &["person left at 2026-01-31T18:42:00Z"]);
    check_removed(
        "[persons.p]\nid = '$.id'",
        json!({"id": 1}),
        &["person left"],
    );
}

#[test]
fn rules_are_taken_by_name_and_groups_first() {
    let toml = r#"
        [persons.a]
        at = "$.p"
        id = "$.id"
        [groups.b]
        at = "$.g[0]"
        key = "$.id"
        [groups.a]
        at = "$.g[1]"
        key = "$.id"
    "#;
    let body = json!({"g": [{"id": 1}, {"id": 2}], "p": [{"id": 3}]});
    check_removed(toml, body, &["#2 gone", "#1 gone", "person left"]);
}

#[test]
fn every_fault_is_told_by_place_and_key_and_its_record_says_nothing() {
    check_faults(
        NAMED,
        json!({"departments": [
            {"name": "A"},
            {"name": null},
            {"name": {"secret": 1}, "parent": {"name": "B", "type": "secret"}},
            {"name": "A", "parent": {"name": "B"}},
            {"name": "a\u{0}"},
            "secret",
        ]}),
        &[
            "$['departments'][1]['name'] has no value (by groups.department.name)",
            "$['departments'][2]['name'] must be a text, a number, true or false (by groups.department.name)",
            "$['departments'][2]['parent']['type'] has a value that the mapping does not know (by groups.department.parent_type)",
            "$['departments'][3]['parent']['type'] has no value (by groups.department.parent_type)",
            "$['departments'][4]['name'] must not contain control characters (by groups.department.name)",
            "$['departments'][5]['name'] has no value (by groups.department.name)",
        ],
        &[r#"Department "A" at the top"#],
    );
    check_faults(
        GROUP,
        json!({"data": [
            {"kind": "group", "name": "A", "type": "SECRET", "modified_at": "secret"},
            {"kind": "group", "id": 1, "parent": ["secret"]},
        ]}),
        &[
            "$['data'][0]['modified_at'] must be a time: ISO 8601, or a number of seconds, milliseconds or microseconds (by groups.group.time)",
            "$['data'][0]['type'] has a value that the mapping does not know (by groups.group.type)",
            "$['data'][1]['parent'] must be a text, a number, true or false (by groups.group.parent_key)",
        ],
        &[],
    );
    check_faults(
        SCIM,
        json!({"id": "1", "members": [{"type": "Group"}, {"type": "Group", "value": {}, "$ref": 1}]}),
        &[
            "$['members'][0]['value'] has no value (by groups.group.members.key)",
            "$['members'][1]['$ref'] has a value that the mapping does not know (by groups.group.members.key)",
        ],
        &[],
    );
    check_faults(
        PERSON,
        json!({"employees": [{"fields": {"Division": []}}, {"id": 1, "fields": {"Division": "D"}}]}),
        &[
            "$['employees'][0]['id'] has no value (by persons.employee.id)",
            "$['employees'][0]['fields']['Division'] must be a text, a number, true or false (by persons.employee.chain[1].name)",
        ],
        &[r#"person in [Division "D"]"#],
    );
}

#[test]
fn without_an_offset_no_times_are_read() {
    let body = json!({"data": {"kind": "group", "id": 1, "modified_at": "secret"}});
    let outcome = rules(GROUP).statements(&body, &Given::default(), false, None);
    assert_eq!(outcome.faults, []);
    assert_eq!(short(&outcome.statements[0]), "#1");
}

#[test]
fn of_very_many_faults_the_first_are_told_and_the_others_counted() {
    let outcome = outcome(NAMED, &json!({"departments": vec![0; 1500]}), false);
    assert_eq!(outcome.faults.len(), 1001);
    assert_eq!(outcome.faults[1000].detail, "has 500 more faults");
}

#[test]
fn a_body_makes_only_so_many_statements() {
    let body = json!({"departments": vec![json!({"name": "A"}); MAX_STATEMENTS + 2]});
    let made = outcome(NAMED, &body, false);
    let told: Vec<String> = made.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "$['departments'][100000] goes beyond the 100000 statements of one body (by groups.department)"
        ]
    );
    assert_eq!(made.statements.len(), MAX_STATEMENTS);
}

#[test]
fn rules_know_what_they_are_about() {
    assert!(rules("").is_empty());
    assert!(rules(PERSON).has_persons() && !rules(PERSON).is_empty());
    assert!(!rules(GROUP).has_persons());
}

#[test]
fn all_problems_are_noted() {
    check_problems(
        r#"
            [groups.a]
            at = "data"
            colour = 1
            no_parent = "none"
            parent_name = "$.p"
            [groups.b]
            name = "$.n"
            [groups.b.members]
            complete = "header:x"
            [persons.c]
            at = 7
            chain = [{ name = "$.n" }, {}, 1]
            removed = { at = "$.x" }
            [persons.d]
            id = "x"
            chain = []
        "#,
        &[
            "groups.a.at must be a JSONPath, which begins with $",
            "groups.a must have key or name",
            "groups.a.parent_type is missing: parent_name needs it",
            "groups.a.no_parent must be one of: not_said, top",
            "groups.a.colour is not known",
            "groups.b.type is missing: name needs it",
            "groups.b.members.at is missing",
            "groups.b.members must have key or name",
            "groups.b.members.complete must be a JSONPath, which begins with $",
            "persons.c.at must be a text that is not empty",
            "persons.c.removed must be an array of conditions such as [{ at = \"$.type\", is = [\"x\"] }]",
            "persons.c.id is missing",
            "persons.c.chain[0].type is missing: name needs it",
            "persons.c.chain[1] must have key or name",
            "persons.c.chain[2] must be a table",
            "persons.d.id must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
             a constant is { value = \"…\" }",
            "persons.d.chain must be an array of levels such as [{ type = { value = \"Department\" }, name = \"$.department\" }]",
        ],
    );
    check_problems(
        "groups = []\npersons = { a = 1 }",
        &["groups must be a table", "persons.a must be a table"],
    );
}

proptest! {
    #[test]
    fn no_body_panics_and_each_says_one_thing(body in any_json(), removed: bool) {
        let toml = r#"
            [groups.a]
            at = "$..*"
            time = "$.time"
            key = "$.id"
            name = ["$.name", "$"]
            type = ["$.type", { value = "T" }]
            parent_key = "$.parent.id"
            parent_name = ["$.parent.name", "$.parent"]
            parent_type = { from = "$.parent.type", default = "T" }
            removed = [{ at = "$.data" }]
            [groups.a.members]
            at = "$.members"
            key = ["$.id", "$"]
            complete = "$.members"
            [persons.a]
            at = "$.data[*]"
            id = ["$.id", "$"]
            chain = [{ key = "$.id", name = "$.name", type = "$.type" }, { key = "body:$.id" }]
        "#;
        let rules = rules(toml);
        let read = || {
            let Outcome { statements, faults, nameless, placeless: _ } =
                rules.statements(&body, &Given::default(), removed, Some(UtcOffset::UTC));
            let statements: Vec<String> = statements.iter().map(short).collect();
            (statements, faults, nameless)
        };
        prop_assert_eq!(read(), read());
    }
}

#[test]
fn what_stands_for_no_time_is_none() {
    let toml = r#"groups.g = { time = "$.at", name = "$.name", type = { value = "Team" } }"#;
    for at in [
        json!(0),
        json!("0"),
        json!("0001-01-01T00:00:00"),
        json!(20_260_131),
    ] {
        check(toml, json!({"at": at, "name": "A"}), &["Team \"A\""]);
    }
}

#[test]
fn a_list_of_members_is_complete_only_where_each_tells_what_it_is() {
    let toml = r#"groups.g = { key = "$.id", members = { at = "$.members[?@.type=='Group']", key = "$.value", complete = "$.members", each_has = "$.type" } }"#;
    let group = |members: Value| json!({"id": "g", "members": members});
    check(
        toml,
        group(json!([{"value": "a", "type": "Group"}, {"value": "b", "type": "User"}])),
        &["#g", "all children of #g", "#a in #g"],
    );
    check(toml, group(json!([])), &["#g", "all children of #g"]);
    check(
        toml,
        group(json!([{"value": "a", "type": "Group"}, {"value": "b"}])),
        &["#g", "#a in #g"],
    );
}

#[test]
fn records_at_any_depth_are_not_searched_at_any_depth_again() {
    let twice = "must not have \"..\" where another place of the same table has it: records may stand in one another then, and each \
                 would be searched again";
    for other in [
        "name = '$..n', type = { value = 'T' }",
        "key = '$.i', parent_key = ['$.p', '$..p']",
        "key = '$.i', time = '$..t'",
        "key = '$.i', when = [{ at = '$..w' }]",
        "key = '$.i', removed = [{ at = '$.r[?@..x]' }]",
        "key = '$.i', members = { at = '$..m', key = '$.i' }",
        "key = '$.i', members = { at = '$.m', key = '$.i', complete = '$..m' }",
    ] {
        let toml = format!("groups.g = {{ at = '$..g', {other} }}");
        check_problems(&toml, &[&format!("groups.g.at {twice}")]);
        let once = toml.replace("at = '$..g', ", "at = '$.g', ");
        check_problems(&once, &[]);
    }
    let persons = "persons.p = { at = '$..p', id = '$.i', chain = [{ key = '$..k' }] }";
    check_problems(persons, &[&format!("persons.p.at {twice}")]);
    let members = "groups.g = { key = '$.i', members = { at = '$..m', key = '$..i' } }";
    check_problems(members, &[&format!("groups.g.members.at {twice}")]);
}

#[test]
fn records_at_any_depth_are_told_where_they_stand_and_are_so_many_at_most() {
    let toml = "groups.g = { at = '$..g', key = '$.i' }";
    let found = |body: &Value| {
        let outcome = rules(toml).statements(body, &Given::default(), false, None);
        let faults = outcome.faults.iter().map(ToString::to_string);
        (outcome.statements.len(), faults.collect::<Vec<String>>())
    };
    let nested = json!({"g": [{"i": 1, "x": {"g": {"i": 2}}}, {"y": [{"g": {}}]}, null]});
    let missing = |at: &str| format!("{at}['i'] has no value (by groups.g.key)");
    let expected = vec![missing("$['g'][1]"), missing("$['g'][1]['y'][0]['g']")];
    assert_eq!(found(&nested), (2, expected));
    let many = json!({"g": vec![json!({"i": 1}); 100_001]});
    let expected =
        "$ has more than the 100000 records that a path with \"..\" may select (by groups.g)";
    assert_eq!(found(&many), (0, vec![expected.to_owned()]));
}
