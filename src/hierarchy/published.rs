//! What was last published, and by what its groups are found again under their present names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    name::Group,
    pairs,
    payload::Hierarchy,
    views::{Anchor, Views},
};

/// One published row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedRow {
    pub(super) parent: Option<Group>,
    pub(super) anchor: Option<Anchor>,
}

/// A hierarchy as it was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Published {
    #[serde(with = "pairs")]
    rows: BTreeMap<Group, PublishedRow>,
}

/// What undoes one publication: the rows as they were before it, `None` where there was none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Undo {
    #[serde(with = "pairs")]
    rows: BTreeMap<Group, Option<PublishedRow>>,
}

impl Undo {
    /// Whether there is nothing to undo.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Published {
    /// The hierarchy, to be sent again.
    pub fn hierarchy(&self) -> Hierarchy {
        Hierarchy::from_published(self)
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.rows.len()
    }

    /// What leads back from `self` to `before`: the rows that differ. By what the others are found
    /// again is taken from the newer one.
    pub fn undo_to(&self, before: &Self) -> Undo {
        let mut rows = BTreeMap::new();
        for (group, row) in &before.rows {
            if self.rows.get(group).map(|now| &now.parent) != Some(&row.parent) {
                rows.insert(group.clone(), Some(row.clone()));
            }
        }
        for group in self.rows.keys() {
            if !before.rows.contains_key(group) {
                rows.insert(group.clone(), None);
            }
        }
        Undo { rows }
    }

    /// The hierarchy as it was before what `undo` undoes.
    #[must_use]
    pub fn undone(mut self, undo: &Undo) -> Self {
        for (group, row) in &undo.rows {
            match row {
                Some(row) => self.rows.insert(group.clone(), row.clone()),
                None => self.rows.remove(group),
            };
        }
        self
    }

    /// Whether every rule of Calven's holds, as it must: for states that were read.
    pub fn is_valid(&self) -> bool {
        let closed = self.rows.values().all(|row| {
            row.parent
                .as_ref()
                .is_none_or(|parent| self.rows.contains_key(parent))
        });
        let parents = self
            .rows
            .iter()
            .map(|(group, row)| (group, row.parent.as_ref()))
            .collect();
        closed && super::settle::cycles(&parents).is_empty()
    }

    pub(super) fn from_rows(rows: BTreeMap<Group, PublishedRow>) -> Self {
        Self { rows }
    }

    pub(super) fn rows(&self) -> &BTreeMap<Group, PublishedRow> {
        &self.rows
    }

    pub(super) fn present(&self, views: &Views<'_>) -> Present {
        let names: BTreeMap<Group, Group> = self
            .rows
            .iter()
            .map(|(group, row)| {
                let present = match &row.anchor {
                    Some(anchor) => views.present_name(group, anchor),
                    None => group.clone(),
                };
                (group.clone(), present)
            })
            .collect();
        let mut parents: BTreeMap<Group, Option<Group>> = BTreeMap::new();
        for (group, row) in &self.rows {
            let Some(present) = names.get(group) else {
                continue;
            };
            let parent = row
                .parent
                .as_ref()
                .and_then(|parent| names.get(parent))
                .cloned();
            // Two groups that bear one name by now: the one that bore it already goes on.
            if present == group || !parents.contains_key(present) {
                parents.insert(present.clone(), parent);
            }
        }
        Present {
            names,
            parents,
            origins: BTreeMap::new(),
        }
    }
}

/// The published groups' present names, and their parents by present names.
#[derive(Clone, Debug, Default)]
pub(super) struct Present {
    pub(super) names: BTreeMap<Group, Group>,
    pub(super) parents: BTreeMap<Group, Option<Group>>,
    /// Groups of the new hierarchy by the names they were first known by, where those are others.
    pub(super) origins: BTreeMap<Group, Group>,
}
