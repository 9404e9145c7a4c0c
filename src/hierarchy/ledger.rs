//! The ledger: what must be remembered of what the sources said.
//!
//! It is a join-semilattice: every part of it is a maximum, a minimum or a union, so joining is
//! commutative, associative and idempotent, and the same deliveries give the same ledger in
//! whatever order and however often they come. What has become history below a snapshot is thinned
//! out by `SourceLedger::compact`, which is a function of the union alone and so keeps the laws.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use smallvec::SmallVec;

use super::{
    records::{
        Bore, IdRecord, LedgerScope, NamedSaying, PersonKey, Placement, Ref, Said, Saying,
        SourceLedger,
    },
    statement::{PersonId, Relationship, SourceName},
    table::{GroupId, KeyId, Table},
};
use crate::timestamp::Timestamp;

/// The random salt under which persons' ids are kept; made with the first state, never changed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt of these random bytes.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// What is kept of a person: HMAC-SHA256 of source and id, 128 bits of it.
    pub(super) fn person(&self, source: &SourceName, person: &PersonId) -> PersonKey {
        // HMAC pads a short key with zeros to the hash's block, so this is the key itself.
        let mut key = [0; 64];
        key.iter_mut()
            .zip(self.0)
            .for_each(|(byte, salt)| *byte = salt);
        let mut mac = Hmac::<Sha256>::new(&key.into());
        mac.update(source.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(person.expose().as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut kept = [0; 16];
        kept.iter_mut()
            .zip(digest)
            .for_each(|(byte, digest)| *byte = digest);
        PersonKey(kept)
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt([redacted])")
    }
}

impl TryFrom<String> for Salt {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or("a salt is 64 hexadecimal digits")
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        hex::encode(salt.0)
    }
}

/// The newest seed: the operator's complete set.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub(super) time: Timestamp,
    /// Each group once, in order.
    pub(super) rows: Vec<(GroupId, Option<GroupId>)>,
}

/// When seeds held a name: each time once, in order. Mostly it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Timestamp>")]
pub(super) struct Times(SmallVec<[Timestamp; 1]>);

impl Times {
    pub(super) fn insert(&mut self, time: Timestamp) {
        if let Err(place) = self.0.binary_search(&time) {
            self.0.insert(place, time);
        }
    }
}

impl std::ops::Deref for Times {
    type Target = [Timestamp];

    fn deref(&self) -> &[Timestamp] {
        &self.0
    }
}

impl From<Vec<Timestamp>> for Times {
    fn from(times: Vec<Timestamp>) -> Self {
        times.into_iter().collect()
    }
}

impl FromIterator<Timestamp> for Times {
    fn from_iter<T: IntoIterator<Item = Timestamp>>(times: T) -> Self {
        let mut all = Self::default();
        for time in times {
            all.insert(time);
        }
        all
    }
}

/// Everything that is remembered of what was said.
///
/// As JSON it is plain, every name written out where it is meant; a state has a shorter form.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) salt: Salt,
    pub(super) table: Table,
    pub(super) seed: Option<Seed>,
    /// Every name that any seed ever held, and when: older claims on it no longer count.
    pub(super) seeded: BTreeMap<GroupId, Times>,
    pub(super) sources: BTreeMap<SourceName, SourceLedger>,
}

impl Ledger {
    /// An empty ledger with a new salt.
    pub fn new(salt: Salt) -> Self {
        Self {
            salt,
            table: Table::default(),
            seed: None,
            seeded: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    /// Whether an operator has ever said what the complete set is.
    pub const fn is_seeded(&self) -> bool {
        self.seed.is_some()
    }

    /// How many names and keys there are in memory, those included that nothing refers to any more.
    pub fn names_in_memory(&self) -> usize {
        self.table.groups() + self.table.keys()
    }

    /// When a source was last read as a whole.
    pub fn last_read(&self, source: &SourceName) -> Option<Timestamp> {
        self.sources.get(source).and_then(|source| source.read)
    }

    /// Joins what another ledger under the same salt remembers into this one.
    pub fn join(&mut self, other: &Self) {
        let mut joining = Joining {
            table: &mut self.table,
            other: &other.table,
        };
        for (name, source) in &other.sources {
            let own = self.sources.entry(name.clone()).or_default();
            joining.join(own, source);
        }
        for (group, times) in &other.seeded {
            let group = joining.group(*group);
            let known = self.seeded.entry(group).or_default();
            times.iter().for_each(|time| known.insert(*time));
        }
        if let Some(Seed { time, rows }) = &other.seed {
            let rows = rows
                .iter()
                .map(|(group, parent)| (joining.group(*group), parent.map(|p| joining.group(p))));
            let seed = Seed {
                time: *time,
                rows: rows.collect(),
            };
            self.join_seed(seed);
        }
    }

    /// Takes the seed if it is newer than the one known; says whether it was.
    pub(super) fn join_seed(&mut self, seed: Seed) -> bool {
        seed.note_names(&mut self.seeded);
        let newer = self
            .seed
            .as_ref()
            .is_none_or(|known| known.compare(&seed, &self.table).is_lt());
        if newer {
            self.seed = Some(seed);
        }
        newer
    }
}

impl Seed {
    pub(super) fn new(time: Timestamp, rows: &[Relationship], table: &mut Table) -> Self {
        let rows = rows.iter().map(|row| {
            let parent = row.parent.as_ref().map(|parent| table.group_id(parent));
            (table.group_id(&row.group), parent)
        });
        Self {
            time,
            rows: rows.collect(),
        }
    }

    /// Notes when the names of its rows were held.
    pub(super) fn note_names(&self, seeded: &mut BTreeMap<GroupId, Times>) {
        for (group, _) in &self.rows {
            seeded.entry(*group).or_default().insert(self.time);
        }
    }

    /// By time, then row by row.
    fn compare(&self, other: &Self, table: &Table) -> std::cmp::Ordering {
        let text = |seed: &Self| {
            let rows = seed.rows.iter();
            rows.map(|(group, parent)| (table.group(*group), parent.map(|p| table.group(p))))
                .collect::<Vec<_>>()
        };
        self.time
            .cmp(&other.time)
            .then_with(|| text(self).cmp(&text(other)))
    }
}

/// One ledger's records on their way into another, whose numbers are others.
struct Joining<'a> {
    table: &'a mut Table,
    other: &'a Table,
}

impl Joining<'_> {
    fn group(&mut self, id: GroupId) -> GroupId {
        self.table.group_id(self.other.group(id))
    }

    fn key(&mut self, id: KeyId) -> KeyId {
        self.table.key_id(self.other.key(id))
    }

    fn reference(&mut self, group: Ref) -> Ref {
        match group {
            Ref::Key(key) => Ref::Key(self.key(key)),
            Ref::Name(name) => Ref::Name(self.group(name)),
        }
    }

    fn placement(&mut self, placement: Placement) -> Placement {
        match placement {
            Placement::Top => Placement::Top,
            Placement::Under(parent) => Placement::Under(self.reference(parent)),
        }
    }

    fn saying(&mut self, saying: NamedSaying) -> NamedSaying {
        match saying {
            NamedSaying::Gone => NamedSaying::Gone,
            NamedSaying::Exists(placement) => {
                NamedSaying::Exists(placement.map(|placement| self.placement(placement)))
            }
            NamedSaying::Member(parent) => NamedSaying::Member(self.reference(parent)),
            NamedSaying::Renamed(to) => NamedSaying::Renamed(self.group(to)),
        }
    }

    fn join(&mut self, own: &mut SourceLedger, other: &SourceLedger) {
        let SourceLedger {
            ids,
            names,
            persons,
            snapshots,
            events,
            read,
            base,
            ..
        } = other;
        let mut touched = Vec::new();
        for (key, record) in ids.iter() {
            let key = self.key(key);
            touched.push(Ref::Key(key));
            let IdRecord {
                names,
                exists,
                placed,
                gone,
            } = record;
            let known = own.ids.slot(key);
            for bore in names {
                let name = self.group(bore.name);
                known.bore(Bore { name, ..*bore }, self.table);
            }
            let placed = placed.map(|said| Said {
                what: self.placement(said.what),
                at: said.at,
                received: said.received,
            });
            join_slot(&mut known.exists, *exists, self.table);
            join_slot(&mut known.placed, placed, self.table);
            join_slot(&mut known.gone, *gone, self.table);
        }
        for (group, record) in names.iter() {
            let group = self.group(group);
            touched.push(Ref::Name(group));
            let known = own.names.slot(group);
            for said in &record.said {
                let what = self.saying(said.what);
                known.take(Saying { what, ..*said }, self.table);
            }
        }
        for (key, record) in persons {
            let known = own.persons.entry(*key).or_default();
            let placed = record.placed.as_ref().map(|said| Said {
                what: said.what.iter().map(|g| self.reference(*g)).collect(),
                at: said.at,
                received: said.received,
            });
            join_slot(&mut known.placed, placed, self.table);
            join_slot(&mut known.left, record.left, self.table);
        }
        for (scope, taken) in snapshots {
            let scope = match scope {
                LedgerScope::ChildrenOf(parent) => LedgerScope::ChildrenOf(self.reference(*parent)),
                LedgerScope::Groups | LedgerScope::Persons => *scope,
            };
            own.snapshot_taken(scope, *taken);
        }
        for (event, first) in events {
            let known = own.events.entry(event.clone()).or_insert(*first);
            *known = (*known).min(*first);
        }
        own.read = own.read.max(*read);
        if let Some((at, key)) = base {
            let key = self.key(*key);
            own.note_base(*at, key, self.table);
        }
        own.compact(&touched);
    }
}

fn join_slot<T: super::records::Content>(
    slot: &mut Option<Said<T>>,
    other: Option<Said<T>>,
    table: &Table,
) {
    if let Some(said) = other {
        Said::keep_newest(slot, said, table);
    }
}
