//! What is remembered, row by row, in numbers. The form is that of `document`'s types, by which it is read.

use super::{
    super::{AT_THE_TOP, CHILDREN, EXISTS, GONE, GROUPS, MEMBER, PERSONS, RENAMED, UNDER},
    json::Json,
    numbers::Numbers,
    used::{Used, UsedAnchor, UsedPublished, UsedUndo},
};
use crate::{
    hierarchy::{
        forest::place,
        ledger::{Ledger, Seed, Times},
        name::Group,
        records::{
            IdRecord, LedgerScope, NameRecord, NamedSaying, PersonKey, PersonRecord, Placement,
            Ref, Said, Saying, SourceLedger, Stamp,
        },
        statement::SourceName,
        table::{Dense, GroupId, KeyId},
        views::Anchor,
    },
    timestamp::Timestamp,
};

/// What writes a document's rows.
pub(super) struct Writer<'a, 'b> {
    json: Json<'b>,
    numbers: Numbers<'a>,
    used: &'b Used<'a>,
}

impl<'a, 'b> Writer<'a, 'b> {
    pub(super) const fn new(json: Json<'b>, numbers: Numbers<'a>, used: &'b Used<'a>) -> Self {
        Self {
            json,
            numbers,
            used,
        }
    }

    pub(super) fn end(self) -> (Json<'b>, Numbers<'a>) {
        (self.json, self.numbers)
    }

    fn list(&mut self, write: impl FnOnce(&mut Self)) {
        self.json.begin_list();
        write(self);
        self.json.end_list();
    }

    fn list_of<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.list(|all| items.into_iter().for_each(|item| write(all, item)));
    }

    fn or_null<T>(&mut self, item: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match item {
            Some(item) => write(self, item),
            None => self.json.null(),
        }
    }

    fn group(&mut self, id: GroupId) {
        self.json.number(self.numbers.group(id));
    }

    fn key(&mut self, id: KeyId) {
        self.json.number(self.numbers.key(id));
    }

    /// In place of what was not found.
    fn nothing(&mut self) {
        self.json.number(self.numbers.dangling());
    }

    fn source(&mut self, source: &'a SourceName) {
        self.json.number(self.numbers.source(source));
    }

    fn time(&mut self, time: Timestamp) {
        self.json.number(self.numbers.time(time));
    }

    fn stamp(&mut self, stamp: Stamp) {
        self.list(|row| {
            row.time(stamp.time);
            row.json.number(stamp.place);
        });
    }

    fn said<T>(&mut self, said: &Said<T>, write: impl FnOnce(&mut Self, &T)) {
        self.list(|row| {
            row.stamp(said.at);
            write(row, &said.what);
            row.time(said.received);
        });
    }

    fn said_or_null(&mut self, said: Option<&Said<()>>) {
        self.or_null(said, |row, said| {
            row.said(said, |row, ()| row.json.null());
        });
    }

    pub(super) fn reference(&mut self, group: Ref) {
        match group {
            Ref::Name(name) => self.group(name),
            Ref::Key(key) => {
                let number = self.numbers.key(key);
                self.json.negative(number.saturating_add(1));
            }
        }
    }

    fn placement(&mut self, placement: Placement) {
        match placement {
            Placement::Top => self.json.null(),
            Placement::Under(parent) => self.reference(parent),
        }
    }

    /// A kind, and the group that is named.
    fn kind(&mut self, kind: u8, group: Option<Ref>) {
        self.list(|row| {
            row.json.number(u32::from(kind));
            row.or_null(group, Self::reference);
        });
    }

    fn saying(&mut self, saying: NamedSaying) {
        match saying {
            NamedSaying::Gone => self.kind(GONE, None),
            NamedSaying::Exists(None) => self.kind(EXISTS, None),
            NamedSaying::Exists(Some(Placement::Top)) => self.kind(AT_THE_TOP, None),
            NamedSaying::Exists(Some(Placement::Under(parent))) => self.kind(UNDER, Some(parent)),
            NamedSaying::Member(parent) => self.kind(MEMBER, Some(parent)),
            NamedSaying::Renamed(to) => self.kind(RENAMED, Some(Ref::Name(to))),
        }
    }

    fn scope(&mut self, scope: LedgerScope) {
        match scope {
            LedgerScope::Groups => self.kind(GROUPS, None),
            LedgerScope::Persons => self.kind(PERSONS, None),
            LedgerScope::ChildrenOf(parent) => self.kind(CHILDREN, Some(parent)),
        }
    }

    pub(super) fn ledger(&mut self, ledger: &'a Ledger) {
        let Ledger {
            salt,
            table: _,
            seed,
            seeded,
            sources,
        } = ledger;
        self.json.field("ledger");
        self.json.begin_object();
        self.json.field("salt");
        self.json.value(salt);
        self.json.field("seed");
        self.or_null(seed.as_ref(), |all, Seed { time, rows }| {
            all.list(|seed| {
                seed.time(*time);
                seed.list_of(rows, |all, (group, parent)| {
                    all.list(|row| {
                        row.group(*group);
                        row.or_null(*parent, Self::group);
                    });
                });
            });
        });
        self.json.field("seeded");
        let mut rows_of_seed: Dense<GroupId, bool> = Dense::default();
        for (group, _) in seed.iter().flat_map(|seed| &seed.rows) {
            *rows_of_seed.slot(*group) = true;
        }
        let newest = seed.as_ref().map(|seed| seed.time);
        let seeded = seeded.iter().filter(|(group, times)| {
            let follows = rows_of_seed.of(**group) && times.len() == 1;
            !follows || times.first().copied() != newest
        });
        self.list_of(seeded, |all, (group, times): (&GroupId, &Times)| {
            all.list(|row| {
                row.group(*group);
                row.list_of(times.iter(), |row, time| row.time(*time));
            });
        });
        self.json.field("sources");
        self.list(|all| {
            for (name, source) in sources {
                all.source_ledger(name, source);
            }
        });
        self.json.end_object();
    }

    fn source_ledger(&mut self, name: &'a SourceName, source: &SourceLedger) {
        let SourceLedger {
            ids,
            names,
            persons,
            snapshots,
            events,
            read,
            base,
            compacted: _,
        } = source;
        self.json.begin_object();
        self.json.field("source");
        self.source(name);
        self.json.field("ids");
        self.list_of(ids.iter(), |all, (key, record)| all.id(key, record));
        self.json.field("names");
        self.list_of(names.iter(), |all, (name, record)| all.name(name, record));
        self.json.field("persons");
        self.list_of(persons, |all, (key, record)| all.person(*key, record));
        self.json.field("snapshots");
        self.list_of(snapshots, |all, (scope, (time, received))| {
            all.list(|row| {
                row.scope(*scope);
                row.time(*time);
                row.time(*received);
            });
        });
        self.json.field("events");
        self.list_of(events, |all, (event, first)| {
            all.list(|row| {
                row.json.value(event);
                row.time(first.time);
                row.time(first.received);
            });
        });
        self.json.field("read");
        self.or_null(*read, Self::time);
        self.json.field("base");
        self.or_null(*base, |all, (time, key)| {
            all.list(|row| {
                row.time(time);
                row.key(key);
            });
        });
        self.json.end_object();
    }

    fn id(&mut self, key: KeyId, record: &IdRecord) {
        let IdRecord {
            names,
            exists,
            placed,
            gone,
        } = record;
        self.list(|row| {
            row.key(key);
            row.list_of(names, |all, bore| {
                all.list(|row| {
                    row.stamp(bore.at);
                    row.group(bore.name);
                    row.time(bore.received);
                });
            });
            row.said_or_null(exists.as_ref());
            row.or_null(placed.as_ref(), |row, said| {
                row.said(said, |row, placement| row.placement(*placement));
            });
            row.said_or_null(gone.as_ref());
        });
    }

    fn name(&mut self, name: GroupId, record: &NameRecord) {
        self.list(|row| {
            row.group(name);
            row.list_of(&record.said, |all, Saying { at, what, received }| {
                all.list(|row| {
                    row.stamp(*at);
                    row.saying(*what);
                    row.time(*received);
                });
            });
        });
    }

    fn person(&mut self, key: PersonKey, record: &PersonRecord) {
        let PersonRecord { placed, left } = record;
        self.list(|row| {
            row.json.value(&key.text());
            row.or_null(placed.as_ref(), |row, said| {
                row.said(said, |row, groups| {
                    row.list_of(groups, |row, group| row.reference(*group));
                });
            });
            row.said_or_null(left.as_ref());
        });
    }

    /// By what a group is found again; without a source the seed's name.
    fn anchor(&mut self, anchor: Option<&'a Anchor>, of: (&Group, GroupId)) {
        self.or_null(anchor, |row, anchor| match row.used.anchor(anchor, of) {
            Some(UsedAnchor::Seeded(at)) => row.list(|row| {
                row.json.null();
                row.json.number(0);
                row.stamp(at);
            }),
            Some(UsedAnchor::Said(source, said, at)) => row.list(|row| {
                row.source(source);
                row.reference(said);
                row.stamp(at);
            }),
            None => row.nothing(),
        });
    }

    pub(super) fn all_published(&mut self, all: &[UsedPublished<'a>]) {
        self.json.field("published");
        self.list_of(all, Self::published);
    }

    fn published(&mut self, used: &UsedPublished<'a>) {
        let UsedPublished { published, groups } = used;
        let forest = published.forest();
        let rows = groups.iter().zip(forest.groups());
        let rows = rows.zip(published.anchors().iter()).enumerate();
        self.list_of(rows, |all, (at, ((id, text), anchor))| {
            all.list(|row| {
                row.group(*id);
                row.or_null(forest.above(at), |row, above| {
                    row.json.number(place(above));
                });
                row.anchor(anchor.as_ref(), (text, *id));
            });
        });
    }

    pub(super) fn undos(&mut self, all: &[UsedUndo<'a>]) {
        self.json.field("undos");
        self.list_of(all, Self::undo);
    }

    fn undo(&mut self, UsedUndo { undo, groups }: &UsedUndo<'a>) {
        let mut groups = groups.iter().copied();
        self.list(|all| {
            for (text, row) in &undo.rows {
                let Some(id) = groups.next() else {
                    return all.nothing();
                };
                all.list(|written| {
                    written.group(id);
                    written.or_null(row.as_ref(), |written, row| {
                        written.list(|written| {
                            written.or_null(row.parent.as_ref(), |written, _| {
                                match groups.next() {
                                    Some(parent) => written.group(parent),
                                    None => written.nothing(),
                                }
                            });
                            written.anchor(row.anchor.as_ref(), (text, id));
                        });
                    });
                });
            }
        });
    }
}
