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
                        if let Some(record) = self.names.get_mut(*name) {
                            record.compact(before);
                        }
                    }
                    (Ref::Key(key), _, Some(before)) => {
                        if let Some(record) = self.ids.get_mut(*key) {
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
    /// The records that what was added may make thinner, each once: those to which something was added from before the newest
    /// snapshot. A record of many names would otherwise cost each delivery that speaks of it all of them.
    pub(super) fn grown_below<'k>(&self, added: impl Iterator<Item = &'k Kept>) -> Vec<Ref> {
        let old = added.filter(|added| self.may_thin_out(added));
        let old = old.map(|added| match added {
            Kept::Bore(key, _) => Ref::Key(*key),
            Kept::Saying(name, _) => Ref::Name(*name),
        });
        let mut grown: Vec<Ref> = old.collect();
        grown.sort_unstable();
        grown.dedup();
        grown
    }

    /// Whether it lies before what records were thinned out below: nothing else ever is.
    pub(super) fn may_thin_out(&self, kept: &Kept) -> bool {
        let Compacted { names, ids } = self.compacted;
        let (at, before): (Stamp, Option<Timestamp>) = match kept {
            Kept::Bore(_, bore) => (bore.at, ids),
            Kept::Saying(_, saying) => (saying.at, names),
        };
        before.is_some_and(|before| at.time < before)
    }

    /// Whether it is still there.
    pub(super) fn keeps(&self, kept: &Kept, table: &Table) -> bool {
        match kept {
            Kept::Bore(key, bore) => {
                let record = self.ids.get(*key);
                record.is_some_and(|record| record.place_of(bore, table).is_ok())
            }
            Kept::Saying(name, saying) => {
                let record = self.names.get(*name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::{
        Delivery, Group, GroupRef, Key, Ledger, Name, Parent, Salt, Scope, SourceName, Stated,
        Statement,
    };

    fn says(ledger: &mut Ledger, second: i64, statements: Vec<Statement>) {
        let at = Timestamp::from_seconds(second);
        ledger.merge(&Delivery {
            source: SourceName::new("hr"),
            event_id: None,
            received: at,
            attempted: at,
            statements: statements
                .into_iter()
                .map(|statement| Stated {
                    at: None,
                    statement,
                })
                .collect(),
        });
    }

    fn named(name: &str) -> Statement {
        let name = Name::new(name).unwrap();
        let named = Some(Group::new(name, Name::new("Dept").unwrap()));
        let key = Key::new("1").unwrap();
        let group = GroupRef::Keyed { key, named };
        let parent = Parent::Top;
        Statement::Exists { group, parent }
    }

    #[test]
    fn what_is_newer_than_the_snapshot_makes_nobody_look_through_a_record() {
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        says(&mut ledger, 10, vec![Statement::Complete(Scope::Groups)]);
        for second in 0..9 {
            says(&mut ledger, second, vec![named("a")]);
        }
        let hr = SourceName::new("hr");
        let source = &ledger.sources[&hr];
        let (key, record) = source.ids.iter().next().unwrap();
        // Of those before it the first and the last are kept, as they came.
        assert_eq!(record.names.len(), 2);
        let grown = |second: i64| {
            let mut bore = record.names[0];
            bore.at.time = Timestamp::from_seconds(second);
            source.grown_below([Kept::Bore(key, bore)].iter())
        };
        assert_eq!(grown(5), [Ref::Key(key)]);
        assert_eq!(grown(11), []);
    }
}
