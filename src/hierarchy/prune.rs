//! Forgetting: what was received long ago and changes nothing that is projected.
//!
//! What is projected does not depend on which sources are configured when this runs, so nothing
//! here does. Where it is not plain that a statement can go, it stays.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ledger::Ledger,
    name::Group,
    published::Published,
    reach::{keys_referred_to, needed_groups, reached_from, references},
    records::{IdRecord, LedgerScope, NameRecord, NamedSaying, Ref, SourceLedger, Stamp},
    statement::SourceName,
    view::{Life, Mark, Record, View},
    views::Anchor,
};
use crate::timestamp::Timestamp;

impl Ledger {
    /// Forgets what was received before `before` and is not needed: `project` of the rest is the
    /// same. What is `published` keeps its names, and what a waiting rollback would publish; after so
    /// long, a version that is only in the history may find a renamed group removed and added instead.
    pub fn prune(&mut self, before: Timestamp, published: &[&Published]) {
        let pruned = {
            let capillary = SourceName::capillary();
            let views: BTreeMap<&SourceName, View<'_>> = self
                .sources
                .iter()
                .map(|(name, source)| (name, View::new(source, *name == capillary)))
                .collect();
            // Seeds follow the renames of every source, one after the other.
            let seeds = reached_from(self.seeded_names(), &views);
            let needed = needed_groups(&seeds, published, &views);
            let mentioned = self.names_mentioned_elsewhere(&seeds, published);
            let prune = |(name, source): (&SourceName, &SourceLedger)| {
                let view = views.get(name)?;
                let outside = mentioned.get(name).cloned().unwrap_or_default();
                let pruning = Pruning {
                    before,
                    view,
                    needed: &needed,
                    outside,
                };
                Some((name.clone(), pruning.prune(source)))
            };
            let pruned = self.sources.iter().filter_map(prune).collect();
            // Of a name that was never another one, the newest seed's time says it all.
            for (name, times) in &mut self.seeded {
                let newest = times.last().copied();
                if times.len() > 1 && reached_from([name.clone()].into(), &views).len() == 1 {
                    times.retain(|time| *time >= before || Some(*time) == newest);
                }
            }
            pruned
        };
        self.sources = pruned;
    }

    fn seeded_names(&self) -> BTreeSet<Group> {
        let parents = self
            .seed
            .iter()
            .flat_map(|seed| seed.rows.values().flatten());
        self.seeded.keys().chain(parents).cloned().collect()
    }

    /// By source, the names that seeds and published hierarchies refer to.
    fn names_mentioned_elsewhere(
        &self,
        seeds: &BTreeSet<Group>,
        published: &[&Published],
    ) -> BTreeMap<SourceName, BTreeSet<Group>> {
        let mut everywhere = seeds.clone();
        let mut mentioned: BTreeMap<SourceName, BTreeSet<Group>> = BTreeMap::new();
        for (group, row) in published.iter().flat_map(|published| published.rows()) {
            match &row.anchor {
                Some(Anchor::Said(source, Ref::Name(name), _)) => {
                    mentioned
                        .entry(source.clone())
                        .or_default()
                        .insert(name.clone());
                }
                Some(Anchor::Seeded(_)) => {
                    everywhere.insert(group.clone());
                }
                Some(Anchor::Said(_, Ref::Key(_), _)) | None => {}
            }
        }
        for name in self.sources.keys() {
            mentioned
                .entry(name.clone())
                .or_default()
                .extend(everywhere.iter().cloned());
        }
        mentioned
    }
}

struct Pruning<'a> {
    before: Timestamp,
    view: &'a View<'a>,
    needed: &'a BTreeSet<Group>,
    /// Names that others than the source itself refer to.
    outside: BTreeSet<Group>,
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
        } = source;
        let mut pruned = SourceLedger {
            read: *read,
            base: base.clone(),
            ..SourceLedger::default()
        };
        pruned.snapshots = snapshots
            .iter()
            .filter(|(scope, (time, received))| match scope {
                LedgerScope::Groups | LedgerScope::Persons => true,
                LedgerScope::ChildrenOf(parent) => {
                    !self.is_old(*received) || self.view.has_children(parent, *time)
                }
            })
            .map(|(scope, taken)| (scope.clone(), *taken))
            .collect();
        pruned.persons = persons
            .iter()
            .filter(|(key, record)| {
                let placed = record
                    .placed
                    .as_ref()
                    .is_some_and(|said| !self.is_old(said.received));
                let left = record
                    .left
                    .as_ref()
                    .is_some_and(|said| !self.is_old(said.received));
                placed || left || self.view.is_present(key)
            })
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect();
        pruned.events = events
            .iter()
            .filter(|(_, first)| !self.is_old(first.received))
            .map(|(event, first)| (event.clone(), *first))
            .collect();
        let lately = self.lately_spoken_of(source);
        let renamed = self.renamed(source);
        let mut forgotten = BTreeSet::new();
        for (group, record) in self.view.records() {
            let stays = lately.contains(group) || renamed.contains(group);
            if !stays && !self.is_needed(group, record) {
                forgotten.insert(group.clone());
            }
        }
        for (group, record) in names {
            let kept = self.kept_sayings(group, record, &forgotten);
            if !kept.said.is_empty() {
                pruned.names.insert(group.clone(), kept);
            }
        }
        for (key, record) in ids {
            let is_base = base.as_ref().is_some_and(|(_, base)| base == key);
            let group = Ref::Key(key.clone());
            let mut kept = record.clone();
            if forgotten.contains(&group) && !is_base {
                (kept.exists, kept.placed, kept.gone) = (None, None, None);
            }
            pruned.ids.insert(key.clone(), kept);
        }
        let mentions = self.mentions(&pruned);
        let keys = keys_referred_to(&pruned);
        pruned.ids.retain(|key, record| {
            let is_base = base.as_ref().is_some_and(|(_, base)| base == key);
            self.forget_names(record, &mentions);
            let says_something =
                record.exists.is_some() || record.placed.is_some() || record.gone.is_some();
            says_something
                || is_base
                || self.view.is_contested(key)
                || keys.contains(&Ref::Key(key.clone()))
                || record.names.iter().any(|((_, group), received)| {
                    !self.is_old(*received) || mentions.contains(group)
                })
        });
        self.forget_renames(&mut pruned, names);
        pruned
    }

    /// Whether what is projected may depend on the record.
    fn is_needed(&self, group: &Ref, record: &Record) -> bool {
        if matches!(self.view.life(record), Some(Life::Lives(_))) {
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
    fn lately_spoken_of(&self, source: &SourceLedger) -> BTreeSet<Ref> {
        let mut lately = BTreeSet::new();
        for (
            key,
            IdRecord {
                names: _,
                exists,
                placed,
                gone,
            },
        ) in &source.ids
        {
            let received = [
                exists.as_ref().map(|said| said.received),
                placed.as_ref().map(|said| said.received),
                gone.as_ref().map(|said| said.received),
            ];
            if received
                .into_iter()
                .flatten()
                .any(|received| !self.is_old(received))
            {
                lately.insert(Ref::Key(key.clone()));
            }
        }
        for (name, record) in &source.names {
            for ((at, saying), received) in &record.said {
                if !self.is_old(*received) {
                    lately.insert(self.view.subject(name, *at, saying));
                }
            }
        }
        lately
    }

    /// The groups that some rename says to exist: they stay until it is forgotten.
    fn renamed(&self, source: &SourceLedger) -> BTreeSet<Ref> {
        let sayings = source.names.iter().flat_map(|(name, record)| {
            record
                .said
                .keys()
                .map(move |(at, saying)| (name, *at, saying))
        });
        sayings
            .filter(|(_, _, saying)| matches!(saying, NamedSaying::Renamed(_)))
            .map(|(name, at, saying)| self.view.subject(name, at, saying))
            .collect()
    }

    /// Of what was said by name, what was received lately, and what counts of groups that stay.
    fn kept_sayings(
        &self,
        group: &Group,
        record: &NameRecord,
        forgotten: &BTreeSet<Ref>,
    ) -> NameRecord {
        let counts = |at: Stamp, saying: &NamedSaying| {
            let subject = self.view.subject(group, at, saying);
            let Some(record) = self
                .view
                .record(&subject)
                .filter(|_| !forgotten.contains(&subject))
            else {
                return false;
            };
            let is_at = |mark: Mark| mark.own == at;
            record.exists.is_some_and(is_at)
                || record.gone.is_some_and(is_at)
                || record.placed.as_ref().is_some_and(|(mark, _)| is_at(*mark))
        };
        let said = record
            .said
            .iter()
            .filter(|((at, saying), received)| {
                let is_rename = matches!(saying, NamedSaying::Renamed(_));
                is_rename || !self.is_old(**received) || counts(*at, saying)
            })
            .map(|(said, received)| (said.clone(), *received))
            .collect();
        NameRecord { said }
    }

    /// Every name by which something that is kept refers to a group.
    fn mentions(&self, kept: &SourceLedger) -> BTreeSet<Group> {
        let mut mentions = self.outside.clone();
        mentions.extend(kept.names.keys().cloned());
        mentions.extend(references(kept).filter_map(|group| match group {
            Ref::Name(group) => Some(group.clone()),
            Ref::Key(_) => None,
        }));
        for (from, record) in &kept.names {
            for (_, saying) in record.said.keys() {
                if let NamedSaying::Renamed(to) = saying {
                    mentions.insert(Group::new(to.clone(), from.group_type.clone()));
                }
            }
        }
        mentions
    }

    /// Forgets the old names of an id by which nothing refers to it; the last one stays.
    fn forget_names(&self, record: &mut IdRecord, mentions: &BTreeSet<Group>) {
        if record
            .names
            .keys()
            .any(|(_, group)| mentions.contains(group))
        {
            return;
        }
        let Some(last) = record.names.keys().next_back().cloned() else {
            return;
        };
        record
            .names
            .retain(|name, received| *name == last || !self.is_old(*received));
    }

    /// Forgets old renames of names by which nothing that is kept refers to a group.
    fn forget_renames(&self, kept: &mut SourceLedger, all: &BTreeMap<Group, NameRecord>) {
        let mut mentions = self.outside.clone();
        mentions.extend(references(kept).filter_map(|group| match group {
            Ref::Name(group) => Some(group.clone()),
            Ref::Key(_) => None,
        }));
        for (from, record) in &kept.names {
            for (_, saying) in record.said.keys() {
                match saying {
                    NamedSaying::Renamed(to) => {
                        mentions.insert(Group::new(to.clone(), from.group_type.clone()));
                    }
                    NamedSaying::Exists(_) | NamedSaying::Member(_) | NamedSaying::Gone => {
                        mentions.insert(from.clone());
                    }
                }
            }
        }
        let borne_by_ids: BTreeSet<&Group> = kept
            .ids
            .values()
            .flat_map(|record| record.names.keys().map(|(_, g)| g))
            .collect();
        let mut emptied = Vec::new();
        for (from, record) in &mut kept.names {
            if mentions.contains(from) || borne_by_ids.contains(from) || !all.contains_key(from) {
                continue;
            }
            record.said.retain(|(at, saying), received| {
                let subject = self.view.subject(from, *at, saying);
                let says_that_it_exists = self
                    .view
                    .record(&subject)
                    .is_some_and(|record| self.is_needed(&subject, record));
                !self.is_old(*received) || says_that_it_exists
            });
            if record.said.is_empty() {
                emptied.push(from.clone());
            }
        }
        for from in emptied {
            kept.names.remove(&from);
        }
    }
}
