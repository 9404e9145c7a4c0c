//! A picture of groups: a forest with a mark on every group that a plan changes or that is held.
//!
//! A pure value, made of what was published or of a plan. It is drawn as a [`mermaid`] flowchart, for a chat or a ticket, and
//! as one [`html`] page. It holds names, which are for an operator's eyes and no log's.

pub mod html;
pub mod mermaid;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::{
    hierarchy::{Digest, Group, Held, HeldReason, Hierarchy, Plan, SourceName, plan::Counts},
    timestamp::Timestamp,
};

/// What stands above a picture.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What it is a picture of.
    pub title: String,
    /// The last published version; 0 before the first.
    pub version: Option<u64>,
    /// When that was published, or this was drawn.
    pub time: Option<Timestamp>,
    /// Why the whole plan waits, and what to do about it.
    pub waits: Option<String>,
    /// The plan's digest, where something is pending.
    pub digest: Option<Digest>,
    /// The command that approves it.
    pub approve: Option<String>,
    /// What arrived lately, newest first.
    pub arrived: Vec<String>,
}

/// A forest of groups, each with its mark.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    facts: Facts,
    counts: Option<Counts>,
    /// Every group behind its parent, siblings by name and type.
    nodes: Vec<Node>,
}

/// A group in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which group.
    pub group: Group,
    /// The place of its parent in the picture, which is an earlier one.
    pub parent: Option<usize>,
    /// What happens to it.
    pub mark: Mark,
    /// Why something that was said of it is held; a text for each.
    pub held: Vec<String>,
}

/// What happens to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It stays; elsewhere or called otherwise, where one of these is given.
    Stays {
        /// Where it was.
        moved: Option<Origin>,
        /// What it was called.
        renamed: Option<Group>,
    },
    /// It is new.
    Added,
    /// It goes; it is shown where it was.
    Removed,
    /// All that was said of it is held, so it stands nowhere yet.
    Waits,
}

impl Mark {
    const UNCHANGED: Self = Self::Stays {
        moved: None,
        renamed: None,
    };

    /// Whether a PUT would change something about it.
    pub const fn is_change(&self) -> bool {
        match self {
            Self::Stays { moved, renamed } => moved.is_some() || renamed.is_some(),
            Self::Added | Self::Removed => true,
            Self::Waits => false,
        }
    }

    /// Whether it is a group of the hierarchy that is sent.
    const fn is_sent(&self) -> bool {
        match self {
            Self::Stays { .. } | Self::Added => true,
            Self::Removed | Self::Waits => false,
        }
    }
}

/// Where a moved group was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its parent, by the name that it had; `None` for the top.
    pub parent: Option<Group>,
    /// The place of that parent in the picture.
    pub at: Option<usize>,
}

impl Picture {
    /// A picture of a hierarchy, such as was published; `held` is what waits beside it.
    pub fn of_hierarchy(facts: Facts, hierarchy: &Hierarchy, held: &[Held]) -> Self {
        Self {
            facts,
            counts: None,
            nodes: nodes(hierarchy, &Plan::default(), held),
        }
    }

    /// A picture of a plan: of what would be sent, and of what goes, where it was.
    ///
    /// `target` is the hierarchy that the plan leads to.
    pub fn of_plan(facts: Facts, target: &Hierarchy, plan: &Plan, held: &[Held]) -> Self {
        Self {
            facts,
            counts: Some(plan.counts()),
            nodes: nodes(target, plan, held),
        }
    }

    /// Its groups, every one behind its parent.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many groups the hierarchy has that is drawn: without those that go, and those that wait.
    pub fn groups(&self) -> usize {
        let sent = self.nodes.iter().filter(|node| node.mark.is_sent());
        sent.count()
    }
}

/// Draws the groups, first in the order in which they are given.
fn nodes(target: &Hierarchy, plan: &Plan, held: &[Held]) -> Vec<Node> {
    let now: HashMap<&Group, usize> = target.rows().map(|(group, _)| group).zip(0..).collect();
    let row = |(group, parent): (&Group, Option<&Group>)| Node {
        group: group.clone(),
        parent: parent.and_then(|parent| now.get(parent).copied()),
        mark: Mark::UNCHANGED,
        held: Vec::new(),
    };
    let mut nodes: Vec<Node> = target.rows().map(row).collect();

    // Where the groups are by the names that they had, where they have others or none by now.
    let mut before: HashMap<&Group, usize> = HashMap::new();
    for (from, to) in &plan.renamed {
        before.extend(now.get(to).map(|at| (from, *at)));
    }
    before.extend(
        plan.removed
            .iter()
            .map(|(group, _)| group)
            .zip(nodes.len()..),
    );
    let was_at = |group: &Group| before.get(group).or_else(|| now.get(group)).copied();

    for (group, parent) in &plan.removed {
        nodes.push(Node {
            group: group.clone(),
            parent: parent.as_ref().and_then(was_at),
            mark: Mark::Removed,
            held: Vec::new(),
        });
    }
    let mut mark = |group: &Group, change: &dyn Fn(&mut Mark)| {
        if let Some(node) = now.get(group).and_then(|at| nodes.get_mut(*at)) {
            change(&mut node.mark);
        }
    };
    for (group, _) in &plan.added {
        mark(group, &|mark| *mark = Mark::Added);
    }
    for (from, to) in &plan.renamed {
        mark(to, &|mark| {
            if let Mark::Stays { renamed, .. } = mark {
                *renamed = Some(from.clone());
            }
        });
    }
    for (group, from, _) in &plan.moved {
        mark(group, &|mark| {
            if let Mark::Stays { moved, .. } = mark {
                *moved = Some(Origin {
                    parent: from.clone(),
                    at: from.as_ref().and_then(was_at),
                });
            }
        });
    }
    note_held(&mut nodes, held);
    in_order(nodes)
}

/// Notes what is held at the groups that it is about; those that are not there yet come last.
fn note_held(nodes: &mut Vec<Node>, held: &[Held]) {
    if held.is_empty() {
        return;
    }
    // Of two that have one name, the one that goes and the one that comes, the latter.
    let named = nodes.iter().enumerate().rev();
    let mut places: HashMap<Group, usize> =
        named.map(|(at, node)| (node.group.clone(), at)).collect();
    for held in held {
        let group = Group::new(held.group.clone(), held.group_type.clone());
        let at = *places.entry(group.clone()).or_insert(nodes.len());
        if at == nodes.len() {
            nodes.push(Node {
                group,
                parent: None,
                mark: Mark::Waits,
                held: Vec::new(),
            });
        }
        if let Some(node) = nodes.get_mut(at) {
            node.held.push(why(held));
        }
    }
}

/// The same groups, every one behind its parent and siblings by name and type.
fn in_order(nodes: Vec<Node>) -> Vec<Node> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut pending: Vec<usize> = Vec::new();
    let key = |at: &usize| {
        nodes.get(*at).map(|node| {
            let Group { group_type, name } = &node.group;
            // One that goes before one that comes under its name.
            (
                name.as_str().to_lowercase(),
                name.clone(),
                group_type.clone(),
                node.mark.is_sent(),
            )
        })
    };
    let mut by_name: Vec<usize> = (0..nodes.len()).collect();
    by_name.sort_by_cached_key(key);
    // What is taken from the stack comes first, so siblings are laid on it backwards.
    for at in by_name.into_iter().rev() {
        match nodes.get(at).and_then(|node| node.parent) {
            Some(parent) => children
                .get_mut(parent)
                .into_iter()
                .for_each(|c| c.push(at)),
            None => pending.push(at),
        }
    }
    let mut order: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut places: Vec<Option<usize>> = vec![None; nodes.len()];
    while let Some(at) = pending.pop() {
        if let Some(place) = places.get_mut(at) {
            *place = Some(order.len());
        }
        order.push(at);
        pending.extend(children.get(at).into_iter().flatten());
    }
    let place = |at: usize| places.get(at).copied().flatten();
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let taken = order.into_iter().filter_map(|at| nodes.get_mut(at)?.take());
    taken
        .map(|mut node| {
            node.parent = node.parent.and_then(place);
            if let Mark::Stays {
                moved: Some(origin),
                ..
            } = &mut node.mark
            {
                origin.at = origin.at.and_then(place);
            }
            node
        })
        .collect()
}

/// A group as a reader sees it; the top where there is none.
fn text(group: Option<&Group>) -> String {
    group.map_or_else(
        || "the top".to_owned(),
        |group| format!("{} [{}]", group.name.as_str(), group.group_type.as_str()),
    )
}

/// Why a statement is held, as a sentence.
fn why(held: &Held) -> String {
    let Held {
        reason,
        group,
        group_type: _,
        parent,
        parent_type,
        parent_key,
        cycle,
        source,
        occurred_at,
        ..
    } = held;
    let parent = match (parent, parent_type, parent_key) {
        (Some(name), Some(group_type), _) => format!("{name} [{group_type}]"),
        (_, _, Some(key)) => format!("the group with the key {}", key.as_str()),
        (_, _, None) => "another group".to_owned(),
    };
    let why = match reason {
        HeldReason::Cycle => {
            let names: Vec<&str> = cycle.iter().map(|group| group.group.as_str()).collect();
            format!(
                "would be under {parent}, and so its own ancestor: {} under {group}",
                names.join(" under ")
            )
        }
        HeldReason::UnknownParent => {
            format!("would be under {parent}, of which nobody has said what it is")
        }
        HeldReason::NotSeeded => "waits for the first seed".to_owned(),
        HeldReason::Guard => "waits for an operator, because of the guard".to_owned(),
        HeldReason::RolledBack => "waits since the rollback".to_owned(),
    };
    let source = source.as_ref().map_or("nobody", SourceName::as_str);
    format!("{why}. Said by {source}, as of {occurred_at}")
}
