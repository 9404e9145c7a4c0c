//! All sources together: who claims which group, and which parent each names for it.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    findings::Side,
    ledger::Seed,
    name::{Group, Key},
    project::Rules,
    records::{Placement, Ref, Stamp},
    statement::SourceName,
    view::{Life, Mark, Target},
    views::{Anchor, Views},
};
use crate::timestamp::Timestamp;

/// What a claim says of the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ParentOf {
    Top,
    Under(Target),
}

/// What one source says of a group itself.
#[derive(Clone, Debug)]
pub(super) struct SaidClaim {
    pub(super) source: SourceName,
    pub(super) priority: i64,
    pub(super) subject: Ref,
    pub(super) life: Life,
    /// Where it is placed, if that holds.
    pub(super) placement: Option<(Mark, ParentOf)>,
    /// Where it was placed last, even if that has ended.
    pub(super) was: Option<(Mark, ParentOf)>,
    /// Set aside until its parent's key is named.
    pub(super) held: bool,
}

impl SaidClaim {
    fn lives(&self) -> bool {
        matches!(self.life, Life::Lives(_)) && !self.held
    }
}

/// How many persons name a parent, and the newest of their records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tally {
    pub(super) persons: usize,
    pub(super) newest: Stamp,
}

/// What one source's persons imply of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct PersonClaims {
    pub(super) priority: i64,
    pub(super) newest: Stamp,
    pub(super) parents: BTreeMap<Group, Tally>,
}

/// Everything that is claimed of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    pub(super) said: Vec<SaidClaim>,
    pub(super) persons: BTreeMap<SourceName, PersonClaims>,
    /// The seed's row: since when, and the parent's present name.
    pub(super) seed: Option<(Stamp, Option<Group>)>,
    /// The newest record of a person that places them here, below a key that nobody has named.
    pub(super) waiting_person: Option<(Stamp, SourceName, Key)>,
    /// When a seed last held the group: what is not newer does not count.
    seeded: Option<Timestamp>,
}

/// Whose word decides a group's parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A source, of the group itself.
    Source(SourceName, Ref),
    /// So many persons of a source.
    Persons(SourceName, usize),
    /// The operator.
    Seed,
    /// Nobody: it is only named as a parent, or nobody says.
    Nobody,
}

/// The parent that the claims give a group.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) parent: ParentOf,
    pub(super) at: Stamp,
    pub(super) by: By,
}

impl Claims {
    /// Whether the group exists: while any claim on it lives. A seed's claim is replaced by an end
    /// that is newer.
    pub(super) fn exists(&self) -> bool {
        self.said.iter().any(SaidClaim::lives)
            || !self.persons.is_empty()
            || (self.seed.is_some() && self.said.iter().all(|claim| claim.held))
    }

    /// The parent by rule: what is said of the group itself before what persons imply; between
    /// sources the higher priority, then the newer; among persons the most, then the newest.
    pub(super) fn parent(&self) -> Choice {
        let said = self
            .said_parents()
            .max_by_key(|(claim, mark, _)| (claim.priority, *mark, &claim.source));
        if let Some((claim, mark, parent)) = said {
            let by = By::Source(claim.source.clone(), claim.subject.clone());
            return Choice {
                parent: parent.clone(),
                at: mark.own,
                by,
            };
        }
        let persons = self.persons_parent();
        let by_persons = |(source, group, tally): (&SourceName, &Group, Tally)| Choice {
            parent: ParentOf::Under(Target::ByName(group.clone())),
            at: tally.newest,
            by: By::Persons(source.clone(), tally.persons),
        };
        match (&self.seed, persons) {
            (Some((at, seeded)), persons) => match persons {
                Some((source, group, tally))
                    if Some(group) != seeded.as_ref()
                        && tally.persons >= 2
                        && self.persons_naming(source, seeded.as_ref()) < tally.persons =>
                {
                    by_persons((source, group, tally))
                }
                Some(_) | None => {
                    let parent = match seeded {
                        Some(group) => ParentOf::Under(Target::ByName(group.clone())),
                        None => ParentOf::Top,
                    };
                    Choice {
                        parent,
                        at: *at,
                        by: By::Seed,
                    }
                }
            },
            (None, Some(persons)) => by_persons(persons),
            (None, None) => self.nobodys_choice(),
        }
    }

    /// Where a group that is gone was last: it stays there while living groups name it.
    pub(super) fn last_parent(&self) -> Choice {
        let was = self
            .said
            .iter()
            .filter_map(|claim| claim.was.as_ref().map(|was| (claim, was)));
        let newest = was
            .filter(|(_, (_, parent))| !matches!(parent, ParentOf::Under(Target::Unnamed(_))))
            .max_by_key(|(claim, (mark, _))| (*mark, &claim.source));
        match (newest, &self.seed) {
            (Some((claim, (mark, parent))), seed)
                if seed.as_ref().is_none_or(|(at, _)| *at < mark.own) =>
            {
                let by = By::Source(claim.source.clone(), claim.subject.clone());
                Choice {
                    parent: parent.clone(),
                    at: mark.own,
                    by,
                }
            }
            (_, Some((at, Some(seeded)))) => Choice {
                parent: ParentOf::Under(Target::ByName(seeded.clone())),
                at: *at,
                by: By::Seed,
            },
            (_, _) => self.nobodys_choice(),
        }
    }

    /// The living claims that name a parent, and the parent.
    pub(super) fn said_parents(&self) -> impl Iterator<Item = (&SaidClaim, Mark, &ParentOf)> {
        self.said
            .iter()
            .filter(|claim| claim.lives())
            .filter_map(|claim| {
                let (mark, parent) = claim.placement.as_ref()?;
                Some((claim, *mark, parent))
            })
    }

    /// Every parent that is named, the winner first; persons as counts. A seed's row that newer
    /// statements replace is no side.
    pub(super) fn sides(&self) -> Vec<Side> {
        let mut said: Vec<_> = self.said_parents().collect();
        said.sort_by_key(|(claim, mark, _)| Reverse((claim.priority, *mark, &claim.source)));
        let seeded = self.seed.as_ref().filter(|_| said.is_empty());
        let mut sides: Vec<Side> = said
            .iter()
            .filter_map(|(claim, _, parent)| match parent {
                ParentOf::Top => Some(Side::new(None, &claim.source, None)),
                ParentOf::Under(target) => {
                    Some(Side::new(Some(target.group()?), &claim.source, None))
                }
            })
            .collect();
        if let Some((_, parent)) = seeded {
            sides.push(Side::new(parent.as_ref(), &SourceName::manual(), None));
        }
        for (source, persons) in &self.persons {
            let mut parents: Vec<_> = persons.parents.iter().collect();
            parents.sort_by_key(|(group, tally)| Reverse((**tally, *group)));
            sides.extend(
                parents
                    .into_iter()
                    .map(|(group, tally)| Side::new(Some(group), source, Some(tally.persons))),
            );
        }
        if said.is_empty()
            && let By::Persons(source, count) = self.parent().by
        {
            let won = |side: &Side| side.source == source.as_str() && side.persons == Some(count);
            if let Some(at) = sides.iter().position(won) {
                let winner = sides.remove(at);
                sides.insert(0, winner);
            }
        }
        sides
    }

    fn persons_parent(&self) -> Option<(&SourceName, &Group, Tally)> {
        let winners = self.persons.iter().filter_map(|(source, persons)| {
            let (group, tally) = persons
                .parents
                .iter()
                .max_by_key(|(group, tally)| (**tally, *group))?;
            Some((persons.priority, source, group, *tally))
        });
        winners
            .max_by_key(|(priority, source, _, tally)| (*priority, tally.newest, *source))
            .map(|(_, source, group, tally)| (source, group, tally))
    }

    fn persons_naming(&self, source: &SourceName, parent: Option<&Group>) -> usize {
        let persons = self.persons.get(source);
        persons
            .zip(parent)
            .and_then(|(persons, parent)| persons.parents.get(parent))
            .map_or(0, |tally| tally.persons)
    }

    /// Top, because nobody says otherwise; as of the newest word that it exists.
    fn nobodys_choice(&self) -> Choice {
        let said = self.said.iter().filter_map(|claim| match claim.life {
            Life::Lives(mark) => Some(mark.own),
            Life::Ended(_) => None,
        });
        let at = said
            .chain(self.persons.values().map(|persons| persons.newest))
            .max();
        Choice {
            parent: ParentOf::Top,
            at: at.unwrap_or_default(),
            by: By::Nobody,
        }
    }

    /// By what the group is found again: its strongest living claim, else the newest.
    pub(super) fn anchor(&self, name: &Group) -> Option<Anchor> {
        let said = self.said.iter().filter_map(|claim| match claim.life {
            Life::Lives(mark) => Some((claim.priority, mark, claim)),
            Life::Ended(_) => None,
        });
        if let Some((_, mark, claim)) =
            said.max_by_key(|(priority, mark, claim)| (*priority, *mark, &claim.source))
        {
            return Some(Anchor::Said(
                claim.source.clone(),
                claim.subject.clone(),
                mark.carried,
            ));
        }
        if let Some((at, _)) = &self.seed {
            return Some(Anchor::Seeded(*at));
        }
        let persons = self
            .persons
            .iter()
            .max_by_key(|(source, persons)| (persons.priority, persons.newest, *source));
        persons.map(|(source, persons)| {
            Anchor::Said(source.clone(), Ref::Name(name.clone()), persons.newest)
        })
    }
}

/// Gathers what every configured source claims, by the groups' present names.
pub(super) fn gather(views: &Views<'_>, rules: &Rules) -> BTreeMap<Group, Claims> {
    let mut all: BTreeMap<Group, Claims> = BTreeMap::new();
    for (group, time) in views.seeded() {
        all.entry(group).or_default().seeded = Some(time);
    }
    if let Some(seed) = views.seed() {
        gather_seed(&mut all, views, seed);
    }
    for (source, view) in views.iter() {
        let priority = rules.priority(source).unwrap_or_default();
        for (subject, record) in view.records() {
            let (Some(name), Some(life)) = (view.name_of(subject), view.life(record)) else {
                continue;
            };
            let parent_of = |(mark, placement): (Mark, &Placement)| {
                let parent = match placement {
                    Placement::Top => ParentOf::Top,
                    Placement::Under(parent) => ParentOf::Under(view.target(parent, mark.own)),
                };
                (mark, parent)
            };
            let claim = SaidClaim {
                source: source.clone(),
                priority,
                subject: subject.clone(),
                life,
                placement: view.placement(record).map(parent_of),
                was: record
                    .placed
                    .as_ref()
                    .map(|(mark, placed)| parent_of((*mark, placed))),
                held: false,
            };
            all.entry(name).or_default().add(claim);
        }
        for (_, at, groups) in view.persons() {
            let mut parent: Option<Group> = None;
            let mut unnamed: Option<Key> = None;
            for group in groups {
                let group = match view.target(group, at) {
                    Target::Unnamed(key) => {
                        unnamed = unnamed.or(Some(key));
                        continue;
                    }
                    Target::ByName(group) | Target::ByKey(_, group) => group,
                };
                let claims = all.entry(group.clone()).or_default();
                match &unnamed {
                    // What lies below a key that nobody has named waits for its name.
                    Some(key) => claims.add_waiting_person(source, at, key),
                    None => {
                        let above = parent.as_ref().filter(|parent| **parent != group);
                        claims.add_person(source, priority, at, above);
                    }
                }
                parent = Some(group);
            }
        }
    }
    all.retain(|_, claims| {
        !claims.said.is_empty()
            || !claims.persons.is_empty()
            || claims.seed.is_some()
            || claims.waiting_person.is_some()
    });
    all
}

fn gather_seed(all: &mut BTreeMap<Group, Claims>, views: &Views<'_>, seed: &Seed) {
    let at = Stamp {
        time: seed.time,
        place: 0,
    };
    for (name, parent) in &seed.rows {
        let present = views.follow_seeded(name, at);
        let parent = parent
            .as_ref()
            .map(|parent| views.follow_seeded(parent, at));
        let is_itself = present == *name;
        let claims = all.entry(present).or_default();
        // Two seeded groups that bear one name by now: the row of that very name decides.
        if claims.seed.is_none() || is_itself {
            claims.seed = Some((at, parent));
        }
    }
}

impl Claims {
    /// Adds a source's claim; of a seeded group what is not newer than the seed does not count.
    fn add(&mut self, mut claim: SaidClaim) {
        if let Some(seeded) = self.seeded {
            let said_at = match claim.life {
                Life::Lives(mark) => mark.own.time,
                Life::Ended(at) => at,
            };
            if said_at <= seeded {
                return;
            }
            claim.placement = claim.placement.filter(|(mark, _)| mark.own.time > seeded);
        }
        self.said.push(claim);
    }

    fn add_waiting_person(&mut self, source: &SourceName, at: Stamp, key: &Key) {
        if self.seeded.is_none_or(|seeded| at.time > seeded) {
            let waiting = Some((at, source.clone(), key.clone()));
            self.waiting_person = self.waiting_person.take().max(waiting);
        }
    }

    fn add_person(
        &mut self,
        source: &SourceName,
        priority: i64,
        at: Stamp,
        parent: Option<&Group>,
    ) {
        if self.seeded.is_some_and(|seeded| at.time <= seeded) {
            return;
        }
        let persons = self.persons.entry(source.clone()).or_default();
        persons.priority = priority;
        persons.newest = persons.newest.max(at);
        if let Some(parent) = parent {
            let tally = persons.parents.entry(parent.clone()).or_default();
            tally.persons += 1;
            tally.newest = tally.newest.max(at);
        }
    }
}
