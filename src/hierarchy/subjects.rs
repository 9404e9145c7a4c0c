//! What merged statements are about, and which of them count.

use std::collections::BTreeSet;

use super::{
    ledger::Ledger,
    merge::{About, Merged, MergedStatement},
    records::Ref,
    table::{Dense, GroupId, Names},
    view::Life,
    views::Views,
};
use crate::timestamp::Timestamp;

/// The groups that something is about, by present names.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects {
    /// All there are, as of a seed.
    pub(super) everything: bool,
    /// These.
    pub(super) groups: Dense<GroupId, bool>,
}

impl Subjects {
    pub(super) fn of_groups(groups: impl IntoIterator<Item = GroupId>) -> Self {
        let mut subjects = Self::default();
        groups.into_iter().for_each(|group| subjects.add(group));
        subjects
    }

    pub(super) fn has(&self, group: GroupId) -> bool {
        self.everything || self.groups.of(group)
    }

    fn add(&mut self, group: GroupId) {
        *self.groups.slot(group) = true;
    }
}

/// What became of a merge's statements.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// How many of them are what counts now of their subjects.
    pub(super) applied: usize,
    /// How many are older than what is known, or known already.
    pub(super) stale: usize,
    /// What they are about.
    pub(super) subjects: Subjects,
}

impl Judged {
    pub(super) fn of(
        merged: &Merged,
        ledger: &Ledger,
        views: &Views<'_>,
        seeded: &Dense<GroupId, Option<Timestamp>>,
        names: &Names<'_>,
    ) -> Self {
        let mut judged = Self::default();
        // What all of a source's groups are touched by touches them once.
        let sources = merged
            .statements
            .iter()
            .filter_map(|statement| match statement.about {
                About::Snapshot => Some(&statement.source),
                About::Group { .. }
                | About::Rename { .. }
                | About::Person { .. }
                | About::SeedRow => None,
            });
        for view in sources
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|source| views.of(source))
        {
            let names = view.records().filter_map(|(group, _)| view.name_of(group));
            names.for_each(|group| judged.subjects.add(group));
        }
        for statement in &merged.statements {
            let counts = judged
                .subjects
                .count(statement, ledger, views, seeded, names);
            match counts {
                Some(true) => judged.applied += 1,
                Some(false) => judged.stale += 1,
                None => {}
            }
        }
        judged
    }
}

impl Subjects {
    /// Whether a merged statement is what counts now of its subject; notes what it is about.
    fn count(
        &mut self,
        statement: &MergedStatement,
        ledger: &Ledger,
        views: &Views<'_>,
        seeded: &Dense<GroupId, Option<Timestamp>>,
        names: &Names<'_>,
    ) -> Option<bool> {
        let MergedStatement {
            source,
            at,
            new,
            about,
        } = statement;
        let view = views.of(source);
        let name = |group: Ref| view.and_then(|view| view.name_of(view.resolve(group, *at, names)));
        let before_seed = |group: GroupId| seeded.of(group).is_some_and(|seeded| at.time <= seeded);
        let mut touch = |group: GroupId| self.add(group);
        match about {
            About::Group { group, lives } => {
                let named = name(*group);
                named.into_iter().for_each(&mut touch);
                if let Ref::Name(group) = group {
                    touch(*group);
                }
                let current = *new
                    && view.is_some_and(|view| {
                        let subject = view.resolve(*group, *at, names);
                        view.record(subject).is_some_and(|record| {
                            let placed = record.placed.map(|(mark, _)| mark.own);
                            let exists = record.exists.map(|mark| mark.own);
                            let gone = record.gone.map(|mark| mark.own);
                            let newest = placed.max(exists).max(gone);
                            let alive = matches!(view.life(record, names), Some(Life::Lives(_)));
                            newest <= Some(*at) && alive == *lives
                        })
                    });
                Some(current && !named.is_some_and(before_seed))
            }
            About::Rename { group, to } => {
                let named = [name(*group), name(Ref::Name(*to)), Some(*to)];
                named.into_iter().flatten().for_each(touch);
                Some(*new)
            }
            About::Person { person, groups } => {
                groups
                    .iter()
                    .filter_map(|group| name(*group))
                    .for_each(touch);
                let record = ledger
                    .sources
                    .get(source)
                    .and_then(|l| l.persons.get(person));
                let current = *new
                    && record.is_some_and(|record| {
                        let placed = record.placed.as_ref().map(|said| said.at);
                        placed.max(record.left.as_ref().map(|said| said.at)) <= Some(*at)
                    });
                Some(current)
            }
            About::Snapshot => None,
            About::SeedRow => {
                self.everything = true;
                Some(*new)
            }
        }
    }
}
