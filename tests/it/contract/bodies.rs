//! What `generic` takes, by the document and by the code.

use calven_bridge::sources::generic;
use serde_json::{Value, json};

use super::{Contract, openapi};

const BODY: &str = "/components/schemas/GenericBody";

/// Values that stand in for others.
fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(""),
        json!(" "),
        json!("a\u{7}b"),
        json!("x"),
        json!("2026-01-01T00:00:00Z"),
        json!(1),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!("upsert"),
        json!("remove"),
        json!("rename"),
    ]
}

/// A body with one thing changed: left out, put beside, or replaced.
fn changed(body: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match body {
        Value::Object(fields) => {
            for (key, value) in fields {
                let mut without = fields.clone();
                without.remove(key);
                all.push(Value::Object(without));
                for replaced in values().into_iter().chain(changed(value)) {
                    let mut with = fields.clone();
                    with.insert(key.clone(), replaced);
                    all.push(Value::Object(with));
                }
            }
            for key in FIELDS.into_iter().filter(|key| !fields.contains_key(*key)) {
                for value in values() {
                    let mut with = fields.clone();
                    with.insert(key.to_owned(), value);
                    all.push(Value::Object(with));
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                for replaced in values().into_iter().chain(changed(item)) {
                    let mut with = items.clone();
                    with[at] = replaced;
                    all.push(Value::Array(with));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all
}

const FIELDS: [&str; 12] = [
    "id",
    "occurredAt",
    "changes",
    "groupRelationships",
    "op",
    "group",
    "groupType",
    "key",
    "parent",
    "parentType",
    "parentKey",
    "to",
];

#[test]
fn a_body_is_taken_by_the_document_if_and_only_if_it_is_taken_by_the_code() {
    let mut contract = Contract::of(&openapi::document(&[]));
    let mut good: Vec<Value> = ["02-snapshot", "03-upsert", "04-rename", "05-remove"]
        .iter()
        .map(|event| openapi::body_of(&format!("events/{event}.json")))
        .collect();
    // The snapshot is long, and its rows are alike.
    if let Some(rows) = good[0]["groupRelationships"].as_array_mut() {
        rows.truncate(2);
    }
    good.push(json!({"changes": [{"op": "remove", "key": 7}, {"group": "A", "groupType": "T", "key": "k", "parentKey": 1}]}));
    good.push(json!({"id": 7, "changes": [{"op": "rename", "group": "A", "groupType": "T", "key": "k", "to": "B"}]}));
    let (mut taken, mut refused) = (0, 0);
    for body in &good {
        assert!(generic::map(body).is_ok(), "{body}");
        for body in changed(body).iter().chain([body]) {
            match (generic::map(body), contract.check(BODY, body)) {
                (Ok(_), Ok(())) => taken += 1,
                (Err(_), Err(_)) => refused += 1,
                (Ok(_), Err(why)) => panic!("the document refuses {body}: {why}"),
                (Err(faults), Ok(())) => panic!("the document takes {body}: {faults:?}"),
            }
        }
    }
    assert!(
        taken > 100 && refused > 500,
        "{taken} taken, {refused} refused"
    );
}

/// The fields that the code says that it knows.
#[test]
fn every_field_that_the_code_knows_is_in_the_document_and_no_other() {
    let document = openapi::document(&[]);
    let known = |list: &str, op: &str| -> Vec<String> {
        let body = json!({ list: [{ "op": op, "colour": 1 }] });
        let faults = generic::map(&body).unwrap_err();
        let told = faults
            .iter()
            .find(|fault| fault.path.ends_with(".colour"))
            .unwrap();
        let (_, known) = told.detail.split_once("known are: ").unwrap();
        let mut known: Vec<String> = known.split(", ").map(str::to_owned).collect();
        known.sort();
        known
    };
    for (schema, list, op) in [
        ("GenericUpsert", "changes", "upsert"),
        ("GenericRename", "changes", "rename"),
        ("GenericRemove", "changes", "remove"),
        ("GenericRow", "groupRelationships", "-"),
    ] {
        let fields = document["components"]["schemas"][schema]["properties"]
            .as_object()
            .unwrap();
        let mut fields: Vec<String> = fields.keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, known(list, op), "{schema}");
        assert!(fields.iter().all(|field| FIELDS.contains(&field.as_str())));
    }
}
