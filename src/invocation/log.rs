//! The one log line of an invocation.

use std::time::Duration;

use super::{
    Failure,
    telling::{Invoked, Told},
};
use crate::{
    hierarchy::plan::Counts,
    report::{HierarchyCounts, Report},
    tally::{Steps, Tally},
};

/// One line an invocation, with everything one would query; of a failed one it is an error.
pub(super) fn log(invoked: &Invoked, told: &Told<'_>, tally: &Tally) {
    let Invoked {
        request_id,
        began,
        is_cold: cold,
        ..
    } = invoked;
    let Told {
        invocation,
        source,
        http_status,
        report,
        records,
        failed_records,
        failure,
    } = *told;
    let total_ms = milliseconds(began.elapsed());
    let Milliseconds {
        secrets_ms,
        verify_ms,
        queue_ms,
        load_ms,
        capillary_ms,
        reread_ms,
        merge_ms,
        put_ms,
        save_ms,
    } = Milliseconds::of(&tally.steps);
    if let Some(failure) = failure {
        let error_type = failure.error_type();
        let error = match failure {
            Failure::BadAction(faults) => format!("{faults:?}"),
            Failure::UnknownEvent
            | Failure::Bridge(_)
            | Failure::Unwritable(_)
            | Failure::Panicked => failure.to_string(),
        };
        tracing::error!(
            request_id,
            invocation,
            cold,
            error_type,
            error,
            load_ms,
            capillary_ms,
            reread_ms,
            merge_ms,
            put_ms,
            save_ms,
            total_ms,
            "the invocation failed"
        );
        return;
    }
    let hierarchy = report.map(|report| report.hierarchy);
    let changes = hierarchy.map(|HierarchyCounts { changes, .. }| changes);
    let change = |count: fn(&Counts) -> usize| changes.as_ref().map(count);
    let count = |count: fn(&Report) -> usize| report.map(count);
    tracing::info!(
        request_id,
        invocation,
        cold,
        source = source.or(report.and_then(|report| report.source.as_deref())),
        event_id = report.and_then(|report| report.event_id.as_deref()),
        http_status,
        status = report.map(|report| report.status.as_str()),
        reason = report.and_then(|report| report.reason.as_deref()),
        applied = count(|report| report.statements.applied),
        stale = count(|report| report.statements.stale),
        version = hierarchy.map(|hierarchy| hierarchy.version),
        groups = hierarchy.map(|hierarchy| hierarchy.groups),
        added = change(|changes| changes.added),
        moved = change(|changes| changes.moved),
        renamed = change(|changes| changes.renamed),
        removed = change(|changes| changes.removed),
        held = count(Report::all_held),
        conflicts = count(Report::all_conflicts),
        warnings = count(Report::all_warnings),
        records,
        failed_records,
        secrets_ms,
        verify_ms,
        queue_ms,
        load_ms,
        capillary_ms,
        reread_ms,
        merge_ms,
        put_ms,
        save_ms,
        total_ms,
        "done"
    );
}

/// The steps as the line has them; none for a step that was not taken.
struct Milliseconds {
    secrets_ms: Option<f64>,
    verify_ms: Option<f64>,
    queue_ms: Option<f64>,
    load_ms: Option<f64>,
    capillary_ms: Option<f64>,
    reread_ms: Option<f64>,
    merge_ms: Option<f64>,
    put_ms: Option<f64>,
    save_ms: Option<f64>,
}

impl Milliseconds {
    fn of(steps: &Steps) -> Self {
        let Steps {
            secrets,
            verify,
            queue,
            load,
            capillary,
            reread,
            merge,
            put,
            save,
        } = *steps;
        let if_taken = |step: Duration| (!step.is_zero()).then(|| milliseconds(step));
        Self {
            secrets_ms: if_taken(secrets),
            verify_ms: if_taken(verify),
            queue_ms: if_taken(queue),
            load_ms: if_taken(load),
            capillary_ms: if_taken(capillary),
            reread_ms: if_taken(reread),
            merge_ms: if_taken(merge),
            put_ms: if_taken(put),
            save_ms: if_taken(save),
        }
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
