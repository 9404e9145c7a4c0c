//! Projection: the one way from a ledger to a hierarchy that can be sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{
    claims::{Anchor, By, Claims, Views, gather},
    ledger::{Ledger, Ref},
    merge::{About, Merged, MergedStatement},
    name::{Group, Key},
    plan::Plan,
    published::{Present, Published, PublishedRow},
    settle::{Edge, Settled, Waiting, Why, settle},
    statement::SourceName,
    view::Life,
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

/// The complete, valid hierarchy: the only thing that can be sent to Calven. Its groups have one
/// parent each, every parent is a group of it, and there are no cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    parents: BTreeMap<Group, Option<Group>>,
}

impl Hierarchy {
    pub(super) fn from_published(published: &Published) -> Self {
        let rows = published.rows().iter();
        Self {
            parents: rows
                .map(|(group, row)| (group.clone(), row.parent.clone()))
                .collect(),
        }
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.parents.len()
    }

    /// The rows: each group and its parent, by type and name.
    pub fn rows(&self) -> impl Iterator<Item = (&Group, Option<&Group>)> {
        self.parents
            .iter()
            .map(|(group, parent)| (group, parent.as_ref()))
    }

    pub(super) fn parent(&self, group: &Group) -> Option<&Option<Group>> {
        self.parents.get(group)
    }
}

/// Calven's row, as its PUT takes it ("Submit group hierarchy relationships").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<'a> {
    /// The group's name.
    pub group: &'a str,
    /// Its type.
    pub group_type: &'a str,
    /// The parent's name; with its type `null` at the top.
    pub parent: Option<&'a str>,
    /// The parent's type.
    pub parent_type: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The row of a group and its parent.
    pub fn new(group: &'a Group, parent: Option<&'a Group>) -> Self {
        Self {
            group: group.name.as_str(),
            group_type: group.group_type.as_str(),
            parent: parent.map(|parent| parent.name.as_str()),
            parent_type: parent.map(|parent| parent.group_type.as_str()),
        }
    }
}

impl Serialize for Hierarchy {
    /// Calven's body: `{"groupRelationships": […]}`, rows by type and name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Rows<'a>(&'a Hierarchy);
        impl Serialize for Rows<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.rows().map(|(group, parent)| Row::new(group, parent)))
            }
        }
        let mut body = serializer.serialize_struct("Hierarchy", 1)?;
        body.serialize_field("groupRelationships", &Rows(self))?;
        body.end()
    }
}

/// Why something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// No operator has seeded yet, so what Calven holds is not known.
    NotSeeded,
    /// It removes or moves more than the guard lets pass.
    Guard,
    /// It would make a group its own ancestor.
    Cycle,
    /// Its parent is known only by a key that nobody has named yet.
    UnknownParent,
    /// An operator went back to an older version, and has not approved going on.
    RolledBack,
}

/// A statement that waits, by itself, for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Why.
    pub reason: HeldReason,
    /// The group whose placing waits.
    pub group: String,
    /// Its type.
    pub group_type: String,
    /// The parent it would have, where that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// That parent's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_type: Option<String>,
    /// The parent's key, where that is all that is known or what waits itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_key: Option<String>,
    /// The whole cycle, from the group upwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<GroupText>,
    /// Who said it.
    pub source: Option<String>,
    /// As of when.
    pub occurred_at: String,
    #[serde(skip)]
    concerns: Vec<Group>,
}

/// A group in an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupText {
    /// Its name.
    pub group: String,
    /// Its type.
    pub group_type: String,
}

impl From<&Group> for GroupText {
    fn from(group: &Group) -> Self {
        Self {
            group: group.name.as_str().to_owned(),
            group_type: group.group_type.as_str().to_owned(),
        }
    }
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// The parent it names; `null` for the top.
    pub parent: Option<String>,
    /// That parent's type.
    pub parent_type: Option<String>,
    /// Who names it.
    pub source: String,
    /// How many persons' records imply it; absent where it is said of the group itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons: Option<usize>,
}

impl Side {
    pub(super) fn new(parent: Option<&Group>, source: &SourceName, persons: Option<usize>) -> Self {
        let row = parent.map(GroupText::from);
        let (parent, parent_type) = row.map(|row| (row.group, row.group_type)).unzip();
        Self {
            parent,
            parent_type,
            source: source.as_str().to_owned(),
            persons,
        }
    }
}

/// Two claims on the parent of one group, one of which lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The group.
    pub group: String,
    /// Its type.
    pub group_type: String,
    /// What won.
    pub won: Side,
    /// What lost.
    pub lost: Side,
    #[serde(skip)]
    concerns: Group,
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
            parents: BTreeMap::new(),
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
    let capillary = SourceName::capillary();
    let base = views.of(&capillary).and_then(|view| view.base());
    let Some(base) = base.filter(|base| edges.contains_key(base)) else {
        return;
    };
    let mut root = base.clone();
    while let Some(parent) = edges.get(&root).and_then(|edge| edge.parent.clone()) {
        root = parent;
    }
    for (group, edge) in edges.iter_mut() {
        let is_organisation = claims
            .get(group)
            .is_some_and(|claims| claims.said.iter().any(|claim| claim.source == capillary));
        if edge.parent.is_none() && !is_organisation && *group != root {
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

fn held(waiting: Waiting) -> Held {
    let Waiting { group, by, at, why } = waiting;
    let (reason, parent, key, cycle): (_, Option<Group>, Option<Key>, Vec<Group>) = match why {
        Why::UnknownParent(key) => (HeldReason::UnknownParent, None, Some(key), Vec::new()),
        Why::Cycle { parent, cycle } => (HeldReason::Cycle, Some(parent), None, cycle),
    };
    let source = match by {
        By::Source(source, _) | By::Persons(source, _) => Some(source),
        By::Seed => Some(SourceName::manual()),
        By::Nobody => None,
    };
    let text = GroupText::from(&group);
    let parent = parent.as_ref().map(GroupText::from);
    let (parent, parent_type) = parent.map(|p| (p.group, p.group_type)).unzip();
    let mut concerns = cycle.clone();
    concerns.push(group);
    Held {
        reason,
        group: text.group,
        group_type: text.group_type,
        parent,
        parent_type,
        parent_key: key.map(|key| key.as_str().to_owned()),
        cycle: cycle.iter().map(GroupText::from).collect(),
        source: source.map(|source| source.as_str().to_owned()),
        occurred_at: at.time.to_string(),
        concerns,
    }
}

fn conflicts(claims: &BTreeMap<Group, Claims>, edges: &BTreeMap<Group, Edge>) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (group, claims) in claims {
        if !edges.contains_key(group) || !claims.exists() {
            continue;
        }
        let sides = claims.sides();
        let Some((won, lost)) = sides.split_first() else {
            continue;
        };
        for lost in lost
            .iter()
            .filter(|lost| (&lost.parent, &lost.parent_type) != (&won.parent, &won.parent_type))
        {
            conflicts.push(Conflict {
                group: group.name.as_str().to_owned(),
                group_type: group.group_type.as_str().to_owned(),
                won: won.clone(),
                lost: lost.clone(),
                concerns: group.clone(),
            });
        }
    }
    conflicts
}

fn warnings(
    ledger: &Ledger,
    views: &Views<'_>,
    rules: &Rules,
    edges: &BTreeMap<Group, Edge>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for source in ledger
        .sources
        .keys()
        .filter(|source| rules.priority(source).is_none())
    {
        warnings.push(format!(
            "source {source} is not configured: its statements do not count"
        ));
    }
    for (source, view) in views.iter() {
        for group in &view.shared_names {
            warnings.push(format!("{source}: several groups are named {group}: all but the lowest id have it behind their name"));
        }
    }
    let mut by_case: BTreeMap<(String, String), Vec<&Group>> = BTreeMap::new();
    for group in edges.keys() {
        let folded = (
            group.group_type.as_str().to_lowercase(),
            group.name.as_str().to_lowercase(),
        );
        by_case.entry(folded).or_default().push(group);
    }
    for groups in by_case.values().filter(|groups| groups.len() > 1) {
        let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
        warnings.push(format!("these differ only in case: {}", names.join(", ")));
    }
    warnings
}
