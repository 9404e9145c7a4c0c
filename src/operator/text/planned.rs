//! A plan's text: a diff, and all that one must know to approve it.

use super::{Commands, blocks, counted, freshness, group, named, remarks, under};
use crate::{
    hierarchy::{Group, Plan, plan::Counts},
    operator::{LargestMove, PlanAnswer},
    report::HeldEntry,
    timestamp::Timestamp,
};

pub(super) fn lines(answer: &PlanAnswer, commands: &Commands, now: Timestamp) -> Vec<String> {
    let PlanAnswer {
        report,
        groups_after,
        largest_move,
        freshness: fresh,
        unsure,
        published: _,
        after: _,
    } = answer;
    let view = report.plan.as_ref();
    let digest = view.and_then(|view| view.digest.as_ref());
    let mut summary = match (view, digest) {
        (Some(_), Some(_)) => vec![counts(report.hierarchy.changes)],
        (_, _) => {
            vec!["No changes: what is published is what follows from all that was said.".to_owned()]
        }
    };
    summary.extend(unsure.then(|| {
        "Calven may hold something else: a PUT was not answered; the next reconcile sends what is published once more.".to_owned()
    }));
    summary.push(format!(
        "Groups: {} now (version {}), {groups_after} after.",
        report.hierarchy.groups, report.hierarchy.version
    ));
    summary.extend(largest_move.as_ref().map(|LargestMove { group, below }| {
        format!(
            "Largest move: {}, with {} below it.",
            named(group.group_type.as_str(), group.group.as_str()),
            counted(*below, "group")
        )
    }));
    let approval = digest.map(|digest| {
        let mut lines = vec![format!("Digest: {digest}")];
        if !report
            .held
            .iter()
            .any(|entry| matches!(entry, HeldEntry::Plan(_)))
        {
            lines.push(
                "Nothing holds the plan: the next webhook or the schedule publishes it.".to_owned(),
            );
        }
        lines.push(format!("To approve it: {}", commands.approve(digest)));
        lines
    });
    blocks(vec![
        view.map(|view| changes(&view.plan)).unwrap_or_default(),
        summary,
        remarks(&report.held, &report.conflicts, &report.warnings),
        freshness(fresh, now),
        approval.unwrap_or_default(),
    ])
}

/// A line for each change.
pub(super) fn changes(plan: &Plan) -> Vec<String> {
    let added = plan.added.iter();
    let added = added.map(|(new, parent)| format!("+ {} {}", group(new), under(parent.as_ref())));
    let moved = plan.moved.iter().map(|(moved, from, to)| {
        let place = |parent: &Option<Group>| match parent {
            Some(parent) => group(parent),
            None => "the top".to_owned(),
        };
        format!(
            "~ {} moved from {} to {}",
            group(moved),
            place(from),
            place(to)
        )
    });
    let renamed = plan.renamed.iter().map(|(from, to)| {
        let to = match from.group_type == to.group_type {
            true => format!("{:?}", to.name.as_str()),
            false => group(to),
        };
        format!("~ {} renamed to {to}", group(from))
    });
    let removed = plan.removed.iter();
    let removed =
        removed.map(|(gone, parent)| format!("- {} (was {})", group(gone), under(parent.as_ref())));
    added.chain(moved).chain(renamed).chain(removed).collect()
}

pub(super) fn counts(counts: Counts) -> String {
    format!(
        "Plan: {} to add, {} to move, {} to rename, {} to remove.",
        counts.added, counts.moved, counts.renamed, counts.removed
    )
}
