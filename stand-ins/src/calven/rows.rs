//! The rows of a hierarchy, Calven's rules for them, and how they look as a tree.
//!
//! Facts: apidocs.calven.com, "Org Hierarchy Information Overview".

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use serde::{Deserialize, Deserializer, Serialize};

/// One row of the payload; all four fields must be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Name of the group.
    pub group: String,
    /// Type of the group.
    pub group_type: String,
    /// Name of its parent; null at the top.
    #[serde(deserialize_with = "null_but_present")]
    pub parent: Option<String>,
    /// Type of its parent; null at the top.
    #[serde(deserialize_with = "null_but_present")]
    pub parent_type: Option<String>,
}

/// Serde takes a missing key for null unless the reading is spelled out.
fn null_but_present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(value)
}

/// Calven's rules for a complete hierarchy.
///
/// # Errors
/// Names the fault.
pub fn check(rows: &[Row]) -> Result<(), String> {
    let mut parents = HashMap::new();
    for row in rows {
        let name = format!("{} [{}]", row.group, row.group_type);
        if row.group.is_empty() || row.group_type.is_empty() {
            return Err(format!("{name}: group and groupType must not be empty"));
        }
        if row.parent.is_some() != row.parent_type.is_some() {
            return Err(format!(
                "{name}: parent and parentType must both be null or both be given"
            ));
        }
        if parents.insert(group(row), parent(row)).is_some() {
            return Err(format!("{name} stands in more than one row"));
        }
    }
    for row in rows {
        let mut at = group(row);
        let mut steps = 0;
        while let Some(Some(above)) = parents.get(&at) {
            at = *above;
            steps += 1;
            if steps > rows.len() {
                return Err(format!(
                    "{} [{}] is in a cycle or below one",
                    row.group, row.group_type
                ));
            }
        }
    }
    Ok(())
}

/// Renders rows as [`CalvenStandIn::tree`](super::CalvenStandIn::tree) does.
pub fn tree(rows: &[Row]) -> String {
    let mut children: BTreeMap<Option<Group<'_>>, BTreeSet<Group<'_>>> = BTreeMap::new();
    let groups: BTreeSet<Group<'_>> = rows.iter().map(group).collect();
    for row in rows {
        children.entry(parent(row)).or_default().insert(group(row));
        // Calven does not ask for a row of the parent's own; the tree must show it all the same.
        if let Some(parent) = parent(row).filter(|parent| !groups.contains(parent)) {
            children.entry(None).or_default().insert(parent);
        }
    }
    let mut text = String::new();
    let mut pending: Vec<(usize, Group<'_>)> = Vec::new();
    let below = |depth, of: Option<Group<'_>>, pending: &mut Vec<_>| {
        let found = children.get(&of).into_iter().flatten().rev();
        pending.extend(found.map(|group| (depth, *group)));
    };
    below(0, None, &mut pending);
    while let Some((depth, group)) = pending.pop() {
        let (name, group_type) = group;
        let _written = writeln!(
            text,
            "{:indent$}{name} [{group_type}]",
            "",
            indent = depth * 2
        );
        below(depth + 1, Some(group), &mut pending);
    }
    text
}

type Group<'a> = (&'a str, &'a str);

fn group(row: &Row) -> Group<'_> {
    (&row.group, &row.group_type)
}

fn parent(row: &Row) -> Option<Group<'_>> {
    Some((row.parent.as_deref()?, row.parent_type.as_deref()?))
}
