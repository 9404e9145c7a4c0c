//! The text of what an action did.

use super::{blocks, counted, planned, remarks};
use crate::report::{Report, Status};

pub(super) fn lines(report: &Report) -> Vec<String> {
    let counts = report.hierarchy;
    let version = format!(
        "version {}, {}",
        counts.version,
        counted(counts.groups, "group")
    );
    let became = match report.status {
        Status::Published => format!("Published: {version}."),
        Status::Unchanged => {
            format!("Unchanged: there is nothing to send. Published is {version}.")
        }
        Status::Ignored => format!("Ignored. Published is {version}."),
        Status::Accepted => format!("Saved, and not published yet. Published is {version}."),
        Status::Held => format!("Held: what is pending was not sent. Published is {version}."),
        Status::Planned => format!("Planned: nothing was saved or sent. Published is {version}."),
    };
    let mut became = vec![became];
    became.extend(
        report
            .reason
            .as_ref()
            .map(|reason| format!("Why: {reason}.")),
    );
    let changes = counts.changes;
    let tense = match report.status {
        Status::Published | Status::Unchanged | Status::Ignored => "Changes",
        Status::Accepted | Status::Held | Status::Planned => "Pending",
    };
    became.push(format!(
        "{tense}: {} added, {} moved, {} renamed, {} removed.",
        changes.added, changes.moved, changes.renamed, changes.removed
    ));
    became.push(format!(
        "Statements: {} applied, {} stale.",
        report.statements.applied, report.statements.stale
    ));
    blocks(vec![
        report
            .plan
            .as_ref()
            .map(|view| planned::changes(&view.plan))
            .unwrap_or_default(),
        became,
        remarks(&report.held, &report.conflicts, &report.warnings),
    ])
}
