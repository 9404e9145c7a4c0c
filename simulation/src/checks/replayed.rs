//! The same deliveries, each with its time, played to another function over an empty state: in another order, some
//! twice, as batches of the queue. They end in the same ledger, and in the same bytes.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use calven_bridge::{state::State, timestamp::Timestamp};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    AT_THE_END, Violation,
    ledger::{are_same, has_alone, has_seed},
    projection,
};
use crate::{
    attempts::Attempt,
    history::{Credential, Setup, Weather, mixed},
    instances::{Ended, invoke},
    sim::Sim,
    trace::Trace,
    world::{Kind, World},
};

/// Apart from [`AT_THE_END`].
const PLAYED_AGAIN: u64 = AT_THE_END + 100;

/// What is handed in at once.
enum Piece {
    Records(Vec<usize>),
    Seed(usize),
}

/// Plays again what is in the ledger; nothing of it is held.
pub(super) async fn check_replayed(sim: &Sim, state: &State) {
    let (other, pieces) = {
        let world = sim.world();
        let trace = Trace::new(false);
        let mut other = World::new(undisturbed(&world.setup), world.seed, world.bug, trace);
        other.quiet = true;
        other.api = world.api.clone();
        let mut rng = Rng::with_seed(mixed(world.seed, PLAYED_AGAIN));
        (Sim::new(other), pieces(&world, state, &mut rng))
    };
    let answered = play(sim, &other, pieces).await;
    let mut played = other.world();
    played.slots.clear();
    let is_same_ledger = played
        .saved
        .state
        .as_ref()
        .is_some_and(|again| are_same(&state.ledger, &again.ledger));
    let mut world = sim.world();
    world.note(format_args!("all that was said is played again"));
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    if let Some(Violation { promise, detail }) = played.violation.take() {
        world.violated(promise, format!("played again: {detail}"));
    } else if !answered {
        world.violated("what is played again is taken", String::new());
    } else if !is_same_ledger {
        world.violated("played again, the ledger is the same", String::new());
    } else if played.calven.body != world.calven.body && !is_kept_from_nothing(&played, state) {
        let (was, is) = (text(&world.calven.body), text(&played.calven.body));
        world.violated(
            "played again, the bytes are the same",
            format!("{was} and then {is}"),
        );
    }
}

/// Whoever has published nothing yet, and was never told what the complete set is, does not send an empty one.
fn is_kept_from_nothing(played: &World, state: &State) -> bool {
    let is_empty = projection(state).hierarchy.groups() == 0;
    played.calven.rows.is_none() && is_empty && !state.ledger.is_seeded()
}

/// One instance, no weather, nothing held.
fn undisturbed(setup: &Setup) -> Setup {
    Setup {
        skews_ms: vec![0],
        dry_run: None,
        weather: Weather::CALM,
        guard_percent: 100,
        guard_groups: usize::MAX,
        seed_required: false,
        credential: Credential::Basic,
        queued: false,
        ..setup.clone()
    }
}

/// All that is in the ledger, acknowledged or not, in any order.
fn pieces(world: &World, state: &State, rng: &mut Rng) -> Vec<Piece> {
    let is_in = |attempt: &Attempt| {
        let delivery = attempt.delivery();
        delivery.is_some_and(|delivery| has_alone(&state.ledger, &delivery))
    };
    let attempts = world.attempts.iter().enumerate();
    let mut numbers: Vec<usize> = attempts
        .filter(|(_, attempt)| is_in(attempt))
        .map(|(number, _)| number)
        .collect();
    let twice = numbers.first().copied();
    numbers.extend(twice);
    rng.shuffle(&mut numbers);
    newest_first(world, &mut numbers);
    let batches = numbers.chunks(numbers.len().div_ceil(rng.usize(1..4)).max(1));
    let seeds = world.seeds.iter().enumerate();
    let seeds = seeds.filter(|(_, seed)| has_seed(&state.ledger, seed));
    let mut pieces: Vec<Piece> = batches
        .map(|batch| Piece::Records(batch.to_vec()))
        .chain(seeds.map(|(number, _)| Piece::Seed(number)))
        .collect();
    // The batches stay in their order.
    for place in 0..pieces.len() {
        let is_seed = |piece: &Piece| matches!(piece, Piece::Seed(_));
        let other = rng.usize(0..pieces.len());
        if is_seed(&pieces[place]) {
            let seed = pieces.remove(place);
            pieces.insert(other, seed);
        }
    }
    pieces
}

/// Of an event without a time the first attempt that comes decides what the later ones mean. Both are in the ledger only
/// where the newer one came first.
fn newest_first(world: &World, numbers: &mut [usize]) {
    let mut places: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, number) in numbers.iter().enumerate() {
        let attempt = &world.attempts[*number];
        if !attempt.is_timed {
            let event = (attempt.source, attempt.id.as_str());
            places.entry(event).or_default().push(place);
        }
    }
    for places in places.values() {
        let mut sorted: Vec<usize> = places.iter().map(|place| numbers[*place]).collect();
        sorted.sort_by_key(|number| Reverse(*number));
        for (place, number) in places.iter().zip(sorted) {
            numbers[*place] = number;
        }
    }
}

/// Says whether all was answered: the pieces, and a reconcile after them.
async fn play(sim: &Sim, other: &Arc<Sim>, pieces: Vec<Piece>) -> bool {
    for (piece, chance) in pieces.into_iter().zip(PLAYED_AGAIN..) {
        let (kind, event) = match piece {
            Piece::Records(numbers) => {
                let world = sim.world();
                let record = |number: &usize| record(&world.attempts[*number], *number);
                let records: Vec<Value> = numbers.iter().map(record).collect();
                (Kind::Batch(numbers), json!({"Records": records}))
            }
            Piece::Seed(number) => {
                let world = sim.world();
                let seed = &world.seeds[number];
                set_clock(other, seed.received);
                (Kind::Seed(number), seed.event.clone())
            }
        };
        let ended = invoke(other, chance, kind, |_| event).await;
        let Ok(Ended::Answered(answer)) = ended else {
            return false;
        };
        if !answer["batchItemFailures"]
            .as_array()
            .is_none_or(Vec::is_empty)
        {
            return false;
        }
    }
    let now = sim.world().clock(0);
    set_clock(other, now);
    let event = json!({"action": "reconcile"});
    let ended = invoke(other, PLAYED_AGAIN - 1, Kind::Reconcile, |_| event).await;
    matches!(ended, Ok(Ended::Answered(_)))
}

/// Lets the instance's clock show this time.
fn set_clock(other: &Sim, to: Timestamp) {
    let mut world = other.world();
    let ahead_us = to.micros() - world.clock(0).micros();
    world.slots[0].skew_ms = ahead_us / 1_000;
}

/// As the edge queues it.
fn record(attempt: &Attempt, number: usize) -> Value {
    let queued = json!({"v": 1, "source": attempt.source, "requestId": "r", "receivedAt": attempt.received.to_string(),
        "headers": attempt.headers, "body": BASE64_STANDARD.encode(&attempt.body)});
    json!({"messageId": number.to_string(), "body": queued.to_string(), "eventSource": "aws:sqs"})
}
