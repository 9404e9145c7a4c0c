//! What a PUT removes and moves, told from its rows alone, and how much of that needs nobody's approval.

use std::collections::BTreeSet;

use crate::{
    calven::{Group, Rows},
    history::Setup,
};

/// Removals and moves of groups whose names nobody ever changed: of the others rows cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cuts {
    pub(crate) removed: BTreeSet<Group>,
    pub(crate) moved: BTreeSet<Group>,
}

impl Cuts {
    pub(crate) fn between(before: &Rows, after: &Rows, renamed: &BTreeSet<String>) -> Self {
        // The thin source's keys go on under other names.
        let is_plain = |group: &Group| !renamed.contains(&group.1) && !group.1.starts_with('K');
        let are_plain = |parent: &Option<Group>| parent.as_ref().is_none_or(is_plain);
        let mut cuts = Self::default();
        for (group, parent) in before.iter().filter(|(group, _)| is_plain(group)) {
            match after.get(group) {
                None => {
                    cuts.removed.insert(group.clone());
                }
                Some(now) if now != parent && are_plain(now) && are_plain(parent) => {
                    cuts.moved.insert(group.clone());
                }
                Some(_) => {}
            }
        }
        cuts
    }

    /// Whether somebody must have approved them: more than both limits of either kind.
    pub(crate) fn need_approval(&self, groups: usize, setup: &Setup) -> bool {
        let too_many = |count: usize| {
            count > setup.guard_groups && count * 100 > groups * usize::from(setup.guard_percent)
        };
        too_many(self.removed.len()) || too_many(self.moved.len())
    }

    pub(crate) fn are_within(&self, approved: &Self) -> bool {
        self.removed.is_subset(&approved.removed) && self.moved.is_subset(&approved.moved)
    }
}
