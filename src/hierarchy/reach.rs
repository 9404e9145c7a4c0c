//! What depends on what: for forgetting, which must not cut through it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    records::{LedgerScope, NamedSaying, Placement, Ref, SourceLedger},
    table::{GroupId, KeyId, Names},
    view::Life,
    views::{SourceId, Views},
};

/// The groups, by present names, on which what is projected may depend: those that live for any
/// source, and upwards from them all that are named as parents, gone or not.
pub(super) fn needed_groups(
    seeds: &BTreeSet<GroupId>,
    published: BTreeSet<GroupId>,
    views: &Views<'_>,
    names: &Names<'_>,
) -> HashSet<GroupId> {
    let mut parents: BTreeMap<GroupId, Vec<GroupId>> = BTreeMap::new();
    let mut queue: Vec<GroupId> = Vec::new();
    for (_, _, view) in views.iter() {
        for (group, record) in view.records() {
            let Some(name) = view.name_of(group) else {
                continue;
            };
            if let Some((mark, Placement::Under(parent))) = record.placed {
                let parent = view.target(parent, mark.own, names).group();
                parents.entry(name).or_default().extend(parent);
            }
            if matches!(view.life(record, names), Some(Life::Lives(_))) {
                queue.push(name);
            }
        }
        for (at, groups) in view.persons() {
            queue.extend(
                groups
                    .iter()
                    .filter_map(|group| view.target(*group, at, names).group()),
            );
        }
    }
    queue.extend(seeds);
    // What is held falls back on what is published.
    queue.extend(reached_from(published, views, names));
    let mut needed = HashSet::new();
    while let Some(group) = queue.pop() {
        if needed.insert(group) {
            queue.extend(parents.remove(&group).unwrap_or_default());
        }
    }
    needed
}

/// These names, and every name that renames of any source, whenever, lead to from them.
pub(super) fn reached_from(
    starts: BTreeSet<GroupId>,
    views: &Views<'_>,
    names: &Names<'_>,
) -> BTreeSet<GroupId> {
    let mut reached = BTreeSet::new();
    let mut followed: HashSet<(SourceId, KeyId)> = HashSet::new();
    let mut queue: Vec<GroupId> = starts.into_iter().collect();
    while let Some(name) = queue.pop() {
        if !reached.insert(name) {
            continue;
        }
        for (source, _, view) in views.iter() {
            queue.extend(view.renamed_to(name));
            for key in view.bearers(name) {
                if followed.insert((source, *key)) {
                    queue.extend(view.bore(*key).iter().map(|(_, group)| *group));
                }
            }
            queue.extend(view.numbered_name(name, names));
        }
    }
    reached
}

/// Every reference to a group: as a parent, in a person's record, or of its children.
pub(super) fn references(source: &SourceLedger) -> impl Iterator<Item = Ref> {
    let by_key = source
        .ids
        .values()
        .filter_map(|record| match record.placed?.what {
            Placement::Under(parent) => Some(parent),
            Placement::Top => None,
        });
    let by_name = source
        .names
        .values()
        .flat_map(|record| &record.said)
        .filter_map(|saying| match saying.what {
            NamedSaying::Exists(Some(Placement::Under(parent))) | NamedSaying::Member(parent) => {
                Some(parent)
            }
            NamedSaying::Exists(_) | NamedSaying::Gone | NamedSaying::Renamed(_) => None,
        });
    let by_person = source
        .persons
        .values()
        .filter_map(|record| record.placed.as_ref())
        .flat_map(|said| said.what.iter().copied());
    let by_scope = source.snapshots.keys().filter_map(|scope| match scope {
        LedgerScope::ChildrenOf(parent) => Some(*parent),
        LedgerScope::Groups | LedgerScope::Persons => None,
    });
    by_key.chain(by_name).chain(by_person).chain(by_scope)
}
