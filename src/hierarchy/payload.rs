//! The hierarchy that can be sent, and Calven's form of it.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{forest::Forest, name::Group};

/// What the body has around its rows, and a row around its texts.
const AROUND_ALL: usize = r#"{"groupRelationships":[]}"#.len();
const AROUND_A_ROW: usize = r#"{"group":"","groupType":"","parent":"","parentType":""}"#.len();
const AROUND_A_ROW_AT_TOP: usize =
    r#"{"group":"","groupType":"","parent":null,"parentType":null}"#.len();

/// The complete, valid hierarchy: the only thing that can be sent to Calven. Its groups have one
/// parent each, every parent is a group of it, and there are no cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    forest: Arc<Forest>,
}

impl Hierarchy {
    /// Made of what was projected, or of what was published and so projected once.
    pub(super) const fn new(forest: Arc<Forest>) -> Self {
        Self { forest }
    }

    pub(super) const fn forest(&self) -> &Arc<Forest> {
        &self.forest
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.forest.len()
    }

    /// Calven's body, written here so that it is written fast.
    ///
    /// # Errors
    /// None in practice: texts can be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        // Grown on the way it might take twice as much.
        let mut body = Vec::with_capacity(self.json_bytes());
        serde_json::to_writer(&mut body, self)?;
        Ok(body)
    }

    /// How many bytes Calven's body has. A long name is in it once for each group below, so it may be far larger than all names are.
    pub fn json_bytes(&self) -> usize {
        let forest = &self.forest;
        let texts: Vec<usize> = self.rows().map(|(group, _)| group.json_bytes()).collect();
        let text = |at: usize| texts.get(at).copied().unwrap_or_default();
        let rows = (0..forest.len()).map(|at| match forest.above(at) {
            Some(above) => AROUND_A_ROW + text(at) + text(above),
            None => AROUND_A_ROW_AT_TOP + text(at),
        });
        let commas = forest.len().saturating_sub(1);
        AROUND_ALL + rows.sum::<usize>() + commas
    }

    /// The rows: each group and its parent, by type and name.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&Group, Option<&Group>)> {
        self.forest.rows()
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
