//! A ledger as plain JSON: every name written out where it is meant.
//!
//! So the states of the formats 1 and 2 are, and so two ledgers are compared: what is remembered
//! decides, and not in which order the names were first heard of.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ledger::{Ledger, Salt, Seed, Times},
    name::{Group, Key, Name},
    pairs,
    records::{self, Bore, FirstAttempt, PersonKey, Said, Saying, SourceLedger, Stamp},
    statement::{EventId, SourceName},
    table::Table,
};
use crate::timestamp::Timestamp;

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainLedger {
    salt: Salt,
    seed: Option<PlainSeed>,
    #[serde(with = "pairs")]
    seeded: BTreeMap<Group, Times>,
    sources: BTreeMap<SourceName, PlainSource>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainSeed {
    time: Timestamp,
    #[serde(with = "pairs")]
    rows: BTreeMap<Group, Option<Group>>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainSource {
    #[serde(with = "pairs")]
    ids: BTreeMap<Key, PlainId>,
    #[serde(with = "pairs")]
    names: BTreeMap<Group, PlainSayings>,
    persons: BTreeMap<String, PlainPerson>,
    #[serde(with = "pairs")]
    snapshots: BTreeMap<PlainScope, (Timestamp, Timestamp)>,
    #[serde(with = "pairs")]
    events: BTreeMap<EventId, FirstAttempt>,
    read: Option<Timestamp>,
    base: Option<(Timestamp, Key)>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct PlainSaid<T> {
    at: Stamp,
    what: T,
    received: Timestamp,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainId {
    #[serde(with = "pairs")]
    names: BTreeMap<(Stamp, Group), Timestamp>,
    exists: Option<PlainSaid<()>>,
    placed: Option<PlainSaid<PlainPlacement>>,
    gone: Option<PlainSaid<()>>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct PlainSayings {
    #[serde(with = "pairs")]
    said: BTreeMap<(Stamp, PlainSaying), Timestamp>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainPerson {
    placed: Option<PlainSaid<Vec<PlainRef>>>,
    left: Option<PlainSaid<()>>,
}

/// A reference as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum PlainRef {
    Key(Key),
    Name(Group),
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum PlainPlacement {
    Top,
    Under(PlainRef),
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum PlainSaying {
    Gone,
    Exists(Option<PlainPlacement>),
    Member(PlainRef),
    Renamed(Name),
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum PlainScope {
    Groups,
    Persons,
    ChildrenOf(PlainRef),
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PlainLedger::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let plain = PlainLedger::deserialize(deserializer)?;
        plain.ledger().map_err(serde::de::Error::custom)
    }
}

impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        PlainLedger::of(self) == PlainLedger::of(other)
    }
}

impl PlainRef {
    pub(super) fn of(group: records::Ref, table: &Table) -> Self {
        match group {
            records::Ref::Key(key) => Self::Key(table.key(key).clone()),
            records::Ref::Name(name) => Self::Name(table.group(name).clone()),
        }
    }

    pub(super) fn id(&self, table: &mut Table) -> records::Ref {
        match self {
            Self::Key(key) => records::Ref::Key(table.key_id(key)),
            Self::Name(group) => records::Ref::Name(table.group_id(group)),
        }
    }
}

impl PlainPlacement {
    fn of(placement: records::Placement, table: &Table) -> Self {
        match placement {
            records::Placement::Top => Self::Top,
            records::Placement::Under(parent) => Self::Under(PlainRef::of(parent, table)),
        }
    }

    fn id(&self, table: &mut Table) -> records::Placement {
        match self {
            Self::Top => records::Placement::Top,
            Self::Under(parent) => records::Placement::Under(parent.id(table)),
        }
    }
}

impl PlainSaying {
    fn of(saying: records::NamedSaying, table: &Table) -> Self {
        match saying {
            records::NamedSaying::Gone => Self::Gone,
            records::NamedSaying::Exists(placement) => {
                Self::Exists(placement.map(|placement| PlainPlacement::of(placement, table)))
            }
            records::NamedSaying::Member(parent) => Self::Member(PlainRef::of(parent, table)),
            records::NamedSaying::Renamed(to) => Self::Renamed(table.group(to).name.clone()),
        }
    }

    fn id(&self, of: &Group, table: &mut Table) -> records::NamedSaying {
        match self {
            Self::Gone => records::NamedSaying::Gone,
            Self::Exists(placement) => {
                records::NamedSaying::Exists(placement.as_ref().map(|p| p.id(table)))
            }
            Self::Member(parent) => records::NamedSaying::Member(parent.id(table)),
            Self::Renamed(to) => {
                let to = Group::new(to.clone(), of.group_type.clone());
                records::NamedSaying::Renamed(table.group_id(&to))
            }
        }
    }
}

impl<T> PlainSaid<T> {
    fn of<W>(said: &Said<W>, plain: impl FnOnce(&W) -> T) -> Self {
        Self {
            at: said.at,
            what: plain(&said.what),
            received: said.received,
        }
    }

    fn said<W>(&self, what: impl FnOnce(&T) -> W) -> Said<W> {
        Said {
            at: self.at,
            what: what(&self.what),
            received: self.received,
        }
    }
}

impl PlainLedger {
    fn of(ledger: &Ledger) -> Self {
        let Ledger {
            salt,
            table,
            seed,
            seeded,
            sources,
        } = ledger;
        let group = |id| table.group(id).clone();
        let seed = seed.as_ref().map(|Seed { time, rows }| PlainSeed {
            time: *time,
            rows: rows
                .iter()
                .map(|(g, p)| (group(*g), p.map(group)))
                .collect(),
        });
        Self {
            salt: salt.clone(),
            seed,
            seeded: seeded
                .iter()
                .map(|(id, times)| (group(*id), times.clone()))
                .collect(),
            sources: sources
                .iter()
                .map(|(name, source)| (name.clone(), PlainSource::of(source, table)))
                .collect(),
        }
    }

    fn ledger(self) -> Result<Ledger, &'static str> {
        let Self {
            salt,
            seed,
            seeded,
            sources,
        } = self;
        let mut ledger = Ledger::new(salt);
        let table = &mut ledger.table;
        ledger.seed = seed.map(|PlainSeed { time, rows }| {
            let rows = rows.iter().map(|(group, parent)| {
                let parent = parent.as_ref().map(|parent| table.group_id(parent));
                (table.group_id(group), parent)
            });
            Seed {
                time,
                rows: rows.collect(),
            }
        });
        for (group, times) in seeded {
            ledger.seeded.insert(table.group_id(&group), times);
        }
        if let Some(seed) = &ledger.seed {
            seed.note_names(&mut ledger.seeded);
        }
        for (name, source) in sources {
            ledger.sources.insert(name, source.source(table)?);
        }
        table.sort_much();
        Ok(ledger)
    }
}

impl PlainSource {
    fn of(source: &SourceLedger, table: &Table) -> Self {
        let said = |said: &Option<Said<()>>| said.as_ref().map(|said| PlainSaid::of(said, |()| ()));
        let ids = source.ids.iter().map(|(key, record)| {
            let names = record
                .names
                .iter()
                .map(|bore| ((bore.at, table.group(bore.name).clone()), bore.received));
            let plain = PlainId {
                names: names.collect(),
                exists: said(&record.exists),
                placed: record.placed.as_ref().map(|said| {
                    PlainSaid::of(said, |placement| PlainPlacement::of(*placement, table))
                }),
                gone: said(&record.gone),
            };
            (table.key(key).clone(), plain)
        });
        let names = source.names.iter().map(|(group, record)| {
            let said = record.said.iter().map(|saying| {
                let what = PlainSaying::of(saying.what, table);
                ((saying.at, what), saying.received)
            });
            let said = said.collect();
            (table.group(group).clone(), PlainSayings { said })
        });
        let persons = source.persons.iter().map(|(key, record)| {
            let refs = |groups: &[records::Ref]| {
                let refs = groups.iter().map(|group| PlainRef::of(*group, table));
                refs.collect()
            };
            let plain = PlainPerson {
                placed: record
                    .placed
                    .as_ref()
                    .map(|said| PlainSaid::of(said, |groups| refs(groups))),
                left: said(&record.left),
            };
            (key.text(), plain)
        });
        let snapshots = source.snapshots.iter().map(|(scope, taken)| {
            let scope = match scope {
                records::LedgerScope::Groups => PlainScope::Groups,
                records::LedgerScope::Persons => PlainScope::Persons,
                records::LedgerScope::ChildrenOf(parent) => {
                    PlainScope::ChildrenOf(PlainRef::of(*parent, table))
                }
            };
            (scope, *taken)
        });
        Self {
            ids: ids.collect(),
            names: names.collect(),
            persons: persons.collect(),
            snapshots: snapshots.collect(),
            events: source.events.clone(),
            read: source.read,
            base: source.base.map(|(at, key)| (at, table.key(key).clone())),
        }
    }

    fn source(self, table: &mut Table) -> Result<SourceLedger, &'static str> {
        let Self {
            ids,
            names,
            persons,
            snapshots,
            events,
            read,
            base,
        } = self;
        let mut source = SourceLedger::default();
        (source.events, source.read) = (events, read);
        let said = |said: Option<PlainSaid<()>>| said.map(|said| said.said(|()| ()));
        for (key, plain) in ids {
            let record = source.ids.slot(table.key_id(&key));
            for ((at, group), received) in plain.names {
                let name = table.group_id(&group);
                record.bore(Bore { at, name, received }, table);
            }
            record.exists = said(plain.exists);
            record.placed = plain.placed.map(|said| said.said(|p| p.id(table)));
            record.gone = said(plain.gone);
        }
        for (group, PlainSayings { said }) in names {
            let record = source.names.slot(table.group_id(&group));
            for ((at, what), received) in said {
                let what = what.id(&group, table);
                record.take(Saying { at, what, received }, table);
            }
        }
        for (key, plain) in persons {
            let key = PersonKey::from_text(&key).ok_or("a person is not 128 bits in base64")?;
            let record = source.persons.entry(key).or_default();
            let mut refs = |groups: &Vec<PlainRef>| groups.iter().map(|g| g.id(table)).collect();
            record.placed = plain.placed.map(|said| said.said(&mut refs));
            record.left = said(plain.left);
        }
        for (scope, taken) in snapshots {
            let scope = match scope {
                PlainScope::Groups => records::LedgerScope::Groups,
                PlainScope::Persons => records::LedgerScope::Persons,
                PlainScope::ChildrenOf(parent) => {
                    records::LedgerScope::ChildrenOf(parent.id(table))
                }
            };
            source.snapshots.insert(scope, taken);
        }
        source.base = base.map(|(at, key)| (at, table.key_id(&key)));
        Ok(source)
    }
}

impl PersonKey {
    pub(super) fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}
