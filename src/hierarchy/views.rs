//! All configured sources' views together, and what names mean across them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use serde::{Deserialize, Serialize};

use super::{
    anchors::Meant,
    ledger::{Ledger, Seed, Times},
    name::Group,
    plain::PlainRef,
    project::Rules,
    records::{Ref, Stamp},
    statement::SourceName,
    table::{Dense, GroupId, Names},
    view::View,
};
use crate::timestamp::Timestamp;

/// By what a published group is found again, whatever it is called by then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Anchor {
    /// As a source's key or name meant it at a time.
    Said(SourceName, PlainRef, Stamp),
    /// As the seed's names meant it at the seed's time.
    Seeded(Stamp),
}

/// A configured source's place among them all, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SourceId(u32);

/// The configured sources' views, and the seed.
#[derive(Debug)]
pub(super) struct Views<'a> {
    by_source: Vec<(&'a SourceName, View<'a>)>,
    seed: Option<&'a Seed>,
    seeded: &'a BTreeMap<GroupId, Times>,
    /// Whether names may lead to others: else nothing needs to be followed.
    has_other_names: bool,
    /// Where seeded names lead that were followed over several renames: no chain is followed twice.
    followed: RefCell<HashMap<(GroupId, Stamp), GroupId>>,
}

impl<'a> Views<'a> {
    /// The views of the sources that are configured.
    pub(super) fn new(ledger: &'a Ledger, rules: &Rules, names: &mut Names<'_>) -> Self {
        Self::of_sources(ledger, |name| rules.priority(name).is_some(), names)
    }

    /// The views of all sources.
    pub(super) fn all(ledger: &'a Ledger, names: &mut Names<'_>) -> Self {
        Self::of_sources(ledger, |_| true, names)
    }

    fn of_sources(
        ledger: &'a Ledger,
        counts: impl Fn(&SourceName) -> bool,
        names: &mut Names<'_>,
    ) -> Self {
        let capillary = SourceName::capillary();
        let by_source: Vec<(&SourceName, View<'_>)> = ledger
            .sources
            .iter()
            .filter(|(name, _)| counts(name))
            .map(|(name, source)| (name, View::new(source, *name == capillary, names)))
            .collect();
        let has_other_names = by_source
            .iter()
            .any(|(_, view)| !view.ledger.ids.is_empty() || !view.renames.is_empty());
        Self {
            by_source,
            seed: ledger.seed.as_ref(),
            seeded: &ledger.seeded,
            has_other_names,
            followed: RefCell::default(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SourceId, &'a SourceName, &View<'a>)> {
        let numbered = self.by_source.iter().zip(0..);
        numbered.map(|((name, view), number)| (SourceId(number), *name, view))
    }

    pub(super) fn of(&self, source: &SourceName) -> Option<&View<'a>> {
        let found = self.by_source.iter().find(|(name, _)| *name == source);
        found.map(|(_, view)| view)
    }

    /// A source's name, by its place.
    pub(super) fn name(&self, source: SourceId) -> Option<&'a SourceName> {
        self.by_source.get(source.0 as usize).map(|(name, _)| *name)
    }

    fn at(&self, source: SourceId) -> Option<&View<'a>> {
        self.by_source.get(source.0 as usize).map(|(_, view)| view)
    }

    pub(super) fn seed(&self) -> Option<&'a Seed> {
        self.seed
    }

    /// The groups that any seed ever held, by present names, and when one last did: what is not
    /// newer does not count of them.
    pub(super) fn seeded(&self, names: &Names<'_>) -> Dense<GroupId, Option<Timestamp>> {
        let mut seeded: Dense<GroupId, Option<Timestamp>> = Dense::default();
        for (name, times) in self.seeded {
            for time in times.iter() {
                let present = self.follow_seeded(*name, Stamp::first(*time), names);
                let known = seeded.slot(present);
                *known = (*known).max(Some(*time));
            }
        }
        seeded
    }

    /// What the group is called now that had this name when it was anchored.
    pub(super) fn present_name(
        &self,
        (name, id): (&Group, GroupId),
        anchor: &Anchor,
        names: &mut Names<'_>,
    ) -> GroupId {
        let present = match anchor {
            Anchor::Seeded(at) => Some(self.follow_seeded(id, *at, names)),
            Anchor::Said(source, PlainRef::Key(key), _) => self.of(source).and_then(|view| {
                let table = names.table();
                // As a rule its name is still its key's.
                let bearer = view.bearers(id).first().copied();
                let bearer = bearer.filter(|bearer| table.key(*bearer) == key);
                view.shown(bearer.or_else(|| table.find_key(key))?)
            }),
            Anchor::Said(source, PlainRef::Name(said), at) => self.of(source).and_then(|view| {
                // As a rule it is found by its own name.
                let said = match said == name {
                    true => id,
                    false => names.id(said),
                };
                view.name_of(view.resolve(Ref::Name(said), *at, names))
            }),
        };
        present.unwrap_or(id)
    }

    /// The names by which these groups were first known, where those are others: they stay,
    /// whatever the groups are renamed to.
    pub(super) fn origins(
        &self,
        groups: impl Iterator<Item = (GroupId, Meant)>,
        names: &Names<'_>,
    ) -> BTreeMap<Group, Group> {
        // Of several that bear one name by now the last by its first name.
        let mut seeded: Option<HashMap<GroupId, GroupId>> = None;
        let mut origin = |group: GroupId, meant: Meant| match meant {
            Meant::Said(source, subject, _) => self.at(source)?.first_name(subject),
            Meant::Seeded(_) => {
                let seeded = seeded.get_or_insert_with(|| self.seeded_before(names));
                seeded.get(&group).copied()
            }
        };
        groups
            .filter_map(|(group, meant)| {
                let origin = origin(group, meant)?;
                let text = |id| names.group(id).clone();
                (origin != group).then(|| (text(group), text(origin)))
            })
            .collect()
    }

    /// The names that the seed had for groups that bear others now.
    fn seeded_before(&self, names: &Names<'_>) -> HashMap<GroupId, GroupId> {
        let Some(seed) = self.seed else {
            return HashMap::new();
        };
        let at = Stamp::first(seed.time);
        let rows = seed.rows.iter();
        rows.map(|(name, _)| (self.follow_seeded(*name, at, names), *name))
            .filter(|(present, name)| present != name)
            .collect()
    }

    /// A seed stands for every source, so its names follow every source's renames.
    pub(super) fn follow_seeded(&self, name: GroupId, at: Stamp, names: &Names<'_>) -> GroupId {
        let (mut name, mut at) = (name, at);
        if !self.has_other_names {
            return name;
        }
        let mut steps: Vec<(GroupId, Stamp)> = Vec::new();
        let found = loop {
            let views = || self.by_source.iter().map(|(_, view)| view);
            if let Some(shown) = views().find_map(|view| view.numbered_name(name, names)) {
                break shown;
            }
            let next = views().filter_map(|view| view.next_name(name, at, names));
            let next = next.min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| names.cmp(*x, *y)));
            let Some((later, to)) = next else { break name };
            (name, at) = (to, later);
            if let Some(known) = self.followed.borrow().get(&(name, at)) {
                break *known;
            }
            steps.push((name, at));
        };
        let steps = steps.into_iter().map(|step| (step, found));
        self.followed.borrow_mut().extend(steps);
        found
    }
}
