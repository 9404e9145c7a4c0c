//! What a change is answered with, once it is known what became of it.

use super::{
    Bridge, BridgeError, Change, Deadlines, Progress, ThinEvent,
    cutting::{cut, show},
    round::Round,
};
use crate::{
    hierarchy::plan::Counts,
    report::{HeldEntry, HeldPlan, HierarchyCounts, Report, StatementCounts, Status, Untold},
    state::{Hold, State},
    tally::{Lap, Tally},
};

impl Bridge {
    pub(super) fn dry_run(&self, round: &Round, change: &Change<'_>) -> Report {
        let mut report = self.report(round, change, None);
        report.status = Status::Planned;
        report.reason = None;
        report.saved = Some(false);
        report
            .warnings
            .push("dry run: nothing was saved, nothing was sent".to_owned());
        if let Some(full) = &round.full {
            let would = format!("dry run: otherwise it would be refused: {full}");
            report.warnings.push(would);
        }
        show(change, &mut report, round.plan_view());
        report
    }

    /// What a webhook is answered that says nothing about the organisation: nothing is saved or sent because of it. But it
    /// is an invocation, and does what others left due.
    ///
    /// # Errors
    /// [`BridgeError`] where the state cannot be read.
    pub async fn ignored(
        &self,
        event: &ThinEvent,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Result<Report, BridgeError> {
        let look = |state: &State| {
            let counts = HierarchyCounts {
                version: state.version,
                groups: state.published_groups(),
                changes: Counts::default(),
            };
            (counts, self.rereading.is_any_due(state))
        };
        let (mut counts, is_any_due) = {
            let _lap = Lap::of(&mut tally.steps.load);
            self.look(deadlines, look).await?
        };
        if is_any_due {
            let change = Change::Deliveries {
                deliveries: &[],
                rereads: &[],
                proven: &[],
                queued: false,
            };
            // Boxed, since the compiler gives up on the layout of futures that lie so deep.
            match Box::pin(self.apply(&change, deadlines, tally)).await {
                Ok(report) => {
                    counts.version = report.hierarchy.version;
                    counts.groups = report.hierarchy.groups;
                }
                Err(error) => tracing::warn!(%error, "what is due could not be done"),
            }
        }
        let ThinEvent {
            source,
            received: _,
            event_id,
        } = event;
        Ok(Report {
            status: Status::Ignored,
            reason: None,
            source: Some(source.to_string()),
            event_id: event_id.as_ref().map(|id| id.as_str().to_owned()),
            statements: StatementCounts::default(),
            hierarchy: counts,
            held: Vec::new(),
            conflicts: Vec::new(),
            warnings: Vec::new(),
            untold: Untold::default(),
            saved: None,
            plan: None,
        })
    }

    /// What is answered once all is saved.
    pub(super) fn finish(
        &self,
        round: &Round,
        change: &Change<'_>,
        progress: &Progress,
    ) -> Result<Report, BridgeError> {
        round.pending.was_refused()?;
        let put = progress.put.then_some(Status::Published);
        Ok(self.report(round, change, put))
    }

    /// What is answered where no PUT was taken, and what could be saved is.
    pub(super) fn give_up(
        &self,
        round: &Round,
        change: &Change<'_>,
        progress: Progress,
    ) -> Result<Report, BridgeError> {
        round.pending.was_refused()?;
        let failure = progress.given_up.flatten();
        match change {
            // A reconcile of a held plan has nothing of its own to send.
            Change::Reconcile { .. } if round.pending.is_held() => {
                Ok(self.report(round, change, None))
            }
            Change::Reconcile { .. } | Change::Approve(_) | Change::Rollback(_) => {
                Err(match failure {
                    Some(failure) => BridgeError::NotPublished(failure),
                    None => BridgeError::NoTimeToPublish,
                })
            }
            Change::Deliveries { .. } | Change::Seed { .. } | Change::Look => {
                let mut report = self.report(round, change, Some(Status::Accepted));
                if report.status == Status::Accepted {
                    let why = match failure {
                        Some(failure) if failure.is_transient() => {
                            "Calven could not be reached; the next webhook or the schedule sends it"
                        }
                        Some(_) => {
                            "Calven refused; the next webhook or the schedule tries again once that is mended"
                        }
                        None => {
                            "there was no time left to publish; the next webhook or the schedule sends it"
                        }
                    };
                    report.reason = Some(match report.reason {
                        Some(waits) => format!("{why}; {waits}"),
                        None => why.to_owned(),
                    });
                }
                Ok(report)
            }
        }
    }

    pub(super) fn report(
        &self,
        round: &Round,
        change: &Change<'_>,
        sent: Option<Status>,
    ) -> Report {
        let Round {
            state,
            tag: _,
            merged,
            projection,
            pending,
            changed: _,
            new: _,
            warnings,
            waiting,
            send: _,
            body: _,
            begun: _,
            full: _,
            as_loaded: _,
        } = round;
        let own = change.is_a_sender_s();
        // While a rollback waits for approval its plan is the pending one, and what was said waits too.
        let waits_behind_it = || {
            matches!(state.hold, Hold::RollbackWaits { .. })
                && projection.is_concerned_by(&projection.plan(state.published.as_ref()))
        };
        let plan_waits = pending
            .held
            .filter(|_| !own || projection.is_concerned_by(&pending.plan) || waits_behind_it());
        let (held, mut conflicts) = if own {
            (
                projection.held_of_its_own(),
                projection.conflicts_of_its_own(),
            )
        } else {
            (projection.held.clone(), projection.conflicts.clone())
        };
        let mut entries: Vec<HeldEntry> = Vec::new();
        entries
            .extend(plan_waits.map(|reason| HeldEntry::Plan(HeldPlan::new(reason, &pending.plan))));
        entries.extend(held.into_iter().map(HeldEntry::Statement));
        let status = match sent {
            Some(status) if pending.held.is_none() => status,
            Some(_) | None if plan_waits.is_some() => Status::Held,
            // Nothing of its own could be sent: what it said waits, or there was nothing to send.
            Some(_) | None if !entries.is_empty() => Status::Held,
            Some(_) | None => Status::Unchanged,
        };
        let reason = (!waiting.is_empty()).then(|| waiting.join("; "));
        // What else was said may be published, but not all that this event is about.
        let status = match status {
            Status::Published | Status::Unchanged if reason.is_some() => Status::Accepted,
            status => status,
        };
        let mut all_warnings = merged.warnings.clone();
        all_warnings.extend(warnings.iter().chain(&projection.warnings).cloned());
        let untold = cut(change, &mut entries, &mut conflicts, &mut all_warnings);
        Report {
            status,
            reason,
            source: change.source(),
            event_id: change.event_id(),
            statements: StatementCounts {
                applied: projection.applied,
                stale: projection.stale,
            },
            hierarchy: HierarchyCounts {
                version: state.version,
                groups: state.published_groups(),
                changes: pending.plan.counts(),
            },
            held: entries,
            conflicts,
            warnings: all_warnings,
            untold,
            saved: None,
            plan: None,
        }
    }
}
