//! Forgetting: what was received long ago and changes nothing that is projected.
//!
//! What is projected does not depend on which sources are configured when this runs, so nothing
//! here does. Where it is not plain that a statement can go, it stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    ledger::{Ledger, Times},
    plain::PlainRef,
    published::Published,
    reach::{needed_groups, reached_from, references},
    records::{IdRecord, LedgerScope, NameRecord, NamedSaying, Ref, SourceLedger, Stamp},
    statement::SourceName,
    table::{GroupId, KeyId, Names},
    view::{Life, Mark, Record, View},
    views::{Anchor, Views},
};
use crate::timestamp::Timestamp;

impl Ledger {
    /// Forgets what was received before `before` and is not needed: `project` of the rest is the
    /// same. What is `published` keeps its names, and what a waiting rollback would publish; after so
    /// long, a version that is only in the history may find a renamed group removed and added instead.
    ///
    /// Says whether there was anything to forget.
    pub fn prune(&mut self, before: Timestamp, published: &[&Published]) -> bool {
        let (pruned, times) = {
            let mut names = Names::new(&self.table);
            let views = Views::all(self, &mut names);
            let groups = published.iter().flat_map(|p| p.forest().groups());
            let rows: BTreeSet<GroupId> = groups.map(|group| names.id(group)).collect();
            let names = &names;
            // Seeds follow the renames of every source, one after the other.
            let seeds = reached_from(self.seeded_names(), &views, names);
            let needed = needed_groups(&seeds, rows, &views, names);
            let mentioned = mentioned_by_published(published, names);
            let pruned: BTreeMap<SourceName, SourceLedger> = views
                .iter()
                .map(|(_, name, view)| {
                    let mut outside: HashSet<GroupId> = seeds.iter().copied().collect();
                    outside.extend(&mentioned.seeded);
                    outside.extend(mentioned.by_source.get(name).into_iter().flatten());
                    let pruning = Pruning {
                        before,
                        view,
                        names,
                        needed: &needed,
                        parents: view.parents(names),
                        outside,
                    };
                    (name.clone(), pruning.prune(view.ledger))
                })
                .collect();
            // Of a name that was never another one, the newest seed's time says it all.
            let mut times: Vec<(GroupId, Times)> = Vec::new();
            for (name, known) in &self.seeded {
                let has_others = || {
                    views
                        .iter()
                        .any(|(_, _, v)| v.has_other_names(*name, names))
                };
                if known.len() > 1 && !has_others() {
                    let newest = known.last();
                    let kept = known
                        .iter()
                        .filter(|time| **time >= before || Some(*time) == newest);
                    times.push((*name, kept.copied().collect()));
                }
            }
            (pruned, times)
        };
        let mut changed = false;
        for (name, kept) in times {
            if let Some(known) = self.seeded.get_mut(&name) {
                changed |= known.len() != kept.len();
                *known = kept;
            }
        }
        let facts = |sources: &BTreeMap<SourceName, SourceLedger>| {
            sources.values().map(SourceLedger::facts).sum::<usize>()
        };
        changed |= facts(&pruned) != facts(&self.sources);
        self.sources = pruned;
        changed
    }

    fn seeded_names(&self) -> BTreeSet<GroupId> {
        let parents = self
            .seed
            .iter()
            .flat_map(|seed| seed.rows.iter().filter_map(|(_, parent)| *parent));
        self.seeded.keys().copied().chain(parents).collect()
    }
}

/// The names by which published groups are found again.
#[derive(Default)]
struct Mentioned {
    by_source: BTreeMap<SourceName, HashSet<GroupId>>,
    seeded: HashSet<GroupId>,
}

fn mentioned_by_published(published: &[&Published], names: &Names<'_>) -> Mentioned {
    let mut mentioned = Mentioned::default();
    for published in published {
        let groups = published.forest().groups();
        for (group, anchor) in groups.iter().zip(published.anchors().iter()) {
            match anchor {
                Some(Anchor::Said(source, PlainRef::Name(name), _)) => {
                    let known = mentioned.by_source.entry(source.clone()).or_default();
                    known.extend(names.find(name));
                }
                Some(Anchor::Seeded(_)) => mentioned.seeded.extend(names.find(group)),
                Some(Anchor::Said(_, PlainRef::Key(_), _)) | None => {}
            }
        }
    }
    mentioned
}

impl SourceLedger {
    /// How much is remembered, in facts.
    fn facts(&self) -> usize {
        let ids = self.ids.values().map(|record| {
            let said = [
                record.exists.is_some(),
                record.placed.is_some(),
                record.gone.is_some(),
            ];
            1 + record.names.len() + said.into_iter().filter(|said| *said).count()
        });
        let names = self.names.values().map(|record| record.said.len());
        ids.chain(names).sum::<usize>()
            + self.persons.len()
            + self.snapshots.len()
            + self.events.len()
    }
}

struct Pruning<'a> {
    before: Timestamp,
    view: &'a View<'a>,
    names: &'a Names<'a>,
    needed: &'a HashSet<GroupId>,
    /// The groups under which others were ever placed.
    parents: HashSet<Ref>,
    /// Names that others than the source itself refer to.
    outside: HashSet<GroupId>,
}

impl Pruning<'_> {
    fn is_old(&self, received: Timestamp) -> bool {
        received < self.before
    }

    fn prune(&self, source: &SourceLedger) -> SourceLedger {
        let SourceLedger {
            ids,
            names,
            persons,
            snapshots,
            events,
            read,
            base,
            ..
        } = source;
        let mut pruned = SourceLedger::default();
        (pruned.read, pruned.base) = (*read, *base);
        pruned.snapshots = snapshots
            .iter()
            .filter(|(scope, (time, received))| match scope {
                LedgerScope::Groups | LedgerScope::Persons => true,
                LedgerScope::ChildrenOf(parent) => {
                    !self.is_old(*received) || self.has_children(*parent, *time)
                }
            })
            .map(|(scope, taken)| (*scope, *taken))
            .collect();
        pruned.persons = persons
            .iter()
            .filter(|(key, record)| {
                let placed = record.placed.as_ref().map(|said| said.received);
                let left = record.left.map(|said| said.received);
                let lately = |received: Option<Timestamp>| {
                    received.is_some_and(|received| !self.is_old(received))
                };
                lately(placed) || lately(left) || self.view.is_present(key)
            })
            .map(|(key, record)| (*key, record.clone()))
            .collect();
        pruned.events = events
            .iter()
            .filter(|(_, first)| !self.is_old(first.received))
            .map(|(event, first)| (event.clone(), *first))
            .collect();
        let lately = self.lately_spoken_of(source);
        let renamed = self.renamed(source);
        let mut forgotten = HashSet::new();
        for (group, record) in self.view.records() {
            let stays = lately.contains(&group) || renamed.contains(&group);
            if !stays && !self.is_needed(group, record) {
                forgotten.insert(group);
            }
        }
        for (group, record) in names.iter() {
            let kept = self.kept_sayings(group, record, &forgotten);
            if !kept.said.is_empty() {
                pruned.names.insert(group, kept);
            }
        }
        let is_base = |key: KeyId| base.is_some_and(|(_, base)| base == key);
        for (key, record) in ids.iter() {
            let mut kept = record.clone();
            if forgotten.contains(&Ref::Key(key)) && !is_base(key) {
                (kept.exists, kept.placed, kept.gone) = (None, None, None);
            }
            pruned.ids.insert(key, kept);
        }
        let mentions = self.mentions(&pruned);
        let referred: HashSet<Ref> = references(&pruned).collect();
        pruned.ids.retain(|key, record| {
            self.forget_names(record, &mentions);
            let says_something =
                record.exists.is_some() || record.placed.is_some() || record.gone.is_some();
            says_something
                || is_base(key)
                || self.view.is_contested(key)
                || referred.contains(&Ref::Key(key))
                || record
                    .names
                    .iter()
                    .any(|bore| !self.is_old(bore.received) || mentions.contains(&bore.name))
        });
        self.forget_renames(&mut pruned);
        pruned
    }

    fn has_children(&self, parent: Ref, at: Timestamp) -> bool {
        let parent = self.view.resolve(parent, Stamp::behind(at), self.names);
        self.parents.contains(&parent)
    }

    /// Whether what is projected may depend on the record.
    fn is_needed(&self, group: Ref, record: &Record) -> bool {
        if matches!(self.view.life(record, self.names), Some(Life::Lives(_))) {
            return true;
        }
        let contested = match group {
            Ref::Key(key) => self.view.is_contested(key),
            Ref::Name(_) => false,
        };
        contested
            || self
                .view
                .name_of(group)
                .is_some_and(|name| self.needed.contains(&name))
    }

    /// The groups of which something was received lately: it would come back to life without what
    /// ended it.
    fn lately_spoken_of(&self, source: &SourceLedger) -> HashSet<Ref> {
        let mut lately = HashSet::new();
        for (
            key,
            IdRecord {
                names: _,
                exists,
                placed,
                gone,
            },
        ) in source.ids.iter()
        {
            let received = [
                exists.map(|said| said.received),
                placed.map(|said| said.received),
                gone.map(|said| said.received),
            ];
            if received
                .into_iter()
                .flatten()
                .any(|received| !self.is_old(received))
            {
                lately.insert(Ref::Key(key));
            }
        }
        for (name, record) in source.names.iter() {
            for saying in &record.said {
                if !self.is_old(saying.received) {
                    lately.insert(self.subject(name, saying.at, saying.what));
                }
            }
        }
        lately
    }

    /// The groups that some rename says to exist: they stay until it is forgotten.
    fn renamed(&self, source: &SourceLedger) -> HashSet<Ref> {
        let sayings = source
            .names
            .iter()
            .flat_map(|(name, record)| record.said.iter().map(move |saying| (name, saying)));
        sayings
            .filter(|(_, saying)| matches!(saying.what, NamedSaying::Renamed(_)))
            .map(|(name, saying)| self.subject(name, saying.at, saying.what))
            .collect()
    }

    fn subject(&self, name: GroupId, at: Stamp, saying: NamedSaying) -> Ref {
        self.view.subject(name, at, saying, self.names)
    }

    /// Of what was said by name, what was received lately, and what counts of groups that stay.
    fn kept_sayings(
        &self,
        group: GroupId,
        record: &NameRecord,
        forgotten: &HashSet<Ref>,
    ) -> NameRecord {
        let counts = |at: Stamp, saying: NamedSaying| {
            let subject = self.subject(group, at, saying);
            let Some(record) = self
                .view
                .record(subject)
                .filter(|_| !forgotten.contains(&subject))
            else {
                return false;
            };
            let is_at = |mark: Mark| mark.own == at;
            record.exists.is_some_and(is_at)
                || record.gone.is_some_and(is_at)
                || record.placed.is_some_and(|(mark, _)| is_at(mark))
        };
        let said = record.said.iter().filter(|saying| {
            let is_rename = matches!(saying.what, NamedSaying::Renamed(_));
            is_rename || !self.is_old(saying.received) || counts(saying.at, saying.what)
        });
        NameRecord {
            said: said.copied().collect(),
        }
    }

    /// Every name by which something that is kept refers to a group.
    fn mentions(&self, kept: &SourceLedger) -> HashSet<GroupId> {
        let mut mentions = self.referred_to_by_name(kept);
        mentions.extend(kept.names.keys());
        for saying in kept.names.values().flat_map(|record| &record.said) {
            if let NamedSaying::Renamed(to) = saying.what {
                mentions.insert(to);
            }
        }
        mentions
    }

    fn referred_to_by_name(&self, kept: &SourceLedger) -> HashSet<GroupId> {
        let mut mentions = self.outside.clone();
        mentions.extend(references(kept).filter_map(|group| match group {
            Ref::Name(group) => Some(group),
            Ref::Key(_) => None,
        }));
        mentions
    }

    /// Forgets the old names of an id by which nothing refers to it; the last one stays.
    fn forget_names(&self, record: &mut IdRecord, mentions: &HashSet<GroupId>) {
        if record
            .names
            .iter()
            .any(|bore| mentions.contains(&bore.name))
        {
            return;
        }
        let Some(last) = record.names.last().copied() else {
            return;
        };
        record.names.retain(|bore| {
            (bore.at, bore.name) == (last.at, last.name) || !self.is_old(bore.received)
        });
    }

    /// Forgets old renames of names by which nothing that is kept refers to a group.
    fn forget_renames(&self, kept: &mut SourceLedger) {
        let mut mentions = self.referred_to_by_name(kept);
        for (from, record) in kept.names.iter() {
            for saying in &record.said {
                match saying.what {
                    NamedSaying::Renamed(to) => mentions.insert(to),
                    NamedSaying::Exists(_) | NamedSaying::Member(_) | NamedSaying::Gone => {
                        mentions.insert(from)
                    }
                };
            }
        }
        let borne_by_ids: HashSet<GroupId> = kept
            .ids
            .values()
            .flat_map(|record| record.names.iter().map(|bore| bore.name))
            .collect();
        kept.names.retain(|from, record| {
            if mentions.contains(&from) || borne_by_ids.contains(&from) {
                return true;
            }
            record.said.retain(|saying| {
                let subject = self.subject(from, saying.at, saying.what);
                let says_that_it_exists = self
                    .view
                    .record(subject)
                    .is_some_and(|record| self.is_needed(subject, record));
                !self.is_old(saying.received) || says_that_it_exists
            });
            !record.said.is_empty()
        });
    }
}
