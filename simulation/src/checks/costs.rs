//! How much an invocation does: one load, one PUT that is taken and one save, and a round more for each swap that it
//! was not told to have won. And what it does in any case.

use crate::{
    instances::Ended,
    world::{Kind, World},
};

/// What an invocation that has ended did.
pub(crate) fn check_costs(world: &mut World, number: usize, ended: &Ended, was_frozen: bool) {
    let invocation = &world.invocations[number];
    let rounds = 1 + invocation.swaps_not_won;
    let (loads, puts, saves) = (
        invocation.loads,
        invocation.taken.len(),
        invocation.swaps_won,
    );
    let is_batch = matches!(invocation.kind, Kind::Batch(_));
    let is_reconcile = matches!(invocation.kind, Kind::Reconcile);
    let can_save = !(invocation.store_failed || invocation.is_dry || was_frozen);
    let can_publish = can_save && !invocation.call_failed && invocation.loaded.rows.is_some();
    if puts > rounds || saves > 1 || (is_batch && loads > rounds) {
        let detail = format!("{loads} loads, {puts} PUTs, {saves} saves in {rounds} rounds");
        world.violated("an invocation loads, PUTs and saves once a round", detail);
    }
    let Ended::Answered(answer) = ended else {
        return;
    };
    if is_reconcile && can_publish && puts == 0 {
        world.violated("a reconcile PUTs in any case", answer.to_string());
    }
    let failures = answer["batchItemFailures"].as_array();
    if is_batch && can_save && failures.is_none_or(|failures| !failures.is_empty()) {
        world.violated(
            "a batch that can be saved fails nothing",
            answer.to_string(),
        );
    }
}
