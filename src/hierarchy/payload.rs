//! The hierarchy that can be sent, and Calven's form of it.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{
    forest::Forest,
    name::{Group, GroupType},
};

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

    /// Calven's body, written here so that it is written fast: byte for byte what is serialized below.
    ///
    /// # Errors
    /// None in practice: texts can be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let forest = &self.forest;
        let texts = Texts::of(forest)?;
        // Grown on the way it might take twice as much.
        let mut body = Vec::with_capacity(bytes(forest, |at| texts.bytes(at)));
        body.extend_from_slice(br#"{"groupRelationships":["#);
        for at in 0..forest.len() {
            if at > 0 {
                body.push(b',');
            }
            let (name, group_type) = texts.of_group(at);
            let above = forest.above(at).map(|above| texts.of_group(above));
            let (parent, parent_type) = above.unwrap_or((b"null", b"null"));
            body.extend_from_slice(br#"{"group":"#);
            body.extend_from_slice(name);
            body.extend_from_slice(br#","groupType":"#);
            body.extend_from_slice(group_type);
            body.extend_from_slice(br#","parent":"#);
            body.extend_from_slice(parent);
            body.extend_from_slice(br#","parentType":"#);
            body.extend_from_slice(parent_type);
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
        Ok(body)
    }

    /// How many bytes Calven's body has. A long name is in it once for each group below, so it may be far larger than all names are.
    pub fn json_bytes(&self) -> usize {
        let texts: Vec<usize> = self.rows().map(|(group, _)| group.json_bytes()).collect();
        bytes(&self.forest, |at| {
            texts.get(at).copied().unwrap_or_default()
        })
    }

    /// The rows: each group and its parent, by type and name.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&Group, Option<&Group>)> {
        self.forest.rows()
    }
}

/// How many bytes the body has, where one knows how many the texts of the group at a place have.
fn bytes(forest: &Forest, texts: impl Fn(usize) -> usize) -> usize {
    let rows = (0..forest.len()).map(|at| match forest.above(at) {
        Some(above) => AROUND_A_ROW + texts(at) + texts(above),
        None => AROUND_A_ROW_AT_TOP + texts(at),
    });
    let commas = forest.len().saturating_sub(1);
    AROUND_ALL + rows.sum::<usize>() + commas
}

/// The names and types of a forest's groups as JSON, each once. A group's text is needed for each group below, in no order: so it
/// lies closer to the others, and nothing is escaped twice.
#[derive(Debug, Default)]
struct Texts {
    names: Vec<u8>,
    types: Vec<Vec<u8>>,
    /// Of each group where its name ends, and which type it is of.
    groups: Vec<(usize, usize)>,
}

impl Texts {
    fn of(forest: &Forest) -> Result<Self, serde_json::Error> {
        let mut texts = Self {
            groups: Vec::with_capacity(forest.len()),
            ..Self::default()
        };
        let mut last: Option<&GroupType> = None;
        for Group { group_type, name } in forest.groups() {
            if last != Some(group_type) {
                texts.types.push(serde_json::to_vec(group_type)?);
                last = Some(group_type);
            }
            serde_json::to_writer(&mut texts.names, name)?;
            let place = (texts.names.len(), texts.types.len().saturating_sub(1));
            texts.groups.push(place);
        }
        Ok(texts)
    }

    /// The name and type of the group at a place.
    fn of_group(&self, at: usize) -> (&[u8], &[u8]) {
        let (end, of) = self.groups.get(at).copied().unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| self.groups.get(before));
        let begin = before.map_or(0, |(end, _)| *end);
        let name = self.names.get(begin..end).unwrap_or_default();
        (name, self.types.get(of).map_or(&[], Vec::as_slice))
    }

    /// How many bytes they have within their quotes.
    fn bytes(&self, at: usize) -> usize {
        let (name, group_type) = self.of_group(at);
        (name.len() + group_type.len()).saturating_sub(4)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::statement::group;

    #[test]
    fn what_is_sent_is_what_is_serialized() {
        let names = [
            ("Company", "all"),
            ("Team", r#"a "quoted" one"#),
            ("Team", r"a\b"),
            ("Team", "Größe"),
            (r#"a "type""#, "all"),
        ];
        let groups = names.map(|(group_type, name)| group(name, group_type).unwrap());
        let parents = [None, Some(0), Some(3), Some(4), None];
        for groups in [groups.to_vec(), Vec::new()] {
            let parents = parents.iter().take(groups.len()).copied().collect();
            let hierarchy = Hierarchy::new(Arc::new(Forest::new(groups, parents)));
            let body = hierarchy.to_json().unwrap();
            assert_eq!(body, serde_json::to_vec(&hierarchy).unwrap());
            assert_eq!(body.len(), hierarchy.json_bytes());
            assert_eq!(body.len(), body.capacity());
        }
    }
}
