//! What is to be reached, and how far from it a change may be that lands.

use clap::ValueEnum;
use serde::Serialize;

/// What a figure must not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// So much, in the figure's unit.
    Figure(f64),
    /// So many times what it is compared with.
    Ratio(f64),
}

/// By which limits the figures are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// What is to be reached with what is deployed.
    #[default]
    Goal,
    /// What noise does not break, and a doubling does, of a build that is hardly optimised.
    Ci,
}

/// What is measured, in which unit, and its limits.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: Option<Limit>,
    pub(super) ci: Option<Limit>,
}

impl Goal {
    pub(super) fn limit(&self, bounds: Bounds) -> Option<Limit> {
        match bounds {
            Bounds::Goal => self.goal,
            Bounds::Ci => self.ci,
        }
    }
}

const fn goal(
    what: &'static str,
    unit: &'static str,
    goal: Option<Limit>,
    ci: Option<Limit>,
) -> Goal {
    Goal {
        what,
        unit,
        goal,
        ci,
    }
}

/// For the reader.
const fn told(what: &'static str, unit: &'static str) -> Goal {
    goal(what, unit, None, None)
}

const fn ratio(most: f64) -> Option<Limit> {
    Some(Limit::Ratio(most))
}

const fn figure(most: f64) -> Option<Limit> {
    Some(Limit::Figure(most))
}

// A build that is hardly optimised has CI's ratios at somewhat more than half of these, so that a doubling fails. Only of time that is not
// CPU time a machine's other work takes its part: those are wide. So is the first answer's, which differs from machine to machine.

pub(super) const INIT: Goal = goal("init", "ms", ratio(1.5), ratio(6.0));
pub(super) const INIT_CPU: Goal = goal("init, CPU", "ms", ratio(1.5), ratio(2.5));
pub(super) const INIT_MEMORY: Goal = told("memory after init", "MiB");
pub(super) const BINARY: Goal = goal("binary", "MB", ratio(3.5), ratio(8.0));
pub(super) const INIT_CONNECTIONS: Goal =
    goal("connections made by init", "", figure(0.0), figure(0.0));
pub(super) const INIT_AT_128_MB: Goal = goal("init at 128 MB", "ms", ratio(2.0), ratio(12.0));

pub(super) const FIRST_CPU: Goal =
    goal("spawn to first answer, CPU", "ms", figure(30.0), ratio(8.0));
pub(super) const FIRST: Goal = told("spawn to first answer", "ms");
pub(super) const FIRST_CPU_OVER_TLS: Goal = told("the same over TLS, CPU", "ms");
pub(super) const FIRST_IN_TURN: Goal =
    goal("round trips before the PUT", "", figure(3.0), figure(3.0));

pub(super) const PEAK_MEMORY: Goal =
    goal("peak memory after webhooks", "MiB", ratio(2.5), ratio(5.0));
pub(super) const WARM_OWN: Goal = goal("warm webhook, own time p50", "ms", figure(1.0), None);
pub(super) const WARM_RAW: Goal = told("warm webhook, raw time p50", "ms");
pub(super) const WARM_RAW_BARE: Goal = told("bare client, raw time p50", "ms");
pub(super) const WARM_RAW_P99: Goal = told("warm webhook, raw time p99", "ms");
pub(super) const WARM_RAW_P99_BARE: Goal = told("bare client, raw time p99", "ms");
pub(super) const WARM_ROUND_TRIPS: Goal = told("warm webhook, round trips", "");
pub(super) const WARM_CPU: Goal = goal("warm webhook, CPU p50", "ms", None, ratio(20.0));
pub(super) const WARM_CPU_BARE: Goal = told("bare client, CPU p50", "ms");
pub(super) const WARM: Goal = told("warm webhook, in all p50", "ms");
pub(super) const WARM_DOWNLOADS: Goal = goal(
    "times the state was read again",
    "",
    figure(0.0),
    figure(0.0),
);

pub(super) const BATCH: Goal = goal("queue batch, own time", "ms", ratio(2.0), None);
pub(super) const BATCH_CPU: Goal = goal("queue batch, CPU", "ms", None, ratio(2.8));

// Of the library alone, by `cargo bench --bench ratios`; the kind of company that is worst counts.

pub(super) const CHANGE: Goal = goal(
    "a change of 100,000, a group of it",
    "us",
    ratio(1.5),
    ratio(3.0),
);
pub(super) const SNAPSHOT: Goal = goal("a snapshot of 100,000", "ms", ratio(3.0), ratio(6.0));
