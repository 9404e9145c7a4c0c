//! The names and keys that a ledger knows, each once: everything else refers to them by number.
//!
//! A company's hierarchy names each group many times: as a parent, as of another time, as published.
//! Numbers make comparing and looking up cheap, and what is remembered small. Which number a name
//! has depends on when it was first heard of, so no number decides anything: where order matters,
//! the texts are compared.

use std::{
    borrow::Cow,
    cmp::Ordering,
    hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _},
    ops::Range,
};

use indexmap::{
    IndexMap, IndexSet,
    map::raw_entry_v1::{RawEntryApiV1 as _, RawEntryMut},
};

use super::name::{Group, GroupType, Key};

/// A group's number in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupId(u32);

/// A key's number in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct KeyId(u32);

/// What counts from zero and stands for something.
pub(super) trait Number: Copy + Ord {
    fn new(index: usize) -> Self;
    fn index(self) -> usize;
}

impl Number for GroupId {
    fn new(index: usize) -> Self {
        Self(number(index))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Number for KeyId {
    fn new(index: usize) -> Self {
        Self(number(index))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// More than four thousand million names fit into no function's memory.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The groups and keys of a ledger. It only grows: what nothing refers to any more is left behind
/// when the ledger is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    types: IndexSet<GroupType>,
    groups: IndexMap<Group, ()>,
    keys: IndexSet<Key>,
    /// The first of the groups, by their texts.
    sorted: Vec<GroupId>,
    /// Of each group the place of its type.
    kinds: Vec<u32>,
    /// Of each group a hash that is the same for those that differ only in case.
    folded: Vec<u64>,
    /// How many bytes the names and keys have that were added since the table was made.
    added_bytes: usize,
}

impl Table {
    /// The number of a group, which is a new one where the group is.
    pub(super) fn group_id(&mut self, group: &Group) -> GroupId {
        let hash = self.groups.hasher().hash_one(group);
        let entry = self.groups.raw_entry_mut_v1();
        match entry.from_key_hashed_nocheck(hash, group) {
            RawEntryMut::Occupied(known) => GroupId::new(known.index()),
            RawEntryMut::Vacant(vacant) => {
                let (kind, is_new) = self.types.insert_full(group.group_type.clone());
                if is_new {
                    self.added_bytes += group.group_type.as_str().len();
                }
                self.added_bytes += group.name.as_str().len();
                self.kinds.push(number(kind));
                self.folded.push(folded(group));
                let group_type = self.types.get_index(kind).unwrap_or(&group.group_type);
                let group = Group::new(group.name.clone(), group_type.clone());
                vacant.insert_hashed_nocheck(hash, group, ());
                GroupId::new(self.groups.len() - 1)
            }
        }
    }

    /// The number of a key, which is a new one where the key is.
    pub(super) fn key_id(&mut self, key: &Key) -> KeyId {
        let (index, is_new) = self.keys.insert_full(key.clone());
        if is_new {
            self.added_bytes += key.as_str().len();
        }
        KeyId::new(index)
    }

    pub(super) fn find_group(&self, group: &Group) -> Option<GroupId> {
        self.groups.get_index_of(group).map(GroupId::new)
    }

    pub(super) fn find_key(&self, key: &Key) -> Option<KeyId> {
        self.keys.get_index_of(key).map(KeyId::new)
    }

    #[expect(
        clippy::expect_used,
        reason = "only the table makes numbers, and forgets none"
    )]
    pub(super) fn group(&self, id: GroupId) -> &Group {
        let known = self.groups.get_index(id.index());
        known.map(|(group, _)| group).expect("a number of ours")
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "only the table makes numbers, and forgets none"
    )]
    pub(super) fn key(&self, id: KeyId) -> &Key {
        &self.keys[id.index()]
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How many bytes the names and keys have that were added since the table was made.
    pub(super) const fn added_bytes(&self) -> usize {
        self.added_bytes
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn cmp_groups(&self, a: GroupId, b: GroupId) -> Ordering {
        match a == b {
            true => Ordering::Equal,
            false => self.group(a).cmp(self.group(b)),
        }
    }

    pub(super) fn cmp_keys(&self, a: KeyId, b: KeyId) -> Ordering {
        match a == b {
            true => Ordering::Equal,
            false => self.key(a).cmp(self.key(b)),
        }
    }

    /// Every group, by type, then name.
    pub(super) fn sorted(&self) -> Cow<'_, [GroupId]> {
        if self.sorted.len() == self.groups.len() {
            return Cow::Borrowed(&self.sorted);
        }
        let newer = self.in_order(self.sorted.len()..self.groups.len());
        Cow::Owned(merged(&self.sorted, &newer, |a, b| {
            self.group(*a).cmp(self.group(*b))
        }))
    }

    /// Some of the groups by their texts. Most comparisons are decided by how the texts begin, which lies side by side.
    fn in_order(&self, groups: Range<usize>) -> Vec<GroupId> {
        let mut types: Vec<(&GroupType, u32)> = self.types.iter().zip(0..).collect();
        types.sort_unstable();
        let mut ranks = vec![0; types.len()];
        for (rank, (_, kind)) in (0..).zip(&types) {
            if let Some(slot) = ranks.get_mut(*kind as usize) {
                *slot = rank;
            }
        }
        let kinds = self.kinds.get(groups.clone()).unwrap_or_default();
        let beginnings = groups.map(GroupId::new).zip(kinds).map(|(id, kind)| {
            let rank = ranks.get(*kind as usize).copied().unwrap_or_default();
            (rank, beginning(self.group(id).name.as_str()), id)
        });
        let mut all: Vec<(u32, [u64; 3], GroupId)> = beginnings.collect();
        all.sort_unstable_by(|(kind, text, id), (other_kind, other_text, other)| {
            let begin = (kind, text).cmp(&(other_kind, other_text));
            begin.then_with(|| self.cmp_groups(*id, *other))
        });
        all.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Sorts what is new, once that is a good part of the whole: so sorting costs each group little,
    /// however the groups come.
    pub(super) fn sort_much(&mut self) {
        let newer = self.groups.len() - self.sorted.len();
        if newer > self.sorted.len() / 16 {
            self.sorted = self.sorted().into_owned();
        }
    }
}

/// How a text begins: of two texts the one that begins with less is less.
fn beginning(text: &str) -> [u64; 3] {
    let mut bytes = text.bytes();
    [(); 3].map(|()| {
        (0..8).fold(0, |word, _| {
            word << 8 | u64::from(bytes.next().unwrap_or(0))
        })
    })
}

/// A hash of a group's texts without regard to case.
fn folded(group: &Group) -> u64 {
    let mut hasher = DefaultHasher::new();
    group.group_type.as_str().to_lowercase().hash(&mut hasher);
    group.name.as_str().to_lowercase().hash(&mut hasher);
    hasher.finish()
}

/// Two sorted lists as one.
pub(super) fn merged<T: Copy>(
    older: &[T],
    newer: &[T],
    compare: impl Fn(&T, &T) -> Ordering,
) -> Vec<T> {
    let mut all = Vec::with_capacity(older.len() + newer.len());
    let mut rest = older;
    for item in newer {
        // Few are new, as a rule, so what lies between two of them is looked for by halves.
        let until = rest.partition_point(|known| compare(known, item) == Ordering::Less);
        let (before, after) = rest.split_at(until);
        all.extend_from_slice(before);
        all.push(*item);
        rest = after;
    }
    all.extend_from_slice(rest);
    all
}

/// Something of each number, where there is anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dense<N, T> {
    items: Vec<T>,
    by: std::marker::PhantomData<N>,
}

impl<N, T> Default for Dense<N, T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            by: std::marker::PhantomData,
        }
    }
}

impl<N: Number, T: Default> Dense<N, T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            items: Vec::with_capacity(capacity),
            by: std::marker::PhantomData,
        }
    }

    pub(super) fn get(&self, number: N) -> Option<&T> {
        self.items.get(number.index())
    }

    pub(super) fn get_mut(&mut self, number: N) -> Option<&mut T> {
        self.items.get_mut(number.index())
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "it was made long enough just before"
    )]
    pub(super) fn slot(&mut self, number: N) -> &mut T {
        let index = number.index();
        if index >= self.items.len() {
            self.items.resize_with(index + 1, T::default);
        }
        &mut self.items[index]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (N, &T)> {
        self.items
            .iter()
            .enumerate()
            .map(|(index, item)| (N::new(index), item))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (N, &mut T)> {
        self.items
            .iter_mut()
            .enumerate()
            .map(|(index, item)| (N::new(index), item))
    }
}

impl<N: Number, T: Copy + Default> Dense<N, T> {
    /// What there is of the number; the default where there is nothing.
    pub(super) fn of(&self, number: N) -> T {
        self.get(number).copied().unwrap_or_default()
    }
}

/// The groups of a projection: its ledger's, and those that only come up on the way, such as names
/// with a key behind them.
#[derive(Debug)]
pub(super) struct Names<'a> {
    table: &'a Table,
    others: IndexSet<Group>,
}

impl<'a> Names<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        Self {
            table,
            others: IndexSet::new(),
        }
    }

    pub(super) fn table(&self) -> &'a Table {
        self.table
    }

    pub(super) fn count(&self) -> usize {
        self.table.groups() + self.others.len()
    }

    pub(super) fn find(&self, group: &Group) -> Option<GroupId> {
        self.table.find_group(group).or_else(|| {
            if self.others.is_empty() {
                return None;
            }
            let other = self.others.get_index_of(group)?;
            Some(GroupId::new(self.table.groups() + other))
        })
    }

    pub(super) fn id(&mut self, group: &Group) -> GroupId {
        match self.find(group) {
            Some(known) => known,
            None => {
                let (other, _) = self.others.insert_full(group.clone());
                GroupId::new(self.table.groups() + other)
            }
        }
    }

    /// The numbers of groups that are sorted, as those of a hierarchy are: side by side with our own,
    /// without looking each up.
    pub(super) fn ids_of_sorted<'g>(
        &mut self,
        groups: impl IntoIterator<Item = &'g Group>,
    ) -> Vec<GroupId> {
        let sorted = self.table.sorted();
        let mut rest = sorted.iter().copied().peekable();
        let ids = groups.into_iter().map(|group| {
            while let Some(id) = rest.peek().copied() {
                match self.table.group(id).cmp(group) {
                    Ordering::Less => rest.next(),
                    // None is compared again with the next one.
                    Ordering::Equal => {
                        rest.next();
                        return id;
                    }
                    Ordering::Greater => break,
                };
            }
            self.id(group)
        });
        ids.collect()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "only the names make numbers, and forget none"
    )]
    pub(super) fn group(&self, id: GroupId) -> &Group {
        match id.index().checked_sub(self.table.groups()) {
            None => self.table.group(id),
            Some(other) => &self.others[other],
        }
    }

    pub(super) fn cmp(&self, a: GroupId, b: GroupId) -> Ordering {
        match a == b {
            true => Ordering::Equal,
            false => self.group(a).cmp(self.group(b)),
        }
    }

    /// A hash that is the same for groups that differ only in case.
    pub(super) fn folded(&self, id: GroupId) -> u64 {
        let known = self.table.folded.get(id.index());
        known.copied().unwrap_or_else(|| folded(self.group(id)))
    }

    /// The order of all groups, now that none comes any more.
    pub(super) fn order(&self) -> Order {
        let sorted = self.table.sorted();
        let sorted = if self.others.is_empty() {
            sorted.into_owned()
        } else {
            let from = self.table.groups();
            let mut others: Vec<GroupId> = (from..self.count()).map(GroupId::new).collect();
            others.sort_unstable_by(|a, b| self.cmp(*a, *b));
            merged(&sorted, &others, |a, b| self.cmp(*a, *b))
        };
        let mut ranks = Dense::with_capacity(sorted.len());
        for (rank, id) in sorted.iter().enumerate() {
            *ranks.slot(*id) = number(rank);
        }
        Order { sorted, ranks }
    }
}

/// The groups of a projection by type, then name.
#[derive(Debug, Default)]
pub(super) struct Order {
    sorted: Vec<GroupId>,
    ranks: Dense<GroupId, u32>,
}

impl Order {
    /// All of them, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = GroupId> + '_ {
        self.sorted.iter().copied()
    }

    /// The place of one.
    pub(super) fn rank(&self, id: GroupId) -> u32 {
        self.ranks.of(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::statement::group;

    #[test]
    fn groups_are_sorted_by_their_texts_however_these_begin() {
        let names = [
            "b",
            "a",
            "ab",
            "\u{e9}",
            "12345678",
            "1234567",
            "123456789012345678901234-b",
            "123456789012345678901234-a",
            "123456789012345678901234",
            "12345678901234567890123",
            "12345678\u{e9}",
        ];
        let mut table = Table::default();
        for group_type in ["Team", "Company", "Tea"] {
            for name in names {
                table.group_id(&group(name, group_type).unwrap());
            }
        }
        let sorted = table.sorted();
        let texts: Vec<&Group> = sorted.iter().map(|id| table.group(*id)).collect();
        let mut expected = texts.clone();
        expected.sort();
        assert_eq!(texts, expected);
        assert_eq!(texts.len(), 3 * names.len());
    }
}
