//! Projection: the one way from a ledger to a hierarchy that can be sent.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{
    anchors::{Anchors, Meant},
    claims::{By, Claims},
    findings::{Concern, Conflict, Held, conflicts, held, warnings},
    forest::{Forest, place},
    ledger::Ledger,
    merge::Merged,
    name::Group,
    payload::Hierarchy,
    plan::{Found, FoundRow, Plan, found_by_name},
    published::{Present, Published},
    records::Ref,
    resolved::Resolved,
    settle::{Edges, Telling},
    statement::SourceName,
    subjects::{Judged, Subjects},
    table::{Dense, GroupId, Names},
    views::Views,
};

/// What of the configuration decides a projection.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The configured sources and their priorities; the statements of others do not count.
    pub priorities: BTreeMap<SourceName, i64>,
    /// Whether top-level groups that are no organisations go under Capillary's base organisation.
    pub attach_roots: bool,
}

impl Rules {
    pub(super) fn priority(&self, source: &SourceName) -> Option<i64> {
        self.priorities.get(source).copied()
    }
}

/// What follows from a ledger.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// The hierarchy.
    pub hierarchy: Hierarchy,
    /// What waits for other statements.
    pub held: Vec<Held>,
    /// Claims that lost.
    pub conflicts: Vec<Conflict>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// How many of the merged statements are what counts now of their subjects.
    pub applied: usize,
    /// How many of them are older than what is known, or known already.
    pub stale: usize,
    /// By what each group of the hierarchy is found again.
    anchors: Anchors,
    /// What it was projected against.
    published: Option<Published>,
    /// Where that one's groups are found again.
    found: Found,
    /// The names by which new groups were first known, where those are others.
    origins: BTreeMap<Group, Group>,
    touched: Touched,
}

/// What a merge's statements were about.
#[derive(Clone, Debug, Default)]
struct Touched {
    everything: bool,
    /// By their places in the hierarchy.
    places: Vec<bool>,
    /// Those that are not in it.
    others: HashSet<Group>,
}

impl Projection {
    /// Projects a ledger; `merged` is what this invocation added to it, or nothing.
    ///
    /// The same ledger gives the same hierarchy; where something is held, the same ledger and the
    /// same `published`. Of very long cycles the beginning is told.
    pub fn of(
        ledger: &Ledger,
        published: Option<&Published>,
        rules: &Rules,
        merged: &Merged,
    ) -> Self {
        Self::telling(Telling::BRIEFLY, ledger, published, rules, merged)
    }

    /// As [`Self::of`], for who looks: cycles are told whole, but for more than an answer could hold.
    pub fn to_look_at(ledger: &Ledger, published: Option<&Published>, rules: &Rules) -> Self {
        let nothing = Merged::default();
        Self::telling(Telling::WHOLE, ledger, published, rules, &nothing)
    }

    fn telling(
        telling: Telling,
        ledger: &Ledger,
        published: Option<&Published>,
        rules: &Rules,
        merged: &Merged,
    ) -> Self {
        let mut judged = Judged::default();
        let names = Names::new(&ledger.table);
        let resolved = Resolved::of(
            ledger,
            published,
            rules,
            names,
            telling,
            |views, _, seeded, names| {
                judged = Judged::of(merged, ledger, views, seeded, names);
                std::mem::take(&mut judged.subjects)
            },
        );
        let Resolved {
            names,
            order,
            views,
            present,
            seeded: _,
            subjects,
            claims,
            edges,
            waiting,
        } = resolved;
        let (names, order) = (&names, &order);
        let groups: Vec<GroupId> = order
            .iter()
            .filter(|group| edges.contains(*group))
            .collect();
        let mut places: Dense<GroupId, Option<u32>> = Dense::with_capacity(names.count());
        for (at, group) in groups.iter().enumerate() {
            *places.slot(*group) = Some(place(at));
        }
        // As a rule only parents change, and all the rest is as it was.
        let unchanged = published.filter(|_| present.is_unchanged(&groups));
        let none = Anchors::default();
        let before = published.map_or(&none, Published::anchors);
        let Claimed { meant, contested } = Claimed::of(&groups, &places, &claims, &edges);
        let anchors = Anchors::like(before, &meant, &views, names);
        let (found, origins) = match unchanged {
            Some(_) => (Found::EachAtItsPlace, BTreeMap::new()),
            None => (
                found(&present, &places, names),
                origins(&present, &groups, &meant, &views, names),
            ),
        };
        Self {
            hierarchy: hierarchy(unchanged, &groups, &places, &edges, names),
            held: waiting
                .into_iter()
                .map(|w| held(w, &views, names))
                .collect(),
            conflicts: conflicts(&contested, &claims, &views, names, order),
            warnings: warnings(ledger, &views, rules, &groups, names),
            found,
            origins,
            anchors,
            published: published.cloned(),
            applied: judged.applied,
            stale: judged.stale,
            touched: Touched::of(&subjects, &places, groups.len(), names),
        }
    }

    /// The hierarchy as it is kept once it is published.
    pub fn as_published(&self) -> Published {
        Published::new(Arc::clone(self.hierarchy.forest()), self.anchors.clone())
    }

    /// What a PUT of this hierarchy would change against what was published.
    pub fn plan(&self, published: Option<&Published>) -> Plan {
        if self.published.as_ref() == published {
            return Plan::between(published, &self.found, &self.origins, &self.hierarchy);
        }
        let found = found_by_name(published, &self.hierarchy);
        Plan::between(published, &found, &self.origins, &self.hierarchy)
    }

    /// What a PUT of `target`, an older version, would change against what was published.
    pub fn plan_back_to(&self, published: Option<&Published>, target: &Published) -> Plan {
        let hierarchy = target.hierarchy();
        let found = found_by_name(published, &hierarchy);
        Plan::between(published, &found, &BTreeMap::new(), &hierarchy)
    }

    /// Of what is held, what concerns the merged statements: first what is about their own groups, then cycles that these are in.
    pub fn held_of_its_own(&self) -> Vec<Held> {
        let with = |concern: Concern| self.held.iter().filter(move |held| held.concern == concern);
        let own = with(Concern::Itself).chain(with(Concern::InCycle));
        own.cloned().collect()
    }

    /// Of the conflicts, those that concern the merged statements.
    pub fn conflicts_of_its_own(&self) -> Vec<Conflict> {
        self.conflicts
            .iter()
            .filter(|c| self.is_touched(&c.concerns))
            .cloned()
            .collect()
    }

    /// Whether a plan changes something that the merged statements were about.
    pub fn is_concerned_by(&self, plan: &Plan) -> bool {
        plan.groups().any(|group| self.is_touched(group))
    }

    fn is_touched(&self, group: &Group) -> bool {
        let Touched {
            everything,
            places,
            others,
        } = &self.touched;
        let place = || self.hierarchy.forest().find(group);
        *everything
            || others.contains(group)
            || place().is_some_and(|at| places.get(at).copied().unwrap_or_default())
    }
}

impl Touched {
    fn of(
        subjects: &Subjects,
        places: &Dense<GroupId, Option<u32>>,
        groups: usize,
        names: &Names<'_>,
    ) -> Self {
        let mut touched = Self {
            everything: subjects.everything,
            places: vec![false; groups],
            others: HashSet::new(),
        };
        for (group, _) in subjects.groups.iter().filter(|(_, is_one)| **is_one) {
            match places.of(group) {
                Some(at) => {
                    if let Some(touched) = touched.places.get_mut(at as usize) {
                        *touched = true;
                    }
                }
                None => {
                    touched.others.insert(names.group(group).clone());
                }
            }
        }
        touched
    }
}

fn hierarchy(
    unchanged: Option<&Published>,
    groups: &[GroupId],
    places: &Dense<GroupId, Option<u32>>,
    edges: &Edges,
    names: &Names<'_>,
) -> Hierarchy {
    let parent = |group: &GroupId| places.of(edges.get(*group)?.parent?);
    let parents = groups.iter().map(parent).collect();
    Hierarchy::new(Arc::new(match unchanged {
        Some(published) => {
            #[cfg(test)]
            assert!(
                groups
                    .iter()
                    .map(|id| names.group(*id))
                    .eq(published.forest().groups())
            );
            published.forest().rearranged(parents)
        }
        None => {
            let groups = groups.iter().map(|group| names.group(*group).clone());
            Forest::new(groups.collect(), parents)
        }
    }))
}

/// What follows of the claims beside the parents, found in one go: they are many, and in another order than the groups.
struct Claimed {
    /// By what each of the groups is found again.
    meant: Vec<Option<Meant>>,
    /// The groups for which more than one parent may be named, in order.
    contested: Vec<GroupId>,
}

impl Claimed {
    fn of(
        groups: &[GroupId],
        places: &Dense<GroupId, Option<u32>>,
        claims: &Dense<GroupId, Claims>,
        edges: &Edges,
    ) -> Self {
        let mut contested = Vec::new();
        let claimed = groups.iter().map(|group| {
            let claims = claims.get(*group)?;
            if claims.may_conflict() {
                contested.push(*group);
            }
            claims.anchor(*group)
        });
        let mut meant: Vec<Option<Meant>> = claimed.collect();
        // A group that is only named as a parent is found again as who names it means it.
        let is_told = meant.iter().all(Option::is_some);
        let naming = groups.iter().filter(|_| !is_told);
        for edge in naming.filter_map(|group| edges.get(*group)) {
            let Some(parent) = edge.parent else { continue };
            let place = places.of(parent).map(|at| at as usize);
            let Some(slot @ None) = place.and_then(|at| meant.get_mut(at)) else {
                continue;
            };
            *slot = match edge.by {
                By::Source(source, _) | By::Persons(source, _) => {
                    Some(Meant::Said(source, Ref::Name(parent), edge.at))
                }
                By::Seed => Some(Meant::Seeded(edge.at)),
                By::Nobody => None,
            };
        }
        Self { meant, contested }
    }
}

/// Where the published groups are found again.
fn found(present: &Present, places: &Dense<GroupId, Option<u32>>, names: &Names<'_>) -> Found {
    let at = |group: GroupId| places.of(group).map(|at| at as usize);
    let rows = present.rows.iter().map(|row| FoundRow {
        renamed: (row.now != row.name).then(|| names.group(row.now).clone()),
        now: at(row.now),
        same: at(row.name),
    });
    Found::Rows(rows.collect())
}

/// For digests: by what new groups that others are moved to are told, whatever their names.
fn origins(
    present: &Present,
    groups: &[GroupId],
    meant: &[Option<Meant>],
    views: &Views<'_>,
    names: &Names<'_>,
) -> BTreeMap<Group, Group> {
    let mut published: Dense<GroupId, bool> = Dense::default();
    for row in &present.rows {
        *published.slot(row.now) = true;
    }
    let new = groups.iter().zip(meant).filter_map(|(group, meant)| {
        let meant = (*meant)?;
        (!published.of(*group)).then_some((*group, meant))
    });
    views.origins(new, names)
}
