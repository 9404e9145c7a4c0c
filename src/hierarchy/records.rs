//! What is remembered of one source: a record for each group and person, and when it said all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    name::{Group, Key, Name},
    pairs,
    statement::EventId,
};
use crate::timestamp::Timestamp;

/// A person, as the ledger knows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PersonKey(String);

impl PersonKey {
    pub(super) const fn new(hmac: String) -> Self {
        Self(hmac)
    }
}

/// When something was said: time, then place within the delivery.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "(Timestamp, u32)", into = "(Timestamp, u32)")]
pub(super) struct Stamp {
    pub(super) time: Timestamp,
    pub(super) place: u32,
}

impl Stamp {
    /// Behind all that was said at a time.
    pub(super) const fn behind(time: Timestamp) -> Self {
        Self {
            time,
            place: u32::MAX,
        }
    }
}

impl From<(Timestamp, u32)> for Stamp {
    fn from((time, place): (Timestamp, u32)) -> Self {
        Self { time, place }
    }
}

impl From<Stamp> for (Timestamp, u32) {
    fn from(stamp: Stamp) -> Self {
        (stamp.time, stamp.place)
    }
}

/// A group as it was given, resolved only when projecting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Ref {
    Key(Key),
    Name(Group),
}

/// Where a group was placed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Placement {
    Top,
    Under(Ref),
}

/// The newest of one kind of statement about one subject. Of equal stamps the greater content wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said<T> {
    pub(super) at: Stamp,
    pub(super) what: T,
    pub(super) received: Timestamp,
}

impl<T: Ord> Said<T> {
    /// Takes `said` if it is newer; says whether it was.
    pub(super) fn keep_newest(slot: &mut Option<Self>, said: Self) -> bool {
        match slot {
            #[cfg(feature = "planted")]
            Some(_) if crate::planted::has(crate::planted::Bug::ArrivalDecides) => {
                *slot = Some(said);
                true
            }
            Some(known) if (known.at, &known.what) > (said.at, &said.what) => false,
            Some(known) if (known.at, &known.what) == (said.at, &said.what) => {
                known.received = known.received.min(said.received);
                false
            }
            Some(_) | None => {
                *slot = Some(said);
                true
            }
        }
    }
}

/// What was said of a group that has a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdRecord {
    /// Every name it bore, from when, and when that was received.
    #[serde(with = "pairs")]
    pub(super) names: BTreeMap<(Stamp, Group), Timestamp>,
    pub(super) exists: Option<Said<()>>,
    pub(super) placed: Option<Said<Placement>>,
    pub(super) gone: Option<Said<()>>,
}

/// One thing said of a group by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum NamedSaying {
    Gone,
    Exists(Option<Placement>),
    Member(Ref),
    Renamed(Name),
}

impl NamedSaying {
    pub(super) fn placement(&self) -> Option<Placement> {
        match self {
            Self::Exists(placement) => placement.clone(),
            Self::Member(parent) => Some(Placement::Under(parent.clone())),
            Self::Gone | Self::Renamed(_) => None,
        }
    }
}

/// What is said of the groups of one name: all of it, since a late rename splits it at its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct NameRecord {
    #[serde(with = "pairs")]
    pub(super) said: BTreeMap<(Stamp, NamedSaying), Timestamp>,
}

/// What a person's records said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonRecord {
    pub(super) placed: Option<Said<Vec<Ref>>>,
    pub(super) left: Option<Said<()>>,
}

/// What a snapshot was complete of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum LedgerScope {
    Groups,
    Persons,
    ChildrenOf(Ref),
}

/// The time that an event had when it first came, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FirstAttempt {
    pub(super) time: Timestamp,
    pub(super) received: Timestamp,
}

/// What one source said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceLedger {
    #[serde(with = "pairs")]
    pub(super) ids: BTreeMap<Key, IdRecord>,
    #[serde(with = "pairs")]
    pub(super) names: BTreeMap<Group, NameRecord>,
    pub(super) persons: BTreeMap<PersonKey, PersonRecord>,
    /// Of each scope the newest snapshot's time, and when it was received.
    #[serde(with = "pairs")]
    pub(super) snapshots: BTreeMap<LedgerScope, (Timestamp, Timestamp)>,
    /// Events whose statements took their time from the first attempt.
    #[serde(with = "pairs")]
    pub(super) events: BTreeMap<EventId, FirstAttempt>,
    /// When the source was last read as a whole, complete or not.
    pub(super) read: Option<Timestamp>,
    /// The group that stands for the source itself, as of when.
    pub(super) base: Option<(Timestamp, Key)>,
}

impl SourceLedger {
    pub(super) fn join(&mut self, other: &Self) {
        let Self {
            ids,
            names,
            persons,
            snapshots,
            events,
            read,
            base,
        } = other;
        for (key, record) in ids {
            self.ids.entry(key.clone()).or_default().join(record);
        }
        for (group, record) in names {
            let known = self.names.entry(group.clone()).or_default();
            for (said, received) in &record.said {
                insert_earliest(&mut known.said, said.clone(), *received);
            }
        }
        for (key, record) in persons {
            let known = self.persons.entry(key.clone()).or_default();
            join_slot(&mut known.placed, &record.placed);
            join_slot(&mut known.left, &record.left);
        }
        for (scope, taken) in snapshots {
            self.snapshot_taken(scope.clone(), *taken);
        }
        for (event, first) in events {
            let known = self.events.entry(event.clone()).or_insert(*first);
            *known = (*known).min(*first);
        }
        self.read = self.read.max(*read);
        self.base = self.base.clone().max(base.clone());
        self.compact();
    }

    pub(super) fn snapshot_taken(
        &mut self,
        scope: LedgerScope,
        (time, received): (Timestamp, Timestamp),
    ) -> bool {
        match self.snapshots.get_mut(&scope) {
            Some(known) if known.0 > time => false,
            Some(known) if known.0 == time => {
                known.1 = known.1.min(received);
                false
            }
            Some(known) => {
                *known = (time, received);
                true
            }
            None => {
                self.snapshots.insert(scope, (time, received));
                true
            }
        }
    }

    /// The time before which every group of the source was said again, or has ended.
    pub(super) fn groups_complete_at(&self) -> Option<Timestamp> {
        self.snapshots
            .get(&LedgerScope::Groups)
            .map(|(time, _)| *time)
    }

    /// Thins out what lies before the newest snapshot: of a name, the newest statement of each kind
    /// and the renames; of an id, the first and last time of each name. Without this a source that
    /// is re-read every few minutes would grow by all its groups each time.
    pub(super) fn compact(&mut self) {
        if let Some(complete) = self.groups_complete_at() {
            for record in self.names.values_mut() {
                record.compact(complete);
            }
        }
        if let Some(read) = self.groups_complete_at().max(self.read) {
            for record in self.ids.values_mut() {
                record.compact(read);
            }
        }
    }
}

impl NameRecord {
    fn compact(&mut self, before: Timestamp) {
        let (mut gone, mut living, mut placed) = (false, false, false);
        let mut drop = Vec::new();
        for (at, saying) in self.said.keys().rev() {
            if at.time >= before {
                continue;
            }
            let newest_of_its_kind = match saying {
                NamedSaying::Renamed(_) => true,
                NamedSaying::Gone => !std::mem::replace(&mut gone, true),
                NamedSaying::Exists(None) => !std::mem::replace(&mut living, true),
                NamedSaying::Exists(Some(_)) => {
                    let first_living = !std::mem::replace(&mut living, true);
                    !std::mem::replace(&mut placed, true) || first_living
                }
                NamedSaying::Member(_) => !std::mem::replace(&mut placed, true),
            };
            if !newest_of_its_kind {
                drop.push((*at, saying.clone()));
            }
        }
        for said in drop {
            self.said.remove(&said);
        }
    }
}

impl IdRecord {
    fn join(&mut self, other: &Self) {
        let Self {
            names,
            exists,
            placed,
            gone,
        } = other;
        for (name, received) in names {
            insert_earliest(&mut self.names, name.clone(), *received);
        }
        join_slot(&mut self.exists, exists);
        join_slot(&mut self.placed, placed);
        join_slot(&mut self.gone, gone);
    }

    fn compact(&mut self, before: Timestamp) {
        if self.names.len() < 3 {
            return;
        }
        let mut seen: BTreeMap<&Group, (Stamp, Stamp)> = BTreeMap::new();
        for (at, group) in self.names.keys().filter(|(at, _)| at.time < before) {
            seen.entry(group).or_insert((*at, *at)).1 = *at;
        }
        let drop: Vec<(Stamp, Group)> = self
            .names
            .keys()
            .filter(|(at, group)| {
                at.time < before
                    && seen
                        .get(group)
                        .is_some_and(|(first, last)| at != first && at != last)
            })
            .cloned()
            .collect();
        for name in drop {
            self.names.remove(&name);
        }
    }
}

fn join_slot<T: Ord + Clone>(slot: &mut Option<Said<T>>, other: &Option<Said<T>>) {
    if let Some(said) = other {
        Said::keep_newest(slot, said.clone());
    }
}

/// Inserts with the earliest receipt; says whether it was new.
pub(super) fn insert_earliest<K: Ord>(
    map: &mut BTreeMap<K, Timestamp>,
    key: K,
    received: Timestamp,
) -> bool {
    let mut new = false;
    let known = map.entry(key).or_insert_with(|| {
        new = true;
        received
    });
    *known = (*known).min(received);
    new
}
