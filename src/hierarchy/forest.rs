//! Who is above whom: cycles, and forests, which have none.

use std::{collections::BTreeMap, sync::Arc};

use super::name::Group;

/// A valid hierarchy: its groups by type, then name, each with its parent's place among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Forest {
    /// Shared with hierarchies of the same groups: as a rule only parents change.
    groups: Arc<Vec<Group>>,
    parents: Vec<Option<u32>>,
}

impl Forest {
    /// A forest of groups that are sorted, without any twice.
    pub(super) fn new(groups: Vec<Group>, parents: Vec<Option<u32>>) -> Self {
        Self {
            groups: Arc::new(groups),
            parents,
        }
    }

    /// The same groups under other parents.
    pub(super) fn rearranged(&self, parents: Vec<Option<u32>>) -> Self {
        Self {
            groups: Arc::clone(&self.groups),
            parents,
        }
    }

    /// Whether it is known without looking that both have the same groups.
    pub(super) fn shares_groups(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.groups, &other.groups)
    }

    /// Where the groups have other parents than in one that has the same groups.
    pub(super) fn moves_from<'f>(&'f self, other: &'f Self) -> impl Iterator<Item = usize> + 'f {
        let parents = self.parents.iter().zip(&other.parents).enumerate();
        parents.filter_map(|(at, (now, before))| (now != before).then_some(at))
    }

    /// What these rows say, valid or not: for what was read.
    pub(super) fn of_rows(rows: BTreeMap<Group, Option<Group>>) -> Self {
        let (groups, above): (Vec<Group>, Vec<Option<Group>>) = rows.into_iter().unzip();
        // A parent that is no group of it has no place in it.
        let at = |parent: Group| groups.binary_search(&parent).map_or(u32::MAX, place);
        let parents = above.into_iter().map(|parent| parent.map(at)).collect();
        Self::new(groups, parents)
    }

    /// Whether every rule of Calven's holds, as it must: for what was read.
    pub(super) fn is_valid(&self) -> bool {
        let is_sorted = self
            .groups
            .iter()
            .zip(self.groups.iter().skip(1))
            .all(|(a, b)| a < b);
        let is_closed = self.parents.len() == self.groups.len()
            && self
                .parents
                .iter()
                .flatten()
                .all(|parent| (*parent as usize) < self.groups.len());
        is_sorted
            && is_closed
            && cycles_above(0..self.len(), self.len(), |at| self.above(at)).is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn group(&self, at: usize) -> Option<&Group> {
        self.groups.get(at)
    }

    /// The place of the parent of the group at a place.
    pub(super) fn above(&self, at: usize) -> Option<usize> {
        self.parents
            .get(at)
            .copied()
            .flatten()
            .map(|at| at as usize)
    }

    pub(super) fn parent(&self, at: usize) -> Option<&Group> {
        self.group(self.above(at)?)
    }

    pub(super) fn find(&self, group: &Group) -> Option<usize> {
        self.groups.binary_search(group).ok()
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Each group and its parent.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = (&Group, Option<&Group>)> {
        let parent = |parent: &Option<u32>| self.group((*parent)? as usize);
        let parents = self.parents.iter().map(parent);
        self.groups.iter().zip(parents)
    }
}

/// A place in a forest: four thousand million groups fit into no function's memory.
pub(super) fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The cycles that are reached upwards from the starts, among so many that have at most one parent
/// each: each cycle from where it was entered.
pub(super) fn cycles_above(
    starts: impl Iterator<Item = usize>,
    count: usize,
    parent: impl Fn(usize) -> Option<usize>,
) -> Vec<Vec<usize>> {
    // Of which start's walk a place was seen first; zero for none.
    let mut seen: Vec<u32> = vec![0; count];
    let mut found = Vec::new();
    for (walk, start) in (1..).zip(starts) {
        let mut at = Some(start);
        while let Some(place) = at {
            let Some(mark) = seen.get_mut(place) else {
                break;
            };
            if *mark == walk {
                let mut cycle = vec![place];
                let mut next = parent(place);
                while let Some(member) = next.filter(|member| *member != place) {
                    cycle.push(member);
                    next = parent(member);
                }
                found.push(cycle);
                break;
            }
            if *mark != 0 {
                break;
            }
            *mark = walk;
            at = parent(place);
        }
    }
    found
}
