//! Rules that hold of what comes out, written anew: Calven's for a body, the bridge's own for names and statements.

use std::collections::BTreeMap;

use calven_bridge::{
    hierarchy::{Group, GroupRef, Parent, PersonSays, Relationship, Scope, Stated, Statement},
    sources::rules::MAX_STATEMENTS,
};
use stand_ins::calven::{Row, check};
use unicode_normalization::UnicodeNormalization as _;

/// Type and name.
pub type Node = (String, String);

/// Each group and its parent.
pub type Rows = BTreeMap<Node, Option<Node>>;

/// The longest name.
const LONGEST: usize = 1024;

/// Checks a name, type or key: not empty, no longer than it may be, trimmed, inner white space collapsed to single spaces,
/// composed, without control characters.
///
/// # Panics
/// Where it is not.
pub fn clean(text: &str) {
    assert!(
        !text.is_empty() && text.len() <= LONGEST,
        "{text:?}: its length"
    );
    assert!(
        !text.chars().any(char::is_control),
        "{text:?}: a control character"
    );
    let collapsed: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(text, collapsed.join(" "), "its white space");
    assert!(text.nfc().eq(text.chars()), "{text:?} is not composed");
}

/// Checks a body for Calven: its rules, by the stand-in, and that every parent has a row.
///
/// # Panics
/// Where a rule is broken.
pub fn body(body: &[u8]) -> Rows {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Payload {
        group_relationships: Vec<Row>,
    }
    let Payload {
        group_relationships: rows,
    } = serde_json::from_slice(body).expect("a body by Calven's form");
    check(&rows).expect("a hierarchy by Calven's rules");
    let rows: Rows = rows
        .into_iter()
        .map(|row| ((row.group_type, row.group), row.parent_type.zip(row.parent)))
        .collect();
    for ((group_type, name), parent) in &rows {
        clean(group_type);
        clean(name);
        if let Some(parent) = parent {
            assert!(
                rows.contains_key(parent),
                "{parent:?} is a parent and has no row"
            );
        }
    }
    rows
}

/// Checks what a mapping has made.
///
/// # Panics
/// Where there are too many statements, or something in them is not clean.
pub fn statements(statements: &[Stated]) {
    // And the one that says that these are all.
    assert!(
        statements.len() <= MAX_STATEMENTS + 1,
        "{} statements",
        statements.len()
    );
    for Stated { at: _, statement } in statements {
        match statement {
            Statement::Exists { group, parent } => {
                reference(group);
                match parent {
                    Parent::Under(parent) => reference(parent),
                    Parent::Top | Parent::NotSaid => {}
                }
            }
            Statement::Member { group, parent } => {
                reference(group);
                reference(parent);
            }
            Statement::Gone { group } => reference(group),
            Statement::Renamed { group, key, to } => {
                named(group);
                key.iter().for_each(|key| clean(key.as_str()));
                clean(to.as_str());
            }
            Statement::Person { person: _, says } => match says {
                PersonSays::In(groups) => groups.iter().for_each(reference),
                PersonSays::Left => {}
            },
            Statement::Complete(scope) => match scope {
                Scope::ChildrenOf(group) => reference(group),
                Scope::Groups | Scope::Persons => {}
            },
        }
    }
}

/// Checks an operator's rows.
///
/// # Panics
/// As [`clean`].
pub fn relationships(rows: &[Relationship]) {
    for Relationship { group, parent } in rows {
        named(group);
        parent.iter().for_each(named);
    }
}

fn reference(group: &GroupRef) {
    match group {
        GroupRef::Named(group) => named(group),
        GroupRef::Keyed { key, named: group } => {
            clean(key.as_str());
            group.iter().for_each(named);
        }
    }
}

fn named(group: &Group) {
    clean(group.name.as_str());
    clean(group.group_type.as_str());
}
