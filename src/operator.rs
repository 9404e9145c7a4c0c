//! Operator actions: direct invocations, which IAM guards. There is no HTTP way to them.

mod answer;
mod asked;
mod check;
mod drawn;
mod explain;
mod format;
mod freshness;
mod plan;
mod text;

pub use self::{
    answer::{Answer, ExportAnswer, HandshakeAnswer, HistoryAnswer, HistoryRow},
    asked::{Asked, BadAction},
    check::{CheckAnswer, Finding, Premises},
    explain::{ExplainAnswer, PendingChange, PublishedGroup},
    format::Format,
    freshness::{Freshness, SourceFreshness},
    plan::{LargestMove, PlanAnswer},
    text::Commands,
};
use crate::{
    bridge::{Bridge, BridgeError, Change, Deadlines, Foresight},
    hierarchy::{Digest, Group, SeedRows, SourceName},
    state::State,
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
    /// Why does this group stand where it stands?
    Explain(Group),
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
    /// Is everything there that a webhook needs?
    Check,
    /// Which token did this source hand over? It is forgotten with the answer.
    Handshake(SourceName),
}

/// The actions, as an error lists them.
pub const ACTIONS: &str =
    "seed, plan, explain, approve, export, reconcile, history, rollback, check, handshake";

impl Action {
    /// The action's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seed { .. } => "seed",
            Self::Plan => "plan",
            Self::Explain(_) => "explain",
            Self::Approve(_) => "approve",
            Self::Export => "export",
            Self::Reconcile => "reconcile",
            Self::History => "history",
            Self::Rollback(_) => "rollback",
            Self::Check => "check",
            Self::Handshake(_) => "handshake",
        }
    }

    /// The forms in which it can be answered.
    const fn formats(&self) -> &'static [Format] {
        match self {
            Self::Plan | Self::Export => {
                &[Format::Json, Format::Text, Format::Mermaid, Format::Html]
            }
            Self::Seed { .. }
            | Self::Explain(_)
            | Self::Approve(_)
            | Self::Reconcile
            | Self::History
            | Self::Rollback(_)
            | Self::Check => &[Format::Json, Format::Text],
            Self::Handshake(_) => &[Format::Json],
        }
    }
}

/// Carries an action out. `premises`: what there is beside the bridge.
///
/// # Errors
/// [`BridgeError`]: a failed invocation, which AWS retries where it was asynchronous.
pub async fn carry_out(
    action: Action,
    bridge: &Bridge,
    clock: &Clock,
    premises: &Premises<'_>,
    deadlines: Deadlines,
    tally: &mut Tally,
) -> Result<Answer, BridgeError> {
    let is_readable = |source: &SourceName| bridge.rereader(source).is_some();
    let change = match &action {
        Action::Plan => {
            let answer =
                |foresight: &Foresight<'_>| PlanAnswer::of(foresight, is_readable, clock.now());
            let answer = bridge.foresee(deadlines, answer).await?;
            return Ok(Answer::Plan(Box::new(answer)));
        }
        Action::Explain(group) => {
            let answer = |foresight: &Foresight<'_>| ExplainAnswer::of(foresight, group);
            let answer = bridge.foresee(deadlines, answer).await?;
            let answer = answer.map_err(BridgeError::Refused)?;
            return Ok(Answer::Explain(Box::new(answer)));
        }
        Action::Export => {
            let published = bridge.look(deadlines, ExportAnswer::of).await?;
            let published = published.ok_or_else(|| {
                BridgeError::Refused(
                    "nothing has been published yet: there is nothing to export".to_owned(),
                )
            })?;
            return Ok(Answer::Export(published));
        }
        Action::History => {
            let history =
                |state: &State| HistoryAnswer::of(state, bridge.rules(), is_readable, clock.now());
            return Ok(Answer::History(bridge.look(deadlines, history).await?));
        }
        Action::Seed { rows, occurred_at } => Change::Seed {
            rows,
            occurred_at: *occurred_at,
            received: clock.now(),
        },
        Action::Approve(digest) => Change::Approve(digest.clone()),
        Action::Reconcile => Change::Reconcile {
            proven: premises.proven,
        },
        Action::Rollback(version) => Change::Rollback(*version),
        Action::Check => {
            let answer = check::of(bridge, premises, clock, deadlines.end).await;
            return Ok(Answer::Check(answer));
        }
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
