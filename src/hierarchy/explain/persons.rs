//! What persons' records imply of one group, as counts.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    super::{
        records::Stamp,
        table::{GroupId, KeyId},
        view::Target,
    },
    looking::{Looking, Teller},
    said::{ParentText, PersonsSay},
};

/// What stands above the group in a person's record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ParentKey {
    Top,
    Group(GroupId),
    Unnamed(KeyId),
}

impl Looking<'_> {
    /// Of each parent how many persons' records imply it, those that count and the most first.
    pub(super) fn persons(&self, teller: Teller<'_>) -> Vec<PersonsSay> {
        let mut tallies: BTreeMap<(bool, ParentKey), (usize, Stamp)> = BTreeMap::new();
        for (at, chain) in teller.view.persons() {
            let mut above = ParentKey::Top;
            for group in chain {
                let target = teller.view.target(*group, at, self.names);
                if target.group() == Some(self.group) {
                    let counts = self.seeded.is_none_or(|seeded| at.time > seeded);
                    let tally = tallies.entry((counts, above)).or_default();
                    *tally = (tally.0 + 1, tally.1.max(at));
                    break;
                }
                above = match (target, above) {
                    (_, ParentKey::Unnamed(key)) | (Target::Unnamed(key), _) => {
                        ParentKey::Unnamed(key)
                    }
                    (Target::ByName(group) | Target::ByKey(_, group), _) => ParentKey::Group(group),
                };
            }
        }
        let says = tallies
            .into_iter()
            .map(|((counts, above), (persons, newest))| {
                let parent = match above {
                    ParentKey::Top => ParentText::default(),
                    ParentKey::Group(group) => ParentText::of(Some(self.names.group(group))),
                    ParentKey::Unnamed(key) => self.target(Target::Unnamed(key)),
                };
                let waits = matches!(above, ParentKey::Unnamed(_)).then(|| "they wait".to_owned());
                let seeded = self.seeded.filter(|_| !counts);
                let because = self.never_counts(teller).or(waits);
                let because = because.or_else(|| {
                    seeded.map(|at| format!("they are not newer than the seed as of {at}"))
                });
                PersonsSay {
                    parent,
                    persons,
                    newest: newest.time.to_string(),
                    counts: because.is_none(),
                    because,
                }
            });
        let mut says: Vec<PersonsSay> = says.collect();
        says.sort_by_key(|say| Reverse((say.counts, say.persons)));
        says
    }
}
