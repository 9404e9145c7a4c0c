//! What would happen now: for operators who look, and change nothing.

use super::{
    Bridge, BridgeError, Change, Deadlines,
    cutting::show,
    pending::{Pending, Target},
    rereads::Rereads,
    round::Round,
};
use crate::{
    hierarchy::{HeldReason, Hierarchy, Plan, Projection, Rules},
    report::{Report, Status},
    state::State,
};

/// The state as it is, and what follows from it.
#[derive(Debug)]
pub struct Foresight<'a> {
    /// The state.
    pub state: &'a State,
    /// Who counts, and how much.
    pub rules: &'a Rules,
    /// What is pending.
    pub plan: &'a Plan,
    /// Why the plan waits, if it does.
    pub held: Option<HeldReason>,
    /// What Calven would hold after it.
    pub after: Hierarchy,
    /// What is pending, all that is held and every conflict.
    pub report: Report,
}

impl Bridge {
    /// Which sources count, and how much.
    pub const fn rules(&self) -> &Rules {
        &self.policy.rules
    }

    /// What `look` makes of what would happen now; nothing is saved or sent.
    ///
    /// # Errors
    /// [`BridgeError`] where the state cannot be read.
    pub async fn foresee<T>(
        &self,
        deadlines: Deadlines,
        look: impl FnOnce(&Foresight<'_>) -> T,
    ) -> Result<T, BridgeError> {
        let (state, tag) = self.load(deadlines).await?;
        let (change, rereads) = (Change::Look, Rereads::default());
        let round = self.round(state, tag, &change, &Ok(None), &rereads)?;
        let mut report = self.report(&round, &change, None);
        report.status = Status::Planned;
        report.saved = Some(false);
        show(&change, &mut report, round.plan_view());
        let Round {
            state,
            projection,
            pending,
            ..
        } = &round;
        let found = look(&Foresight {
            state,
            rules: &self.policy.rules,
            plan: &pending.plan,
            held: pending.held,
            after: pending.after(projection),
            report,
        });
        self.keep(round);
        Ok(found)
    }
}

impl Pending {
    /// What Calven would hold.
    fn after(&self, projection: &Projection) -> Hierarchy {
        match &self.target {
            Target::Projection => projection.hierarchy.clone(),
            Target::Back {
                version: _,
                published,
            } => published.hierarchy(),
        }
    }
}
