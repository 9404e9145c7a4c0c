//! What actions are answered with.

use serde::Serialize;
use serde_json::Value;

use super::{
    check::CheckAnswer,
    drawn,
    explain::ExplainAnswer,
    format::Format,
    freshness::Freshness,
    plan::PlanAnswer,
    text::{self, Commands},
};
use crate::{
    hierarchy::{Hierarchy, Rules, SourceName, plan::Counts},
    report::Report,
    state::State,
    timestamp::Timestamp,
};

/// What an action is answered with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// What happened.
    Report(Box<Report>),
    /// What would happen.
    Plan(Box<PlanAnswer>),
    /// Why a group stands where it stands.
    Explain(Box<ExplainAnswer>),
    /// Calven's own body.
    Export(ExportAnswer),
    /// The published versions.
    History(HistoryAnswer),
    /// Whether everything is there.
    Check(CheckAnswer),
    /// What a source handed over.
    Handshake(HandshakeAnswer),
}

impl Answer {
    /// The answer in the form that was asked for; `now` and the function's name are for what is told of them.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn rendered(
        &self,
        format: Format,
        commands: &Commands,
        now: Timestamp,
    ) -> Result<Value, serde_json::Error> {
        match format {
            Format::Json => serde_json::to_value(self),
            Format::Text => Ok(Value::String(text::of(self, commands, now))),
            Format::Mermaid => Ok(Value::String(drawn::of(self, commands, now).to_mermaid())),
            Format::Html => drawn::of(self, commands, now).to_html().map(Value::String),
        }
    }
}

/// What was published last: as JSON Calven's own body, and nothing else.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ExportAnswer {
    /// What Calven holds.
    pub hierarchy: Hierarchy,
    /// Its version.
    #[serde(skip)]
    pub version: u64,
    /// When that was saved, where it is remembered.
    #[serde(skip)]
    pub time: Option<Timestamp>,
}

impl ExportAnswer {
    /// What a state says was published, if anything was.
    pub fn of(state: &State) -> Option<Self> {
        let entry = state
            .history
            .iter()
            .find(|row| row.version == state.version);
        Some(Self {
            hierarchy: state.published.as_ref()?.hierarchy(),
            version: state.version,
            time: entry.map(|entry| entry.time),
        })
    }
}

/// The published versions, and how old what is known is.
#[derive(Debug, Serialize)]
pub struct HistoryAnswer {
    /// Newest first.
    pub history: Vec<HistoryRow>,
    /// How old what is known is.
    pub freshness: Freshness,
}

/// One published version.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryRow {
    /// Its number.
    pub version: u64,
    /// When it was saved.
    pub time: String,
    /// What led to it.
    pub cause: String,
    /// How many groups it had.
    pub groups: usize,
    /// What changed with it.
    pub counts: Counts,
    /// Whether anything changed: a reconcile often sends the same once more.
    #[serde(skip)]
    pub changed: bool,
}

impl HistoryAnswer {
    /// What a state remembers; `is_readable`: which sources can be read again.
    pub fn of(
        state: &State,
        rules: &Rules,
        is_readable: impl Fn(&SourceName) -> bool,
        now: Timestamp,
    ) -> Self {
        let rows = state.history.iter().map(|entry| HistoryRow {
            version: entry.version,
            time: entry.time.to_string(),
            cause: entry.cause.clone(),
            groups: entry.groups,
            counts: entry.counts,
            changed: entry.changed(),
        });
        Self {
            history: rows.collect(),
            freshness: Freshness::of(state, rules, is_readable, now),
        }
    }
}

/// A handshake's token, handed out this once. It is printed nowhere but in the answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeAnswer {
    /// Whose.
    pub source: SourceName,
    /// The token.
    pub verification_token: String,
    /// When it came in.
    pub received_at: String,
}

impl std::fmt::Debug for HandshakeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HandshakeAnswer({}, [redacted])", self.source)
    }
}
