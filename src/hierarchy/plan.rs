//! What a PUT would change, its digest, and the guard that holds what would change too much.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    findings::GroupText,
    forest::Forest,
    name::Group,
    payload::{Hierarchy, Row},
    published::Published,
};

/// What a PUT would change against what was last published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New groups, each with its parent.
    pub added: Vec<(Group, Option<Group>)>,
    /// Groups that get another parent: the group by its new name, from, to.
    pub moved: Vec<(Group, Option<Group>, Option<Group>)>,
    /// Groups that are called otherwise: from, to.
    pub renamed: Vec<(Group, Group)>,
    /// Groups that go, each with the parent it had.
    pub removed: Vec<(Group, Option<Group>)>,
    /// What the removed groups would be called now, where that is another name.
    removed_names: Vec<Group>,
    /// The moves by names that no rename changes: the group, from, to.
    lasting_moves: Vec<(Group, Option<Group>, Option<Group>)>,
}

/// The SHA-256, in hexadecimal, of a plan's removals and moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Digest {
    /// A digest as an operator gives it.
    pub fn from_text(text: &str) -> Self {
        Self(text.trim().to_ascii_lowercase())
    }
}

/// How many of each kind of change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// New groups.
    pub added: usize,
    /// Groups under another parent.
    pub moved: usize,
    /// Groups with another name.
    pub renamed: usize,
    /// Groups that go.
    pub removed: usize,
}

/// The changes of a plan, as an answer shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changes<'a> {
    added: Vec<Row<'a>>,
    moved: Vec<Moved<'a>>,
    renamed: Vec<Renamed<'a>>,
    removed: Vec<Row<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Moved<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    from_parent: Option<&'a str>,
    from_parent_type: Option<&'a str>,
}

impl<'a> Moved<'a> {
    fn new(group: &'a Group, from: &'a Option<Group>, to: &'a Option<Group>) -> Self {
        Self {
            row: Row::new(group, to.as_ref()),
            from_parent: from.as_ref().map(|from| from.name.as_str()),
            from_parent_type: from.as_ref().map(|from| from.group_type.as_str()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Renamed<'a> {
    group: &'a str,
    group_type: &'a str,
    to: &'a str,
    to_type: &'a str,
}

/// Where the published groups are found again in a new hierarchy.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// The groups are the same, and each is called what it was.
    EachAtItsPlace,
    Rows(Vec<FoundRow>),
}

impl Default for Found {
    fn default() -> Self {
        Self::Rows(Vec::new())
    }
}

/// Where one is.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundRow {
    /// Its present name, where that is another one than it had.
    pub(super) renamed: Option<Group>,
    /// The place of the group that has its present name.
    pub(super) now: Option<usize>,
    /// The place of the group that has the name it had.
    pub(super) same: Option<usize>,
}

/// What JSON puts around a change's texts, at most.
const AROUND_A_CHANGE: usize = 128;

/// Leaves out what does not fit any more, and says how many that are.
fn shorten<T>(changes: &mut Vec<T>, left: &mut usize, bytes: impl Fn(&T) -> usize) -> usize {
    let fits = changes.iter().take_while(|change| {
        let rest = left.checked_sub(AROUND_A_CHANGE + bytes(change));
        *left = rest.unwrap_or_default();
        rest.is_some()
    });
    let fits = fits.count();
    let untold = changes.len() - fits;
    changes.truncate(fits);
    untold
}

impl Plan {
    /// What leads from what was published to a hierarchy. `found` says where each published group is
    /// found again, `origins` by which names new groups were first known, where those are others.
    pub(super) fn between(
        published: Option<&Published>,
        found: &Found,
        origins: &BTreeMap<Group, Group>,
        hierarchy: &Hierarchy,
    ) -> Self {
        let mut plan = Self::default();
        let forest = hierarchy.forest();
        let empty = Arc::default();
        let before = published.map_or(&empty, Published::forest);
        // Groups that only swapped their names, rows and all, are no change to who reads names.
        if before == forest {
            return plan;
        }
        let found = match found {
            Found::EachAtItsPlace => {
                plan.of_moves(before, forest);
                #[cfg(test)]
                {
                    let found = found_by_name(published, hierarchy);
                    assert_eq!(plan, Self::between(published, &found, origins, hierarchy));
                }
                return plan;
            }
            Found::Rows(found) => found.as_slice(),
        };
        let goes_on = go_on(found, forest.len());
        let mut was: Vec<Option<usize>> = vec![None; forest.len()];
        for (at, now) in goes_on.iter().enumerate() {
            if let Some(slot) = now.and_then(|now| was.get_mut(now)) {
                *slot = Some(at);
            }
        }
        for (at, (group, parent)) in before.rows().enumerate() {
            let now = goes_on.get(at).copied().flatten();
            let Some((now, present)) = now.and_then(|now| Some((now, forest.group(now)?))) else {
                plan.removed.push((group.clone(), parent.cloned()));
                plan.removed_names
                    .extend(found.get(at).and_then(|found| found.renamed.clone()));
                continue;
            };
            if present != group {
                plan.renamed.push((group.clone(), present.clone()));
            }
            let above = forest.above(now);
            // A parent that goes on under another name is the same parent.
            let above_before = before.above(at);
            let goes_on_above =
                above_before.and_then(|above| goes_on.get(above).copied().flatten());
            if goes_on_above == above && above_before.is_some() == above.is_some() {
                continue;
            }
            let lasting = above.and_then(|above| {
                let published = was.get(above).copied().flatten();
                match published.and_then(|at| before.group(at)) {
                    Some(published) => Some(published),
                    None => {
                        let parent = forest.group(above)?;
                        Some(origins.get(parent).unwrap_or(parent))
                    }
                }
            });
            plan.lasting_moves
                .push((group.clone(), parent.cloned(), lasting.cloned()));
            let to = forest.parent(now).cloned();
            plan.moved.push((present.clone(), parent.cloned(), to));
        }
        for ((group, parent), was) in forest.rows().zip(&was) {
            if was.is_none() {
                plan.added.push((group.clone(), parent.cloned()));
            }
        }
        plan
    }

    /// Where all groups are what they were, and some are elsewhere.
    fn of_moves(&mut self, before: &Forest, forest: &Forest) {
        for at in forest.moves_from(before) {
            if let Some(group) = forest.group(at) {
                let (from, to) = (before.parent(at).cloned(), forest.parent(at).cloned());
                let moved = (group.clone(), from, to);
                self.lasting_moves.push(moved.clone());
                self.moved.push(moved);
            }
        }
    }

    /// Whether a PUT would change nothing.
    pub fn is_empty(&self) -> bool {
        let Self {
            added,
            moved,
            renamed,
            removed,
            removed_names: _,
            lasting_moves: _,
        } = self;
        added.is_empty() && moved.is_empty() && renamed.is_empty() && removed.is_empty()
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.added.len() + self.moved.len() + self.renamed.len() + self.removed.len()
    }

    /// How many of each kind.
    pub fn counts(&self) -> Counts {
        Counts {
            added: self.added.len(),
            moved: self.moved.len(),
            renamed: self.renamed.len(),
            removed: self.removed.len(),
        }
    }

    /// Leaves out the changes that are too much to tell: removals, moves and renames go before what is new. Says how many are left
    /// out. What is left has no other digest for that, and is for telling alone.
    pub fn shorten(&mut self, most_bytes: usize) -> usize {
        let mut left = most_bytes;
        let Self {
            added,
            moved,
            renamed,
            removed,
            removed_names: _,
            lasting_moves: _,
        } = self;
        let of = |group: &Option<Group>| group.as_ref().map_or(0, Group::json_bytes);
        shorten(removed, &mut left, |(group, was)| {
            group.json_bytes() + of(was)
        }) + shorten(moved, &mut left, |(group, from, to)| {
            group.json_bytes() + of(from) + of(to)
        }) + shorten(renamed, &mut left, |(from, to)| {
            from.json_bytes() + to.json_bytes()
        }) + shorten(added, &mut left, |(group, parent)| {
            group.json_bytes() + of(parent)
        })
    }

    /// Every group that changes, under each name it has or would have.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        let added = self.added.iter().map(|(group, _)| group);
        let moved = self.moved.iter().map(|(group, ..)| group);
        let renamed = self.renamed.iter().flat_map(|(from, to)| [from, to]);
        let removed = self
            .removed
            .iter()
            .map(|(group, _)| group)
            .chain(&self.removed_names);
        added.chain(moved).chain(renamed).chain(removed)
    }

    /// The digest of its removals and moves. `approvals` is how many plans have been approved
    /// before: with it no digest is good twice.
    pub fn digest(&self, approvals: u64) -> Digest {
        #[derive(Serialize)]
        struct Digested<'a> {
            approvals: u64,
            removed: Vec<GroupText>,
            moved: Vec<Moved<'a>>,
        }
        let digested = Digested {
            approvals,
            removed: self.removed.iter().map(|(group, _)| group.into()).collect(),
            moved: self
                .lasting_moves
                .iter()
                .map(|(group, from, to)| Moved::new(group, from, to))
                .collect(),
        };
        let text = serde_json::to_vec(&digested).unwrap_or_default();
        Digest(hex::encode(Sha256::digest(text)))
    }

    /// The changes, as an answer shows them.
    pub fn changes(&self) -> Changes<'_> {
        Changes {
            added: self
                .added
                .iter()
                .map(|(group, p)| Row::new(group, p.as_ref()))
                .collect(),
            moved: self
                .moved
                .iter()
                .map(|(group, from, to)| Moved::new(group, from, to))
                .collect(),
            renamed: self
                .renamed
                .iter()
                .map(|(from, to)| Renamed {
                    group: from.name.as_str(),
                    group_type: from.group_type.as_str(),
                    to: to.name.as_str(),
                    to_type: to.group_type.as_str(),
                })
                .collect(),
            removed: self
                .removed
                .iter()
                .map(|(group, p)| Row::new(group, p.as_ref()))
                .collect(),
        }
    }
}

/// Which published groups go on, and at which place: by their present name, else by the old one.
fn go_on(found: &[FoundRow], groups: usize) -> Vec<Option<usize>> {
    let mut goes_on: Vec<Option<usize>> = vec![None; found.len()];
    let mut taken = vec![false; groups];
    let mut take = |slot: &mut Option<usize>, at: Option<usize>| {
        if slot.is_none()
            && let Some(at) = at
            && let Some(taken) = taken.get_mut(at)
            && !std::mem::replace(taken, true)
        {
            *slot = Some(at);
        }
    };
    // First those that keep their names, then the renamed, then those found by their old name.
    for renamed in [false, true] {
        for (slot, found) in goes_on.iter_mut().zip(found) {
            if found.renamed.is_some() == renamed {
                take(slot, found.now);
            }
        }
    }
    for (slot, found) in goes_on.iter_mut().zip(found) {
        take(slot, found.same);
    }
    goes_on
}

/// Where a published hierarchy's groups are found again in another by their names alone.
pub(super) fn found_by_name(published: Option<&Published>, hierarchy: &Hierarchy) -> Found {
    let groups = published.iter().flat_map(|p| p.forest().groups());
    let rows = groups.map(|group| {
        let at = hierarchy.forest().find(group);
        FoundRow {
            renamed: None,
            now: at,
            same: at,
        }
    });
    Found::Rows(rows.collect())
}

/// How much a plan may remove or move without an operator's approval. A kind of change is held when
/// it exceeds both its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Removals: percent of the published groups.
    pub max_removed_percent: u32,
    /// Removals: groups.
    pub max_removed_groups: usize,
    /// Moves: percent of the published groups.
    pub max_moved_percent: u32,
    /// Moves: groups.
    pub max_moved_groups: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            max_removed_percent: 20,
            max_removed_groups: 5,
            max_moved_percent: 50,
            max_moved_groups: 20,
        }
    }
}

impl Guard {
    /// Whether a plan against so many published groups needs an operator's approval.
    pub fn holds(&self, plan: &Plan, published_groups: usize) -> bool {
        let exceeds = |count: usize, percent: u32, groups: usize| {
            count > groups
                && count.saturating_mul(100) > published_groups.saturating_mul(percent as usize)
        };
        exceeds(
            plan.removed.len(),
            self.max_removed_percent,
            self.max_removed_groups,
        ) || exceeds(
            plan.moved.len(),
            self.max_moved_percent,
            self.max_moved_groups,
        )
    }
}
