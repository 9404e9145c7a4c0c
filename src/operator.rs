//! Operator actions: direct invocations, which IAM guards. There is no HTTP way to them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    bridge::{Bridge, BridgeError, Change, Deadlines},
    hierarchy::{Digest, Published, SeedRows, SourceName, plan::Counts},
    report::Report,
    sources::{fault::BodyFault, generic::read_seed},
    state::{HistoryEntry, State},
    tally::Tally,
    timestamp::{Clock, Timestamp},
};

/// What an operator, or the schedule, asks for.
#[derive(Debug)]
pub enum Action {
    /// To take this complete set, as of a time or of receipt.
    Seed {
        /// The rows.
        rows: SeedRows,
        /// As of when.
        occurred_at: Option<Timestamp>,
    },
    /// What is pending?
    Plan,
    /// Publish what is pending, by its digest.
    Approve(Digest),
    /// What is published, as Calven's rows?
    Export,
    /// Read everything again, and publish.
    Reconcile,
    /// Which versions were published?
    History,
    /// Publish this version again.
    Rollback(u64),
    /// Which token did this source hand over? It is forgotten with the answer.
    Handshake(SourceName),
}

/// The actions, as an error lists them.
pub const ACTIONS: &str = "seed, plan, approve, export, reconcile, history, rollback, handshake";

/// An action that is malformed; every fault.
#[derive(thiserror::Error)]
#[error("{}", told(.0))]
pub struct BadAction(Vec<String>);

/// How many faults an answer tells; the others are counted.
const MOST_FAULTS: usize = 50;

fn told(faults: &[String]) -> String {
    let told: Vec<&str> = faults
        .iter()
        .take(MOST_FAULTS)
        .map(String::as_str)
        .collect();
    match faults.len().saturating_sub(MOST_FAULTS) {
        0 => told.join("; "),
        others => format!("{}; and {others} more", told.join("; ")),
    }
}

impl std::fmt::Debug for BadAction {
    /// Faults may name groups, which are for the operator's eyes and no log's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BadAction({} faults)", self.0.len())
    }
}

impl Action {
    /// Reads an action.
    ///
    /// # Errors
    /// [`BadAction`] with every fault: unknown fields are faults too.
    pub fn read(event: &Map<String, Value>) -> Result<Self, BadAction> {
        let name = event
            .get("action")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut faults = Vec::new();
        let mut only = |known: &[&str]| {
            for field in event
                .keys()
                .filter(|field| *field != "action" && !known.contains(&field.as_str()))
            {
                faults.push(format!("{field} is not a field of the action {name}"));
            }
        };
        let action = match name {
            "seed" => {
                only(&["groupRelationships", "occurredAt"]);
                let rows = event.get("groupRelationships").map(read_seed);
                let at = event.get("occurredAt").filter(|at| !at.is_null());
                let at = at.map(|at| at.as_str().and_then(|at| Timestamp::parse_rfc3339(at).ok()));
                match (rows, at) {
                    (None, _) => Err("groupRelationships is missing".to_owned()),
                    (_, Some(None)) => Err(
                        "occurredAt must be an RFC 3339 time such as 2026-11-22T10:00:00Z"
                            .to_owned(),
                    ),
                    (Some(Err(body_faults)), _) => {
                        faults.extend(body_faults.iter().map(BodyFault::to_string));
                        return Err(BadAction(faults));
                    }
                    (Some(Ok(rows)), at) => Ok(Self::Seed {
                        rows,
                        occurred_at: at.flatten(),
                    }),
                }
            }
            "plan" => {
                only(&[]);
                Ok(Self::Plan)
            }
            "approve" => {
                only(&["digest"]);
                match event.get("digest").and_then(Value::as_str) {
                    Some(digest) => Ok(Self::Approve(Digest::from_text(digest))),
                    None => Err("digest is missing: the plan shows it".to_owned()),
                }
            }
            "export" => {
                only(&[]);
                Ok(Self::Export)
            }
            "reconcile" => {
                only(&[]);
                Ok(Self::Reconcile)
            }
            "history" => {
                only(&[]);
                Ok(Self::History)
            }
            "rollback" => {
                only(&["version"]);
                match event.get("version").and_then(Value::as_u64) {
                    Some(version) => Ok(Self::Rollback(version)),
                    None => Err(
                        "version is missing, or no whole number: the history shows them".to_owned(),
                    ),
                }
            }
            "handshake" => {
                only(&["source"]);
                match event.get("source").and_then(Value::as_str) {
                    Some(source) => Ok(Self::Handshake(SourceName::new(source))),
                    None => Err("source is missing: the name of one in sources.toml".to_owned()),
                }
            }
            _ => Err(format!("action must be one of: {ACTIONS}")),
        };
        match action {
            Ok(action) if faults.is_empty() => Ok(action),
            Ok(_) => Err(BadAction(faults)),
            Err(fault) => {
                faults.push(fault);
                Err(BadAction(faults))
            }
        }
    }

    /// The action's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seed { .. } => "seed",
            Self::Plan => "plan",
            Self::Approve(_) => "approve",
            Self::Export => "export",
            Self::Reconcile => "reconcile",
            Self::History => "history",
            Self::Rollback(_) => "rollback",
            Self::Handshake(_) => "handshake",
        }
    }
}

/// What an action is answered with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// What happened, or would.
    Report(Box<Report>),
    /// Calven's own body.
    Export(crate::hierarchy::Hierarchy),
    /// The published versions.
    History {
        /// Newest first.
        history: Vec<HistoryRow>,
    },
    /// What a source handed over.
    Handshake(HandshakeAnswer),
}

/// A handshake's token, handed out this once. It is printed nowhere but in the answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeAnswer {
    source: SourceName,
    verification_token: String,
    received_at: String,
}

impl std::fmt::Debug for HandshakeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HandshakeAnswer({}, [redacted])", self.source)
    }
}

/// One published version.
#[derive(Debug, Serialize)]
pub struct HistoryRow {
    version: u64,
    time: String,
    cause: String,
    groups: usize,
    counts: Counts,
}

/// Carries an action out. `proven`: the sources whose secret is complete, so that no token of a handshake is kept for them.
///
/// # Errors
/// [`BridgeError`]: a failed invocation, which AWS retries where it was asynchronous.
pub async fn carry_out(
    action: Action,
    bridge: &Bridge,
    clock: &Clock,
    proven: &[SourceName],
    deadlines: Deadlines,
    tally: &mut Tally,
) -> Result<Answer, BridgeError> {
    let change = match &action {
        Action::Plan => return Ok(Answer::Report(Box::new(bridge.plan(deadlines).await?))),
        Action::Export => {
            let published = |state: &State| state.published.as_ref().map(Published::hierarchy);
            let published = bridge.look(deadlines, published).await?.ok_or_else(|| {
                BridgeError::Refused(
                    "nothing has been published yet: there is nothing to export".to_owned(),
                )
            })?;
            return Ok(Answer::Export(published));
        }
        Action::History => {
            let row = |entry: &HistoryEntry| HistoryRow {
                version: entry.version,
                time: entry.time.to_string(),
                cause: entry.cause.clone(),
                groups: entry.groups,
                counts: entry.counts,
            };
            let history = |state: &State| state.history.iter().map(row).collect();
            let history = bridge.look(deadlines, history).await?;
            return Ok(Answer::History { history });
        }
        Action::Seed { rows, occurred_at } => Change::Seed {
            rows,
            occurred_at: *occurred_at,
            received: clock.now(),
        },
        Action::Approve(digest) => Change::Approve(digest.clone()),
        Action::Reconcile => Change::Reconcile { proven },
        Action::Rollback(version) => Change::Rollback(*version),
        Action::Handshake(source) => {
            let taken = bridge.take_handshake(source, deadlines).await?;
            let token = taken.ok_or_else(|| {
                BridgeError::Refused(format!(
                    "no handshake of {source} is waiting: none has come since the last was fetched, or the source has proved itself since"
                ))
            })?;
            return Ok(Answer::Handshake(HandshakeAnswer {
                source: source.clone(),
                verification_token: token.expose().to_owned(),
                received_at: token.received().to_string(),
            }));
        }
    };
    Ok(Answer::Report(Box::new(
        bridge.apply(&change, deadlines, tally).await?,
    )))
}
