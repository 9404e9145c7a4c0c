//! Writing the document: first what is referred to is found and numbered, then all is put in numbers.

use std::cell::Cell;

use indexmap::IndexSet;

use super::{
    AT_THE_TOP, AnchorNumber, CHILDREN, Document, EXISTS, GONE, GROUPS, GroupNumber, IdNumber,
    KeyNumber, LedgerDocument, MEMBER, PERSONS, PersonNumber, PlacementNumber, PublishedNumber,
    RENAMED, RefNumber, SaidNumber, SayingNumber, ScopeNumber, SourceDocument, SourceNumber,
    StampNumber, Texts, TimeNumber, UNDER, UndoneRow,
};
use crate::{
    hierarchy::{
        ledger::{Ledger, Seed},
        name::{Group, GroupType, Key, Name},
        plain::PlainRef,
        published::{Published, Undo},
        reach::references,
        records::{
            IdRecord, LedgerScope, NamedSaying, PersonKey, PersonRecord, Placement, Ref, Said,
            SourceLedger, Stamp,
        },
        statement::SourceName,
        table::{Dense, GroupId, KeyId, Names, Number as _},
        views::Anchor,
    },
    timestamp::Timestamp,
};

impl Document {
    /// What is remembered, as a document.
    pub fn of(ledger: &Ledger, published: &[&Published], undos: &[&Undo]) -> Self {
        let mut used = Used::new(ledger);
        used.ledger(ledger);
        let published: Vec<UsedPublished<'_>> =
            published.iter().map(|one| used.published(one)).collect();
        let undos: Vec<UsedUndo<'_>> = undos.iter().map(|one| used.undo(one)).collect();
        let mut numbers = used.numbers();
        let ledger = numbers.ledger(ledger);
        let published = published.iter().map(|one| numbers.published(one)).collect();
        let undos = undos.iter().map(|one| numbers.undo(one)).collect();
        let Numbers {
            texts,
            sources,
            times,
            dangles,
            ..
        } = numbers;
        Self {
            texts: Texts {
                sources: sources.into_iter().cloned().collect(),
                ..texts
            },
            times: times.into_iter().collect(),
            ledger,
            published,
            undos,
            dangles: dangles.get(),
        }
    }
}

/// A published group, the places and names that its row refers to.
struct UsedPublished<'a> {
    published: &'a Published,
    rows: Vec<(GroupId, Option<UsedAnchor<'a>>)>,
}

type UsedRow<'a> = (Option<GroupId>, Option<UsedAnchor<'a>>);
type UsedUndo<'a> = Vec<(GroupId, Option<UsedRow<'a>>)>;

#[derive(Clone, Copy)]
enum UsedAnchor<'a> {
    Said(&'a SourceName, Ref, Stamp),
    Seeded(Stamp),
}

/// What is referred to.
struct Used<'a> {
    names: Names<'a>,
    groups: Dense<GroupId, bool>,
    keys: Dense<KeyId, bool>,
    /// Keys by which something published is found again, of which the ledger knows nothing.
    other_keys: IndexSet<Key>,
}

impl<'a> Used<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        Self {
            names: Names::new(&ledger.table),
            groups: Dense::with_capacity(ledger.table.groups()),
            keys: Dense::with_capacity(ledger.table.keys()),
            other_keys: IndexSet::new(),
        }
    }

    fn group(&mut self, id: GroupId) {
        *self.groups.slot(id) = true;
    }

    fn key(&mut self, id: KeyId) {
        *self.keys.slot(id) = true;
    }

    fn reference(&mut self, group: Ref) {
        match group {
            Ref::Key(key) => self.key(key),
            Ref::Name(name) => self.group(name),
        }
    }

    fn ledger(&mut self, ledger: &Ledger) {
        let Ledger {
            salt: _,
            table: _,
            seed,
            seeded,
            sources,
        } = ledger;
        for (group, parent) in seed.iter().flat_map(|seed| &seed.rows) {
            self.group(*group);
            parent.iter().for_each(|parent| self.group(*parent));
        }
        seeded.keys().for_each(|group| self.group(*group));
        for source in sources.values() {
            for (key, record) in &source.ids {
                self.key(*key);
                record.names.iter().for_each(|bore| self.group(bore.name));
            }
            for (name, record) in &source.names {
                self.group(*name);
                for saying in &record.said {
                    if let NamedSaying::Renamed(to) = saying.what {
                        self.group(to);
                    }
                }
            }
            references(source).for_each(|group| self.reference(group));
            source.base.iter().for_each(|(_, key)| self.key(*key));
        }
    }

    fn find(&mut self, group: &Group) -> GroupId {
        let id = self.names.id(group);
        self.group(id);
        id
    }

    fn find_key(&mut self, key: &Key) -> KeyId {
        let table = self.names.table();
        let id = match table.find_key(key) {
            Some(id) => id,
            None => {
                let (other, _) = self.other_keys.insert_full(key.clone());
                KeyId::new(table.keys() + other)
            }
        };
        self.key(id);
        id
    }

    /// `of` is the group whose anchor it is, which most anchors name themselves.
    fn anchor<'p>(&mut self, anchor: &'p Anchor, of: (&Group, GroupId)) -> UsedAnchor<'p> {
        match anchor {
            Anchor::Seeded(at) => UsedAnchor::Seeded(*at),
            Anchor::Said(source, said, at) => {
                let said = match said {
                    PlainRef::Key(key) => Ref::Key(self.find_key(key)),
                    PlainRef::Name(name) if name == of.0 => Ref::Name(of.1),
                    PlainRef::Name(name) => Ref::Name(self.find(name)),
                };
                UsedAnchor::Said(source, said, *at)
            }
        }
    }

    fn published<'p>(&mut self, published: &'p Published) -> UsedPublished<'p> {
        let groups = published.forest().groups();
        let ids = self.names.ids_of_sorted(groups);
        let rows = groups.iter().zip(published.anchors()).zip(ids);
        let rows = rows.map(|((group, anchor), id)| {
            self.group(id);
            let anchor = anchor.as_ref();
            (id, anchor.map(|anchor| self.anchor(anchor, (group, id))))
        });
        UsedPublished {
            published,
            rows: rows.collect(),
        }
    }

    fn undo<'p>(&mut self, undo: &'p Undo) -> UsedUndo<'p> {
        let rows = undo.rows.iter().map(|(group, row)| {
            let id = self.find(group);
            let row = row.as_ref().map(|row| {
                let parent = row.parent.as_ref().map(|parent| self.find(parent));
                let anchor = row.anchor.as_ref();
                (
                    parent,
                    anchor.map(|anchor| self.anchor(anchor, (group, id))),
                )
            });
            (id, row)
        });
        rows.collect()
    }

    /// Numbers what is referred to, groups by type and name.
    fn numbers<'p>(self) -> Numbers<'p> {
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

/// The numbers of what is referred to.
struct Numbers<'a> {
    texts: Texts,
    groups: Dense<GroupId, Option<GroupNumber>>,
    keys: Dense<KeyId, Option<KeyNumber>>,
    /// Whether something is referred to that has no number.
    dangles: Cell<bool>,
    sources: IndexSet<&'a SourceName>,
    times: IndexSet<Timestamp>,
    /// Some that were asked for lately: much was said at once, or by the same source.
    lately: [Option<(Timestamp, TimeNumber)>; LATELY],
    last_source: Option<(&'a SourceName, SourceNumber)>,
}

/// How many times are found without looking them up: a power of two.
const LATELY: usize = 16;

impl<'a> Numbers<'a> {
    fn group(&self, id: GroupId) -> GroupNumber {
        self.groups.of(id).unwrap_or_else(|| self.dangling())
    }

    fn key(&self, id: KeyId) -> KeyNumber {
        self.keys.of(id).unwrap_or_else(|| self.dangling())
    }

    /// For what was not found before: it must not be written as something else.
    fn dangling(&self) -> u32 {
        self.dangles.set(true);
        u32::MAX
    }

    fn source(&mut self, source: &'a SourceName) -> SourceNumber {
        match self.last_source {
            Some((last, number)) if last == source => number,
            Some(_) | None => {
                let number = number(self.sources.insert_full(source).0);
                self.last_source = Some((source, number));
                number
            }
        }
    }

    fn time(&mut self, time: Timestamp) -> TimeNumber {
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

    fn stamp(&mut self, stamp: Stamp) -> StampNumber {
        (self.time(stamp.time), stamp.place)
    }

    fn said<T, W>(&mut self, said: &Said<T>, what: W) -> SaidNumber<W> {
        (self.stamp(said.at), what, self.time(said.received))
    }

    fn reference(&self, group: Ref) -> RefNumber {
        match group {
            Ref::Name(name) => i64::from(self.group(name)),
            Ref::Key(key) => -1 - i64::from(self.key(key)),
        }
    }

    fn placement(&self, placement: Placement) -> PlacementNumber {
        match placement {
            Placement::Top => None,
            Placement::Under(parent) => Some(self.reference(parent)),
        }
    }

    fn saying(&self, saying: NamedSaying) -> SayingNumber {
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

    fn scope(&self, scope: LedgerScope) -> ScopeNumber {
        match scope {
            LedgerScope::Groups => (GROUPS, None),
            LedgerScope::Persons => (PERSONS, None),
            LedgerScope::ChildrenOf(parent) => (CHILDREN, Some(self.reference(parent))),
        }
    }

    fn ledger(&mut self, ledger: &'a Ledger) -> LedgerDocument {
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

    fn source_ledger(&mut self, name: &'a SourceName, source: &SourceLedger) -> SourceDocument {
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

    fn id(&mut self, key: KeyId, record: &IdRecord) -> IdNumber {
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

    fn person(&mut self, key: PersonKey, record: &PersonRecord) -> PersonNumber {
        let PersonRecord { placed, left } = record;
        let placed = placed.as_ref().map(|said| {
            let groups = said.what.iter().map(|group| self.reference(*group));
            let groups = groups.collect();
            self.said(said, groups)
        });
        let left = left.as_ref().map(|said| self.said(said, ()));
        (key.text(), placed, left)
    }

    fn anchor(&mut self, anchor: UsedAnchor<'a>) -> AnchorNumber {
        match anchor {
            UsedAnchor::Seeded(at) => (None, 0, self.stamp(at)),
            UsedAnchor::Said(source, said, at) => {
                let said = self.reference(said);
                (Some(self.source(source)), said, self.stamp(at))
            }
        }
    }

    fn published(&mut self, used: &UsedPublished<'a>) -> Vec<PublishedNumber> {
        let forest = used.published.forest();
        let rows = used.rows.iter().enumerate().map(|(at, (group, anchor))| {
            let above = forest.above(at).map(number);
            let anchor = anchor.map(|anchor| self.anchor(anchor));
            (self.group(*group), above, anchor)
        });
        rows.collect()
    }

    fn undo(&mut self, used: &UsedUndo<'a>) -> Vec<(GroupNumber, Option<UndoneRow>)> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::{Salt, statement::group};

    #[test]
    fn what_was_not_found_before_is_not_written_as_something_else() {
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        let unmarked = ledger.table.group_id(&group("a", "Team").unwrap());
        let numbers = Used::new(&ledger).numbers();
        assert!(!numbers.dangles.get());
        numbers.reference(Ref::Name(unmarked));
        assert!(numbers.dangles.get());
        let mut document = Document::of(&ledger, &[], &[]);
        assert!(document.write_json(&mut Vec::new()).is_ok());
        document.dangles = true;
        assert!(document.write_json(&mut Vec::new()).is_err());
    }
}
