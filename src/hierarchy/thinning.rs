//! Thinning out what a newer snapshot or re-read makes superfluous, so that a source that is read again and again does not grow.

use std::collections::BTreeMap;

use super::{
    records::{Bore, IdRecord, NameRecord, NamedSaying, Ref, Saying, SourceLedger, Stamp},
    table::{GroupId, KeyId, Table},
};
use crate::timestamp::Timestamp;

/// Before which times records are thinned out: those by name, and those by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compacted {
    names: Option<Timestamp>,
    ids: Option<Timestamp>,
}

impl SourceLedger {
    /// Thins out what lies before the newest snapshot: of a name, the newest statement of each kind
    /// and the renames; of an id, the first and last time of each name. Without this a source that
    /// is re-read every few minutes would grow by all its groups each time.
    ///
    /// Only `touched` need it, unless there is a newer snapshot: all others were thinned out before.
    pub(super) fn compact(&mut self, touched: &[Ref]) {
        let names = self.groups_complete_at();
        let ids = names.max(self.read);
        let before = Compacted { names, ids };
        if before == self.compacted {
            for group in touched {
                match (group, names, ids) {
                    (Ref::Name(name), Some(before), _) => {
                        if let Some(record) = self.names.get_mut(name) {
                            record.compact(before);
                        }
                    }
                    (Ref::Key(key), _, Some(before)) => {
                        if let Some(record) = self.ids.get_mut(key) {
                            record.compact(before);
                        }
                    }
                    (Ref::Name(_) | Ref::Key(_), _, _) => {}
                }
            }
            return;
        }
        self.compacted = before;
        if let Some(before) = names {
            for record in self.names.values_mut() {
                record.compact(before);
            }
        }
        if let Some(before) = ids {
            for record in self.ids.values_mut() {
                record.compact(before);
            }
        }
    }
}

/// Something that a record may hold or have thinned out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    Bore(KeyId, Bore),
    Saying(GroupId, Saying),
}

impl SourceLedger {
    /// Whether it is still there.
    pub(super) fn keeps(&self, kept: &Kept, table: &Table) -> bool {
        match kept {
            Kept::Bore(key, bore) => {
                let record = self.ids.get(key);
                record.is_some_and(|record| record.place_of(bore, table).is_ok())
            }
            Kept::Saying(name, saying) => {
                let record = self.names.get(name);
                record.is_some_and(|record| record.place_of(saying, table).is_ok())
            }
        }
    }
}

impl NameRecord {
    fn compact(&mut self, before: Timestamp) {
        if self.said.len() < 2 {
            return;
        }
        let (mut gone, mut living, mut placed) = (false, false, false);
        self.said.reverse();
        self.said.retain(|saying| {
            if saying.at.time >= before {
                return true;
            }
            match saying.what {
                NamedSaying::Renamed(_) => true,
                NamedSaying::Gone => !std::mem::replace(&mut gone, true),
                NamedSaying::Exists(None) => !std::mem::replace(&mut living, true),
                NamedSaying::Exists(Some(_)) => {
                    let first_living = !std::mem::replace(&mut living, true);
                    !std::mem::replace(&mut placed, true) || first_living
                }
                NamedSaying::Member(_) => !std::mem::replace(&mut placed, true),
            }
        });
        self.said.reverse();
    }
}

impl IdRecord {
    fn compact(&mut self, before: Timestamp) {
        if self.names.len() < 3 {
            return;
        }
        let mut seen: BTreeMap<GroupId, (Stamp, Stamp)> = BTreeMap::new();
        for bore in self.names.iter().filter(|bore| bore.at.time < before) {
            seen.entry(bore.name).or_insert((bore.at, bore.at)).1 = bore.at;
        }
        self.names.retain(|Bore { at, name, .. }| {
            at.time >= before
                || seen
                    .get(name)
                    .is_none_or(|(first, last)| at == first || at == last)
        });
    }
}
