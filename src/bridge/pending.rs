//! What could be sent now, and whether it may be.

use super::{BridgeError, Change, Policy};
use crate::{
    hierarchy::{HeldReason, Plan, Projection, Published},
    state::{Hold, State},
};

/// What could be sent, what it would change, and why it is held, if it is.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) plan: Plan,
    pub(super) held: Option<HeldReason>,
    /// Whether there is anything to send.
    pub(super) is_pending: bool,
    /// An approval that no longer fits; what is owed is paid all the same.
    pub(super) refused: Option<String>,
    pub(super) target: Target,
    hold_changed: bool,
}

#[derive(Debug)]
pub(super) enum Target {
    Projection,
    Back { version: u64, published: Published },
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Send {
    /// What follows from the ledger.
    Projection,
    /// An older version.
    Back {
        /// Which.
        version: u64,
        /// What was published then.
        target: Published,
    },
    /// What was published last, once more.
    Again,
}

impl Send {
    /// Calven's body.
    pub(super) fn body(
        &self,
        projection: &Projection,
        state: &State,
    ) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Projection => projection.hierarchy.to_json(),
            Self::Back { target, .. } => target.hierarchy().to_json(),
            Self::Again => {
                let published = state.published.as_ref().map(Published::hierarchy);
                published.unwrap_or_default().to_json()
            }
        }
    }
}

impl Pending {
    pub(super) fn of(
        state: &mut State,
        projection: &Projection,
        change: &Change<'_>,
        policy: &Policy,
    ) -> Result<Self, BridgeError> {
        let mut pending = match change {
            Change::Rollback(version) => Self::rollback(state, projection, *version)?,
            Change::Deliveries { .. }
            | Change::Seed { .. }
            | Change::Reconcile { .. }
            | Change::Approve(_)
            | Change::Look => match &state.hold {
                Hold::RollbackWaits { version, target } => {
                    Self::back_to(state, projection, *version, target.clone())
                }
                Hold::No | Hold::RolledBack { .. } => Self::projected(state, projection),
            },
        };
        let too_much = policy.guard.holds(&pending.plan, state.published_groups());
        let waits = match (&pending.target, &state.hold) {
            (Target::Back { .. }, Hold::RollbackWaits { .. }) => Some(HeldReason::Guard),
            (Target::Back { .. }, Hold::No | Hold::RolledBack { .. }) => {
                too_much.then_some(HeldReason::Guard)
            }
            (Target::Projection, Hold::RolledBack { .. }) => Some(HeldReason::RolledBack),
            (Target::Projection, Hold::No | Hold::RollbackWaits { .. }) => {
                if policy.seed_required && !state.ledger.is_seeded() {
                    Some(HeldReason::NotSeeded)
                } else {
                    too_much.then_some(HeldReason::Guard)
                }
            }
        };
        pending.held = waits.filter(|_| pending.is_pending);
        match change {
            Change::Approve(digest) => {
                let fits = pending.plan.digest(state.approvals) == *digest;
                #[cfg(feature = "planted")]
                let fits = fits || crate::planted::has(crate::planted::Bug::AnyDigestApproves);
                if !pending.is_pending {
                    pending.refused =
                        Some("nothing is pending: there is no plan to approve".to_owned());
                } else if fits {
                    pending.held = None;
                } else {
                    pending.refused = Some(
                        "the digest is not the pending plan's: its removals or moves are others by now, or it was approved before; look at the plan again".to_owned(),
                    );
                }
            }
            Change::Rollback(_) => {
                pending.held = too_much.then_some(HeldReason::Guard);
                if let (Some(_), Target::Back { version, published }) =
                    (pending.held, &pending.target)
                {
                    state.hold = Hold::RollbackWaits {
                        version: *version,
                        target: published.clone(),
                    };
                    pending.hold_changed = true;
                }
            }
            Change::Deliveries { .. }
            | Change::Seed { .. }
            | Change::Reconcile { .. }
            | Change::Look => {}
        }
        Ok(pending)
    }

    /// What is sent now; `None` where nothing is.
    ///
    /// Before the first PUT nothing is owed: an empty set would delete what Calven holds.
    pub(super) fn send(&self, state: &State, owing: bool) -> Option<Send> {
        let owed = (owing || state.unsure) && state.published.is_some();
        let may_go = self.refused.is_none() && self.held.is_none();
        match &self.target {
            _ if !may_go => owed.then_some(Send::Again),
            Target::Back { version, published } => Some(Send::Back {
                version: *version,
                target: published.clone(),
            }),
            // Where nothing is pending the rows are those that are published: once more, found again as they are meant now.
            Target::Projection => (self.is_pending || owed).then_some(Send::Projection),
        }
    }

    /// Takes an approval that finds nothing pending for one that was carried out, where its PUT was.
    pub(super) fn is_approved_already(&mut self, put: bool) {
        if put && !self.is_pending {
            self.refused = None;
        }
    }

    /// The refusal of an approval that no longer fits, once what was owed is paid.
    pub(super) fn was_refused(&self) -> Result<(), BridgeError> {
        match &self.refused {
            Some(refused) => Err(BridgeError::Refused(refused.clone())),
            None => Ok(()),
        }
    }

    pub(super) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(super) const fn changes_the_hold(&self) -> bool {
        self.hold_changed
    }

    fn projected(state: &State, projection: &Projection) -> Self {
        let published = state.published.as_ref();
        let plan = projection.plan(published);
        let is_pending = match published {
            // That it is not empty is enough; that it is empty is not.
            Some(published) => !plan.is_empty() || published.hierarchy() != projection.hierarchy,
            // An empty set is only sent if an operator said that it is the complete one.
            None => projection.hierarchy.groups() > 0 || state.ledger.is_seeded(),
        };
        Self::new(plan, Target::Projection, is_pending)
    }

    fn rollback(state: &State, projection: &Projection, version: u64) -> Result<Self, BridgeError> {
        let published = state.version_published(version).ok_or_else(|| {
            let known: Vec<String> = state
                .history
                .iter()
                .map(|entry| entry.version.to_string())
                .collect();
            BridgeError::Refused(match known.is_empty() {
                true => {
                    "nothing has been published yet: there is no version to go back to".to_owned()
                }
                false => format!(
                    "version {version} is not remembered; remembered are: {}",
                    known.join(", ")
                ),
            })
        })?;
        Ok(Self::back_to(state, projection, version, published))
    }

    fn back_to(state: &State, projection: &Projection, version: u64, published: Published) -> Self {
        let plan = projection.plan_back_to(state.published.as_ref(), &published);
        Self::new(plan, Target::Back { version, published }, true)
    }

    const fn new(plan: Plan, target: Target, is_pending: bool) -> Self {
        Self {
            plan,
            held: None,
            is_pending,
            refused: None,
            target,
            hold_changed: false,
        }
    }
}
