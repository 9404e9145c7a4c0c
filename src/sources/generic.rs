//! The preset `generic`: JSON that anything can be taught to post.
//!
//! Its contract is ours, so a body is read strictly: a misspelt `parent` must not put a group at
//! the top. All faults of a body are reported at once, each with its path.

use std::{borrow::Cow, fmt};

use serde_json::{Map, Value};

use super::{
    fault::{BodyFault, Faults},
    rules::MAX_STATEMENTS,
};
use crate::{
    hierarchy::{
        EventId, Group, GroupRef, Key, Name, Parent, Relationship, Scope, Stated, Statement,
        statement::RowsFault,
    },
    timestamp::Timestamp,
};

/// A body that was understood.
#[derive(Clone, Debug)]
pub struct GenericBody {
    /// The body's own `id`.
    pub id: Option<EventId>,
    /// The statements; a snapshot's begin with what it is complete of.
    pub statements: Vec<Stated>,
}

/// Maps a body to statements.
///
/// # Errors
/// Every [`BodyFault`].
pub fn map(body: &Value) -> Result<GenericBody, Vec<BodyFault>> {
    let mut faults = Faults::default();
    let Some(fields) = body.as_object() else {
        return Err(vec![BodyFault::new("", "must be an object")]);
    };
    let id = optional(fields, "id").and_then(|id| match id_text(id) {
        Some(id) => EventId::new(&id)
            .map_err(|fault| faults.add("id", fault.to_string()))
            .ok(),
        None => {
            faults.add("id", NO_ID);
            None
        }
    });
    let at = faults.time("occurredAt", optional(fields, "occurredAt"));
    let mut statements = Vec::new();
    match (
        optional(fields, "changes"),
        optional(fields, "groupRelationships"),
    ) {
        (Some(changes), None) => {
            for (item, change) in faults.items("changes", changes) {
                statements.extend(read_change(&mut faults, item, change));
            }
        }
        (None, Some(rows)) => {
            statements.push(Statement::Complete(Scope::Groups));
            for (item, row) in faults.items("groupRelationships", rows) {
                statements.extend(read_row(&mut faults, item, row));
            }
        }
        (None, None) => {
            faults.add(
                "changes",
                "is missing; a snapshot has groupRelationships instead",
            );
        }
        (Some(_), Some(_)) => {
            faults.add(
                "groupRelationships",
                "can't stand beside changes: send one or the other",
            );
        }
    }
    if statements.len() > MAX_STATEMENTS {
        faults.add(
            "",
            format!("goes beyond the {MAX_STATEMENTS} statements of one body"),
        );
    }
    faults.finish()?;
    let statements = statements
        .into_iter()
        .map(|statement| Stated { at, statement })
        .collect();
    Ok(GenericBody { id, statements })
}

/// Reads Calven's own rows, as an operator's seed has them.
///
/// # Errors
/// Every [`BodyFault`]; rows that are no hierarchy by Calven's rules are faults too.
pub fn read_seed(rows: &Value) -> Result<crate::hierarchy::SeedRows, Vec<BodyFault>> {
    const PATH: &str = "groupRelationships";
    let mut faults = Faults::default();
    let mut relationships = Vec::new();
    for (item, row) in faults.items(PATH, rows) {
        let Some(fields) = faults.object(item, row) else {
            continue;
        };
        faults.only(
            item,
            fields,
            &["group", "groupType", "parent", "parentType"],
        );
        let group = faults.group(item, fields);
        let parent = faults.named_parent(item, fields);
        if let (Some(group), Ok(parent)) = (group, parent) {
            relationships.push(Relationship { group, parent });
        }
    }
    faults.finish()?;
    crate::hierarchy::SeedRows::new(relationships).map_err(|faults| {
        let fault = |fault: RowsFault| BodyFault::new(PATH, fault.to_string());
        faults.into_iter().map(fault).collect()
    })
}

fn read_change(faults: &mut Faults, item: Item, change: &Value) -> Option<Statement> {
    let fields = faults.object(item, change)?;
    let op = match optional(fields, "op") {
        None => "upsert",
        Some(Value::String(op)) => op.as_str(),
        Some(_) => "",
    };
    match op {
        "upsert" => {
            faults.only(
                item,
                fields,
                &[
                    "op",
                    "group",
                    "groupType",
                    "key",
                    "parent",
                    "parentType",
                    "parentKey",
                ],
            );
            read_exists(faults, item, fields)
        }
        "remove" => {
            faults.only(item, fields, &["op", "group", "groupType", "key"]);
            let key = faults.key_of(item, fields, "key");
            let named = fields.contains_key("group") || fields.contains_key("groupType");
            let group = match key.as_ref() {
                Ok(Some(key)) if !named => GroupRef::Keyed {
                    key: key.clone(),
                    named: None,
                },
                Ok(_) | Err(()) => GroupRef::new(faults.group(item, fields)?, key.ok()?),
            };
            Some(Statement::Gone { group })
        }
        "rename" => {
            faults.only(item, fields, &["op", "group", "groupType", "key", "to"]);
            let key = faults.key_of(item, fields, "key");
            let group = faults.group(item, fields);
            let to = faults.name(item, fields, "to");
            Some(Statement::Renamed {
                group: group?,
                key: key.ok()?,
                to: to?,
            })
        }
        _ => {
            faults.add(item.field("op"), "must be one of: upsert, rename, remove");
            None
        }
    }
}

fn read_row(faults: &mut Faults, item: Item, row: &Value) -> Option<Statement> {
    let fields = faults.object(item, row)?;
    faults.only(
        item,
        fields,
        &[
            "group",
            "groupType",
            "key",
            "parent",
            "parentType",
            "parentKey",
        ],
    );
    read_exists(faults, item, fields)
}

fn read_exists(faults: &mut Faults, item: Item, fields: &Map<String, Value>) -> Option<Statement> {
    let group = faults.group(item, fields);
    let key = faults.key_of(item, fields, "key");
    let named = faults.named_parent(item, fields);
    let parent_key = faults.key_of(item, fields, "parentKey");
    let parent = match (named.ok()?, parent_key.ok()?) {
        (named, Some(key)) => Parent::Under(GroupRef::Keyed { key, named }),
        (Some(named), None) => Parent::Under(GroupRef::Named(named)),
        (None, None) => Parent::Top,
    };
    Some(Statement::Exists {
        group: GroupRef::new(group?, key.ok()?),
        parent,
    })
}

/// A field's value; `null` is as good as none.
fn optional<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// One of a list's items; it is put in words where it is at fault, and seldom is one.
#[derive(Clone, Copy)]
struct Item {
    list: &'static str,
    index: usize,
}

impl Item {
    fn field(self, name: &str) -> String {
        format!("{self}.{name}")
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, index } = self;
        write!(f, "{list}[{index}]")
    }
}

impl Faults {
    fn items<'a>(
        &mut self,
        list: &'static str,
        value: &'a Value,
    ) -> impl Iterator<Item = (Item, &'a Value)> + use<'a> {
        let items = value.as_array();
        if items.is_none() {
            self.add(list, "must be an array");
        }
        let items = items.into_iter().flatten().enumerate();
        items.map(move |(index, value)| (Item { list, index }, value))
    }

    fn object<'a>(&mut self, item: Item, value: &'a Value) -> Option<&'a Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.add(item.to_string(), "must be an object");
        }
        object
    }

    fn only(&mut self, item: Item, fields: &Map<String, Value>, known: &[&str]) {
        for field in fields
            .keys()
            .filter(|field| !known.contains(&field.as_str()))
        {
            // The field's name is the sender's text: shown only as far as it is a plain word.
            let shown: String = field
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
                .take(40)
                .collect();
            self.add(
                item.field(&shown),
                format!("is not known here; known are: {}", known.join(", ")),
            );
        }
    }

    fn time(&mut self, path: &str, value: Option<&Value>) -> Option<Timestamp> {
        let value = value?;
        let time = value.as_str().map(Timestamp::parse_rfc3339);
        if !matches!(time, Some(Ok(_))) {
            self.add(
                path,
                "must be an RFC 3339 time such as 2026-11-22T10:00:00Z",
            );
        }
        time?.ok()
    }

    fn name(&mut self, item: Item, fields: &Map<String, Value>, field: &str) -> Option<Name> {
        match optional(fields, field) {
            None => self.add(item.field(field), "is missing"),
            Some(Value::String(text)) => match Name::new(text) {
                Ok(name) => return Some(name),
                Err(fault) => self.add(item.field(field), fault.to_string()),
            },
            Some(_) => self.add(item.field(field), "must be a string"),
        }
        None
    }

    fn group(&mut self, item: Item, fields: &Map<String, Value>) -> Option<Group> {
        let name = self.name(item, fields, "group");
        let group_type = self.name(item, fields, "groupType");
        Some(Group::new(name?, group_type?))
    }

    /// The parent by name, if there is one; `Err` where there is half of one.
    fn named_parent(
        &mut self,
        item: Item,
        fields: &Map<String, Value>,
    ) -> Result<Option<Group>, ()> {
        let has = |field| optional(fields, field).is_some();
        match (has("parent"), has("parentType")) {
            (false, false) => Ok(None),
            (true, true) => {
                let name = self.name(item, fields, "parent");
                let group_type = self.name(item, fields, "parentType");
                let group = name
                    .zip(group_type)
                    .map(|(name, kind)| Group::new(name, kind));
                group.map(Some).ok_or(())
            }
            (true, false) => {
                self.add(
                    item.field("parentType"),
                    "is missing: parent and parentType go together",
                );
                Err(())
            }
            (false, true) => {
                self.add(
                    item.field("parent"),
                    "is missing: parent and parentType go together",
                );
                Err(())
            }
        }
    }

    /// The sender's id in a field, if there is one; `Err` where it is none.
    fn key_of(
        &mut self,
        item: Item,
        fields: &Map<String, Value>,
        field: &str,
    ) -> Result<Option<Key>, ()> {
        let Some(value) = optional(fields, field) else {
            return Ok(None);
        };
        let Some(text) = id_text(value) else {
            self.add(item.field(field), NO_ID);
            return Err(());
        };
        Key::new(&text)
            .map(Some)
            .map_err(|fault| self.add(item.field(field), fault.to_string()))
    }
}

const NO_ID: &str = "must be a string or a whole number";

/// An id's text: a string, or a whole number as many senders have them.
fn id_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            Some(Cow::Owned(number.to_string()))
        }
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fault::FAULTS_TOLD;
    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: &[(&str, &str)]) {
        let faults = map(body).map(|_| ()).unwrap_err();
        let found: Vec<(&str, &str)> = faults
            .iter()
            .map(|fault| (fault.path.as_str(), fault.detail.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_contract_s_own_example_is_understood() {
        let body = json!({"id": "evt_1", "occurredAt": "2026-11-22T10:00:00Z", "changes": [
            {"op": "upsert", "group": "Channel Marketing", "groupType": "Department", "parent": "Marketing", "parentType": "Division"},
            {"op": "rename", "group": "Mktg", "groupType": "Division", "to": "Marketing"},
            {"op": "remove", "group": "Fax Support", "groupType": "Department"}]});
        let body = map(&body).unwrap();
        assert_eq!(body.id.unwrap().as_str(), "evt_1");
        let at = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").ok();
        assert!(body.statements.iter().all(|stated| stated.at == at));
        assert!(matches!(
            body.statements.as_slice(),
            [
                Stated {
                    statement: Statement::Exists {
                        parent: Parent::Under(_),
                        ..
                    },
                    ..
                },
                Stated {
                    statement: Statement::Renamed { .. },
                    ..
                },
                Stated {
                    statement: Statement::Gone { .. },
                    ..
                },
            ]
        ));
    }

    #[test]
    fn an_op_is_an_upsert_and_no_parent_is_the_top_unless_said() {
        let body = json!({"changes": [{"group": "A", "groupType": "T", "parent": null}]});
        let statements = map(&body).unwrap().statements;
        let [
            Stated {
                at: None,
                statement:
                    Statement::Exists {
                        parent: Parent::Top,
                        ..
                    },
            },
        ] = statements.as_slice()
        else {
            panic!("{statements:?}");
        };
    }

    #[test]
    fn a_snapshot_says_first_what_it_is_complete_of() {
        let rows = json!({"groupRelationships": [
            {"group": "A", "groupType": "T", "parent": null, "parentType": null}]});
        let statements = map(&rows).unwrap().statements;
        assert!(matches!(
            statements[0].statement,
            Statement::Complete(Scope::Groups)
        ));
        assert_eq!(statements.len(), 2);
    }

    #[test]
    fn a_parent_may_be_known_by_its_key_alone() {
        let body =
            json!({"changes": [{"group": "A", "groupType": "T", "key": 7, "parentKey": "9"}]});
        let statements = map(&body).unwrap().statements;
        let Statement::Exists {
            group:
                GroupRef::Keyed {
                    key,
                    named: Some(_),
                },
            parent:
                Parent::Under(GroupRef::Keyed {
                    key: parent,
                    named: None,
                }),
        } = &statements[0].statement
        else {
            panic!("{statements:?}");
        };
        assert_eq!((key.as_str(), parent.as_str()), ("7", "9"));
    }

    #[test]
    fn every_fault_is_named_with_its_path() {
        let body = json!({"id": [], "occurredAt": "yesterday", "changes": [
            {"group": "", "groupType": "T"},
            {"group": "A"},
            {"group": 7, "groupType": "T", "parent": "P"},
            {"group": "A", "groupType": "T\u{0}", "parentType": "T"},
            {"op": "destroy"},
            {"op": "rename", "group": "A", "groupType": "T"},
            {"op": "remove"},
            {"group": "A", "groupType": "T", "parrent": "P"},
            "A",
            {"group": "A", "groupType": "T", "key": 1.5}]});
        let known = "is not known here; known are: op, group, groupType, key, parent, parentType, parentKey";
        check(
            &body,
            &[
                ("id", "must be a string or a whole number"),
                (
                    "occurredAt",
                    "must be an RFC 3339 time such as 2026-11-22T10:00:00Z",
                ),
                ("changes[0].group", "must not be empty"),
                ("changes[1].groupType", "is missing"),
                ("changes[2].group", "must be a string"),
                (
                    "changes[2].parentType",
                    "is missing: parent and parentType go together",
                ),
                (
                    "changes[3].groupType",
                    "must not contain control characters",
                ),
                (
                    "changes[3].parent",
                    "is missing: parent and parentType go together",
                ),
                ("changes[4].op", "must be one of: upsert, rename, remove"),
                ("changes[5].to", "is missing"),
                ("changes[6].group", "is missing"),
                ("changes[6].groupType", "is missing"),
                ("changes[7].parrent", known),
                ("changes[8]", "must be an object"),
                ("changes[9].key", "must be a string or a whole number"),
            ],
        );
    }

    #[test]
    fn a_body_says_changes_or_a_snapshot_and_not_both() {
        check(&json!([]), &[("", "must be an object")]);
        check(
            &json!({}),
            &[(
                "changes",
                "is missing; a snapshot has groupRelationships instead",
            )],
        );
        check(
            &json!({"changes": [], "groupRelationships": []}),
            &[(
                "groupRelationships",
                "can't stand beside changes: send one or the other",
            )],
        );
        check(&json!({"changes": {}}), &[("changes", "must be an array")]);
    }

    #[test]
    fn a_seed_that_calven_would_refuse_is_refused() {
        let row = |group: &str, parent: Option<&str>| json!({"group": group, "groupType": "T", "parent": parent, "parentType": parent.map(|_| "T")});
        let faults = |rows: Vec<Value>| -> Vec<String> {
            let faults = read_seed(&Value::Array(rows)).unwrap_err();
            faults.into_iter().map(|fault| fault.detail).collect()
        };
        assert_eq!(
            faults(vec![row("A", Some("B")), row("B", Some("A"))]),
            [r#"T "A" under T "B" under T "A" is a cycle"#]
        );
        assert_eq!(
            faults(vec![row("A", Some("B")), row("A", None)]),
            [r#"T "A" has more than one parent"#]
        );
        let twice = read_seed(&Value::Array(vec![row("A", None), row("A", None)])).unwrap();
        assert_eq!(twice.rows().len(), 1);
    }

    #[test]
    fn of_very_many_faults_the_first_are_told_and_the_others_counted() {
        let faults = map(&json!({"changes": vec![0; 1500]})).unwrap_err();
        assert_eq!(faults.len(), FAULTS_TOLD + 1);
        assert_eq!(faults[FAULTS_TOLD - 1].path, "changes[999]");
        assert_eq!(faults[FAULTS_TOLD].detail, "has 500 more faults");
    }
}
