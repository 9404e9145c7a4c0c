//! What an invocation answers (design: the form of webhooks, reconciles and operator actions).

use serde::{Serialize, Serializer};

use crate::hierarchy::{Conflict, Digest, Held, HeldReason, Plan, plan::Counts};

/// What became of what came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A PUT with these statements was taken, and the state is saved.
    Published,
    /// There is nothing to send: stale, a duplicate, or already so.
    Unchanged,
    /// Genuine, but not about the organisation.
    Ignored,
    /// Durable, not yet published; the report's reason says why.
    Accepted,
    /// Durable; nothing could be sent, and something waits.
    Held,
    /// A dry run, or an operator's question: nothing was saved or sent.
    Planned,
}

impl Status {
    /// The word for it, in answers and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::Ignored => "ignored",
            Self::Accepted => "accepted",
            Self::Held => "held",
            Self::Planned => "planned",
        }
    }
}

/// What happened, and what it means for the hierarchy.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What became of it.
    pub status: Status,
    /// Why it is not published yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who spoke.
    pub source: Option<String>,
    /// The sender's name for the event.
    pub event_id: Option<String>,
    /// What became of the statements.
    pub statements: StatementCounts,
    /// The hierarchy: what was published, or what would change.
    pub hierarchy: HierarchyCounts,
    /// What waits, and why.
    pub held: Vec<HeldEntry>,
    /// Claims that lost against others.
    pub conflicts: Vec<Conflict>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// What there is more of it than is told.
    #[serde(skip)]
    pub untold: Untold,
    /// `false` where nothing was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<bool>,
    /// What the plan would do; only where it was asked for.
    #[serde(flatten)]
    pub plan: Option<PlanView>,
}

impl Report {
    /// A webhook's that is in the queue. Nothing was looked up for it, so all its numbers are 0: in a burst each would cost a
    /// load of the state, and the queue takes webhooks though the state is out of reach.
    pub(crate) fn queued(source: String, event_id: Option<String>, warnings: Vec<String>) -> Self {
        Self {
            status: Status::Accepted,
            reason: Some("it is queued, and published with the next batch".to_owned()),
            source: Some(source),
            event_id,
            statements: StatementCounts::default(),
            hierarchy: HierarchyCounts {
                version: 0,
                groups: 0,
                changes: Counts::default(),
            },
            held: Vec::new(),
            conflicts: Vec::new(),
            warnings,
            untold: Untold::default(),
            saved: None,
            plan: None,
        }
    }

    /// How many entries `held` would have if all were told.
    pub fn all_held(&self) -> usize {
        self.held.len() + self.untold.held
    }

    /// How many conflicts there would be.
    pub fn all_conflicts(&self) -> usize {
        self.conflicts.len() + self.untold.conflicts
    }

    /// How many warnings there would be; that others are not told is none.
    pub fn all_warnings(&self) -> usize {
        let told = self
            .warnings
            .len()
            .saturating_sub(self.untold.notes().count());
        told + self.untold.warnings
    }
}

/// How much is left out of an answer that would be too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Entries of `held`.
    pub held: usize,
    /// Conflicts.
    pub conflicts: usize,
    /// Warnings.
    pub warnings: usize,
    /// Changes of the plan.
    pub changes: usize,
}

impl Untold {
    /// What is said of it, a warning each.
    pub(crate) fn notes(self) -> impl Iterator<Item = String> {
        let Self {
            held,
            conflicts,
            warnings,
            changes,
        } = self;
        let lists = [
            (held, "entries of held"),
            (conflicts, "conflicts"),
            (warnings, "warnings"),
            (changes, "changes in the plan"),
        ];
        let untold = lists.into_iter().filter(|(untold, _)| *untold > 0);
        untold.map(|(untold, what)| format!("there are {untold} more {what}"))
    }
}

/// A plan, to be looked at and approved.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView {
    /// What an approval must name; `null` when nothing is pending.
    pub digest: Option<Digest>,
    /// Every change; of very many the first.
    #[serde(rename = "changes", serialize_with = "changes")]
    pub plan: Plan,
}

fn changes<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    plan.changes().serialize(serializer)
}

/// How many statements count now of their subjects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatementCounts {
    /// So many.
    pub applied: usize,
    /// So many are older than what is known, or known already.
    pub stale: usize,
}

/// The published version and the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HierarchyCounts {
    /// The last published version; 0 before the first.
    pub version: u64,
    /// How many groups it has.
    pub groups: usize,
    /// What changed with it; where something waits, what would change.
    #[serde(flatten)]
    pub changes: Counts,
}

/// Something that waits: a statement for others, or the whole plan for an operator.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum HeldEntry {
    /// A statement.
    Statement(Held),
    /// The plan.
    Plan(HeldPlan),
}

/// Why the whole plan waits.
#[derive(Clone, Debug, Serialize)]
pub struct HeldPlan {
    /// Why.
    pub reason: HeldReason,
    /// What it would change.
    #[serde(flatten)]
    pub changes: Counts,
    /// What to do about it.
    pub detail: &'static str,
}

impl HeldPlan {
    /// The entry of a plan that waits for this reason.
    pub fn new(reason: HeldReason, plan: &Plan) -> Self {
        let detail = match reason {
            HeldReason::NotSeeded => {
                "waits for the first seed: what Calven holds is not known before it"
            }
            HeldReason::Guard => {
                "removes or moves more than the guard lets pass: look at the plan and approve its digest"
            }
            HeldReason::RolledBack => {
                "waits since the rollback: look at the plan and approve its digest"
            }
            HeldReason::Cycle => "waits until the cycle is broken",
            HeldReason::UnknownParent => "waits until its parent is known",
        };
        Self {
            reason,
            changes: plan.counts(),
            detail,
        }
    }
}
