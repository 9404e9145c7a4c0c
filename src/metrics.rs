//! The metrics: one line an invocation in AWS's Embedded Metric Format, which becomes metrics without a request.
//!
//! The line stands as it is on stdout, beside the log's: within one of those it would be a text and no metric. It has no
//! level, so Lambda takes it for one of the level INFO.
//!
//! The format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//! docs/metrics.md says what each means.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::timestamp::Timestamp;

/// The metrics' namespace.
pub const NAMESPACE: &str = "CalvenBridge";

/// Everything that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Genuine webhooks that were answered with a report.
    Webhooks,
    /// Requests that were refused: the sender's fault, or no sender's.
    Refusals,
    /// Webhooks that could not be taken: the sender must come again.
    WebhookErrors,
    /// Statements that count now of their subjects.
    StatementsApplied,
    /// Statements that are older than what is known, or known already.
    StatementsStale,
    /// Statements that wait for others.
    StatementsHeld,
    /// Whether the plan waits for an operator.
    PlanHeld,
    /// From the receipt of the oldest of what was published until Calven had it.
    PublishLatency,
    /// For how long something has been unpublished.
    UnpublishedAge,
    /// The groups that are published.
    Groups,
    /// Groups that a publication added.
    GroupsAdded,
    /// Groups that it moved.
    GroupsMoved,
    /// Groups that it renamed.
    GroupsRenamed,
    /// Groups that it removed.
    GroupsRemoved,
    /// PUTs that were not taken; 0 where one was.
    CalvenErrors,
    /// PUTs that Calven refused; 0 where one was taken.
    CalvenRefusals,
    /// Reads of Capillary that failed.
    CapillaryErrors,
    /// Re-reads of sources that failed, or did not come to their end.
    RereadErrors,
    /// Versions of secrets that were asked for.
    SecretFetches,
    /// Messages of the queue that were given back to it.
    MessagesFailed,
    /// First invocations of an instance.
    ColdStarts,
}

/// What a metric counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// By what a metric is broken down. Few values each: every combination is a metric to pay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakdown {
    /// By nothing but the function.
    Function,
    /// Also by source, where one is known.
    Source,
    /// Also by source, and by source and status.
    SourceAndStatus,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Webhooks,
        Self::Refusals,
        Self::WebhookErrors,
        Self::StatementsApplied,
        Self::StatementsStale,
        Self::StatementsHeld,
        Self::PlanHeld,
        Self::PublishLatency,
        Self::UnpublishedAge,
        Self::Groups,
        Self::GroupsAdded,
        Self::GroupsMoved,
        Self::GroupsRenamed,
        Self::GroupsRemoved,
        Self::CalvenErrors,
        Self::CalvenRefusals,
        Self::CapillaryErrors,
        Self::RereadErrors,
        Self::SecretFetches,
        Self::MessagesFailed,
        Self::ColdStarts,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhooks => "Webhooks",
            Self::Refusals => "Refusals",
            Self::WebhookErrors => "WebhookErrors",
            Self::StatementsApplied => "StatementsApplied",
            Self::StatementsStale => "StatementsStale",
            Self::StatementsHeld => "StatementsHeld",
            Self::PlanHeld => "PlanHeld",
            Self::PublishLatency => "PublishLatency",
            Self::UnpublishedAge => "UnpublishedAge",
            Self::Groups => "Groups",
            Self::GroupsAdded => "GroupsAdded",
            Self::GroupsMoved => "GroupsMoved",
            Self::GroupsRenamed => "GroupsRenamed",
            Self::GroupsRemoved => "GroupsRemoved",
            Self::CalvenErrors => "CalvenErrors",
            Self::CalvenRefusals => "CalvenRefusals",
            Self::CapillaryErrors => "CapillaryErrors",
            Self::RereadErrors => "RereadErrors",
            Self::SecretFetches => "SecretFetches",
            Self::MessagesFailed => "MessagesFailed",
            Self::ColdStarts => "ColdStarts",
        }
    }

    /// Its unit.
    pub const fn unit(self) -> Unit {
        match self {
            Self::UnpublishedAge => Unit::Seconds,
            Self::PublishLatency => Unit::Milliseconds,
            Self::Webhooks
            | Self::Refusals
            | Self::WebhookErrors
            | Self::StatementsApplied
            | Self::StatementsStale
            | Self::StatementsHeld
            | Self::PlanHeld
            | Self::Groups
            | Self::GroupsAdded
            | Self::GroupsMoved
            | Self::GroupsRenamed
            | Self::GroupsRemoved
            | Self::CalvenErrors
            | Self::CalvenRefusals
            | Self::CapillaryErrors
            | Self::RereadErrors
            | Self::SecretFetches
            | Self::MessagesFailed
            | Self::ColdStarts => Unit::Count,
        }
    }

    /// By what it is broken down.
    pub const fn breakdown(self) -> Breakdown {
        match self {
            Self::Webhooks => Breakdown::SourceAndStatus,
            Self::Refusals | Self::WebhookErrors => Breakdown::Source,
            Self::StatementsApplied
            | Self::StatementsStale
            | Self::StatementsHeld
            | Self::PlanHeld
            | Self::PublishLatency
            | Self::UnpublishedAge
            | Self::Groups
            | Self::GroupsAdded
            | Self::GroupsMoved
            | Self::GroupsRenamed
            | Self::GroupsRemoved
            | Self::CalvenErrors
            | Self::CalvenRefusals
            | Self::CapillaryErrors
            | Self::RereadErrors
            | Self::SecretFetches
            | Self::MessagesFailed
            | Self::ColdStarts => Breakdown::Function,
        }
    }
}

impl Unit {
    /// The name that it has in the line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

impl Breakdown {
    const ALL: [Self; 3] = [Self::Function, Self::Source, Self::SourceAndStatus];

    /// The sets of dimensions.
    pub const fn sets(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Function => &[&["FunctionName"]],
            Self::Source => &[&["FunctionName"], &["FunctionName", "Source"]],
            Self::SourceAndStatus => &[
                &["FunctionName"],
                &["FunctionName", "Source"],
                &["FunctionName", "Source", "Status"],
            ],
        }
    }
}

/// What was measured in one invocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured<'a> {
    /// The source, where one is known.
    pub(crate) source: Option<&'a str>,
    /// The word for what became of a webhook.
    pub(crate) status: Option<&'a str>,
    /// Each metric once.
    pub(crate) values: Vec<(Metric, u64)>,
}

/// Takes a whole line, to be written at once.
type Write = dyn Fn(&[u8]) + Send + Sync;

/// Where the metrics go.
pub struct Metrics {
    function_name: String,
    write: Box<Write>,
}

impl Metrics {
    /// Those of this function; `write` is given whole lines, to be written at once.
    pub fn new(function_name: String, write: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self {
            function_name,
            write: Box::new(write),
        }
    }

    /// Writes the line of one invocation; none where nothing was measured.
    pub(crate) fn emit(&self, at: Timestamp, request_id: &str, measured: &Measured<'_>) {
        if measured.values.is_empty() {
            return;
        }
        let line = Line {
            at,
            function_name: &self.function_name,
            request_id,
            measured,
        };
        // Writing JSON into memory does not fail.
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            (self.write)(&bytes);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({})", self.function_name)
    }
}

/// The document: what is measured stands at its root, `_aws` says what of that is a metric.
struct Line<'a> {
    at: Timestamp,
    function_name: &'a str,
    request_id: &'a str,
    measured: &'a Measured<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: Vec<&'a [&'static str]>,
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Measured<'_> {
    /// A dimension that is named must be there: a set with one that is not known is left out.
    fn has(&self, dimension: &str) -> bool {
        match dimension {
            "Source" => self.source.is_some(),
            "Status" => self.status.is_some(),
            _ => true,
        }
    }

    fn directives(&self) -> Vec<Directive<'static>> {
        let mut directives = Vec::new();
        for breakdown in Breakdown::ALL {
            let of_it = |(metric, _): &&(Metric, u64)| metric.breakdown() == breakdown;
            let metrics = self.values.iter().filter(of_it).map(|(metric, _)| {
                let (name, unit) = (metric.name(), metric.unit().name());
                Definition { name, unit }
            });
            let metrics: Vec<_> = metrics.collect();
            if metrics.is_empty() {
                continue;
            }
            let sets = breakdown.sets().iter().copied();
            let known = sets.filter(|set| set.iter().all(|dimension| self.has(dimension)));
            directives.push(Directive {
                namespace: NAMESPACE,
                dimensions: known.collect(),
                metrics,
            });
        }
        directives
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            at,
            function_name,
            request_id,
            measured,
        } = self;
        let metadata = Metadata {
            timestamp: at.micros().div_euclid(1_000),
            cloud_watch_metrics: measured.directives(),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("_aws", &metadata)?;
        map.serialize_entry("FunctionName", function_name)?;
        for (name, value) in [("Source", measured.source), ("Status", measured.status)] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry("requestId", request_id)?;
        for (metric, value) in &measured.values {
            map.serialize_entry(metric.name(), value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    fn emitted(measured: &Measured<'_>) -> Vec<u8> {
        let written: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&written);
        let metrics = Metrics::new("bridge".to_owned(), move |line| {
            kept.lock().unwrap().extend_from_slice(line);
        });
        metrics.emit(
            Timestamp::from_micros(1_768_046_400_000_999),
            "r-1",
            measured,
        );
        drop(metrics);
        Arc::into_inner(written).unwrap().into_inner().unwrap()
    }

    #[test]
    fn a_line_is_a_document_of_the_embedded_metric_format() {
        let bytes = emitted(&Measured {
            source: Some("acme"),
            status: Some("published"),
            values: vec![(Metric::Webhooks, 1), (Metric::UnpublishedAge, 0)],
        });
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(bytes.ends_with(b"\n"));
        let line: Value = serde_json::from_slice(&bytes).unwrap();
        let expected = json!({
            "_aws": {
                "Timestamp": 1_768_046_400_000_i64,
                "CloudWatchMetrics": [
                    {"Namespace": "CalvenBridge", "Dimensions": [["FunctionName"]],
                     "Metrics": [{"Name": "UnpublishedAge", "Unit": "Seconds"}]},
                    {"Namespace": "CalvenBridge",
                     "Dimensions": [["FunctionName"], ["FunctionName", "Source"], ["FunctionName", "Source", "Status"]],
                     "Metrics": [{"Name": "Webhooks", "Unit": "Count"}]},
                ],
            },
            "FunctionName": "bridge", "Source": "acme", "Status": "published", "requestId": "r-1",
            "Webhooks": 1, "UnpublishedAge": 0,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_set_with_a_dimension_that_is_not_known_is_left_out() {
        let bytes = emitted(&Measured {
            values: vec![(Metric::Refusals, 1)],
            ..Measured::default()
        });
        let line: Value = serde_json::from_slice(&bytes).unwrap();
        let sets = &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(*sets, json!([["FunctionName"]]));
        assert_eq!(line.get("Source"), None);
    }

    #[test]
    fn where_nothing_was_measured_nothing_is_written() {
        assert_eq!(emitted(&Measured::default()), b"");
    }

    #[test]
    fn every_metric_is_listed_once() {
        let mut names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
