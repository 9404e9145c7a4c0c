//! The numbers, in the document, of what it refers to.

use std::{cell::Cell, num::NonZeroU32};

use indexmap::IndexSet;

use super::{
    super::{GroupNumber, KeyNumber, SourceNumber, TimeNumber},
    used::Used,
};
use crate::{
    hierarchy::{
        statement::SourceName,
        table::{Dense, GroupId, KeyId, Number as _},
    },
    timestamp::Timestamp,
};

/// How many times are found without looking them up: a power of two.
const LATELY: usize = 16;

/// The number of what is used, and one more; there are many, so they are kept small.
type Place = Option<NonZeroU32>;

/// The numbers of what is referred to.
pub(super) struct Numbers<'a> {
    groups: Dense<GroupId, Place>,
    keys: Dense<KeyId, Place>,
    sources: IndexSet<&'a SourceName>,
    last_source: Option<(&'a SourceName, SourceNumber)>,
    times: IndexSet<Timestamp>,
    /// Some that were asked for lately: much was said at once, or by the same source.
    lately: [Option<(Timestamp, TimeNumber)>; LATELY],
    /// Whether something is referred to that has no number.
    dangles: Cell<bool>,
}

/// What is used, in the order of its numbers.
pub(super) struct Numbered {
    pub(super) groups: Vec<GroupId>,
    pub(super) keys: Vec<KeyId>,
}

impl<'a> Numbers<'a> {
    /// Numbers what is used: groups by type and name, keys as the groups are whose names they bore last. So of what is read the
    /// groups lie in the order of the keys, and what goes through both goes forward in both. Times are numbered as they come up.
    pub(super) fn of(used: &Used<'a>) -> (Self, Numbered) {
        let mut numbers = Self {
            groups: Dense::with_capacity(used.names.count()),
            keys: Dense::with_capacity(used.names.table().keys()),
            sources: used.sources.clone(),
            last_source: None,
            times: IndexSet::new(),
            lately: [None; LATELY],
            dangles: Cell::new(false),
        };
        let order = used.names.order();
        let groups = order.iter().filter(|id| used.groups.of(*id));
        let groups: Vec<GroupId> = groups.collect();
        for (place, id) in (1..).zip(&groups) {
            *numbers.groups.slot(*id) = NonZeroU32::new(place);
        }
        let all = (0..used.names.table().keys() + used.other_keys.len()).map(KeyId::new);
        let shown = all.filter(|id| used.keys.of(*id)).map(|id| {
            let shows = used.shows.of(id);
            (
                shows.map_or(GroupNumber::MAX, |shows| numbers.group(shows)),
                id,
            )
        });
        // Sorted already, as a rule: so they were read. No number in memory decides, but the texts.
        let mut shown: Vec<(GroupNumber, KeyId)> = shown.collect();
        shown.sort_by(|(a, key), (b, other)| {
            let texts = || used.key_text(*key).cmp(&used.key_text(*other));
            a.cmp(b).then_with(texts)
        });
        let keys: Vec<KeyId> = shown.into_iter().map(|(_, id)| id).collect();
        for (place, id) in (1..).zip(&keys) {
            *numbers.keys.slot(*id) = NonZeroU32::new(place);
        }
        (numbers, Numbered { groups, keys })
    }

    pub(super) fn group(&self, id: GroupId) -> GroupNumber {
        self.number_at(self.groups.of(id))
    }

    pub(super) fn key(&self, id: KeyId) -> KeyNumber {
        self.number_at(self.keys.of(id))
    }

    fn number_at(&self, place: Place) -> u32 {
        match place {
            Some(place) => place.get() - 1,
            None => self.dangling(),
        }
    }

    /// For what was not found before: it must not be written as something else.
    pub(super) fn dangling(&self) -> u32 {
        self.dangles.set(true);
        u32::MAX
    }

    /// Whether something was asked for that has no number.
    pub(super) const fn dangles(&self) -> bool {
        self.dangles.get()
    }

    pub(super) fn source(&mut self, source: &'a SourceName) -> SourceNumber {
        match self.last_source {
            // Mostly it is one text in memory, which nobody has to look at.
            Some((last, number)) if std::ptr::eq(last.as_str(), source.as_str()) => number,
            Some(_) | None => {
                let found = self.sources.get_index_of(source);
                let number = found.map_or_else(|| self.dangling(), number);
                self.last_source = Some((source, number));
                number
            }
        }
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &'a SourceName> {
        self.sources.iter().copied()
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

    /// All times that came up, in the order of their numbers.
    pub(super) fn times(&self) -> impl Iterator<Item = Timestamp> {
        self.times.iter().copied()
    }
}

/// Four thousand million texts fit into no function's memory.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
