//! The one log line of an invocation.

use crate::report::Report;

/// One line an invocation, with everything one would query.
pub(super) fn log(
    request_id: &str,
    invocation: &str,
    source: Option<&str>,
    http_status: Option<u16>,
    report: Option<&Report>,
    records: Option<usize>,
    failed_records: Option<usize>,
) {
    match report {
        Some(report) => {
            let changes = report.hierarchy.changes;
            tracing::info!(
                request_id,
                invocation,
                source = source.or(report.source.as_deref()),
                event_id = report.event_id.as_deref(),
                http_status,
                status = report.status.as_str(),
                reason = report.reason.as_deref(),
                applied = report.statements.applied,
                stale = report.statements.stale,
                version = report.hierarchy.version,
                groups = report.hierarchy.groups,
                added = changes.added,
                moved = changes.moved,
                renamed = changes.renamed,
                removed = changes.removed,
                held = report.held.len(),
                conflicts = report.conflicts.len(),
                warnings = report.warnings.len(),
                records,
                failed_records,
                "done"
            );
        }
        None => tracing::info!(
            request_id,
            invocation,
            source,
            http_status,
            records,
            failed_records,
            "done"
        ),
    }
}
