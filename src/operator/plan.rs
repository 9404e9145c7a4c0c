//! What is pending, as an answer.

use std::collections::HashMap;

use serde::Serialize;

use super::freshness::Freshness;
use crate::{
    bridge::Foresight,
    hierarchy::{Group, Hierarchy, SourceName, findings::GroupText},
    report::Report,
    timestamp::Timestamp,
};

/// What is pending, and how old what is known is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanAnswer {
    /// What is pending.
    #[serde(flatten)]
    pub report: Report,
    /// How many groups there would be.
    pub groups_after: usize,
    /// The moved group that has the most below it.
    pub largest_move: Option<LargestMove>,
    /// How old what is known is.
    pub freshness: Freshness,
    /// Whether Calven may hold something else than what was published last, so that a PUT is owed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// What Calven holds, as far as is known.
    #[serde(skip)]
    pub published: Option<Hierarchy>,
    /// What it would hold.
    #[serde(skip)]
    pub after: Hierarchy,
}

/// A group that is moved, with all that is below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LargestMove {
    /// The group.
    #[serde(flatten)]
    pub group: GroupText,
    /// How many groups are below it.
    pub below: usize,
}

impl PlanAnswer {
    /// What is foreseen; `is_readable`: which sources can be read again.
    pub fn of(
        foresight: &Foresight<'_>,
        is_readable: impl Fn(&SourceName) -> bool,
        now: Timestamp,
    ) -> Self {
        let Foresight {
            state,
            rules,
            plan,
            held: _,
            after,
            report,
        } = foresight;
        let moved: Vec<&Group> = plan.moved.iter().map(|(group, ..)| group).collect();
        Self {
            report: report.clone(),
            groups_after: after.groups(),
            largest_move: largest(&moved, after),
            freshness: Freshness::of(state, rules, is_readable, now),
            // Before the first PUT that was saved there is nothing to send once more.
            unsure: state.unsure && state.published.is_some(),
            published: state.published.as_ref().map(|p| p.hierarchy()),
            after: after.clone(),
        }
    }
}

/// Of these groups the one that has the most below it; of several the first.
fn largest(moved: &[&Group], hierarchy: &Hierarchy) -> Option<LargestMove> {
    if moved.is_empty() {
        return None;
    }
    let mut children: HashMap<&Group, Vec<&Group>> = HashMap::new();
    for (group, parent) in hierarchy.rows() {
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(group);
        }
    }
    let below = subtrees(hierarchy, &children);
    let below = |group: &Group| below.get(group).copied().unwrap_or_default();
    let largest = moved.iter().rev().max_by_key(|group| below(group))?;
    Some(LargestMove {
        group: GroupText::from(*largest),
        below: below(largest),
    })
}

/// How many groups are below each.
fn subtrees<'a>(
    hierarchy: &'a Hierarchy,
    children: &HashMap<&'a Group, Vec<&'a Group>>,
) -> HashMap<&'a Group, usize> {
    let top = hierarchy.rows().filter(|(_, parent)| parent.is_none());
    let mut downwards: Vec<(&Group, Option<&Group>)> = top.collect();
    let mut at = 0;
    while let Some((group, _)) = downwards.get(at).copied() {
        let below = children.get(group).into_iter().flatten();
        downwards.extend(below.map(|child| (*child, Some(group))));
        at += 1;
    }
    let mut below: HashMap<&Group, usize> = HashMap::new();
    for (group, parent) in downwards.into_iter().rev() {
        let own = below.get(group).copied().unwrap_or_default();
        if let Some(parent) = parent {
            *below.entry(parent).or_default() += own + 1;
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::{
        Ledger, Merged, Projection, Relationship, Rules, Salt, SeedRows, statement::group,
    };

    #[test]
    fn the_largest_move_is_that_of_the_group_with_the_most_below_it_at_any_depth() {
        let team = |name: &str| group(name, "Team").unwrap();
        let rows = [
            ("a", None),
            ("b", Some("a")),
            ("c", Some("b")),
            ("d", Some("c")),
            ("e", None),
            ("f", Some("e")),
            ("g", Some("e")),
        ];
        let rows = rows.map(|(name, parent)| Relationship {
            group: team(name),
            parent: parent.map(team),
        });
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        let rows = SeedRows::new(rows.to_vec()).unwrap();
        ledger.merge_seed(&rows, None, Timestamp::from_seconds(1));
        let rules = Rules::default();
        let hierarchy = Projection::of(&ledger, None, &rules, &Merged::default()).hierarchy;
        for (moved, expected) in [
            (&["e", "a", "b"][..], Some(("a", 3))),
            (&["e", "b"], Some(("e", 2))),
            (&["d", "g"], Some(("d", 0))),
            (&[], None),
        ] {
            let moved: Vec<Group> = moved.iter().map(|name| team(name)).collect();
            let moved: Vec<&Group> = moved.iter().collect();
            let found = largest(&moved, &hierarchy);
            let found = found.map(|found| (found.group.group.to_string(), found.below));
            assert_eq!(
                found,
                expected.map(|(name, below)| (name.to_owned(), below))
            );
        }
    }
}
