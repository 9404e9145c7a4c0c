//! All sources together: who claims which group, and which parent each names for it.

use std::num::NonZeroU32;

use super::{
    claims::{Claims, ParentOf, PersonClaims, SaidClaim},
    ledger::Seed,
    project::Rules,
    records::{Content as _, Placement, Stamp},
    table::{Dense, GroupId, KeyId, Names, number},
    view::{Target, View},
    views::{SourceId, Views},
};
use crate::timestamp::Timestamp;

/// Gathers what every configured source claims, by the groups' present names. `seeded` says when a
/// seed last held a group.
pub(super) fn gather(
    views: &Views<'_>,
    rules: &Rules,
    seeded: &Dense<GroupId, Option<Timestamp>>,
    names: &Names<'_>,
) -> Dense<GroupId, Claims> {
    let mut all: Dense<GroupId, Claims> = Dense::with_capacity(names.count());
    for (group, time) in seeded.iter() {
        if time.is_some() {
            all.slot(group).seeded = *time;
        }
    }
    if let Some(seed) = views.seed() {
        gather_seed(&mut all, views, seed, names);
    }
    let mut several: Vec<GroupId> = Vec::new();
    for (source, name, view) in views.iter() {
        let priority = rules.priority(name).unwrap_or_default();
        for (subject, record) in view.records() {
            let (Some(name), Some(life)) = (view.name_of(subject), view.life(record, names)) else {
                continue;
            };
            let placed = record.placed.map(|(mark, placement)| {
                let parent = match placement {
                    Placement::Top => ParentOf::Top,
                    Placement::Under(parent) => {
                        ParentOf::Under(view.target(parent, mark.own, names))
                    }
                };
                (mark, parent)
            });
            let claims = all.slot(name);
            let is_counted = claims.add(SaidClaim {
                source,
                priority,
                subject,
                life,
                placed,
                is_placed: view.is_placed(record, names),
                held: false,
            });
            if is_counted && claims.said.len() == 2 {
                several.push(name);
            }
        }
        gather_persons(&mut all, (source, view), priority, seeded, names);
    }
    // Of what is said at once the order of the texts decides, not that of the numbers.
    for group in several {
        let claims = all.slot(group);
        claims.said.sort_by(|a, b| {
            let by_source = a.source.cmp(&b.source);
            by_source.then_with(|| a.subject.compare(&b.subject, names.table()))
        });
    }
    all
}

fn gather_persons(
    all: &mut Dense<GroupId, Claims>,
    (source, view): (SourceId, &View<'_>),
    priority: i64,
    seeded: &Dense<GroupId, Option<Timestamp>>,
    names: &Names<'_>,
) {
    // Persons come in no order, so what they claim is gathered side by side before it goes to the groups.
    let mut claimed: Vec<(GroupId, PersonClaims)> = Vec::new();
    let mut claimed_at: Dense<GroupId, Option<NonZeroU32>> = Dense::default();
    for (at, groups) in view.persons() {
        let mut parent: Option<GroupId> = None;
        let mut unnamed: Option<KeyId> = None;
        for group in groups {
            let group = match view.target(*group, at, names) {
                Target::Unnamed(key) => {
                    unnamed = unnamed.or(Some(key));
                    continue;
                }
                Target::ByName(group) | Target::ByKey(_, group) => group,
            };
            match unnamed {
                // What lies below a key that nobody has named waits for its name.
                Some(key) => all.slot(group).add_waiting_person(source, at, key, names),
                None if seeded.of(group).is_some_and(|seeded| at.time <= seeded) => {}
                None => {
                    let place = claimed_at.slot(group).get_or_insert_with(|| {
                        claimed.push((group, PersonClaims::new(source, priority)));
                        NonZeroU32::new(number(claimed.len())).unwrap_or(NonZeroU32::MAX)
                    });
                    if let Some((_, claims)) = claimed.get_mut(place.get() as usize - 1) {
                        claims.add(at, parent.filter(|parent| *parent != group));
                    }
                }
            }
            parent = Some(group);
        }
    }
    for (group, claims) in claimed {
        all.slot(group).add_persons(claims);
    }
}

fn gather_seed(
    all: &mut Dense<GroupId, Claims>,
    views: &Views<'_>,
    seed: &Seed,
    names: &Names<'_>,
) {
    let at = Stamp::first(seed.time);
    for (name, parent) in &seed.rows {
        let present = views.follow_seeded(*name, at, names);
        let parent = parent.map(|parent| views.follow_seeded(parent, at, names));
        let claims = all.slot(present);
        // Two seeded groups that bear one name by now: the row of that very name decides.
        if claims.seed.is_none() || present == *name {
            claims.seed = Some((at, parent));
        }
    }
}
