//! What a document refers to: found first, so that nothing else is written.

use indexmap::IndexSet;

use crate::hierarchy::{
    ledger::Ledger,
    name::{Group, Key},
    plain::PlainRef,
    published::{Published, Undo},
    records::{LedgerScope, NamedSaying, Placement, Ref, SourceLedger, Stamp},
    statement::SourceName,
    table::{Dense, GroupId, KeyId, Names, Number as _},
    views::Anchor,
};

/// One of so many names or more that are looked for is met soon by who goes through all.
const SIDE_BY_SIDE: usize = 16;

/// What was published, and the numbers of its groups in memory.
pub(super) struct UsedPublished<'a> {
    pub(super) published: &'a Published,
    pub(super) groups: Vec<GroupId>,
}

/// What leads back, and the numbers in memory of the groups that it names, in the order in which it names them: a row's own, then
/// its parent's.
pub(super) struct UsedUndo<'a> {
    pub(super) undo: &'a Undo,
    pub(super) groups: Vec<GroupId>,
}

/// By what a published group is found again.
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
    pub(super) sources: IndexSet<&'a SourceName>,
    last_source: Option<&'a SourceName>,
    /// Keys by which something published is found again, of which the ledger knows nothing.
    pub(super) other_keys: IndexSet<&'a Key>,
    /// The name that a key bore last, by the first source that names it.
    pub(super) shows: Dense<KeyId, Option<GroupId>>,
    /// One of the keys that bore a name last.
    shown_by: Dense<GroupId, Option<KeyId>>,
}

impl<'a> Used<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        let (groups, keys) = (ledger.table.groups(), ledger.table.keys());
        Self {
            names: Names::new(&ledger.table),
            groups: Dense::with_capacity(groups),
            keys: Dense::with_capacity(keys),
            sources: IndexSet::new(),
            last_source: None,
            other_keys: IndexSet::new(),
            shows: Dense::with_capacity(keys),
            shown_by: Dense::with_capacity(groups.min(keys)),
        }
    }

    /// A key's text.
    pub(super) fn key_text(&self, id: KeyId) -> Option<&'a Key> {
        let table = self.names.table();
        match id.index().checked_sub(table.keys()) {
            None => Some(table.key(id)),
            Some(other) => self.other_keys.get_index(other).copied(),
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

    fn placement(&mut self, placement: Placement) {
        match placement {
            Placement::Top => {}
            Placement::Under(parent) => self.reference(parent),
        }
    }

    pub(super) fn ledger(&mut self, ledger: &'a Ledger) {
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
        for (name, source) in sources {
            self.sources.insert(name);
            self.source(source);
        }
    }

    fn source(&mut self, source: &SourceLedger) {
        for (key, record) in source.ids.iter() {
            self.key(key);
            record.names.iter().for_each(|bore| self.group(bore.name));
            if let Some(placed) = &record.placed {
                self.placement(placed.what);
            }
            if let Some(last) = record.names.last() {
                self.shows.slot(key).get_or_insert(last.name);
                self.shown_by.slot(last.name).get_or_insert(key);
            }
        }
        for (name, record) in source.names.iter() {
            self.group(name);
            for saying in &record.said {
                match saying.what {
                    NamedSaying::Gone | NamedSaying::Exists(None) => {}
                    NamedSaying::Exists(Some(placement)) => self.placement(placement),
                    NamedSaying::Member(parent) => self.reference(parent),
                    NamedSaying::Renamed(to) => self.group(to),
                }
            }
        }
        let placed = source
            .persons
            .values()
            .filter_map(|one| one.placed.as_ref());
        for group in placed.flat_map(|said| &said.what) {
            self.reference(*group);
        }
        for scope in source.snapshots.keys() {
            match scope {
                LedgerScope::Groups | LedgerScope::Persons => {}
                LedgerScope::ChildrenOf(parent) => self.reference(*parent),
            }
        }
        source.base.iter().for_each(|(_, key)| self.key(*key));
    }

    fn find(&mut self, group: &Group) -> GroupId {
        let id = self.names.id(group);
        self.group(id);
        id
    }

    /// Where a key is, if it is anywhere: as a rule it bears the name of the group that is found by it.
    pub(super) fn find_key(&self, key: &Key, of: GroupId) -> Option<KeyId> {
        let table = self.names.table();
        let shown = self.shown_by.of(of);
        if let Some(shown) = shown.filter(|shown| table.key(*shown) == key) {
            return Some(shown);
        }
        table.find_key(key).or_else(|| {
            let other = self.other_keys.get_index_of(key)?;
            Some(KeyId::new(table.keys() + other))
        })
    }

    /// What an anchor refers to, if that is anywhere. `of` is the group whose anchor it is, which most name themselves.
    pub(super) fn anchor<'p>(
        &self,
        anchor: &'p Anchor,
        of: (&Group, GroupId),
    ) -> Option<UsedAnchor<'p>> {
        Some(match anchor {
            Anchor::Seeded(at) => UsedAnchor::Seeded(*at),
            Anchor::Said(source, said, at) => {
                let said = match said {
                    PlainRef::Key(key) => Ref::Key(self.find_key(key, of.1)?),
                    PlainRef::Name(name) if name == of.0 => Ref::Name(of.1),
                    PlainRef::Name(name) => Ref::Name(self.names.find(name)?),
                };
                UsedAnchor::Said(source, said, *at)
            }
        })
    }

    fn note_anchor(&mut self, anchor: &'a Anchor, of: (&Group, GroupId)) {
        let Anchor::Said(source, said, _) = anchor else {
            return;
        };
        // Mostly it is one text in memory, which nobody has to look at.
        let last = self.last_source.replace(source);
        if !last.is_some_and(|last| std::ptr::eq(last.as_str(), source.as_str())) {
            self.sources.insert(source);
        }
        match said {
            PlainRef::Key(key) => {
                let found = self.find_key(key, of.1);
                let id = found.unwrap_or_else(|| {
                    let (other, _) = self.other_keys.insert_full(key);
                    KeyId::new(self.names.table().keys() + other)
                });
                self.key(id);
            }
            PlainRef::Name(name) if name == of.0 => self.group(of.1),
            PlainRef::Name(name) => {
                self.find(name);
            }
        }
    }

    pub(super) fn published(&mut self, published: &'a Published) -> UsedPublished<'a> {
        let texts = published.forest().groups();
        let groups = self.names.ids_of_sorted(texts);
        for ((id, text), anchor) in groups.iter().zip(texts).zip(published.anchors().iter()) {
            self.group(*id);
            if let Some(anchor) = anchor {
                self.note_anchor(anchor, (text, *id));
            }
        }
        UsedPublished { published, groups }
    }

    pub(super) fn undo(&mut self, undo: &'a Undo) -> UsedUndo<'a> {
        let are_many = undo.rows.len() > self.names.count() / SIDE_BY_SIDE;
        let rows: Vec<GroupId> = match are_many {
            true => self.names.ids_of_sorted(undo.rows.keys()),
            false => undo.rows.keys().map(|group| self.names.id(group)).collect(),
        };
        let mut groups = Vec::with_capacity(rows.len());
        for (id, (text, row)) in rows.into_iter().zip(&undo.rows) {
            self.group(id);
            groups.push(id);
            let Some(row) = row else { continue };
            groups.extend(row.parent.as_ref().map(|parent| self.find(parent)));
            if let Some(anchor) = &row.anchor {
                self.note_anchor(anchor, (text, id));
            }
        }
        UsedUndo { undo, groups }
    }
}
