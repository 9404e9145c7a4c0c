//! What is remembered of one source: a record for each group and person, and when it said all.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    sparse::Sparse,
    statement::EventId,
    table::{GroupId, KeyId, Table},
    thinning::{Compacted, Kept},
};
use crate::timestamp::Timestamp;

/// A person, as the ledger knows them: 128 bits of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PersonKey(pub(super) [u8; 16]);

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
    /// Before all else that was said at a time.
    pub(super) const fn first(time: Timestamp) -> Self {
        Self { time, place: 0 }
    }

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ref {
    Key(KeyId),
    Name(GroupId),
}

/// Where a group was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    Top,
    Under(Ref),
}

/// What is said, compared by its texts: of equal stamps the greater content wins.
pub(super) trait Content {
    fn compare(&self, other: &Self, table: &Table) -> Ordering;
}

impl Content for () {
    fn compare(&self, (): &Self, _: &Table) -> Ordering {
        Ordering::Equal
    }
}

impl Content for Ref {
    fn compare(&self, other: &Self, table: &Table) -> Ordering {
        match (self, other) {
            (Self::Key(a), Self::Key(b)) => table.cmp_keys(*a, *b),
            (Self::Key(_), Self::Name(_)) => Ordering::Less,
            (Self::Name(_), Self::Key(_)) => Ordering::Greater,
            (Self::Name(a), Self::Name(b)) => table.cmp_groups(*a, *b),
        }
    }
}

impl Content for Placement {
    fn compare(&self, other: &Self, table: &Table) -> Ordering {
        match (self, other) {
            (Self::Top, Self::Top) => Ordering::Equal,
            (Self::Top, Self::Under(_)) => Ordering::Less,
            (Self::Under(_), Self::Top) => Ordering::Greater,
            (Self::Under(a), Self::Under(b)) => a.compare(b, table),
        }
    }
}

impl Content for Box<[Ref]> {
    fn compare(&self, other: &Self, table: &Table) -> Ordering {
        let pairs = self.iter().zip(other);
        let first = pairs.map(|(a, b)| a.compare(b, table)).find(|o| o.is_ne());
        first.unwrap_or_else(|| self.len().cmp(&other.len()))
    }
}

/// The newest of one kind of statement about one subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<T> {
    pub(super) at: Stamp,
    pub(super) what: T,
    pub(super) received: Timestamp,
}

impl<T: Content> Said<T> {
    /// Takes `said` if it is newer; says whether it was.
    pub(super) fn keep_newest(slot: &mut Option<Self>, said: Self, table: &Table) -> bool {
        match slot {
            #[cfg(feature = "planted")]
            Some(_) if crate::planted::has(crate::planted::Bug::ArrivalDecides) => {
                *slot = Some(said);
                true
            }
            Some(known) => {
                let compared = known.at.cmp(&said.at);
                match compared.then_with(|| known.what.compare(&said.what, table)) {
                    Ordering::Greater => false,
                    Ordering::Equal => {
                        known.received = known.received.min(said.received);
                        false
                    }
                    Ordering::Less => {
                        *slot = Some(said);
                        true
                    }
                }
            }
            None => {
                *slot = Some(said);
                true
            }
        }
    }
}

/// A name that a group with a key bore, from when, and when that was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bore {
    pub(super) at: Stamp,
    pub(super) name: GroupId,
    pub(super) received: Timestamp,
}

/// What was said of a group that has a key.
#[derive(Clone, Debug, Default)]
pub(super) struct IdRecord {
    /// Every name it bore, by time, then text.
    pub(super) names: SmallVec<[Bore; 1]>,
    pub(super) exists: Option<Said<()>>,
    pub(super) placed: Option<Said<Placement>>,
    pub(super) gone: Option<Said<()>>,
}

/// One thing said of a group by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedSaying {
    Gone,
    Exists(Option<Placement>),
    Member(Ref),
    /// Renamed to this one, of the same type.
    Renamed(GroupId),
}

impl NamedSaying {
    pub(super) fn placement(self) -> Option<Placement> {
        match self {
            Self::Exists(placement) => placement,
            Self::Member(parent) => Some(Placement::Under(parent)),
            Self::Gone | Self::Renamed(_) => None,
        }
    }

    fn kind(self) -> u8 {
        match self {
            Self::Gone => 0,
            Self::Exists(None) => 1,
            Self::Exists(Some(_)) => 2,
            Self::Member(_) => 3,
            Self::Renamed(_) => 4,
        }
    }
}

impl Content for NamedSaying {
    fn compare(&self, other: &Self, table: &Table) -> Ordering {
        match (self, other) {
            (Self::Exists(Some(a)), Self::Exists(Some(b))) => a.compare(b, table),
            (Self::Member(a), Self::Member(b)) => a.compare(b, table),
            (Self::Renamed(a), Self::Renamed(b)) => table.cmp_groups(*a, *b),
            (a, b) => a.kind().cmp(&b.kind()),
        }
    }
}

/// One thing said of the groups of one name, and when it was received first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saying {
    pub(super) at: Stamp,
    pub(super) what: NamedSaying,
    pub(super) received: Timestamp,
}

/// What is said of the groups of one name: all of it, since a late rename splits it at its time. By
/// time, then content.
#[derive(Clone, Debug, Default)]
pub(super) struct NameRecord {
    pub(super) said: SmallVec<[Saying; 1]>,
}

/// What a person's records said.
#[derive(Clone, Debug, Default)]
pub(super) struct PersonRecord {
    pub(super) placed: Option<Said<Box<[Ref]>>>,
    pub(super) left: Option<Said<()>>,
}

/// What a snapshot was complete of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug, Default)]
pub(super) struct SourceLedger {
    pub(super) ids: Sparse<KeyId, IdRecord>,
    pub(super) names: Sparse<GroupId, NameRecord>,
    pub(super) persons: BTreeMap<PersonKey, PersonRecord>,
    /// Of each scope the newest snapshot's time, and when it was received.
    pub(super) snapshots: BTreeMap<LedgerScope, (Timestamp, Timestamp)>,
    /// Events whose statements took their time from the first attempt.
    pub(super) events: BTreeMap<EventId, FirstAttempt>,
    /// When the source was last read as a whole, complete or not.
    pub(super) read: Option<Timestamp>,
    /// The group that stands for the source itself, as of when.
    pub(super) base: Option<(Timestamp, KeyId)>,
    /// Before which times all records were thinned out.
    pub(super) compacted: Compacted,
}

impl SourceLedger {
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

    /// Notes which group stands for the source itself: of equal times the greater key.
    pub(super) fn note_base(&mut self, at: Timestamp, key: KeyId, table: &Table) {
        let newer = self.base.is_none_or(|(known, base)| {
            known
                .cmp(&at)
                .then_with(|| table.cmp_keys(base, key))
                .is_lt()
        });
        if newer {
            self.base = Some((at, key));
        }
    }
}

impl SourceLedger {
    /// Adds what its records do not hold yet.
    pub(super) fn add<'k>(&mut self, added: impl Iterator<Item = &'k Kept>, table: &Table) {
        let mut bores: Vec<(KeyId, &Bore)> = Vec::new();
        let mut sayings: Vec<(GroupId, &Saying)> = Vec::new();
        for added in added {
            match added {
                Kept::Bore(key, bore) => bores.push((*key, bore)),
                Kept::Saying(name, saying) => sayings.push((*name, saying)),
            }
        }
        // Stable: of one that came twice the first one counts.
        bores.sort_by_key(|(key, _)| *key);
        for of_one in bores.chunk_by(|(a, _), (b, _)| a == b) {
            if let Some((key, _)) = of_one.first() {
                let record = self.ids.slot(*key);
                let bores = of_one.iter().map(|(_, bore)| **bore);
                match of_one.len() {
                    ..=FEW => bores.for_each(|bore| {
                        record.bore(bore, table);
                    }),
                    _ => merge(&mut record.names, bores, |a, b| a.compare(b, table)),
                }
            }
        }
        sayings.sort_by_key(|(name, _)| *name);
        for of_one in sayings.chunk_by(|(a, _), (b, _)| a == b) {
            if let Some((name, _)) = of_one.first() {
                let record = self.names.slot(*name);
                let said = of_one.iter().map(|(_, saying)| **saying);
                match of_one.len() {
                    ..=FEW => said.for_each(|saying| {
                        record.take(saying, table);
                    }),
                    _ => merge(&mut record.said, said, |a, b| a.compare(b, table)),
                }
            }
        }
    }
}

/// So many that could not be noted at once are put into their places one by one; in tests all of those are merged.
const FEW: usize = if cfg!(test) { 0 } else { 8 };

/// Merges what is new into what is sorted; of what came twice the first one counts.
fn merge<T: Copy>(
    known: &mut SmallVec<[T; 1]>,
    new: impl Iterator<Item = T>,
    compare: impl Fn(&T, &T) -> Ordering,
) {
    known.extend(new);
    known.sort_by(&compare);
    known.dedup_by(|next, known| compare(next, known) == Ordering::Equal);
}

impl Bore {
    fn compare(&self, other: &Self, table: &Table) -> Ordering {
        let at = self.at.cmp(&other.at);
        at.then_with(|| table.cmp_groups(self.name, other.name))
    }
}

impl Saying {
    fn compare(&self, other: &Self, table: &Table) -> Ordering {
        let at = self.at.cmp(&other.at);
        at.then_with(|| self.what.compare(&other.what, table))
    }
}

impl NameRecord {
    /// Takes a saying that is newer than all that there is; says whether it is.
    pub(super) fn take_newest(&mut self, saying: Saying, table: &Table) -> bool {
        let last = self.said.last();
        let is_newest = last.is_none_or(|last| last.compare(&saying, table).is_lt());
        if is_newest {
            self.said.push(saying);
        }
        is_newest
    }

    /// Where it is, or would be.
    pub(super) fn place_of(&self, saying: &Saying, table: &Table) -> Result<usize, usize> {
        self.said
            .binary_search_by(|known| known.compare(saying, table))
    }

    /// Takes a saying, with the earliest receipt; says whether it was new.
    pub(super) fn take(&mut self, saying: Saying, table: &Table) -> bool {
        let new = !self.knows(&saying, table);
        if new && let Err(place) = self.place_of(&saying, table) {
            self.said.insert(place, saying);
        }
        new
    }

    /// Whether it is there already; the receipt is the earliest then.
    pub(super) fn knows(&mut self, saying: &Saying, table: &Table) -> bool {
        let known = self.place_of(saying, table).ok();
        let known = known.and_then(|place| self.said.get_mut(place));
        if let Some(known) = known {
            known.received = known.received.min(saying.received);
            return true;
        }
        false
    }
}

impl IdRecord {
    /// Notes a name that it bore after all that there are; says whether it did.
    pub(super) fn bore_newest(&mut self, bore: Bore, table: &Table) -> bool {
        let last = self.names.last();
        let is_newest = last.is_none_or(|last| last.compare(&bore, table).is_lt());
        if is_newest {
            self.names.push(bore);
        }
        is_newest
    }

    /// Where it is, or would be.
    pub(super) fn place_of(&self, bore: &Bore, table: &Table) -> Result<usize, usize> {
        self.names
            .binary_search_by(|known| known.compare(bore, table))
    }

    /// Notes a name that it bore, with the earliest receipt; says whether it was new.
    pub(super) fn bore(&mut self, bore: Bore, table: &Table) -> bool {
        let new = !self.knows(&bore, table);
        if new && let Err(place) = self.place_of(&bore, table) {
            self.names.insert(place, bore);
        }
        new
    }

    /// Whether that it bore a name is there already; the receipt is the earliest then.
    pub(super) fn knows(&mut self, bore: &Bore, table: &Table) -> bool {
        let known = self.place_of(bore, table).ok();
        let known = known.and_then(|place| self.names.get_mut(place));
        if let Some(known) = known {
            known.received = known.received.min(bore.received);
            return true;
        }
        false
    }
}
