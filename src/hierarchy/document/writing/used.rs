//! What a document refers to: found first, so that nothing else is written.

use indexmap::IndexSet;

use crate::hierarchy::{
    ledger::Ledger,
    name::{Group, Key},
    plain::PlainRef,
    published::{Published, Undo},
    reach::references,
    records::{NamedSaying, Ref, Stamp},
    statement::SourceName,
    table::{Dense, GroupId, KeyId, Names, Number as _},
    views::Anchor,
};

/// A published group, the places and names that its row refers to.
pub(super) struct UsedPublished<'a> {
    pub(super) published: &'a Published,
    pub(super) rows: Vec<(GroupId, Option<UsedAnchor<'a>>)>,
}

pub(super) type UsedRow<'a> = (Option<GroupId>, Option<UsedAnchor<'a>>);
pub(super) type UsedUndo<'a> = Vec<(GroupId, Option<UsedRow<'a>>)>;

#[derive(Clone, Copy)]
pub(super) enum UsedAnchor<'a> {
    Said(&'a SourceName, Ref, Stamp),
    Seeded(Stamp),
}

/// What is referred to.
pub(super) struct Used<'a> {
    pub(super) names: Names<'a>,
    pub(super) groups: Dense<GroupId, bool>,
    pub(super) keys: Dense<KeyId, bool>,
    /// Keys by which something published is found again, of which the ledger knows nothing.
    pub(super) other_keys: IndexSet<Key>,
}

impl<'a> Used<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        Self {
            names: Names::new(&ledger.table),
            groups: Dense::with_capacity(ledger.table.groups()),
            keys: Dense::with_capacity(ledger.table.keys()),
            other_keys: IndexSet::new(),
        }
    }

    pub(super) fn group(&mut self, id: GroupId) {
        *self.groups.slot(id) = true;
    }

    pub(super) fn key(&mut self, id: KeyId) {
        *self.keys.slot(id) = true;
    }

    pub(super) fn reference(&mut self, group: Ref) {
        match group {
            Ref::Key(key) => self.key(key),
            Ref::Name(name) => self.group(name),
        }
    }

    pub(super) fn ledger(&mut self, ledger: &Ledger) {
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

    pub(super) fn find(&mut self, group: &Group) -> GroupId {
        let id = self.names.id(group);
        self.group(id);
        id
    }

    pub(super) fn find_key(&mut self, key: &Key) -> KeyId {
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
    pub(super) fn anchor<'p>(
        &mut self,
        anchor: &'p Anchor,
        of: (&Group, GroupId),
    ) -> UsedAnchor<'p> {
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

    pub(super) fn published<'p>(&mut self, published: &'p Published) -> UsedPublished<'p> {
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

    pub(super) fn undo<'p>(&mut self, undo: &'p Undo) -> UsedUndo<'p> {
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
}
