//! What depends on what: for forgetting, which must not cut through it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    name::Group,
    published::Published,
    records::{LedgerScope, NamedSaying, Placement, Ref, Said, SourceLedger},
    statement::SourceName,
    view::{Life, View},
};

/// The groups, by present names, on which what is projected may depend: those that live for any
/// source, and upwards from them all that are named as parents, gone or not.
pub(super) fn needed_groups(
    seeds: &BTreeSet<Group>,
    published: &[&Published],
    views: &BTreeMap<&SourceName, View<'_>>,
) -> BTreeSet<Group> {
    let mut parents: BTreeMap<Group, BTreeSet<Group>> = BTreeMap::new();
    let mut queue: Vec<Group> = Vec::new();
    for view in views.values() {
        for (group, record) in view.records() {
            let Some(name) = view.name_of(group) else {
                continue;
            };
            if let Some((mark, Placement::Under(parent))) = &record.placed {
                let parent = view.target(parent, mark.own).group().cloned();
                parents.entry(name.clone()).or_default().extend(parent);
            }
            if matches!(view.life(record), Some(Life::Lives(_))) {
                queue.push(name);
            }
        }
        for (_, at, groups) in view.persons() {
            queue.extend(
                groups
                    .iter()
                    .filter_map(|g| view.target(g, at).group().cloned()),
            );
        }
    }
    queue.extend(seeds.iter().cloned());
    // What is held falls back on what is published.
    let rows = published
        .iter()
        .flat_map(|published| published.rows().keys().cloned());
    queue.extend(reached_from(rows.collect(), views));
    let mut needed = BTreeSet::new();
    while let Some(group) = queue.pop() {
        if needed.insert(group.clone()) {
            queue.extend(parents.remove(&group).unwrap_or_default());
        }
    }
    needed
}

/// These names, and every name that renames of any source, whenever, lead to from them.
pub(super) fn reached_from(
    names: BTreeSet<Group>,
    views: &BTreeMap<&SourceName, View<'_>>,
) -> BTreeSet<Group> {
    let mut reached = BTreeSet::new();
    let mut queue: Vec<Group> = names.into_iter().collect();
    while let Some(name) = queue.pop() {
        if reached.insert(name.clone()) {
            queue.extend(views.values().flat_map(|view| view.names_led_to(&name)));
        }
    }
    reached
}

pub(super) fn keys_referred_to(source: &SourceLedger) -> BTreeSet<Ref> {
    references(source).cloned().collect()
}

/// Every reference to a group: as a parent, in a person's record, or of its children.
pub(super) fn references(source: &SourceLedger) -> impl Iterator<Item = &Ref> {
    let by_key = source
        .ids
        .values()
        .filter_map(|record| match &record.placed {
            Some(Said {
                what: Placement::Under(parent),
                ..
            }) => Some(parent),
            Some(Said {
                what: Placement::Top,
                ..
            })
            | None => None,
        });
    let by_name = source
        .names
        .values()
        .flat_map(|record| record.said.keys())
        .filter_map(|(_, saying)| match saying {
            NamedSaying::Exists(Some(Placement::Under(parent))) | NamedSaying::Member(parent) => {
                Some(parent)
            }
            NamedSaying::Exists(_) | NamedSaying::Gone | NamedSaying::Renamed(_) => None,
        });
    let by_person = source
        .persons
        .values()
        .filter_map(|record| record.placed.as_ref())
        .flat_map(|s| &s.what);
    let by_scope = source.snapshots.keys().filter_map(|scope| match scope {
        LedgerScope::ChildrenOf(parent) => Some(parent),
        LedgerScope::Groups | LedgerScope::Persons => None,
    });
    by_key.chain(by_name).chain(by_person).chain(by_scope)
}
