//! What an invocation counts on its way through the protocol, and how things stand at its end.

use super::{Bridge, Change, Deadlines, pending::Send, rereads::Rereads, round::Round};
use crate::{
    capillary::Organizations,
    state::State,
    tally::{Lap, Levels, Sent, Steps, Tally},
};

/// What was read beside the state.
pub(super) type Read = (Result<Option<Organizations>, String>, Rereads);

impl Bridge {
    /// Reads Capillary and the sources again, as far as this change makes it necessary, all at the same time.
    pub(super) async fn read(
        &self,
        state: &State,
        change: &Change<'_>,
        deadlines: Deadlines,
        tally: &mut Tally,
    ) -> Read {
        let Steps {
            mut capillary,
            mut reread,
            ..
        } = tally.steps;
        let (organizations, rereads) = tokio::join!(
            async {
                let _lap = Lap::of(&mut capillary);
                self.organizations(&state.ledger, change, deadlines).await
            },
            async {
                let _lap = Lap::of(&mut reread);
                self.rereads(state, change, deadlines).await
            },
        );
        // Who found that nothing was to be read has not waited.
        if !matches!(organizations, Ok(None)) {
            tally.steps.capillary = capillary;
        }
        if !rereads.is_empty() {
            tally.steps.reread = reread;
        }
        tally.capillary_errors += u64::from(organizations.is_err());
        tally.reread_errors += rereads.failures();
        (organizations, rereads)
    }

    /// Notes how things stand after a round that was saved, or has changed nothing, and keeps its state.
    pub(super) fn conclude(&self, round: Round, sent: Option<Sent>, tally: &mut Tally) {
        let state = &round.state;
        let now = self.clock.now();
        // What a source that is not configured any more has left due would stay for ever: a reconcile's warning tells it.
        let readable = &self.rereading.by_source;
        let due = state.due.iter();
        let due = due.filter(|(source, _)| readable.contains_key(*source));
        let since = due.map(|(_, due)| due.since).chain(state.pending_since);
        tally.levels = Some(Levels {
            groups: state.published_groups(),
            held_statements: round.projection.held.len(),
            is_plan_held: round.pending.is_held(),
            unpublished: since
                .min()
                .map(|since| now.since(since))
                .unwrap_or_default(),
        });
        tally.applied = round.projection.applied;
        tally.stale = round.projection.stale;
        tally.published = sent;
        self.keep(round);
    }

    /// What this round has sent that was not published yet, once it is taken.
    pub(super) fn sent(&self, round: &Round, send: &Send) -> Option<Sent> {
        let latency = match send {
            Send::Again => return None,
            // An operator's wish has not waited.
            Send::Back { .. } => None,
            Send::Projection => round.state.pending_since,
        };
        Some(Sent {
            latency: latency.map(|since| self.clock.now().since(since)),
            counts: round.pending.plan.counts(),
        })
    }
}
