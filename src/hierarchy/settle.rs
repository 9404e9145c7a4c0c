//! From claims to a valid forest: what cannot take effect is held, and the rest keeps every rule.

use std::{collections::HashMap, num::NonZeroU32};

use super::{
    claims::{By, Choice, Claims, ParentOf},
    findings::Concern,
    forest::cycles_above,
    paths::{Node, Paths},
    records::Stamp,
    subjects::Subjects,
    table::{Dense, GroupId, KeyId, Names, Number as _, Order, number},
    view::Target,
};

/// How much is told of cycles. Cycles that close again and again wherever they are broken are, together, longer than there are groups,
/// and by far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    /// Of a longer cycle so many groups are told.
    of_a_cycle: usize,
    /// Of all cycles that who asks is concerned with so many groups, and of all others as many; then of each the two by which it is
    /// found.
    of_all: usize,
}

impl Telling {
    /// In the answer to who sends, who may see to it that there is a great deal.
    pub(super) const BRIEFLY: Self = Self {
        of_a_cycle: 1_000,
        of_all: 10_000,
    };

    /// To operators who look: whole, up to what no answer could hold.
    pub(super) const WHOLE: Self = Self {
        of_a_cycle: usize::MAX,
        of_all: 100_000,
    };
}

/// The parent that a group ends up with, and why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) parent: Option<GroupId>,
    pub(super) at: Stamp,
    pub(super) by: By,
    kind: EdgeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EdgeKind {
    /// By a living claim.
    Chosen,
    /// Of a group that only stays, or is only there, because others name it as their parent.
    Kept,
    /// As published last, since what is said now is held.
    AsPublished,
    /// At the top, since what is said now is held and nothing was published.
    AtTop,
}

/// The groups that are there, each with its edge.
#[derive(Debug, Default)]
pub(super) struct Edges(Dense<GroupId, Option<Edge>>);

impl Edges {
    pub(super) fn get(&self, group: GroupId) -> Option<&Edge> {
        self.0.get(group)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, group: GroupId) -> Option<&mut Edge> {
        self.0.get_mut(group)?.as_mut()
    }

    pub(super) fn contains(&self, group: GroupId) -> bool {
        self.get(group).is_some()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (GroupId, &mut Edge)> {
        let edges = self.0.iter_mut();
        edges.filter_map(|(group, edge)| Some((group, edge.as_mut()?)))
    }

    fn set(&mut self, group: GroupId, edge: Edge) {
        *self.0.slot(group) = Some(edge);
    }

    fn remove(&mut self, group: GroupId) {
        if let Some(slot) = self.0.get_mut(group) {
            *slot = None;
        }
    }
}

/// The last published parents, all under present names; `None` where a group was not published.
pub(super) type PublishedParents = Dense<GroupId, Option<Option<GroupId>>>;

/// A statement that cannot take effect yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) group: GroupId,
    pub(super) by: By,
    pub(super) at: Stamp,
    pub(super) why: Why,
    /// What it has to do with what who asks is concerned with.
    pub(super) concern: Concern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its parent is known only by a key that nobody has named, or waits itself.
    UnknownParent(KeyId),
    /// It would close this cycle.
    Cycle {
        parent: GroupId,
        /// From the group up, as far as it is told.
        cycle: Vec<GroupId>,
        /// How many groups it has.
        length: usize,
    },
}

/// A valid forest, and what waits.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) edges: Edges,
    pub(super) waiting: Vec<Waiting>,
}

/// Settles the claims. `published` holds the last published parents, all under present names; `subjects` is what who asks is concerned
/// with, and decides nothing.
pub(super) fn settle(
    claims: &mut Dense<GroupId, Claims>,
    published: &PublishedParents,
    names: &Names<'_>,
    order: &Order,
    subjects: &Subjects,
    telling: Telling,
) -> Settled {
    let mut settling = Settling {
        published,
        order,
        subjects,
        telling,
        told_of_own: 0,
        told_of_others: 0,
        settled: Settled {
            edges: Edges(Dense::with_capacity(names.count())),
            waiting: Vec::new(),
        },
    };
    settling.hold_unknown_parents(claims);
    let claims = &*claims;
    let living: Vec<GroupId> = order
        .iter()
        .filter(|group| settling.settled.edges.contains(*group))
        .collect();
    let mut fresh = living.clone();
    settling.close(claims, &mut fresh);
    let mut cycles = settling.cycles(&fresh, names.count());
    if !cycles.is_empty() {
        fresh = cycles
            .iter()
            .filter_map(|cycle| settling.break_cycle(cycle))
            .collect();
        let mut paths = settling.paths(&fresh, names.count());
        // Only an edge that is new can close a cycle, so only those are looked at again.
        loop {
            settling.close(claims, &mut fresh);
            cycles = settling.cycles_again(&fresh, &mut paths);
            #[cfg(test)]
            assert_eq!(
                cycles.iter().map(Cycle::found).collect::<Vec<_>>(),
                settling
                    .cycles(&fresh, names.count())
                    .iter()
                    .map(Cycle::found)
                    .collect::<Vec<_>>()
            );
            if cycles.is_empty() {
                break;
            }
            fresh.clear();
            for cycle in cycles {
                let group = settling.break_cycle(&cycle);
                if let (Some(group), Some((under, above))) = (group, cycle.closed_by) {
                    paths.cut(number(group.index()));
                    if group != under {
                        paths.link(number(under.index()), number(above.index()));
                    }
                }
                fresh.extend(group);
            }
        }
    }
    settling.keep_needed(living, names.count());
    settling.settled
}

/// By which edge a cycle is broken: the greatest.
type Weight = (u8, Stamp, u32);

/// A cycle that was found.
struct Cycle {
    /// Whose edge is taken out.
    breaks: GroupId,
    /// Its lowest group's place among all.
    lowest: u32,
    /// How many groups it has.
    length: usize,
    /// Whether a group that who asks is concerned with is in it.
    is_own: bool,
    /// The edge by which it was closed, which is not among the paths.
    closed_by: Option<(GroupId, GroupId)>,
}

#[cfg(test)]
impl Cycle {
    fn found(&self) -> (GroupId, u32, usize, bool) {
        (self.breaks, self.lowest, self.length, self.is_own)
    }
}

struct Settling<'a> {
    published: &'a PublishedParents,
    order: &'a Order,
    subjects: &'a Subjects,
    telling: Telling,
    /// How many groups of cycles are told already that who asks is concerned with.
    told_of_own: usize,
    told_of_others: usize,
    settled: Settled,
}

impl Settling<'_> {
    /// Sets aside every claim whose parent is a key without a name, or a group that itself waits.
    fn hold_unknown_parents(&mut self, claims: &mut Dense<GroupId, Claims>) {
        let mut waits: Dense<GroupId, bool> = Dense::default();
        let mut dependents = Dependents::default();
        let mut queue: Vec<GroupId> = self.order.iter().rev().collect();
        let mut several: HashMap<GroupId, Turns> = HashMap::new();
        while let Some(group) = queue.pop() {
            let Some(claims) = claims.get_mut(group).filter(|claims| !claims.is_empty()) else {
                continue;
            };
            // Of a group of which much is said not all is looked at again each time.
            let mut turns = match claims.said.len() {
                0 | 1 => None,
                _ => Some(several.entry(group).or_insert_with(|| Turns::of(claims))),
            };
            let edge = loop {
                let exists = match &turns {
                    Some(turns) => turns.living > 0 || claims.exists_without_the_living(),
                    None => claims.exists(),
                };
                if !exists {
                    break None;
                }
                let next = turns.as_ref().and_then(|turns| turns.next.last());
                let next = next.and_then(|at| claims.choice_of(*at));
                let choice = next.unwrap_or_else(|| claims.parent(self.order));
                #[cfg(test)]
                {
                    assert!(claims.exists());
                    let by_rule = claims.parent(self.order);
                    assert_eq!((by_rule.parent, by_rule.by), (choice.parent, choice.by));
                }
                let Choice { parent, at, by } = choice;
                let chosen = |parent| Edge {
                    parent,
                    at,
                    by,
                    kind: EdgeKind::Chosen,
                };
                let (key, named) = match parent {
                    ParentOf::Top => break Some(chosen(None)),
                    ParentOf::Under(Target::ByName(parent)) => break Some(chosen(Some(parent))),
                    ParentOf::Under(Target::ByKey(key, parent)) => (key, Some(parent)),
                    ParentOf::Under(Target::Unnamed(key)) => (key, None),
                };
                if let Some(parent) = named.filter(|parent| !waits.of(*parent)) {
                    dependents.add(parent, group);
                    break Some(chosen(Some(parent)));
                }
                self.settled.waiting.push(Waiting {
                    group,
                    by,
                    at,
                    why: Why::UnknownParent(key),
                    concern: self.concern(group),
                });
                if let Some(parent) = self.published.of(group) {
                    break Some(Edge {
                        kind: EdgeKind::AsPublished,
                        ..chosen(parent)
                    });
                }
                match &mut turns {
                    Some(turns) => turns.set_aside(claims),
                    None => set_aside(claims, by),
                }
            };
            let edge = edge.or_else(|| self.as_published_while_a_person_waits(group, claims));
            match edge {
                Some(edge) => self.settled.edges.set(group, edge),
                None => {
                    self.settled.edges.remove(group);
                    let held = claims.said.iter().any(|claim| claim.held);
                    if held && !std::mem::replace(waits.slot(group), true) {
                        dependents.move_to(&mut queue, group);
                    }
                }
            }
        }
        let order = self.order;
        self.settled
            .waiting
            .sort_by_key(|waiting| (order.rank(waiting.group), waiting.at));
        self.settled.waiting.dedup();
    }

    fn as_published_while_a_person_waits(
        &mut self,
        group: GroupId,
        claims: &Claims,
    ) -> Option<Edge> {
        let (at, source, key) = claims.waiting_person?;
        let by = By::Persons(source, 1);
        self.settled.waiting.push(Waiting {
            group,
            by,
            at,
            why: Why::UnknownParent(key),
            concern: self.concern(group),
        });
        Some(Edge {
            parent: self.published.of(group)?,
            at,
            by,
            kind: EdgeKind::AsPublished,
        })
    }

    /// Of what waits of a group, and is in no cycle.
    fn concern(&self, group: GroupId) -> Concern {
        match self.subjects.has(group) {
            true => Concern::Itself,
            false => Concern::None,
        }
    }

    /// Adds every parent that a fresh edge names and that is not there: one that is gone where it last
    /// was, one that nobody stated at the top. Those edges are fresh then, too.
    fn close(&mut self, claims: &Dense<GroupId, Claims>, fresh: &mut Vec<GroupId>) {
        let edges = &mut self.settled.edges;
        let mut missing: Vec<GroupId> = fresh
            .iter()
            .filter_map(|group| edges.get(*group)?.parent)
            .filter(|parent| !edges.contains(*parent))
            .collect();
        while let Some(group) = missing.pop() {
            if edges.contains(group) {
                continue;
            }
            let choice = claims.get(group).map(Claims::last_parent);
            let (parent, at, by) = match choice {
                Some(Choice { parent, at, by }) => {
                    let parent = match parent {
                        ParentOf::Under(target) => target.group(),
                        ParentOf::Top => None,
                    };
                    (parent.filter(|parent| *parent != group), at, by)
                }
                None => (None, Stamp::default(), By::Nobody),
            };
            missing.extend(parent);
            fresh.push(group);
            let kind = EdgeKind::Kept;
            edges.set(
                group,
                Edge {
                    parent,
                    at,
                    by,
                    kind,
                },
            );
        }
    }

    /// The cycles above these, by their lowest groups.
    fn cycles(&self, fresh: &[GroupId], count: usize) -> Vec<Cycle> {
        let starts = fresh.iter().map(|group| group.index());
        let parent = |at: usize| {
            let edge = self.settled.edges.get(GroupId::new(at))?;
            Some(edge.parent?.index())
        };
        let rank = |group: GroupId| self.order.rank(group);
        let cycles = cycles_above(starts, count, parent).into_iter();
        let mut cycles: Vec<Cycle> = cycles
            .filter_map(|cycle| {
                let groups = || cycle.iter().copied().map(GroupId::new);
                Some(Cycle {
                    breaks: groups().max_by_key(|group| self.weight(*group))?,
                    lowest: groups().map(rank).min()?,
                    length: cycle.len(),
                    is_own: groups().any(|group| self.subjects.has(group)),
                    closed_by: None,
                })
            })
            .collect();
        cycles.sort_by_key(|cycle| cycle.lowest);
        cycles
    }

    /// All edges but those of these groups, which close no cycle yet.
    fn paths(&self, but: &[GroupId], count: usize) -> Paths<Weight> {
        let mut left_out: Dense<GroupId, bool> = Dense::with_capacity(count);
        for group in but {
            *left_out.slot(*group) = true;
        }
        Paths::new((0..count).map(GroupId::new).map(|group| {
            let edge = self.settled.edges.get(group);
            let parent = edge
                .and_then(|edge| edge.parent)
                .filter(|_| !left_out.of(group));
            Node {
                weight: self.weight(group),
                order: self.order.rank(group),
                is_marked: self.subjects.has(group),
                above: parent.map(|parent| parent.index()),
            }
        }))
    }

    /// The cycles that these edges close, by their lowest groups; the others join the paths.
    fn cycles_again(&self, fresh: &[GroupId], paths: &mut Paths<Weight>) -> Vec<Cycle> {
        let mut closing = Vec::new();
        for group in fresh {
            let under = number(group.index());
            paths.weigh(under, self.weight(*group));
            let Some(above) = self.settled.edges.get(*group).and_then(|edge| edge.parent) else {
                continue;
            };
            if paths.root(number(above.index())) == under {
                closing.push((*group, above));
            } else {
                paths.link(under, number(above.index()));
            }
        }
        let cycles = closing.into_iter().map(|(under, above)| {
            let whole = paths.path(number(above.index()));
            Cycle {
                breaks: GroupId::new(whole.greatest as usize),
                lowest: whole.lowest,
                length: whole.length as usize,
                is_own: whole.is_marked,
                closed_by: Some((under, above)),
            }
        });
        let mut cycles: Vec<Cycle> = cycles.collect();
        cycles.sort_by_key(|cycle| cycle.lowest);
        cycles
    }

    /// Of a cycle's edges the one of the greatest weight is taken out: of the statements that differ from what is published the
    /// newest.
    fn weight(&self, group: GroupId) -> Weight {
        let Some(edge) = self.settled.edges.get(group) else {
            return Weight::default();
        };
        let differs = self.published.of(group) != Some(edge.parent);
        let rank = match edge.kind {
            // What is gone has no say against the living.
            EdgeKind::Kept => 3,
            EdgeKind::Chosen if differs => 2,
            EdgeKind::Chosen => 1,
            EdgeKind::AsPublished | EdgeKind::AtTop => 0,
        };
        (rank, edge.at, self.order.rank(group))
    }

    /// Takes its edge out of a cycle. Gives the group.
    fn break_cycle(&mut self, cycle: &Cycle) -> Option<GroupId> {
        let group = cycle.breaks;
        let was = *self.settled.edges.get(group)?;
        let parent = was.parent?;
        if was.kind == EdgeKind::Chosen {
            let told = self.told(group, cycle);
            let concern = match self.concern(group) {
                Concern::None if cycle.is_own => Concern::InCycle,
                concern => concern,
            };
            self.settled.waiting.push(Waiting {
                group,
                by: was.by,
                at: was.at,
                why: Why::Cycle {
                    parent,
                    cycle: told,
                    length: cycle.length,
                },
                concern,
            });
        }
        let published = self.published.of(group);
        let fallback =
            published.filter(|fallback| was.kind == EdgeKind::Chosen && *fallback != was.parent);
        let edge = self.settled.edges.get_mut(group)?;
        (edge.parent, edge.kind) = match fallback {
            Some(fallback) => (fallback, EdgeKind::AsPublished),
            None => (None, EdgeKind::AtTop),
        };
        Some(group)
    }

    /// A cycle from a group up, as far as it is told. What is told of others' cycles leaves room for one's own.
    fn told(&mut self, group: GroupId, cycle: &Cycle) -> Vec<GroupId> {
        let Telling { of_a_cycle, of_all } = self.telling;
        let told = match cycle.is_own {
            true => &mut self.told_of_own,
            false => &mut self.told_of_others,
        };
        let most = of_a_cycle.min(of_all.saturating_sub(*told)).max(2);
        let most = cycle.length.min(most);
        *told = told.saturating_add(most);
        let above = |group: &GroupId| self.settled.edges.get(*group)?.parent;
        std::iter::successors(Some(group), above)
            .take(most)
            .collect()
    }

    /// Drops the parents that were only named by what is held now.
    fn keep_needed(&mut self, living: Vec<GroupId>, count: usize) {
        let mut needed: Dense<GroupId, bool> = Dense::with_capacity(count);
        let mut queue = living;
        while let Some(group) = queue.pop() {
            if let Some(edge) = self.settled.edges.get(group)
                && !std::mem::replace(needed.slot(group), true)
            {
                queue.extend(edge.parent);
            }
        }
        for (group, edge) in self.settled.edges.0.iter_mut() {
            if !needed.of(group) {
                *edge = None;
            }
        }
    }
}

/// Which groups depend on which. All of them stand in one list: hardly ever is it looked at.
#[derive(Default)]
struct Dependents {
    /// Of each group the last one that depends on it.
    last: Dense<GroupId, Option<NonZeroU32>>,
    /// Each with the one that came before it, of those that depend on the same group.
    all: Vec<(GroupId, Option<NonZeroU32>)>,
}

impl Dependents {
    fn add(&mut self, on: GroupId, group: GroupId) {
        let last = self.last.slot(on);
        self.all.push((group, *last));
        *last = NonZeroU32::new(number(self.all.len()));
    }

    /// Moves those of a group to the end of the queue, as they came.
    fn move_to(&mut self, queue: &mut Vec<GroupId>, on: GroupId) {
        let from = queue.len();
        let mut next = self.last.slot(on).take();
        while let Some(place) = next {
            let Some((group, before)) = self.all.get(place.get() as usize - 1) else {
                break;
            };
            queue.push(*group);
            next = *before;
        }
        if let Some(moved) = queue.get_mut(from..) {
            moved.reverse();
        }
    }
}

/// What is said of one group, as it is taken in turn.
struct Turns {
    /// The claims that name a parent, the next one last.
    next: Vec<usize>,
    /// How many live.
    living: usize,
}

impl Turns {
    fn of(claims: &Claims) -> Self {
        Self {
            next: claims.in_turn(),
            living: claims.living(),
        }
    }

    /// Sets the one aside whose turn it is. Persons, seeds and what nobody says name no keys.
    fn set_aside(&mut self, claims: &mut Claims) {
        let claim = self.next.pop().and_then(|at| claims.said.get_mut(at));
        if let Some(claim) = claim {
            claim.held = true;
            self.living = self.living.saturating_sub(1);
        }
    }
}

fn set_aside(claims: &mut Claims, by: By) {
    for claim in &mut claims.said {
        if by == By::Source(claim.source, claim.subject) {
            claim.held = true;
        }
    }
}
