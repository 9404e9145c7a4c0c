//! A hierarchy as a tree.

use std::collections::HashMap;

use super::{counted, group};
use crate::hierarchy::{Group, Hierarchy};

pub(super) fn lines(hierarchy: &Hierarchy) -> Vec<String> {
    let mut children: HashMap<Option<&Group>, Vec<&Group>> = HashMap::new();
    // Backwards, since of those that are open the last comes next.
    for (group, parent) in hierarchy.rows().collect::<Vec<_>>().into_iter().rev() {
        children.entry(parent).or_default().push(group);
    }
    let below = |group, depth: usize| {
        let below = children.get(&group).cloned().unwrap_or_default();
        below.into_iter().map(move |child| (child, depth))
    };
    let mut lines = Vec::with_capacity(hierarchy.groups() + 2);
    let mut open: Vec<(&Group, usize)> = below(None, 0).collect();
    while let Some((next, depth)) = open.pop() {
        lines.push(format!("{}{}", "  ".repeat(depth), group(next)));
        open.extend(below(Some(next), depth + 1));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(format!("{}.", counted(hierarchy.groups(), "group")));
    lines
}
