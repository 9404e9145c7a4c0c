//! What was last published, and by what its groups are found again under their present names.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    anchors::Anchors,
    forest::Forest,
    name::Group,
    pairs,
    payload::Hierarchy,
    settle::PublishedParents,
    table::{GroupId, Names},
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    forest: Arc<Forest>,
    /// By what each of its groups is found again.
    anchors: Anchors,
}

/// What undoes one publication: the rows as they were before it, `None` where there was none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Undo {
    #[serde(with = "pairs")]
    pub(super) rows: BTreeMap<Group, Option<PublishedRow>>,
}

impl Undo {
    /// Whether there is nothing to undo.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the publication made another row of this group's, or none.
    pub fn concerns(&self, group: &Group) -> bool {
        self.rows.contains_key(group)
    }
}

impl Published {
    pub(super) const fn new(forest: Arc<Forest>, anchors: Anchors) -> Self {
        Self { forest, anchors }
    }

    /// The hierarchy, to be sent again.
    pub fn hierarchy(&self) -> Hierarchy {
        Hierarchy::new(Arc::clone(&self.forest))
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.forest.len()
    }

    /// What leads back from `self` to `before`: the rows that differ. By what the others are found
    /// again is taken from the newer one.
    pub fn undo_to(&self, before: &Self) -> Undo {
        let mut undo = Undo::default();
        if Arc::ptr_eq(&self.forest, &before.forest) {
            return undo;
        }
        if self.forest.shares_groups(&before.forest) {
            for at in self.forest.moves_from(&before.forest) {
                if let Some(group) = before.forest.group(at) {
                    let row = PublishedRow {
                        parent: before.forest.parent(at).cloned(),
                        anchor: before.anchors.get(at).cloned(),
                    };
                    undo.rows.insert(group.clone(), Some(row));
                }
            }
            #[cfg(test)]
            assert_eq!(undo, self.undo_row_by_row(before));
            return undo;
        }
        self.undo_row_by_row(before)
    }

    /// The same, for hierarchies of any groups.
    fn undo_row_by_row(&self, before: &Self) -> Undo {
        let mut undo = Undo::default();
        let mut now = self.forest.rows().peekable();
        for ((group, parent), anchor) in before.forest.rows().zip(before.anchors.iter()) {
            let mut differs = true;
            while let Some((other, other_parent)) = now.peek() {
                match Ord::cmp(*other, group) {
                    Ordering::Less => {
                        undo.rows.insert((*other).clone(), None);
                    }
                    Ordering::Equal => differs = *other_parent != parent,
                    Ordering::Greater => break,
                }
                now.next();
            }
            if differs {
                let row = PublishedRow {
                    parent: parent.cloned(),
                    anchor: anchor.clone(),
                };
                undo.rows.insert(group.clone(), Some(row));
            }
        }
        undo.rows
            .extend(now.map(|(group, _)| (group.clone(), None)));
        undo
    }

    /// The hierarchy as it was before what `undo` undoes.
    #[must_use]
    pub fn undone(&self, undo: &Undo) -> Self {
        let mut rows: BTreeMap<Group, PublishedRow> = self
            .rows()
            .map(|(group, row)| (group.clone(), row))
            .collect();
        for (group, row) in &undo.rows {
            match row {
                Some(row) => rows.insert(group.clone(), row.clone()),
                None => rows.remove(group),
            };
        }
        Self::of_rows(rows)
    }

    /// Whether every rule of Calven's holds, as it must: for states that were read.
    pub fn is_valid(&self) -> bool {
        self.forest.is_valid() && self.anchors.len() == self.forest.len()
    }

    pub(super) const fn forest(&self) -> &Arc<Forest> {
        &self.forest
    }

    pub(super) const fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    fn of_rows(rows: BTreeMap<Group, PublishedRow>) -> Self {
        let anchors = rows.values().map(|row| row.anchor.clone()).collect();
        let rows = rows.into_iter().map(|(group, row)| (group, row.parent));
        let forest = Forest::of_rows(rows.collect());
        Self::new(Arc::new(forest), anchors)
    }

    fn rows(&self) -> impl Iterator<Item = (&Group, PublishedRow)> {
        let rows = self.forest.rows().zip(self.anchors.iter());
        rows.map(|((group, parent), anchor)| {
            let row = PublishedRow {
                parent: parent.cloned(),
                anchor: anchor.clone(),
            };
            (group, row)
        })
    }

    /// What its groups are called now.
    pub(super) fn present(&self, views: &Views<'_>, names: &mut Names<'_>) -> Present {
        let groups = self.forest.groups();
        let ids = names.ids_of_sorted(groups);
        let rows = groups.iter().zip(self.anchors.iter()).zip(ids);
        let rows = rows.map(|((group, anchor), name)| {
            let now = match anchor {
                Some(anchor) => views.present_name((group, name), anchor, names),
                None => name,
            };
            PresentRow { name, now }
        });
        Present {
            rows: rows.collect(),
        }
    }
}

impl Serialize for Published {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}

impl<'de> Deserialize<'de> for Published {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs::deserialize(deserializer).map(Self::of_rows)
    }
}

/// The published groups' names, then and now.
#[derive(Debug, Default)]
pub(super) struct Present {
    pub(super) rows: Vec<PresentRow>,
}

/// A published group's name, then and now.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresentRow {
    pub(super) name: GroupId,
    pub(super) now: GroupId,
}

impl Present {
    /// Whether these are the published groups, and each is called what it was.
    pub(super) fn is_unchanged(&self, groups: &[GroupId]) -> bool {
        let rows = || self.rows.iter().zip(groups);
        self.rows.len() == groups.len()
            && rows().all(|(row, group)| row.name == *group && row.now == *group)
    }

    /// The published parents, all under present names.
    pub(super) fn parents(&self, published: &Published) -> PublishedParents {
        let mut parents = PublishedParents::default();
        for (at, row) in self.rows.iter().enumerate() {
            let parent = published.forest.above(at).and_then(|at| self.rows.get(at));
            let slot = parents.slot(row.now);
            // Two groups that bear one name by now: the one that bore it already goes on.
            if row.now == row.name || slot.is_none() {
                *slot = Some(parent.map(|parent| parent.now));
            }
        }
        parents
    }
}
