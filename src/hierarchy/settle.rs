//! From claims to a valid forest: what cannot take effect is held, and the rest keeps every rule.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    claims::{By, Choice, Claims, ParentOf},
    name::{Group, Key},
    records::Stamp,
    view::Target,
};

/// The parent that a group ends up with, and why.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) parent: Option<Group>,
    pub(super) at: Stamp,
    pub(super) by: By,
    kind: EdgeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EdgeKind {
    /// By a living claim.
    Chosen,
    /// Of a group that only stays, or is only there, because others name it as their parent.
    Kept,
    /// As published last, since what is said now is held.
    AsPublished,
    /// At the top, since what is said now is held and nothing was published.
    AtTop,
}

/// A statement that cannot take effect yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) group: Group,
    pub(super) by: By,
    pub(super) at: Stamp,
    pub(super) why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its parent is known only by a key that nobody has named, or waits itself.
    UnknownParent(Key),
    /// It would close this cycle.
    Cycle { parent: Group, cycle: Vec<Group> },
}

/// A valid forest, and what waits.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) edges: BTreeMap<Group, Edge>,
    pub(super) waiting: Vec<Waiting>,
}

/// Settles the claims. `published` holds the last published parents, all under present names.
pub(super) fn settle(
    claims: &mut BTreeMap<Group, Claims>,
    published: &BTreeMap<Group, Option<Group>>,
) -> Settled {
    let mut settled = Settled::default();
    hold_unknown_parents(claims, published, &mut settled);
    let claims = &*claims;
    let living: BTreeSet<Group> = settled.edges.keys().cloned().collect();
    // Only an edge that is new can close a cycle, so only those are looked at again.
    let mut fresh: Vec<Group> = living.iter().cloned().collect();
    loop {
        close(claims, &mut settled.edges, &mut fresh);
        let parent = |group: &Group| settled.edges.get(group)?.parent.as_ref();
        let cycles: Vec<Vec<Group>> = cycles_above(fresh.iter(), parent)
            .into_iter()
            .map(|cycle| cycle.into_iter().cloned().collect())
            .collect();
        if cycles.is_empty() {
            break;
        }
        fresh.clear();
        for cycle in cycles {
            let broken = break_cycle(&mut settled.edges, published, &cycle);
            if let Some((group, waiting)) = broken {
                fresh.push(group);
                settled.waiting.extend(waiting);
            }
        }
    }
    keep_needed(&mut settled.edges, living);
    settled
}

/// Sets aside every claim whose parent is a key without a name, or a group that itself waits.
fn hold_unknown_parents(
    claims: &mut BTreeMap<Group, Claims>,
    published: &BTreeMap<Group, Option<Group>>,
    settled: &mut Settled,
) {
    let mut waits: BTreeSet<Group> = BTreeSet::new();
    let mut dependents: BTreeMap<Group, Vec<Group>> = BTreeMap::new();
    let mut queue: Vec<Group> = claims.keys().rev().cloned().collect();
    while let Some(group) = queue.pop() {
        let Some(claims) = claims.get_mut(&group) else {
            continue;
        };
        let edge = loop {
            if !claims.exists() {
                break None;
            }
            let Choice { parent, at, by } = claims.parent();
            let (key, named) = match parent {
                ParentOf::Top => {
                    break Some(Edge {
                        parent: None,
                        at,
                        by,
                        kind: EdgeKind::Chosen,
                    });
                }
                ParentOf::Under(Target::ByName(parent)) => {
                    break Some(Edge {
                        parent: Some(parent),
                        at,
                        by,
                        kind: EdgeKind::Chosen,
                    });
                }
                ParentOf::Under(Target::ByKey(key, parent)) => (key, Some(parent)),
                ParentOf::Under(Target::Unnamed(key)) => (key, None),
            };
            if let Some(parent) = named.filter(|parent| !waits.contains(parent)) {
                dependents
                    .entry(parent.clone())
                    .or_default()
                    .push(group.clone());
                break Some(Edge {
                    parent: Some(parent),
                    at,
                    by,
                    kind: EdgeKind::Chosen,
                });
            }
            settled.waiting.push(Waiting {
                group: group.clone(),
                by: by.clone(),
                at,
                why: Why::UnknownParent(key),
            });
            if let Some(parent) = published.get(&group) {
                let parent = parent.clone();
                break Some(Edge {
                    parent,
                    at,
                    by,
                    kind: EdgeKind::AsPublished,
                });
            }
            set_aside(claims, &by);
        };
        let edge = edge.or_else(|| {
            let (at, source, key) = claims.waiting_person.clone()?;
            let by = By::Persons(source, 1);
            settled.waiting.push(Waiting {
                group: group.clone(),
                by: by.clone(),
                at,
                why: Why::UnknownParent(key),
            });
            let parent = published.get(&group)?.clone();
            let kind = EdgeKind::AsPublished;
            Some(Edge {
                parent,
                at,
                by,
                kind,
            })
        });
        match edge {
            Some(edge) => {
                settled.edges.insert(group, edge);
            }
            None => {
                settled.edges.remove(&group);
                let held = claims.said.iter().any(|claim| claim.held);
                if held && waits.insert(group.clone()) {
                    queue.extend(dependents.remove(&group).unwrap_or_default());
                }
            }
        }
    }
    settled
        .waiting
        .sort_by(|a, b| (&a.group, a.at).cmp(&(&b.group, b.at)));
    settled.waiting.dedup();
}

fn set_aside(claims: &mut Claims, by: &By) {
    for claim in &mut claims.said {
        if let By::Source(source, subject) = by
            && claim.source == *source
            && claim.subject == *subject
        {
            claim.held = true;
        }
    }
}

/// Adds every parent that a fresh edge names and that is not there: one that is gone where it last
/// was, one that nobody stated at the top. Those edges are fresh then, too.
fn close(
    claims: &BTreeMap<Group, Claims>,
    edges: &mut BTreeMap<Group, Edge>,
    fresh: &mut Vec<Group>,
) {
    let mut missing: Vec<Group> = fresh
        .iter()
        .filter_map(|group| edges.get(group)?.parent.clone())
        .collect();
    while let Some(group) = missing.pop() {
        if edges.contains_key(&group) {
            continue;
        }
        let choice = claims.get(&group).map(Claims::last_parent);
        let (parent, at, by) = match choice {
            Some(Choice {
                parent: ParentOf::Under(target),
                at,
                by,
            }) => (
                target.group().cloned().filter(|parent| *parent != group),
                at,
                by,
            ),
            Some(Choice {
                parent: ParentOf::Top,
                at,
                by,
            }) => (None, at, by),
            None => (None, Stamp::default(), By::Nobody),
        };
        missing.extend(parent.clone());
        fresh.push(group.clone());
        edges.insert(
            group,
            Edge {
                parent,
                at,
                by,
                kind: EdgeKind::Kept,
            },
        );
    }
}

/// Takes one edge out of a cycle: of the statements that differ from what is published the newest.
/// Gives the group, and its statement where that waits now.
fn break_cycle(
    edges: &mut BTreeMap<Group, Edge>,
    published: &BTreeMap<Group, Option<Group>>,
    cycle: &[Group],
) -> Option<(Group, Option<Waiting>)> {
    let rank = |group: &Group, edge: &Edge| {
        let differs = published.get(group) != Some(&edge.parent);
        match edge.kind {
            // What is gone has no say against the living.
            EdgeKind::Kept => 3,
            EdgeKind::Chosen if differs => 2,
            EdgeKind::Chosen => 1,
            EdgeKind::AsPublished | EdgeKind::AtTop => 0,
        }
    };
    let (_, _, group) = cycle
        .iter()
        .filter_map(|group| {
            edges
                .get(group)
                .map(|edge| (rank(group, edge), edge.at, group))
        })
        .max()?;
    let edge = edges.get_mut(group)?;
    let parent = edge.parent.clone()?;
    let was_kind = edge.kind;
    let fallback = published
        .get(group)
        .filter(|fallback| was_kind == EdgeKind::Chosen && **fallback != edge.parent);
    (edge.parent, edge.kind) = match fallback {
        Some(fallback) => (fallback.clone(), EdgeKind::AsPublished),
        None => (None, EdgeKind::AtTop),
    };
    let waiting = (was_kind == EdgeKind::Chosen).then(|| Waiting {
        group: group.clone(),
        by: edge.by.clone(),
        at: edge.at,
        why: Why::Cycle {
            parent,
            cycle: from(group, cycle),
        },
    });
    Some((group.clone(), waiting))
}

/// The cycle as it reads from this group upwards.
fn from(group: &Group, cycle: &[Group]) -> Vec<Group> {
    let (before, after): (Vec<&Group>, Vec<&Group>) = {
        let at = cycle
            .iter()
            .position(|member| member == group)
            .unwrap_or_default();
        let (before, after) = cycle.split_at(at);
        (before.iter().collect(), after.iter().collect())
    };
    after.into_iter().chain(before).cloned().collect()
}

/// Drops the parents that were only named by what is held now.
fn keep_needed(edges: &mut BTreeMap<Group, Edge>, living: BTreeSet<Group>) {
    let mut needed = BTreeSet::new();
    let mut queue: Vec<Group> = living.into_iter().collect();
    while let Some(group) = queue.pop() {
        if let Some(edge) = edges.get(&group) {
            queue.extend(
                edge.parent
                    .clone()
                    .filter(|parent| !needed.contains(parent)),
            );
            needed.insert(group);
        }
    }
    edges.retain(|group, _| needed.contains(group));
}

/// Every cycle in a graph where each group has at most one parent, each from its lowest group up.
pub(super) fn cycles<'a>(parents: &BTreeMap<&'a Group, Option<&'a Group>>) -> Vec<Vec<&'a Group>> {
    let parent = |group: &Group| parents.get(group).copied().flatten();
    cycles_above(parents.keys().copied(), parent)
}

/// Of these cycles those that are reached upwards from the groups that `starts` gives.
fn cycles_above<'a>(
    starts: impl Iterator<Item = &'a Group>,
    parent: impl Fn(&Group) -> Option<&'a Group>,
) -> Vec<Vec<&'a Group>> {
    let mut done: BTreeSet<&Group> = BTreeSet::new();
    let mut found = Vec::new();
    for start in starts {
        let mut path: Vec<&Group> = Vec::new();
        let mut on_path: BTreeMap<&Group, usize> = BTreeMap::new();
        let mut at = Some(start);
        while let Some(group) = at {
            if done.contains(group) {
                break;
            }
            if let Some(from) = on_path.get(group) {
                let mut cycle = path.split_off(*from);
                done.extend(cycle.iter().copied());
                let lowest = cycle
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, g)| **g)
                    .map_or(0, |(i, _)| i);
                cycle.rotate_left(lowest);
                found.push(cycle);
                break;
            }
            on_path.insert(group, path.len());
            path.push(group);
            at = parent(group);
        }
        done.extend(path);
    }
    found.sort();
    found
}
