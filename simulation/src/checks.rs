//! What must hold: some of it at every step, the rest once all is quiet.

mod costs;
mod durable;
mod ledger;
mod published;
mod puts;
mod replayed;

use std::{sync::Arc, time::Duration};

use calven_bridge::{
    hierarchy::{Merged, Projection, Rules},
    state::State,
};
use tokio::time::sleep;

pub(crate) use self::{costs::check_costs, ledger::forgetting_changes_nothing, puts::check_put};
use self::{ledger::check_ledger, published::check_published, replayed::check_replayed};
use crate::{
    calven::{Group, Rows},
    functions::sources,
    instances::Ended,
    saved::{Saved, rows_of},
    senders::{approve, digest_of, plan, reconcile},
    sim::{Sim, Violation},
};

/// The numbers of the chances of what happens at the end; no step has them.
const AT_THE_END: u64 = u64::MAX - 1_000;

/// How often a held plan is approved at the end: a rollback that waits, and what waits behind it.
const APPROVALS: u64 = 4;

/// Rows, as a line.
pub(crate) fn shown(rows: Option<&Rows>) -> String {
    let Some(rows) = rows else {
        return "nothing".to_owned();
    };
    let text = |(group_type, name): &Group| format!("{name} [{group_type}]");
    let rows = rows.iter().map(|(group, parent)| match parent {
        Some(parent) => format!("{} < {}", text(group), text(parent)),
        None => text(group),
    });
    format!("{{{}}}", rows.collect::<Vec<_>>().join(", "))
}

/// One reconcile, and what must hold after it; then what is held is approved, and what must hold after that.
pub(crate) async fn at_the_end(sim: &Arc<Sim>) {
    // Without crashes and late PUTs nothing has to be mended.
    sim.world().check_at_rest();
    if !reconcile_once(sim).await {
        return;
    }
    let saved = check_holds(sim);
    if let Some(state) = &saved.state {
        check_ledger(sim, state);
    }
    for number in 0..APPROVALS {
        let Some(plan) = plan(sim, AT_THE_END + 10 + 2 * number).await else {
            sim.world()
                .violated("when all is quiet a plan is told", "it is not".to_owned());
            return;
        };
        let Some(digest) = digest_of(&plan) else {
            nothing_is_pending(sim).await;
            return;
        };
        sleep(Duration::from_secs(1)).await;
        let ended = approve(sim, AT_THE_END + 11 + 2 * number, digest).await;
        if !matches!(ended, Some(Ended::Answered(_))) {
            sim.world().violated(
                "when all is quiet what is seen can be approved",
                format!("{ended:?}"),
            );
            return;
        }
        check_holds(sim);
    }
    sim.world().violated(
        "when all is quiet what waits is approved in the end",
        "it is not".to_owned(),
    );
}

async fn reconcile_once(sim: &Arc<Sim>) -> bool {
    let before = sim.world().invocations.len();
    let done = reconcile(sim, AT_THE_END).await;
    let tries = sim.world().invocations.len() - before;
    if !done || tries > 1 {
        sim.world().violated(
            "when all is quiet one reconcile publishes",
            format!("{tries} tries, the last: {done}"),
        );
    }
    done
}

/// Calven holds exactly what is published.
fn check_holds(sim: &Sim) -> Arc<Saved> {
    let mut world = sim.world();
    let saved = Arc::clone(&world.saved);
    if let Some(rows) = &saved.rows
        && world.calven.rows.as_ref() != Some(rows)
    {
        let held = shown(world.calven.rows.as_ref());
        let detail = format!("it holds {held}, published is {}", shown(Some(rows)));
        world.violated("after a reconcile Calven holds what is published", detail);
    }
    saved
}

/// Nothing is pending: what Calven holds is the projection, and has all that must be in it. Where no statement is held
/// either, the same comes of the same deliveries whatever went wrong meanwhile.
async fn nothing_is_pending(sim: &Sim) {
    let saved = check_holds(sim);
    let (Some(state), Some(held)) = (&saved.state, &saved.rows) else {
        return;
    };
    let projection = projection(state);
    let projected = rows_of(&projection.hierarchy);
    {
        let mut world = sim.world();
        if projected != *held {
            let (held, projected) = (shown(Some(held)), shown(Some(&projected)));
            let detail = format!("it holds {held}, projected is {projected}");
            world.violated("after a reconcile Calven holds the projection", detail);
        }
        check_published(&mut world, held);
        if world.setup.forgets() || !projection.held.is_empty() {
            return;
        }
    }
    check_replayed(sim, state).await;
}

fn projection(state: &State) -> Projection {
    let sources = sources().by_name.iter();
    let rules = Rules {
        priorities: sources
            .map(|(name, source)| (name.clone(), source.priority))
            .collect(),
        attach_roots: false,
    };
    let published = state.published.as_ref();
    Projection::of(&state.ledger, published, &rules, &Merged::default())
}
