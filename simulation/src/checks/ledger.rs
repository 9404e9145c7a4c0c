//! What must be in the ledger, and what may be.

use calven_bridge::{
    hierarchy::{Delivery, Ledger, Salt},
    state::State,
};
use fastrand::Rng;
use serde_json::Value;

use super::{AT_THE_END, projection};
use crate::{
    attempts::SeedAttempt, functions::SALT, history::mixed, proof::KOMBO, sim::Sim, world::World,
};

/// Whether a ledger knows all that is said, so that hearing it again changes nothing.
pub(super) fn has(ledger: &Ledger, delivery: &Delivery) -> bool {
    let mut again = ledger.clone();
    again.merge(delivery);
    are_same(ledger, &again)
}

/// Whether a ledger has all that comes of this delivery alone. Of an event without a time, whose first attempt's counts,
/// later attempts are known and are not in it.
pub(super) fn has_alone(ledger: &Ledger, delivery: &Delivery) -> bool {
    let mut single = empty();
    single.merge(delivery);
    let mut with_it = ledger.clone();
    with_it.join(&single);
    are_same(ledger, &with_it)
}

/// Whether a ledger knows a seed.
pub(super) fn has_seed(ledger: &Ledger, seed: &SeedAttempt) -> bool {
    let mut again = ledger.clone();
    again.merge_seed(&seed.rows, seed.occurred_at, seed.received);
    are_same(ledger, &again)
}

/// Whether two ledgers say the same, but for the thin source, which is checked against its API; and but for the
/// receipts, which decide nothing but when something is forgotten, and of which not every one is saved.
pub(super) fn are_same(one: &Ledger, other: &Ledger) -> bool {
    one == other || comparable(one) == comparable(other)
}

/// What a reconcile forgets changes nothing that is projected.
pub(crate) fn forgetting_changes_nothing(before: &State, after: &State) -> bool {
    let mut full = before.clone();
    full.ledger.join(&after.ledger);
    let mut forgetful = before.clone();
    forgetful.ledger = after.ledger.clone();
    projection(&full).hierarchy == projection(&forgetful).hierarchy
}

/// The ledger has all that was acknowledged, nothing that nobody said, and is the same in any order.
pub(super) fn check_ledger(sim: &Sim, state: &State) {
    let world = &mut *sim.world();
    // What was forgotten is not in it: that this changes nothing is checked when it is forgotten.
    if !world.setup.forgets() {
        check_lost(world, &state.ledger);
        check_said(world, &state.ledger);
    }
    check_order(world);
}

fn check_lost(world: &mut World, ledger: &Ledger) {
    let attempts = world.attempts.iter().filter(|attempt| attempt.acknowledged);
    let lost = attempts
        .filter(|attempt| {
            let delivery = attempt.delivery();
            delivery.is_some_and(|delivery| !has(ledger, &delivery))
        })
        .map(|attempt| format!("{} {} {}", attempt.source, attempt.id, attempt.body));
    let seeds = world.seeds.iter().filter(|seed| seed.acknowledged);
    let lost_seeds = seeds
        .filter(|seed| !has_seed(ledger, seed))
        .map(|seed| seed.event.to_string());
    let lost: Vec<String> = lost.chain(lost_seeds).collect();
    for lost in lost {
        world.violated("nothing that was acknowledged is lost", lost);
    }
}

fn check_said(world: &mut World, ledger: &Ledger) {
    let mut all = empty();
    for delivery in world
        .attempts
        .iter()
        .filter_map(|attempt| attempt.delivery())
    {
        let mut single = empty();
        single.merge(&delivery);
        all.join(&single);
    }
    for seed in &world.seeds {
        all.merge_seed(&seed.rows, seed.occurred_at, seed.received);
    }
    let mut with_ledger = all.clone();
    with_ledger.join(ledger);
    if !are_same(&with_ledger, &all) {
        world.violated("nothing is in the ledger that nobody said", String::new());
    }
}

/// In any order, and twice.
fn check_order(world: &mut World) {
    let sure = world
        .attempts
        .iter()
        .filter(|attempt| attempt.acknowledged && attempt.is_timed);
    let mut order: Vec<Delivery> = sure.filter_map(|attempt| attempt.delivery()).collect();
    let seeds: Vec<&SeedAttempt> = world.seeds.iter().filter(|s| s.acknowledged).collect();
    let mut first = empty();
    for delivery in &order {
        first.merge(delivery);
    }
    for seed in &seeds {
        first.merge_seed(&seed.rows, seed.occurred_at, seed.received);
    }
    let mut rng = Rng::with_seed(mixed(world.seed, AT_THE_END));
    order.extend_from_within(..);
    rng.shuffle(&mut order);
    let mut shuffled = empty();
    for seed in seeds.iter().rev() {
        shuffled.merge_seed(&seed.rows, seed.occurred_at, seed.received);
    }
    for delivery in &order {
        shuffled.merge(delivery);
    }
    if shuffled != first {
        world.violated("any order gives the same ledger", String::new());
    }
}

fn empty() -> Ledger {
    Ledger::new(Salt::new(SALT))
}

fn comparable(ledger: &Ledger) -> Value {
    let mut value = serde_json::to_value(ledger).unwrap();
    if let Some(sources) = value["sources"].as_object_mut() {
        sources.remove(KOMBO);
        for source in sources.values_mut() {
            for snapshot in source["snapshots"].as_array_mut().into_iter().flatten() {
                snapshot[1][1] = Value::Null;
            }
            take_receipts(source);
        }
    }
    value
}

fn take_receipts(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("received");
            fields.values_mut().for_each(take_receipts);
        }
        Value::Array(items) => {
            // What was said, and when it was received.
            if let [said, received] = items.as_mut_slice()
                && said.is_array()
                && received.is_i64()
            {
                *received = Value::Null;
            }
            items.iter_mut().for_each(take_receipts);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
