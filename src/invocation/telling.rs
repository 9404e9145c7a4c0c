//! What is told of an invocation at its end: the log's line, and the metrics' where they are wanted.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use super::{Failure, log::log};
use crate::{
    metrics::{Measured, Metric, Metrics},
    report::Report,
    secrets::Secrets,
    tally::{Levels, Sent, Tally},
    timestamp::Clock,
};

/// Tells of every invocation of this instance.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) metrics: Option<Metrics>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) clock: Clock,
    /// Whether there has been an invocation.
    pub(super) is_warm: AtomicBool,
}

/// One invocation, from its beginning.
#[derive(Clone, Debug)]
pub(super) struct Invoked {
    teller: Arc<Teller>,
    pub(super) request_id: String,
    pub(super) began: Instant,
    /// Whether it is its instance's first.
    pub(super) is_cold: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    /// `webhook`, `queue`, or the action's name.
    pub(super) invocation: Option<&'a str>,
    /// The source, where one was named and is known.
    pub(super) source: Option<&'a str>,
    pub(super) http_status: Option<u16>,
    pub(super) report: Option<&'a Report>,
    /// How many messages a batch had, and how many of them go back to the queue.
    pub(super) records: Option<usize>,
    pub(super) failed_records: Option<usize>,
    /// Why the invocation failed, where it did.
    pub(super) failure: Option<&'a Failure>,
}

impl Teller {
    pub(super) fn begin(self: &Arc<Self>, request_id: &str) -> Invoked {
        Invoked {
            teller: Arc::clone(self),
            request_id: request_id.to_owned(),
            began: Instant::now(),
            is_cold: !self.is_warm.swap(true, Ordering::Relaxed),
        }
    }
}

impl Invoked {
    /// Tells what became of it: once, at its end.
    pub(super) fn tell(&self, told: &Told<'_>, tally: &Tally) {
        log(self, told, tally);
        // Taken though nobody asks, so that the next invocation's are its own.
        let fetches = self.teller.secrets.take_fetches();
        if let Some(metrics) = &self.teller.metrics {
            let measured = self.measured(told, tally, fetches);
            metrics.emit(self.teller.clock.now(), &self.request_id, &measured);
        }
    }

    fn measured<'a>(&self, told: &Told<'a>, tally: &Tally, fetches: u64) -> Measured<'a> {
        let mut measured = Measured {
            source: told.source,
            status: None,
            values: Vec::with_capacity(Metric::ALL.len()),
        };
        if let Some(http_status) = told.http_status {
            measured.status = told.report.map(|report| report.status.as_str());
            measured.count(Metric::Webhooks, u64::from(told.report.is_some()));
            let refused = (400..500).contains(&http_status);
            measured.count(Metric::Refusals, u64::from(refused));
            measured.count(Metric::WebhookErrors, u64::from(http_status >= 500));
        }
        measured.count(
            Metric::MessagesFailed,
            number(told.failed_records.unwrap_or_default()),
        );
        measured.count(Metric::ColdStarts, u64::from(self.is_cold));
        measured.count(Metric::SecretFetches, fetches);
        let Tally {
            steps: _,
            puts,
            calven_errors,
            calven_refusals,
            capillary_errors,
            reread_errors,
            applied,
            stale,
            published,
            levels,
        } = *tally;
        measured.count(Metric::StatementsApplied, number(applied));
        measured.count(Metric::StatementsStale, number(stale));
        if puts > 0 {
            measured.level(Metric::CalvenErrors, calven_errors);
            measured.level(Metric::CalvenRefusals, calven_refusals);
        }
        measured.count(Metric::CapillaryErrors, capillary_errors);
        measured.count(Metric::RereadErrors, reread_errors);
        if let Some(Sent { latency, counts }) = published {
            measured.count(Metric::GroupsAdded, number(counts.added));
            measured.count(Metric::GroupsMoved, number(counts.moved));
            measured.count(Metric::GroupsRenamed, number(counts.renamed));
            measured.count(Metric::GroupsRemoved, number(counts.removed));
            if let Some(latency) = latency {
                let latency = number(latency.as_millis());
                measured.level(Metric::PublishLatency, latency);
            }
        }
        if let Some(levels) = levels {
            let Levels {
                groups,
                held_statements,
                is_plan_held,
                unpublished,
            } = levels;
            measured.level(Metric::Groups, number(groups));
            measured.level(Metric::StatementsHeld, number(held_statements));
            measured.level(Metric::PlanHeld, u64::from(is_plan_held));
            measured.level(Metric::UnpublishedAge, unpublished.as_secs());
        }
        measured
    }
}

impl Measured<'_> {
    /// What happened so often; what did not is left out.
    fn count(&mut self, metric: Metric, times: u64) {
        if times > 0 {
            self.level(metric, times);
        }
    }

    /// How things stand, be it 0: an alarm ends by it.
    fn level(&mut self, metric: Metric, value: u64) {
        self.values.push((metric, value));
    }
}

fn number(count: impl TryInto<u64>) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}
