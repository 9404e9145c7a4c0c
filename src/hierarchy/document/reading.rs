//! Reading the document: every number must be one of something that is in it.

use std::sync::Arc;

use super::{
    AT_THE_TOP, AnchorNumber, CHILDREN, Dangling, Document, EXISTS, Few, GONE, GROUPS, GroupNumber,
    IdNumber, KeyNumber, LedgerDocument, MEMBER, NameNumber, PERSONS, PersonNumber,
    PlacementNumber, PublishedNumber, RENAMED, RefNumber, Remembered, SaidNumber, SayingNumber,
    ScopeNumber, SourceDocument, SourceNumber, StampNumber, Texts, TimeNumber, UNDER, UndoneRow,
};
use crate::{
    hierarchy::{
        forest::Forest,
        ledger::{Ledger, Seed},
        name::Group,
        plain::PlainRef,
        published::{Published, PublishedRow, Undo},
        records::{
            Bore, FirstAttempt, IdRecord, LedgerScope, NameRecord, NamedSaying, PersonKey,
            PersonRecord, Placement, Ref, Said, Saying, SourceLedger, Stamp,
        },
        statement::SourceName,
        table::{GroupId, KeyId, Table},
        views::Anchor,
    },
    timestamp::Timestamp,
};

impl Document {
    /// What it says.
    ///
    /// # Errors
    /// [`Dangling`] where it refers to what is not in it. Whether what was published is a valid
    /// hierarchy is another question.
    pub fn remembered(self) -> Result<Remembered, Dangling> {
        let Self {
            texts,
            times,
            ledger,
            published,
            undos,
        } = self;
        let mut reader = Reader::new(texts, times);
        let mut ledger = reader.ledger(ledger)?;
        let published = published.into_iter().map(|rows| reader.published(&rows));
        let published = published.collect::<Result<_, _>>()?;
        let undos = undos.into_iter().map(|rows| reader.undo(rows));
        let undos = undos.collect::<Result<_, _>>()?;
        ledger.table = reader.table;
        Ok(Remembered {
            ledger,
            published,
            undos,
        })
    }
}

struct Reader {
    table: Table,
    groups: Vec<GroupId>,
    keys: Vec<KeyId>,
    sources: Vec<SourceName>,
    times: Vec<Timestamp>,
}

impl Reader {
    fn new(texts: Texts, times: Vec<Timestamp>) -> Self {
        let Texts {
            groups,
            keys,
            sources,
        } = texts;
        let mut table = Table::default();
        let groups = groups.into_iter().flat_map(|(group_type, names)| {
            let group = move |name| Group::new(name, group_type.clone());
            names.into_iter().map(group)
        });
        let groups = groups.map(|group| table.group_id(&group)).collect();
        let keys = keys.iter().map(|key| table.key_id(key)).collect();
        table.sort_much();
        Self {
            table,
            groups,
            keys,
            sources,
            times,
        }
    }

    fn group(&self, number: GroupNumber) -> Result<GroupId, Dangling> {
        at(&self.groups, number).copied()
    }

    fn group_text(&self, number: GroupNumber) -> Result<&Group, Dangling> {
        Ok(self.table.group(self.group(number)?))
    }

    fn key(&self, number: KeyNumber) -> Result<KeyId, Dangling> {
        at(&self.keys, number).copied()
    }

    fn source(&self, number: SourceNumber) -> Result<&SourceName, Dangling> {
        at(&self.sources, number)
    }

    fn time(&self, number: TimeNumber) -> Result<Timestamp, Dangling> {
        at(&self.times, number).copied()
    }

    fn stamp(&self, (time, place): StampNumber) -> Result<Stamp, Dangling> {
        let time = self.time(time)?;
        Ok(Stamp { time, place })
    }

    fn reference(&self, number: RefNumber) -> Result<Ref, Dangling> {
        if number < 0 {
            let key = u32::try_from(-1 - number).map_err(|_| Dangling)?;
            return Ok(Ref::Key(self.key(key)?));
        }
        let name = u32::try_from(number).map_err(|_| Dangling)?;
        Ok(Ref::Name(self.group(name)?))
    }

    fn placement(&self, placement: PlacementNumber) -> Result<Placement, Dangling> {
        Ok(match placement {
            None => Placement::Top,
            Some(parent) => Placement::Under(self.reference(parent)?),
        })
    }

    fn said<T, W>(
        &self,
        said: Option<SaidNumber<T>>,
        what: impl FnOnce(T) -> Result<W, Dangling>,
    ) -> Result<Option<Said<W>>, Dangling> {
        said.map(|(stamp, said, received)| {
            Ok(Said {
                at: self.stamp(stamp)?,
                what: what(said)?,
                received: self.time(received)?,
            })
        })
        .transpose()
    }

    fn saying(&self, (kind, group): SayingNumber) -> Result<NamedSaying, Dangling> {
        let group = group.map(|group| self.reference(group)).transpose()?;
        Ok(match (kind, group) {
            (GONE, None) => NamedSaying::Gone,
            (EXISTS, None) => NamedSaying::Exists(None),
            (AT_THE_TOP, None) => NamedSaying::Exists(Some(Placement::Top)),
            (UNDER, Some(parent)) => NamedSaying::Exists(Some(Placement::Under(parent))),
            (MEMBER, Some(parent)) => NamedSaying::Member(parent),
            (RENAMED, Some(Ref::Name(to))) => NamedSaying::Renamed(to),
            (_, _) => return Err(Dangling),
        })
    }

    fn scope(&self, (kind, group): ScopeNumber) -> Result<LedgerScope, Dangling> {
        let group = group.map(|group| self.reference(group)).transpose()?;
        Ok(match (kind, group) {
            (GROUPS, None) => LedgerScope::Groups,
            (PERSONS, None) => LedgerScope::Persons,
            (CHILDREN, Some(parent)) => LedgerScope::ChildrenOf(parent),
            (_, _) => return Err(Dangling),
        })
    }

    fn ledger(&mut self, document: LedgerDocument) -> Result<Ledger, Dangling> {
        let LedgerDocument {
            salt,
            seed,
            seeded,
            sources,
        } = document;
        let mut ledger = Ledger::new(salt);
        if let Some((time, rows)) = seed {
            let rows = rows.into_iter().map(|(group, parent)| {
                let parent = parent.map(|parent| self.group(parent)).transpose()?;
                Ok((self.group(group)?, parent))
            });
            let rows = rows.collect::<Result<_, _>>()?;
            let time = self.time(time)?;
            let seed = Seed { time, rows };
            seed.note_names(&mut ledger.seeded);
            ledger.seed = Some(seed);
        }
        for (group, times) in seeded {
            let times = times.into_iter().map(|time| self.time(time));
            let times = times.collect::<Result<_, _>>()?;
            ledger.seeded.insert(self.group(group)?, times);
        }
        for document in sources {
            let name = self.source(document.source)?.clone();
            let source = self.source_ledger(document)?;
            ledger.sources.insert(name, source);
        }
        Ok(ledger)
    }

    fn source_ledger(&self, document: SourceDocument) -> Result<SourceLedger, Dangling> {
        let SourceDocument {
            source: _,
            ids,
            names,
            persons,
            snapshots,
            events,
            read,
            base,
        } = document;
        let mut source = SourceLedger {
            ids: ids
                .into_iter()
                .map(|row| self.id(row))
                .collect::<Result<_, _>>()?,
            names: names
                .into_iter()
                .map(|row| self.name(row))
                .collect::<Result<_, _>>()?,
            persons: persons
                .into_iter()
                .map(|row| self.person(row))
                .collect::<Result<_, _>>()?,
            ..SourceLedger::default()
        };
        for (scope, time, received) in snapshots {
            let taken = (self.time(time)?, self.time(received)?);
            source.snapshots.insert(self.scope(scope)?, taken);
        }
        for (event, time, received) in events {
            let first = FirstAttempt {
                time: self.time(time)?,
                received: self.time(received)?,
            };
            source.events.insert(event, first);
        }
        source.read = read.map(|time| self.time(time)).transpose()?;
        let base = base.map(|(time, key)| Ok((self.time(time)?, self.key(key)?)));
        source.base = base.transpose()?;
        Ok(source)
    }

    fn id(
        &self,
        (key, names, exists, placed, gone): IdNumber,
    ) -> Result<(KeyId, IdRecord), Dangling> {
        let mut record = IdRecord {
            names: Few::new(),
            exists: self.said(exists, Ok)?,
            placed: self.said(placed, |placement| self.placement(placement))?,
            gone: self.said(gone, Ok)?,
        };
        for (stamp, name, received) in names {
            let bore = Bore {
                at: self.stamp(stamp)?,
                name: self.group(name)?,
                received: self.time(received)?,
            };
            record.bore(bore, &self.table);
        }
        Ok((self.key(key)?, record))
    }

    fn name(&self, (name, said): NameNumber) -> Result<(GroupId, NameRecord), Dangling> {
        let mut record = NameRecord::default();
        for (stamp, what, received) in said {
            let saying = Saying {
                at: self.stamp(stamp)?,
                what: self.saying(what)?,
                received: self.time(received)?,
            };
            record.take(saying, &self.table);
        }
        Ok((self.group(name)?, record))
    }

    fn person(
        &self,
        (key, placed, left): PersonNumber,
    ) -> Result<(PersonKey, PersonRecord), Dangling> {
        let groups = |groups: Vec<RefNumber>| {
            let groups = groups.into_iter().map(|group| self.reference(group));
            groups.collect::<Result<Box<[Ref]>, _>>()
        };
        let record = PersonRecord {
            placed: self.said(placed, groups)?,
            left: self.said(left, Ok)?,
        };
        let key = PersonKey::from_text(&key).ok_or(Dangling)?;
        Ok((key, record))
    }

    fn anchor(&self, (source, said, stamp): AnchorNumber) -> Result<Anchor, Dangling> {
        let at = self.stamp(stamp)?;
        let Some(source) = source else {
            return Ok(Anchor::Seeded(at));
        };
        let said = PlainRef::of(self.reference(said)?, &self.table);
        Ok(Anchor::Said(self.source(source)?.clone(), said, at))
    }

    fn published(&self, rows: &[PublishedNumber]) -> Result<Published, Dangling> {
        let mut groups: Vec<Group> = Vec::with_capacity(rows.len());
        let mut parents: Vec<Option<u32>> = Vec::with_capacity(rows.len());
        let mut anchors: Vec<Option<Anchor>> = Vec::with_capacity(rows.len());
        for (group, parent, anchor) in rows {
            groups.push(self.group_text(*group)?.clone());
            parents.push(*parent);
            anchors.push(anchor.map(|anchor| self.anchor(anchor)).transpose()?);
        }
        let forest = Forest::new(groups, parents);
        Ok(Published::new(
            Arc::new(forest),
            anchors.into_iter().collect(),
        ))
    }

    fn undo(&self, rows: Vec<(GroupNumber, Option<UndoneRow>)>) -> Result<Undo, Dangling> {
        let rows = rows.into_iter().map(|(group, row)| {
            let row = row.map(|(parent, anchor)| {
                let parent = parent.map(|parent| self.group_text(parent).cloned());
                Ok(PublishedRow {
                    parent: parent.transpose()?,
                    anchor: anchor.map(|anchor| self.anchor(anchor)).transpose()?,
                })
            });
            Ok((self.group_text(group)?.clone(), row.transpose()?))
        });
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Undo { rows })
    }
}

fn at<T>(items: &[T], number: u32) -> Result<&T, Dangling> {
    items.get(number as usize).ok_or(Dangling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::Key;

    #[test]
    fn keys_and_names_have_numbers_of_their_own() {
        let key = |text| Key::new(text).unwrap();
        let texts = Texts {
            groups: Vec::new(),
            keys: vec![key("1"), key("2")],
            sources: Vec::new(),
        };
        let reader = Reader::new(texts, Vec::new());
        let second = Ref::Key(reader.table.find_key(&key("2")).unwrap());
        assert_eq!(reader.reference(-2), Ok(second));
        assert_eq!(reader.reference(0), Err(Dangling));
        assert_eq!(reader.reference(-3), Err(Dangling));
        assert_eq!(reader.reference(i64::MIN), Err(Dangling));
    }
}
