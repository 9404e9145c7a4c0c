//! Projection: the one way from a ledger to a hierarchy that can be sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    claims::{By, Claims, gather},
    findings::{Conflict, Held, conflicts, held, warnings},
    ledger::Ledger,
    merge::{About, Merged, MergedStatement},
    name::Group,
    payload::Hierarchy,
    plan::Plan,
    published::{Present, Published, PublishedRow},
    records::Ref,
    settle::{Edge, Settled, settle},
    statement::SourceName,
    view::Life,
    views::{Anchor, Views},
};
use crate::timestamp::Timestamp;

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
    anchors: BTreeMap<Group, Anchor>,
    present: Present,
    touched: Touched,
}

/// What a merge's statements were about.
#[derive(Clone, Debug, Default)]
struct Touched {
    everything: bool,
    groups: BTreeSet<Group>,
}

impl Projection {
    /// Projects a ledger; `merged` is what this invocation added to it, or nothing.
    ///
    /// The same ledger gives the same hierarchy; where something is held, the same ledger and the
    /// same `published`.
    pub fn of(
        ledger: &Ledger,
        published: Option<&Published>,
        rules: &Rules,
        merged: &Merged,
    ) -> Self {
        let views = Views::new(ledger, rules);
        let present = published
            .map(|published| published.present(&views))
            .unwrap_or_default();
        let mut claims = gather(&views, rules);
        let Settled { mut edges, waiting } = settle(&mut claims, &present.parents);
        if rules.attach_roots {
            attach_roots(&views, &claims, &mut edges);
        }
        let mut projection = Self {
            held: waiting.into_iter().map(held).collect(),
            conflicts: conflicts(&claims, &edges),
            warnings: warnings(ledger, &views, rules, &edges),
            anchors: anchors(&claims, &edges),
            present,
            ..Self::default()
        };
        projection.find_origins(&views);
        projection.judge(ledger, &views, merged);
        projection.hierarchy.parents = edges
            .into_iter()
            .map(|(group, edge)| (group, edge.parent))
            .collect();
        projection
    }

    /// The hierarchy as it is kept once it is published.
    pub fn as_published(&self) -> Published {
        let rows = self.hierarchy.parents.iter().map(|(group, parent)| {
            let anchor = self.anchors.get(group).cloned();
            (
                group.clone(),
                PublishedRow {
                    parent: parent.clone(),
                    anchor,
                },
            )
        });
        Published::from_rows(rows.collect())
    }

    /// What a PUT of this hierarchy would change against what was published.
    pub fn plan(&self, published: Option<&Published>) -> Plan {
        Plan::between(published, &self.present, &self.hierarchy)
    }

    /// What a PUT of `target`, an older version, would change against what was published.
    pub fn plan_back_to(&self, published: Option<&Published>, target: &Published) -> Plan {
        let names = published.map(|p| p.rows().keys().map(|g| (g.clone(), g.clone())).collect());
        let present = Present {
            names: names.unwrap_or_default(),
            ..Present::default()
        };
        Plan::between(published, &present, &target.hierarchy())
    }

    /// Of what is held, what concerns the merged statements.
    pub fn held_of_its_own(&self) -> Vec<Held> {
        let own = |held: &&Held| held.concerns.iter().any(|group| self.is_touched(group));
        self.held.iter().filter(own).cloned().collect()
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
        self.touched.everything || self.touched.groups.contains(group)
    }

    /// For digests: by what new groups that others are moved to are told, whatever their names.
    fn find_origins(&mut self, views: &Views<'_>) {
        let published: BTreeSet<&Group> = self.present.names.values().collect();
        let new = self
            .anchors
            .iter()
            .filter(|(group, _)| !published.contains(group));
        self.present.origins = views.origins(new);
    }

    fn judge(&mut self, ledger: &Ledger, views: &Views<'_>, merged: &Merged) {
        let seeded = views.seeded();
        for statement in &merged.statements {
            let counts = self.counts_now(ledger, views, statement, &seeded);
            match counts {
                Some(true) => self.applied += 1,
                Some(false) => self.stale += 1,
                None => {}
            }
        }
    }

    /// Whether a merged statement is what counts now of its subject; notes what it was about.
    fn counts_now(
        &mut self,
        ledger: &Ledger,
        views: &Views<'_>,
        statement: &MergedStatement,
        seeded: &BTreeMap<Group, Timestamp>,
    ) -> Option<bool> {
        let MergedStatement {
            source,
            at,
            new,
            about,
        } = statement;
        let view = views.of(source);
        let name = |group: &Ref| view.and_then(|view| view.name_of(&view.resolve(group, *at)));
        let before_seed =
            |group: &Group| seeded.get(group).is_some_and(|seeded| at.time <= *seeded);
        match about {
            About::Group { group, lives } => {
                let named = name(group);
                self.touched.groups.extend(named.clone());
                if let Ref::Name(group) = group {
                    self.touched.groups.insert(group.clone());
                }
                let current = view
                    .zip(view.and_then(|v| v.record(&v.resolve(group, *at))))
                    .is_some_and(|(view, record)| {
                        let placed = record.placed.as_ref().map(|(mark, _)| mark.own);
                        let exists = record.exists.map(|mark| mark.own);
                        let gone = record.gone.map(|mark| mark.own);
                        let newest = placed.max(exists).max(gone);
                        let alive = matches!(view.life(record), Some(Life::Lives(_)));
                        newest <= Some(*at) && alive == *lives
                    });
                Some(*new && current && !named.as_ref().is_some_and(before_seed))
            }
            About::Rename { group, to } => {
                self.touched.groups.extend(
                    [name(group), name(&Ref::Name(to.clone()))]
                        .into_iter()
                        .flatten(),
                );
                self.touched.groups.insert(to.clone());
                Some(*new)
            }
            About::Person { person, groups } => {
                self.touched.groups.extend(groups.iter().filter_map(name));
                let record = ledger
                    .sources
                    .get(source)
                    .and_then(|l| l.persons.get(person));
                let current = record.is_some_and(|record| {
                    let placed = record.placed.as_ref().map(|said| said.at);
                    placed.max(record.left.as_ref().map(|said| said.at)) <= Some(*at)
                });
                Some(*new && current)
            }
            About::Snapshot => {
                if let Some(view) = view {
                    let names = view.records().filter_map(|(group, _)| view.name_of(group));
                    self.touched.groups.extend(names);
                }
                None
            }
            About::SeedRow => {
                self.touched.everything = true;
                Some(*new)
            }
        }
    }
}

/// Puts every top-level group that is no organisation under Capillary's base organisation.
fn attach_roots(
    views: &Views<'_>,
    claims: &BTreeMap<Group, Claims>,
    edges: &mut BTreeMap<Group, Edge>,
) {
    let Some(view) = views.of(&SourceName::capillary()) else {
        return;
    };
    let Some(base) = view.base().filter(|base| edges.contains_key(base)) else {
        return;
    };
    // An organisation that is gone is still one where it only stays for its children's sake.
    let organisations: BTreeSet<Group> = view
        .records()
        .filter_map(|(group, record)| {
            let name = view.name_of(group)?;
            let lives = matches!(view.life(record), Some(Life::Lives(_)));
            (lives || !claims.get(&name).is_some_and(Claims::exists)).then_some(name)
        })
        .collect();
    let mut root = base.clone();
    while let Some(parent) = edges.get(&root).and_then(|edge| edge.parent.clone()) {
        root = parent;
    }
    for (group, edge) in edges.iter_mut() {
        if edge.parent.is_none() && !organisations.contains(group) && *group != root {
            edge.parent = Some(base.clone());
        }
    }
}

fn anchors(
    claims: &BTreeMap<Group, Claims>,
    edges: &BTreeMap<Group, Edge>,
) -> BTreeMap<Group, Anchor> {
    let mut anchors: BTreeMap<Group, Anchor> = edges
        .keys()
        .filter_map(|group| Some((group.clone(), claims.get(group)?.anchor(group)?)))
        .collect();
    // A group that is only named as a parent is found again as who names it means it.
    for edge in edges.values() {
        if let Some(parent) = &edge.parent
            && !anchors.contains_key(parent)
        {
            let name = Ref::Name(parent.clone());
            let anchor = match &edge.by {
                By::Source(source, _) | By::Persons(source, _) => {
                    Anchor::Said(source.clone(), name, edge.at)
                }
                By::Seed => Anchor::Seeded(edge.at),
                By::Nobody => continue,
            };
            anchors.insert(parent.clone(), anchor);
        }
    }
    anchors
}
