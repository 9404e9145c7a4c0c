//! Why a group stands where it stands: who said what of it, what won, and what waits.
//!
//! It looks at one group of what a ledger comes to, as `Projection::of` does at all of them. It decides nothing itself, and of
//! persons it tells counts.

mod looking;
mod nearest;
mod persons;
mod remembered;
mod said;
mod why;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use self::looking::Looking;
pub use self::nearest::Unknown;
pub use self::said::{ParentText, PersonsSay, Says, Seeding, SourceSays, Statement};
use super::{
    claims::Claims,
    findings::{Concern, Held, HeldReason, held},
    ledger::Ledger,
    name::{Group, Key},
    project::Rules,
    published::{Present, Published},
    records::Stamp,
    resolved::Resolved,
    settle::{Edges, Telling, Waiting, Why},
    statement::SourceName,
    subjects::Subjects,
    table::{Dense, GroupId, Names},
    view::View,
    views::Views,
};

/// How many groups a refusal or a sentence names.
const MOST_NAMED: usize = 5;

/// Everything that is known of one group, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Its present name.
    pub group: String,
    /// Its type.
    pub group_type: String,
    /// The name by which it was asked for, where that is another by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<String>,
    /// Whether it is in the hierarchy that follows from all that was said.
    pub exists: bool,
    /// Its parent there.
    #[serde(flatten)]
    pub parent: ParentText,
    /// How many groups have it as their parent.
    pub children: usize,
    /// How many groups are below it, at any depth.
    pub below: usize,
    /// What won and why, a sentence each.
    pub why: Vec<String>,
    /// What each source said of it.
    pub sources: Vec<SourceSays>,
    /// What the newest seed said of it.
    pub seed: Option<Seeding>,
    /// What waits, and what would free it.
    pub waits: Vec<Waits>,
    /// The group as it was published last, and its parent.
    #[serde(skip)]
    pub published: Option<(Group, Option<Group>)>,
}

/// A statement that waits, and what would free it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// What waits, and why.
    #[serde(flatten)]
    pub held: Held,
    /// The condition.
    pub freed_by: String,
}

/// What of a projection is looked at.
struct Found {
    claims: Dense<GroupId, Claims>,
    edges: Edges,
    present: Present,
}

impl Explanation {
    /// Explains a group by the name that it has or had.
    ///
    /// # Errors
    /// [`Unknown`] where nobody has said anything of it.
    pub fn of(
        ledger: &Ledger,
        published: Option<&Published>,
        rules: &Rules,
        asked: &Group,
    ) -> Result<Self, Unknown> {
        let mut names = Names::new(&ledger.table);
        let asked_id = names.id(asked);
        let silent: Vec<(&SourceName, View<'_>)> = ledger
            .sources
            .iter()
            .filter(|(source, _)| rules.priority(source).is_none())
            .map(|(source, said)| {
                let numbered = *source == SourceName::capillary();
                (source, View::new(said, numbered, &mut names))
            })
            .collect();
        let mut leads = HashSet::new();
        let resolved = Resolved::of(
            ledger,
            published,
            rules,
            names,
            Telling::WHOLE,
            |views, present, _, names| {
                leads = leads_to(asked_id, views, present, ledger, names);
                Subjects::of_groups(leads.iter().copied().chain([asked_id]))
            },
        );
        let Resolved {
            names,
            order,
            views,
            present,
            seeded,
            subjects: _,
            claims,
            edges,
            waiting,
        } = resolved;
        let (names, order) = (&names, &order);
        let found = Found {
            claims,
            edges,
            present,
        };
        let mut leads: Vec<GroupId> = leads.into_iter().collect();
        leads.sort_by_key(|group| order.rank(*group));
        let is_told_of = |group: GroupId| {
            let says =
                |view: &View<'_>| view.records().any(|(r, _)| view.name_of(r) == Some(group));
            found.is_known(group)
                || found.is_published(group)
                || silent.iter().any(|(_, view)| says(view))
        };
        let candidates = || [asked_id].into_iter().chain(leads.iter().copied());
        let meant = candidates().find(|group| found.edges.contains(*group));
        let meant = meant.or_else(|| candidates().find(|group| is_told_of(*group)));
        let Some(group) = meant else {
            let rows = found.present.rows.iter();
            let published: HashSet<GroupId> = rows.map(|row| row.name).collect();
            let is_known = |group: &GroupId| found.is_known(*group) || published.contains(group);
            let known = order.iter().filter(is_known);
            return Err(Unknown::of(asked, known.map(|group| names.group(group))));
        };
        let looking = Looking {
            group,
            names,
            order,
            views: &views,
            silent: &silent,
            claims: found.claims.get(group),
            edge: found.edges.get(group).copied(),
            seeded: seeded.of(group),
            waiting: &waiting,
        };
        let (children, below) = found.below(group, order.iter());
        let sources = looking.sources(rules);
        let seed = looking.seed();
        let mut why = looking.why(&sources, seed.as_ref(), &children);
        why.extend(leads.iter().filter(|lead| **lead != group).map(|lead| {
            format!(
                "another group that bore this name is {} now",
                names.group(*lead)
            )
        }));
        let edge = found.edges.get(group);
        let text = names.group(group);
        let published = published.and_then(|published| found.published(group, published));
        Ok(Self {
            group: text.name.to_string(),
            group_type: text.group_type.to_string(),
            asked_as: (group != asked_id).then(|| asked.name.to_string()),
            exists: edge.is_some(),
            parent: ParentText::of(edge.and_then(|edge| edge.parent).map(|p| names.group(p))),
            children: children.len(),
            below,
            why,
            sources,
            seed,
            waits: waits(waiting, group, &views, names),
            published,
        })
    }
}

impl Found {
    fn is_known(&self, group: GroupId) -> bool {
        let is_claimed = |claims: &Claims| !claims.is_empty();
        self.edges.contains(group) || self.claims.get(group).is_some_and(is_claimed)
    }

    fn is_published(&self, group: GroupId) -> bool {
        self.present.rows.iter().any(|row| row.now == group)
    }

    /// Its children, and how many groups are below it.
    fn below(&self, group: GroupId, all: impl Iterator<Item = GroupId>) -> (Vec<GroupId>, usize) {
        let mut children: HashMap<GroupId, Vec<GroupId>> = HashMap::new();
        for child in all {
            if let Some(parent) = self.edges.get(child).and_then(|edge| edge.parent) {
                children.entry(parent).or_default().push(child);
            }
        }
        let own = children.remove(&group).unwrap_or_default();
        let (mut queue, mut below) = (own.clone(), 0);
        while let Some(group) = queue.pop() {
            below += 1;
            queue.extend(children.remove(&group).unwrap_or_default());
        }
        (own, below)
    }

    /// The group as it was published, by the name it had.
    fn published(&self, group: GroupId, published: &Published) -> Option<(Group, Option<Group>)> {
        let rows = || self.present.rows.iter().zip(published.forest().rows());
        let same = rows().find(|(row, _)| row.now == group && row.name == group);
        let (_, (name, parent)) = same.or_else(|| rows().find(|(row, _)| row.now == group))?;
        Some((name.clone(), parent.cloned()))
    }
}

/// What the groups are called now that ever bore a name.
fn leads_to(
    name: GroupId,
    views: &Views<'_>,
    present: &Present,
    ledger: &Ledger,
    names: &Names<'_>,
) -> HashSet<GroupId> {
    let mut leads = HashSet::new();
    for (_, _, view) in views.iter() {
        leads.extend(view.bearers(name).iter().filter_map(|key| view.shown(*key)));
        let renames = view.renames.get(&name).into_iter().flatten();
        let renamed = renames.filter_map(|(at, _)| view.carried.get(&(name, *at)));
        leads.extend(renamed.filter_map(|(group, _)| view.name_of(*group)));
    }
    let seeded = ledger
        .seeded
        .get(&name)
        .into_iter()
        .flat_map(|times| times.iter());
    leads.extend(seeded.map(|at| views.follow_seeded(name, Stamp::first(*at), names)));
    let published = present.rows.iter().filter(|row| row.name == name);
    leads.extend(published.map(|row| row.now));
    leads.remove(&name);
    leads
}

/// What waits of a group, or for it.
fn waits(
    waiting: Vec<Waiting>,
    group: GroupId,
    views: &Views<'_>,
    names: &Names<'_>,
) -> Vec<Waits> {
    let mut left = MOST_CYCLE_BYTES;
    let waiting = waiting.into_iter();
    let concerning = waiting.filter(|waiting| concerns(waiting, group));
    let waits = concerning.map(|waiting| {
        let mut held = held(waiting, views, names);
        held.shorten(left);
        left = left.saturating_sub(held.cycle_bytes());
        let freed_by = freed_by(&held);
        Waits { held, freed_by }
    });
    waits.collect()
}

/// Of the cycles in an answer so many bytes are told: in long names they may be many times what is known.
const MOST_CYCLE_BYTES: usize = 2 * 1024 * 1024;

/// Whether something waits of a group, or for it.
fn concerns(waiting: &Waiting, group: GroupId) -> bool {
    waiting.group == group
        || match &waiting.why {
            Why::UnknownParent(_) => false,
            // Who is in the part that is not told is known of all together that may be meant.
            Why::Cycle { cycle, length, .. } => {
                cycle.contains(&group)
                    || (waiting.concern != Concern::None && cycle.len() < *length)
            }
        }
}

/// What frees a statement that waits.
pub fn freed_by(held: &Held) -> String {
    match held.reason {
        HeldReason::UnknownParent => format!(
            "takes effect by itself once {} names the group of the key {}",
            held.source.as_ref().map_or("a source", SourceName::as_str),
            held.parent_key.as_ref().map_or("that it gave", Key::as_str),
        ),
        HeldReason::Cycle => {
            "takes effect by itself once a group of the cycle is placed elsewhere".to_owned()
        }
        HeldReason::NotSeeded => "waits for the first seed".to_owned(),
        HeldReason::Guard | HeldReason::RolledBack => "waits for an approval".to_owned(),
    }
}

#[cfg(test)]
mod tests;
