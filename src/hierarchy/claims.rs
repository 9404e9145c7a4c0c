//! What is claimed of one group, and which parent follows from it.

use std::{cmp::Reverse, collections::BTreeMap};

use smallvec::SmallVec;

use super::{
    anchors::Meant,
    findings::Side,
    records::{Ref, Stamp},
    statement::SourceName,
    table::{GroupId, KeyId, Names, Order},
    view::{Life, Mark, Target},
    views::{SourceId, Views},
};
use crate::timestamp::Timestamp;

/// What a claim says of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParentOf {
    Top,
    Under(Target),
}

/// What one source says of a group itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct SaidClaim {
    pub(super) source: SourceId,
    pub(super) priority: i64,
    pub(super) subject: Ref,
    pub(super) life: Life,
    /// Where it was placed last.
    pub(super) placed: Option<(Mark, ParentOf)>,
    /// Whether that holds still.
    pub(super) is_placed: bool,
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

/// The parents that persons name. Mostly it is one, which stands here and not elsewhere in memory: persons come in no order.
#[derive(Clone, Debug, Default)]
struct Tallies {
    first: Option<(GroupId, Tally)>,
    others: BTreeMap<GroupId, Tally>,
}

impl Tallies {
    fn add(&mut self, parent: GroupId, at: Stamp) {
        let (first, tally) = self.first.get_or_insert((parent, Tally::default()));
        let tally = match *first == parent {
            true => tally,
            false => self.others.entry(parent).or_default(),
        };
        tally.persons += 1;
        tally.newest = tally.newest.max(at);
    }

    fn iter(&self) -> impl Iterator<Item = (GroupId, Tally)> {
        let others = self.others.iter().map(|(parent, tally)| (*parent, *tally));
        self.first.into_iter().chain(others)
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    fn persons_naming(&self, parent: GroupId) -> usize {
        let first = self.first.filter(|(first, _)| *first == parent);
        let tally = first.map(|(_, tally)| tally);
        tally
            .or_else(|| self.others.get(&parent).copied())
            .map_or(0, |tally| tally.persons)
    }
}

/// What one source's persons imply of a group.
#[derive(Clone, Debug)]
pub(super) struct PersonClaims {
    source: SourceId,
    priority: i64,
    newest: Stamp,
    parents: Tallies,
}

impl PersonClaims {
    pub(super) fn new(source: SourceId, priority: i64) -> Self {
        Self {
            source,
            priority,
            newest: Stamp::default(),
            parents: Tallies::default(),
        }
    }

    /// Adds a person, and the parent that their record implies.
    pub(super) fn add(&mut self, at: Stamp, parent: Option<GroupId>) {
        self.newest = self.newest.max(at);
        if let Some(parent) = parent {
            self.parents.add(parent, at);
        }
    }
}

/// Everything that is claimed of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    pub(super) said: SmallVec<[SaidClaim; 1]>,
    /// By source, in order.
    persons: Vec<PersonClaims>,
    /// The seed's row: since when, and the parent's present name.
    pub(super) seed: Option<(Stamp, Option<GroupId>)>,
    /// The newest record of a person that places them here, below a key that nobody has named.
    pub(super) waiting_person: Option<(Stamp, SourceId, KeyId)>,
    /// When a seed last held the group: what is not newer does not count.
    pub(super) seeded: Option<Timestamp>,
}

/// Whose word decides a group's parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A source, of the group itself.
    Source(SourceId, Ref),
    /// So many persons of a source.
    Persons(SourceId, usize),
    /// The operator.
    Seed,
    /// Nobody: it is only named as a parent, or nobody says.
    Nobody,
}

/// The parent that the claims give a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) parent: ParentOf,
    pub(super) at: Stamp,
    pub(super) by: By,
}

impl Choice {
    const fn by_source(claim: &SaidClaim, mark: Mark, parent: ParentOf) -> Self {
        Self {
            parent,
            at: mark.own,
            by: By::Source(claim.source, claim.subject),
        }
    }

    fn by_seed(at: Stamp, parent: Option<GroupId>) -> Self {
        Self {
            parent: parent.map_or(ParentOf::Top, |group| {
                ParentOf::Under(Target::ByName(group))
            }),
            at,
            by: By::Seed,
        }
    }
}

impl Claims {
    /// Whether nothing is claimed.
    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty()
            && self.persons.is_empty()
            && self.seed.is_none()
            && self.waiting_person.is_none()
    }

    /// Whether the group exists: while any claim on it lives. A seed's claim is replaced by an end
    /// that is newer.
    pub(super) fn exists(&self) -> bool {
        self.said.iter().any(SaidClaim::lives) || self.exists_without_the_living()
    }

    /// Whether the group exists though none of what is said of it lives.
    pub(super) fn exists_without_the_living(&self) -> bool {
        !self.persons.is_empty()
            || (self.seed.is_some() && self.said.iter().all(|claim| claim.held))
    }

    /// The parent by rule: what is said of the group itself before what persons imply; between
    /// sources the higher priority, then the newer; among persons the most, then the newest.
    pub(super) fn parent(&self, order: &Order) -> Choice {
        let said = self
            .said_parents()
            .max_by_key(|(claim, mark, _)| (claim.priority, *mark, claim.source));
        if let Some((claim, mark, parent)) = said {
            return Choice::by_source(claim, mark, parent);
        }
        let persons = self.persons_parent(order);
        let by_persons = |(source, group, tally): (SourceId, GroupId, Tally)| Choice {
            parent: ParentOf::Under(Target::ByName(group)),
            at: tally.newest,
            by: By::Persons(source, tally.persons),
        };
        match (self.seed, persons) {
            (Some((at, seeded)), persons) => match persons {
                Some((source, group, tally))
                    if Some(group) != seeded
                        && tally.persons >= 2
                        && self.persons_naming(source, seeded) < tally.persons =>
                {
                    by_persons((source, group, tally))
                }
                Some(_) | None => Choice::by_seed(at, seeded),
            },
            (None, Some(persons)) => by_persons(persons),
            (None, None) => self.nobodys_choice(),
        }
    }

    /// The living claims that name a parent, by their places, the winner last: as [`Self::parent`] has it.
    pub(super) fn in_turn(&self) -> Vec<usize> {
        let said = self.said.iter().enumerate();
        let mut turns: Vec<usize> = said
            .filter(|(_, claim)| claim.lives() && claim.is_placed && claim.placed.is_some())
            .map(|(at, _)| at)
            .collect();
        // Stable: of equals the last one wins.
        turns.sort_by_key(|at| {
            let claim = self.said.get(*at);
            claim.map(|claim| {
                (
                    claim.priority,
                    claim.placed.map(|(mark, _)| mark),
                    claim.source,
                )
            })
        });
        turns
    }

    /// How many claims live.
    pub(super) fn living(&self) -> usize {
        self.said.iter().filter(|claim| claim.lives()).count()
    }

    /// What the claim at a place chooses.
    pub(super) fn choice_of(&self, at: usize) -> Option<Choice> {
        let claim = self.said.get(at)?;
        let (mark, parent) = claim.placed?;
        Some(Choice::by_source(claim, mark, parent))
    }

    /// Where a group that is gone was last: it stays there while living groups name it.
    pub(super) fn last_parent(&self) -> Choice {
        let was = self
            .said
            .iter()
            .filter_map(|claim| claim.placed.map(|(mark, parent)| (claim, mark, parent)));
        let newest = was
            .filter(|(_, _, parent)| !matches!(parent, ParentOf::Under(Target::Unnamed(_))))
            .max_by_key(|(claim, mark, _)| (*mark, claim.source));
        match (newest, self.seed) {
            (Some((claim, mark, parent)), seed) if seed.is_none_or(|(at, _)| at < mark.own) => {
                Choice::by_source(claim, mark, parent)
            }
            (_, Some((at, Some(seeded)))) => Choice::by_seed(at, Some(seeded)),
            (_, _) => self.nobodys_choice(),
        }
    }

    /// The living claims that name a parent, and the parent.
    fn said_parents(&self) -> impl DoubleEndedIterator<Item = (&SaidClaim, Mark, ParentOf)> {
        self.said
            .iter()
            .filter(|claim| claim.lives() && claim.is_placed)
            .filter_map(|claim| {
                let (mark, parent) = claim.placed?;
                Some((claim, mark, parent))
            })
    }

    /// Whether more than one parent may be named.
    pub(super) fn may_conflict(&self) -> bool {
        let persons = self.persons.iter().map(|persons| persons.parents.len());
        let said = self.said_parents().count();
        let seed = usize::from(said == 0 && self.seed.is_some());
        said + persons.sum::<usize>() + seed > 1
    }

    /// Every parent that is named, the winner first; persons as counts. A seed's row that newer
    /// statements replace is no side.
    pub(super) fn sides(&self, views: &Views<'_>, names: &Names<'_>, order: &Order) -> Vec<Side> {
        let text = |group: GroupId| names.group(group);
        let side = |parent: Option<GroupId>, source: SourceId, persons: Option<usize>| {
            Some(Side::new(parent.map(text), views.name(source)?, persons))
        };
        // Of those that are said at once the last one wins.
        let mut said: Vec<_> = self.said_parents().rev().collect();
        said.sort_by_key(|(claim, mark, _)| Reverse((claim.priority, *mark, claim.source)));
        let seeded = self.seed.filter(|_| said.is_empty());
        let mut sides: Vec<Side> = said
            .iter()
            .filter_map(|(claim, _, parent)| match parent {
                ParentOf::Top => side(None, claim.source, None),
                ParentOf::Under(target) => side(Some(target.group()?), claim.source, None),
            })
            .collect();
        if let Some((_, parent)) = seeded {
            sides.push(Side::new(parent.map(text), &SourceName::manual(), None));
        }
        for persons in &self.persons {
            let mut parents: Vec<_> = persons.parents.iter().collect();
            parents.sort_by_key(|(group, tally)| Reverse((*tally, order.rank(*group))));
            sides.extend(parents.into_iter().filter_map(|(group, tally)| {
                side(Some(group), persons.source, Some(tally.persons))
            }));
        }
        if said.is_empty()
            && let By::Persons(source, count) = self.parent(order).by
            && let Some(source) = views.name(source)
        {
            let won = |side: &Side| side.source == *source && side.persons == Some(count);
            if let Some(at) = sides.iter().position(won) {
                let winner = sides.remove(at);
                sides.insert(0, winner);
            }
        }
        sides
    }

    fn persons_parent(&self, order: &Order) -> Option<(SourceId, GroupId, Tally)> {
        let winners = self.persons.iter().filter_map(|persons| {
            let (group, tally) = persons
                .parents
                .iter()
                .max_by_key(|(group, tally)| (*tally, order.rank(*group)))?;
            Some((persons.priority, persons.source, group, tally))
        });
        winners
            .max_by_key(|(priority, source, _, tally)| (*priority, tally.newest, *source))
            .map(|(_, source, group, tally)| (source, group, tally))
    }

    fn persons_naming(&self, source: SourceId, parent: Option<GroupId>) -> usize {
        let persons = self.persons.iter().find(|p| p.source == source);
        persons.zip(parent).map_or(0, |(persons, parent)| {
            persons.parents.persons_naming(parent)
        })
    }

    /// Top, because nobody says otherwise; as of the newest word that it exists.
    fn nobodys_choice(&self) -> Choice {
        let said = self.said.iter().filter_map(|claim| match claim.life {
            Life::Lives(mark) => Some(mark.own),
            Life::Ended(_) => None,
        });
        let at = said
            .chain(self.persons.iter().map(|persons| persons.newest))
            .max();
        Choice {
            parent: ParentOf::Top,
            at: at.unwrap_or_default(),
            by: By::Nobody,
        }
    }

    /// By what the group is found again: its strongest living claim, else the newest.
    pub(super) fn anchor(&self, name: GroupId) -> Option<Meant> {
        let said = self.said.iter().filter_map(|claim| match claim.life {
            Life::Lives(mark) => Some((claim.priority, mark, claim)),
            Life::Ended(_) => None,
        });
        let strongest = said.max_by_key(|(priority, mark, claim)| (*priority, *mark, claim.source));
        if let Some((_, mark, claim)) = strongest {
            return Some(Meant::Said(claim.source, claim.subject, mark.carried));
        }
        if let Some((at, _)) = self.seed {
            return Some(Meant::Seeded(at));
        }
        let persons = self
            .persons
            .iter()
            .max_by_key(|persons| (persons.priority, persons.newest, persons.source))?;
        Some(Meant::Said(persons.source, Ref::Name(name), persons.newest))
    }

    /// Adds a source's claim, and says whether it counts: of a seeded group what is not newer than the
    /// seed does not.
    pub(super) fn add(&mut self, mut claim: SaidClaim) -> bool {
        if let Some(seeded) = self.seeded {
            let said_at = match claim.life {
                Life::Lives(mark) => mark.own.time,
                Life::Ended(at) => at,
            };
            if said_at <= seeded {
                return false;
            }
            claim.is_placed &= claim.placed.is_some_and(|(mark, _)| mark.own.time > seeded);
        }
        self.said.push(claim);
        true
    }

    /// Adds a person who waits, below this key; the newest one counts.
    pub(super) fn add_waiting_person(
        &mut self,
        source: SourceId,
        at: Stamp,
        key: KeyId,
        names: &Names<'_>,
    ) {
        let newer = self.waiting_person.is_none_or(|(known, other, other_key)| {
            (known, other)
                .cmp(&(at, source))
                .then_with(|| names.table().cmp_keys(other_key, key))
                .is_lt()
        });
        if newer && self.seeded.is_none_or(|seeded| at.time > seeded) {
            self.waiting_person = Some((at, source, key));
        }
    }

    /// Adds what a source's persons imply. Sources come in order.
    pub(super) fn add_persons(&mut self, persons: PersonClaims) {
        self.persons.push(persons);
    }
}
