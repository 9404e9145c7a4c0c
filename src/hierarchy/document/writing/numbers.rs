//! The numbers of what a document refers to, and all of it put in numbers.

use std::cell::Cell;

use indexmap::IndexSet;

use super::{
    super::{
        AT_THE_TOP, AnchorNumber, CHILDREN, EXISTS, GONE, GROUPS, GroupNumber, IdNumber, KeyNumber,
        LedgerDocument, MEMBER, PERSONS, PersonNumber, PlacementNumber, PublishedNumber, RENAMED,
        RefNumber, SaidNumber, SayingNumber, ScopeNumber, SourceDocument, SourceNumber,
        StampNumber, Texts, TimeNumber, UNDER, UndoneRow,
    },
    used::{Used, UsedAnchor, UsedPublished, UsedUndo},
};
use crate::{
    hierarchy::{
        ledger::{Ledger, Seed},
        name::{Group, GroupType, Name},
        records::{
            IdRecord, LedgerScope, NamedSaying, PersonKey, PersonRecord, Placement, Ref, Said,
            SourceLedger, Stamp,
        },
        statement::SourceName,
        table::{Dense, GroupId, KeyId, Number as _},
    },
    timestamp::Timestamp,
};

/// The numbers of what is referred to.
pub(super) struct Numbers<'a> {
    pub(super) texts: Texts,
    pub(super) groups: Dense<GroupId, Option<GroupNumber>>,
    pub(super) keys: Dense<KeyId, Option<KeyNumber>>,
    /// Whether something is referred to that has no number.
    pub(super) dangles: Cell<bool>,
    pub(super) sources: IndexSet<&'a SourceName>,
    pub(super) times: IndexSet<Timestamp>,
    /// Some that were asked for lately: much was said at once, or by the same source.
    pub(super) lately: [Option<(Timestamp, TimeNumber)>; LATELY],
    pub(super) last_source: Option<(&'a SourceName, SourceNumber)>,
}

/// How many times are found without looking them up: a power of two.
const LATELY: usize = 16;

impl Used<'_> {
    /// Numbers what is referred to, groups by type and name.
    pub(super) fn numbers<'p>(self) -> Numbers<'p> {
        let Self {
            names,
            groups,
            keys,
            other_keys,
        } = self;
        let mut numbers = Numbers {
            texts: Texts::default(),
            groups: Dense::with_capacity(names.count()),
            keys: Dense::default(),
            dangles: Cell::new(false),
            sources: IndexSet::new(),
            times: IndexSet::new(),
            lately: [None; LATELY],
            last_source: None,
        };
        let used = names.order();
        let mut types: Vec<(GroupType, Vec<Name>)> = Vec::new();
        for (number, id) in (0..).zip(used.iter().filter(|id| groups.of(*id))) {
            *numbers.groups.slot(id) = Some(number);
            let Group { group_type, name } = names.group(id);
            match types.last_mut() {
                Some((known, names)) if known == group_type => names.push(name.clone()),
                Some(_) | None => types.push((group_type.clone(), vec![name.clone()])),
            }
        }
        numbers.texts.groups = types;
        let table = names.table();
        let all = (0..table.keys() + other_keys.len()).map(KeyId::new);
        for (number, id) in (0..).zip(all.filter(|id| keys.of(*id))) {
            *numbers.keys.slot(id) = Some(number);
            let other = id.index().checked_sub(table.keys());
            let key = match other {
                None => Some(table.key(id)),
                Some(other) => other_keys.get_index(other),
            };
            numbers.texts.keys.extend(key.cloned());
        }
        numbers
    }
}

impl<'a> Numbers<'a> {
    pub(super) fn group(&self, id: GroupId) -> GroupNumber {
        self.groups.of(id).unwrap_or_else(|| self.dangling())
    }

    pub(super) fn key(&self, id: KeyId) -> KeyNumber {
        self.keys.of(id).unwrap_or_else(|| self.dangling())
    }

    /// For what was not found before: it must not be written as something else.
    pub(super) fn dangling(&self) -> u32 {
        self.dangles.set(true);
        u32::MAX
    }

    pub(super) fn source(&mut self, source: &'a SourceName) -> SourceNumber {
        match self.last_source {
            Some((last, number)) if last == source => number,
            Some(_) | None => {
                let number = number(self.sources.insert_full(source).0);
                self.last_source = Some((source, number));
                number
            }
        }
    }

    pub(super) fn time(&mut self, time: Timestamp) -> TimeNumber {
        // Fibonacci hashing: the last digits of most times are zeros.
        let hash = time
            .micros()
            .cast_unsigned()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            >> 60;
        let slot = usize::try_from(hash).ok();
        let slot = slot.and_then(|slot| self.lately.get_mut(slot));
        match slot {
            Some(Some((known, number))) if *known == time => *number,
            slot => {
                let number = number(self.times.insert_full(time).0);
                if let Some(slot) = slot {
                    *slot = Some((time, number));
                }
                number
            }
        }
    }

    pub(super) fn stamp(&mut self, stamp: Stamp) -> StampNumber {
        (self.time(stamp.time), stamp.place)
    }

    pub(super) fn said<T, W>(&mut self, said: &Said<T>, what: W) -> SaidNumber<W> {
        (self.stamp(said.at), what, self.time(said.received))
    }

    pub(super) fn reference(&self, group: Ref) -> RefNumber {
        match group {
            Ref::Name(name) => i64::from(self.group(name)),
            Ref::Key(key) => -1 - i64::from(self.key(key)),
        }
    }

    pub(super) fn placement(&self, placement: Placement) -> PlacementNumber {
        match placement {
            Placement::Top => None,
            Placement::Under(parent) => Some(self.reference(parent)),
        }
    }

    pub(super) fn saying(&self, saying: NamedSaying) -> SayingNumber {
        match saying {
            NamedSaying::Gone => (GONE, None),
            NamedSaying::Exists(None) => (EXISTS, None),
            NamedSaying::Exists(Some(Placement::Top)) => (AT_THE_TOP, None),
            NamedSaying::Exists(Some(Placement::Under(parent))) => {
                (UNDER, Some(self.reference(parent)))
            }
            NamedSaying::Member(parent) => (MEMBER, Some(self.reference(parent))),
            NamedSaying::Renamed(to) => (RENAMED, Some(self.reference(Ref::Name(to)))),
        }
    }

    pub(super) fn scope(&self, scope: LedgerScope) -> ScopeNumber {
        match scope {
            LedgerScope::Groups => (GROUPS, None),
            LedgerScope::Persons => (PERSONS, None),
            LedgerScope::ChildrenOf(parent) => (CHILDREN, Some(self.reference(parent))),
        }
    }

    pub(super) fn ledger(&mut self, ledger: &'a Ledger) -> LedgerDocument {
        let Ledger {
            salt,
            table: _,
            seed,
            seeded,
            sources,
        } = ledger;
        let mut rows_of_seed: Dense<GroupId, bool> = Dense::default();
        for (group, _) in seed.iter().flat_map(|seed| &seed.rows) {
            *rows_of_seed.slot(*group) = true;
        }
        let newest = seed.as_ref().map(|seed| seed.time);
        let seeded = seeded.iter().filter(|(group, times)| {
            let follows = rows_of_seed.of(**group) && times.len() == 1;
            !follows || times.first().copied() != newest
        });
        let seed = seed.as_ref().map(|Seed { time, rows }| {
            let rows = rows.iter().map(|(group, parent)| {
                let parent = parent.map(|parent| self.group(parent));
                (self.group(*group), parent)
            });
            let rows = rows.collect();
            (self.time(*time), rows)
        });
        let seeded = seeded.map(|(group, times)| {
            let times = times.iter().map(|time| self.time(*time)).collect();
            (self.group(*group), times)
        });
        LedgerDocument {
            salt: salt.clone(),
            seed,
            seeded: seeded.collect(),
            sources: sources
                .iter()
                .map(|(name, source)| self.source_ledger(name, source))
                .collect(),
        }
    }

    pub(super) fn source_ledger(
        &mut self,
        name: &'a SourceName,
        source: &SourceLedger,
    ) -> SourceDocument {
        let number = self.source(name);
        let ids = source.ids.iter().map(|(key, record)| self.id(*key, record));
        let ids = ids.collect();
        let names = source.names.iter().map(|(name, record)| {
            let said = record.said.iter().map(|saying| {
                let (stamp, what) = (self.stamp(saying.at), self.saying(saying.what));
                (stamp, what, self.time(saying.received))
            });
            let said = said.collect();
            (self.group(*name), said)
        });
        let names = names.collect();
        let persons = source.persons.iter();
        let persons = persons.map(|(key, record)| self.person(*key, record));
        let persons = persons.collect();
        let snapshots = source.snapshots.iter().map(|(scope, (time, received))| {
            let scope = self.scope(*scope);
            (scope, self.time(*time), self.time(*received))
        });
        let snapshots = snapshots.collect();
        let events = source.events.iter().map(|(event, first)| {
            let (time, received) = (self.time(first.time), self.time(first.received));
            (event.clone(), time, received)
        });
        SourceDocument {
            source: number,
            ids,
            names,
            persons,
            snapshots,
            events: events.collect(),
            read: source.read.map(|time| self.time(time)),
            base: source
                .base
                .map(|(time, key)| (self.time(time), self.key(key))),
        }
    }

    pub(super) fn id(&mut self, key: KeyId, record: &IdRecord) -> IdNumber {
        let IdRecord {
            names,
            exists,
            placed,
            gone,
        } = record;
        let names = names.iter().map(|bore| {
            let name = self.group(bore.name);
            (self.stamp(bore.at), name, self.time(bore.received))
        });
        let names = names.collect();
        (
            self.key(key),
            names,
            exists.as_ref().map(|said| self.said(said, ())),
            placed
                .as_ref()
                .map(|said| self.said(said, self.placement(said.what))),
            gone.as_ref().map(|said| self.said(said, ())),
        )
    }

    pub(super) fn person(&mut self, key: PersonKey, record: &PersonRecord) -> PersonNumber {
        let PersonRecord { placed, left } = record;
        let placed = placed.as_ref().map(|said| {
            let groups = said.what.iter().map(|group| self.reference(*group));
            let groups = groups.collect();
            self.said(said, groups)
        });
        let left = left.as_ref().map(|said| self.said(said, ()));
        (key.text(), placed, left)
    }

    pub(super) fn anchor(&mut self, anchor: UsedAnchor<'a>) -> AnchorNumber {
        match anchor {
            UsedAnchor::Seeded(at) => (None, 0, self.stamp(at)),
            UsedAnchor::Said(source, said, at) => {
                let said = self.reference(said);
                (Some(self.source(source)), said, self.stamp(at))
            }
        }
    }

    pub(super) fn published(&mut self, used: &UsedPublished<'a>) -> Vec<PublishedNumber> {
        let forest = used.published.forest();
        let rows = used.rows.iter().enumerate().map(|(at, (group, anchor))| {
            let above = forest.above(at).map(number);
            let anchor = anchor.map(|anchor| self.anchor(anchor));
            (self.group(*group), above, anchor)
        });
        rows.collect()
    }

    pub(super) fn undo(&mut self, used: &UsedUndo<'a>) -> Vec<(GroupNumber, Option<UndoneRow>)> {
        let rows = used.iter().map(|(group, row)| {
            let row = row.map(|(parent, anchor)| {
                let parent = parent.map(|parent| self.group(parent));
                (parent, anchor.map(|anchor| self.anchor(anchor)))
            });
            (self.group(*group), row)
        });
        rows.collect()
    }
}

/// Four thousand million texts fit into no function's memory.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
