//! What must hold of each PUT when it is sent, and of how many an invocation sends.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    calven::Rows,
    guard::Cuts,
    world::{Invocation, Kind, World},
};

/// What a PUT changes against what was published when its state was loaded must be within the guard, or approved.
pub(crate) fn check_put(world: &mut World, number: usize, rows: &Rows) {
    let Invocation {
        kind,
        loaded,
        deadline,
        ..
    } = &world.invocations[number];
    let (kind, loaded, deadline) = (kind.clone(), Arc::clone(loaded), *deadline);
    if Instant::now() >= deadline {
        world.violated(
            "no PUT is sent after the deadline",
            format!("by invocation {number}"),
        );
    }
    let approved = match &kind {
        Kind::Approve(digest) => world.plans.get(digest).cloned(),
        _ => None,
    };
    let Some(before) = &loaded.rows else {
        let may_be_first = loaded.seeded || matches!(kind, Kind::Seed(_)) || approved.is_some();
        if world.setup.seed_required && !may_be_first {
            world.violated(
                "nothing is sent before the first seed",
                format!("by {kind:?}"),
            );
        }
        return;
    };
    let cuts = Cuts::between(before, rows, &world.renamed);
    let is_approved = approved.is_some_and(|approved| cuts.are_within(&approved));
    if cuts.need_approval(before.len(), &world.setup) && !is_approved {
        let detail = format!("{kind:?} sends {cuts:?} of {} groups", before.len());
        world.violated("no PUT cuts more than the guard allows", detail);
    }
    let may_publish = !loaded.held_back || matches!(kind, Kind::Approve(_) | Kind::Rollback);
    if rows != before && !may_publish {
        world.violated(
            "after a rollback nothing is published unapproved",
            format!("by {kind:?}"),
        );
    }
}
