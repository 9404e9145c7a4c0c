//! The hierarchy that can be sent, and Calven's form of it.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{name::Group, published::Published};

/// The complete, valid hierarchy: the only thing that can be sent to Calven. Its groups have one
/// parent each, every parent is a group of it, and there are no cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    pub(super) parents: BTreeMap<Group, Option<Group>>,
}

impl Hierarchy {
    pub(super) fn from_published(published: &Published) -> Self {
        let rows = published.rows().iter();
        Self {
            parents: rows
                .map(|(group, row)| (group.clone(), row.parent.clone()))
                .collect(),
        }
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.parents.len()
    }

    /// The rows: each group and its parent, by type and name.
    pub fn rows(&self) -> impl Iterator<Item = (&Group, Option<&Group>)> {
        self.parents
            .iter()
            .map(|(group, parent)| (group, parent.as_ref()))
    }

    pub(super) fn parent(&self, group: &Group) -> Option<&Option<Group>> {
        self.parents.get(group)
    }
}

/// Calven's row, as its PUT takes it ("Submit group hierarchy relationships").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<'a> {
    /// The group's name.
    pub group: &'a str,
    /// Its type.
    pub group_type: &'a str,
    /// The parent's name; with its type `null` at the top.
    pub parent: Option<&'a str>,
    /// The parent's type.
    pub parent_type: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The row of a group and its parent.
    pub fn new(group: &'a Group, parent: Option<&'a Group>) -> Self {
        Self {
            group: group.name.as_str(),
            group_type: group.group_type.as_str(),
            parent: parent.map(|parent| parent.name.as_str()),
            parent_type: parent.map(|parent| parent.group_type.as_str()),
        }
    }
}

impl Serialize for Hierarchy {
    /// Calven's body: `{"groupRelationships": […]}`, rows by type and name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Rows<'a>(&'a Hierarchy);
        impl Serialize for Rows<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.rows().map(|(group, parent)| Row::new(group, parent)))
            }
        }
        let mut body = serializer.serialize_struct("Hierarchy", 1)?;
        body.serialize_field("groupRelationships", &Rows(self))?;
        body.end()
    }
}
