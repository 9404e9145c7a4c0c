//! All configured sources' views together, and what names mean across them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    ledger::{Ledger, Seed},
    name::Group,
    project::Rules,
    records::{Ref, Stamp},
    statement::SourceName,
    view::View,
};
use crate::timestamp::Timestamp;

/// By what a published group is found again, whatever it is called by then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Anchor {
    /// As a source's key or name meant it at a time.
    Said(SourceName, Ref, Stamp),
    /// As the seed's names meant it at the seed's time.
    Seeded(Stamp),
}

/// The configured sources' views, and the seed.
#[derive(Debug)]
pub(super) struct Views<'a> {
    by_source: BTreeMap<&'a SourceName, View<'a>>,
    seed: Option<&'a Seed>,
    seeded: &'a BTreeMap<Group, BTreeSet<Timestamp>>,
}

impl<'a> Views<'a> {
    pub(super) fn new(ledger: &'a Ledger, rules: &Rules) -> Self {
        let capillary = SourceName::capillary();
        let by_source = ledger
            .sources
            .iter()
            .filter(|(name, _)| rules.priority(name).is_some())
            .map(|(name, source)| (name, View::new(source, *name == capillary)))
            .collect();
        Self {
            by_source,
            seed: ledger.seed.as_ref(),
            seeded: &ledger.seeded,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a SourceName, &View<'a>)> {
        self.by_source.iter().map(|(name, view)| (*name, view))
    }

    pub(super) fn of(&self, source: &SourceName) -> Option<&View<'a>> {
        self.by_source.get(source)
    }

    pub(super) fn seed(&self) -> Option<&'a Seed> {
        self.seed
    }

    /// The groups that any seed ever held, by present names, and when one last did: what is not
    /// newer does not count of them.
    pub(super) fn seeded(&self) -> BTreeMap<Group, Timestamp> {
        let mut seeded: BTreeMap<Group, Timestamp> = BTreeMap::new();
        for (name, time) in self
            .seeded
            .iter()
            .flat_map(|(n, times)| times.iter().map(move |t| (n, t)))
        {
            let present = self.follow_seeded(
                name,
                Stamp {
                    time: *time,
                    place: 0,
                },
            );
            let known = seeded.entry(present).or_insert(*time);
            *known = (*known).max(*time);
        }
        seeded
    }

    /// What the group is called now that had this name when it was anchored.
    pub(super) fn present_name(&self, name: &Group, anchor: &Anchor) -> Group {
        match anchor {
            Anchor::Seeded(at) => self.follow_seeded(name, *at),
            Anchor::Said(source, group, at) => self
                .of(source)
                .and_then(|view| view.name_of(&view.resolve(group, *at)))
                .unwrap_or_else(|| name.clone()),
        }
    }

    /// The names by which these groups were first known, where those are others: they stay,
    /// whatever the groups are renamed to.
    pub(super) fn origins<'g>(
        &self,
        groups: impl Iterator<Item = (&'g Group, &'g Anchor)>,
    ) -> BTreeMap<Group, Group> {
        let seeded = self.seed.iter().flat_map(|seed| {
            let at = Stamp {
                time: seed.time,
                place: 0,
            };
            seed.rows
                .keys()
                .map(move |name| (self.follow_seeded(name, at), name))
        });
        let seeded: BTreeMap<Group, &Group> =
            seeded.filter(|(present, name)| present != *name).collect();
        groups
            .filter_map(|(group, anchor)| {
                let origin = match anchor {
                    Anchor::Said(source, group, _) => self.of(source)?.first_name(group)?,
                    Anchor::Seeded(_) => (*seeded.get(group)?).clone(),
                };
                (origin != *group).then(|| (group.clone(), origin))
            })
            .collect()
    }

    /// A seed stands for every source, so its names follow every source's renames.
    pub(super) fn follow_seeded(&self, name: &Group, at: Stamp) -> Group {
        let (mut name, mut at) = (name.clone(), at);
        loop {
            let numbered = self
                .by_source
                .values()
                .find_map(|view| view.numbered_name(&name));
            if let Some(shown) = numbered {
                return shown.clone();
            }
            let next = self
                .by_source
                .values()
                .filter_map(|view| view.next_name(&name, at))
                .min();
            let Some((later, to)) = next else { return name };
            (name, at) = (to, later);
        }
    }
}
