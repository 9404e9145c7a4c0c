//! From claims to a valid forest: what cannot take effect is held, and the rest keeps every rule.

use super::{
    claims::{By, Choice, Claims, ParentOf},
    forest::cycles_above,
    records::Stamp,
    table::{Dense, GroupId, KeyId, Names, Number as _, Order},
    view::Target,
};

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
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its parent is known only by a key that nobody has named, or waits itself.
    UnknownParent(KeyId),
    /// It would close this cycle.
    Cycle {
        parent: GroupId,
        cycle: Vec<GroupId>,
    },
}

/// A valid forest, and what waits.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) edges: Edges,
    pub(super) waiting: Vec<Waiting>,
}

/// Settles the claims. `published` holds the last published parents, all under present names.
pub(super) fn settle(
    claims: &mut Dense<GroupId, Claims>,
    published: &PublishedParents,
    names: &Names<'_>,
    order: &Order,
) -> Settled {
    let mut settling = Settling {
        published,
        order,
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
    // Only an edge that is new can close a cycle, so only those are looked at again.
    let mut fresh = living.clone();
    loop {
        settling.close(claims, &mut fresh);
        let cycles = settling.cycles(&fresh, names.count());
        if cycles.is_empty() {
            break;
        }
        fresh.clear();
        for cycle in cycles {
            fresh.extend(settling.break_cycle(&cycle));
        }
    }
    settling.keep_needed(living, names.count());
    settling.settled
}

struct Settling<'a> {
    published: &'a PublishedParents,
    order: &'a Order,
    settled: Settled,
}

impl Settling<'_> {
    /// Sets aside every claim whose parent is a key without a name, or a group that itself waits.
    fn hold_unknown_parents(&mut self, claims: &mut Dense<GroupId, Claims>) {
        let mut waits: Dense<GroupId, bool> = Dense::default();
        let mut dependents: Dense<GroupId, Vec<GroupId>> = Dense::default();
        let mut queue: Vec<GroupId> = self.order.iter().rev().collect();
        while let Some(group) = queue.pop() {
            let Some(claims) = claims.get_mut(group).filter(|claims| !claims.is_empty()) else {
                continue;
            };
            let edge = loop {
                if !claims.exists() {
                    break None;
                }
                let Choice { parent, at, by } = claims.parent(self.order);
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
                    dependents.slot(parent).push(group);
                    break Some(chosen(Some(parent)));
                }
                self.settled.waiting.push(Waiting {
                    group,
                    by,
                    at,
                    why: Why::UnknownParent(key),
                });
                if let Some(parent) = self.published.of(group) {
                    break Some(Edge {
                        kind: EdgeKind::AsPublished,
                        ..chosen(parent)
                    });
                }
                set_aside(claims, by);
            };
            let edge = edge.or_else(|| self.as_published_while_a_person_waits(group, claims));
            match edge {
                Some(edge) => self.settled.edges.set(group, edge),
                None => {
                    self.settled.edges.remove(group);
                    let held = claims.said.iter().any(|claim| claim.held);
                    if held && !std::mem::replace(waits.slot(group), true) {
                        queue.append(dependents.slot(group));
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
        });
        Some(Edge {
            parent: self.published.of(group)?,
            at,
            by,
            kind: EdgeKind::AsPublished,
        })
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

    /// The cycles above these, each from its lowest group up.
    fn cycles(&self, fresh: &[GroupId], count: usize) -> Vec<Vec<GroupId>> {
        let starts = fresh.iter().map(|group| group.index());
        let parent = |at: usize| {
            let edge = self.settled.edges.get(GroupId::new(at))?;
            Some(edge.parent?.index())
        };
        let rank = |group: GroupId| self.order.rank(group);
        let cycles = cycles_above(starts, count, parent).into_iter();
        let mut cycles: Vec<Vec<GroupId>> = cycles
            .map(|cycle| {
                let mut cycle: Vec<GroupId> = cycle.into_iter().map(GroupId::new).collect();
                let lowest = (0..).zip(&cycle).min_by_key(|(_, group)| rank(**group));
                let lowest = lowest.map_or(0, |(at, _)| at);
                cycle.rotate_left(lowest);
                cycle
            })
            .collect();
        cycles.sort_by_key(|cycle| cycle.first().map(|group| rank(*group)));
        cycles
    }

    /// Takes one edge out of a cycle: of the statements that differ from what is published the newest.
    /// Gives the group.
    fn break_cycle(&mut self, cycle: &[GroupId]) -> Option<GroupId> {
        let published = self.published;
        let rank = |group: GroupId, edge: &Edge| {
            let differs = published.of(group) != Some(edge.parent);
            match edge.kind {
                // What is gone has no say against the living.
                EdgeKind::Kept => 3,
                EdgeKind::Chosen if differs => 2,
                EdgeKind::Chosen => 1,
                EdgeKind::AsPublished | EdgeKind::AtTop => 0,
            }
        };
        let edges = &mut self.settled.edges;
        let (_, _, _, group) = cycle
            .iter()
            .filter_map(|group| {
                let edge = edges.get(*group)?;
                Some((rank(*group, edge), edge.at, self.order.rank(*group), *group))
            })
            .max()?;
        let edge = edges.get_mut(group)?;
        let was = *edge;
        let parent = was.parent?;
        let fallback = published
            .of(group)
            .filter(|fallback| was.kind == EdgeKind::Chosen && *fallback != was.parent);
        (edge.parent, edge.kind) = match fallback {
            Some(fallback) => (fallback, EdgeKind::AsPublished),
            None => (None, EdgeKind::AtTop),
        };
        if was.kind == EdgeKind::Chosen {
            let at = cycle.iter().position(|member| *member == group);
            let mut cycle = cycle.to_vec();
            cycle.rotate_left(at.unwrap_or_default());
            self.settled.waiting.push(Waiting {
                group,
                by: was.by,
                at: was.at,
                why: Why::Cycle { parent, cycle },
            });
        }
        Some(group)
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

fn set_aside(claims: &mut Claims, by: By) {
    for claim in &mut claims.said {
        if by == By::Source(claim.source, claim.subject) {
            claim.held = true;
        }
    }
}
