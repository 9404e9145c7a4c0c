//! The instances of the function: made when first needed, one invocation at a time each, killed and frozen at any await.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use calven_bridge::invocation::{Failure, Function};
use fastrand::Rng;
use lambda_runtime::Context;
use serde_json::Value;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep},
};

use crate::{
    checks,
    functions::made,
    history::mixed,
    sim::Sim,
    world::{Invocation, Kind},
};

/// What came of an invocation.
#[derive(Debug)]
pub(crate) enum Ended {
    Answered(Value),
    /// The type of the error, as AWS shows it.
    Failed(&'static str),
    /// The instance was killed.
    Killed,
    /// No instance was free.
    Throttled,
}

/// Begins an invocation in a slot that is free. `event` is given when it begins; `chance` tells what goes wrong.
pub(crate) fn invoke(
    sim: &Arc<Sim>,
    chance: u64,
    kind: Kind,
    event: impl FnOnce(usize) -> Value,
) -> oneshot::Receiver<Ended> {
    let (sender, receiver) = oneshot::channel();
    let mut world = sim.world();
    let mut rng = Rng::with_seed(mixed(world.seed, chance));
    let slots = world.slots.len();
    let first = rng.usize(0..slots);
    let free = (0..slots)
        .map(|n| (first + n) % slots)
        .find(|slot| world.slots[*slot].current.is_none());
    let Some(slot) = free else {
        world.note(format_args!("  throttled {kind:?}"));
        let _sent = sender.send(Ended::Throttled);
        return receiver;
    };
    let weather = (world.percent(|w| w.kills), world.percent(|w| w.freezes));
    let cut = Cut::any(&mut rng, weather);
    let lambda = Duration::from_secs(world.setup.lambda_seconds);
    let number = world.invocations.len();
    world.note(format_args!("  [{slot}] invocation {number}: {kind:?}"));
    let (saved, shocks_before) = (Arc::clone(&world.saved), world.shocks);
    let is_dry = world.setup.dry_run == Some(slot);
    let deadline = Instant::now() + lambda;
    world.invocations.push(Invocation {
        kind,
        is_dry,
        loaded: saved,
        taken: Vec::new(),
        has_put: false,
        shocks_before,
        deadline,
        loads: 0,
        swaps_won: 0,
        swaps_not_won: 0,
        store_failed: false,
        call_failed: false,
        read_began: None,
        has_read: false,
    });
    world.active += 1;
    let skew_ms = world.slots[slot].skew_ms;
    let mut context = Context::default();
    context.request_id = format!("request-{number}");
    context.deadline = u64::try_from(world.clock(skew_ms).plus(lambda).micros() / 1_000).unwrap();
    world.slots[slot].rng = rng;
    world.slots[slot].current = Some(number);
    let function = world.slots[slot].function.clone();
    drop(world);
    let function = function.unwrap_or_else(|| made(sim, slot));
    let event = event(slot);
    let sim = Arc::clone(sim);
    tokio::spawn(async move {
        let running = tokio::spawn(run(function, event, context, cut, deadline));
        let (ended, was_frozen) = match running.await {
            Ok(ended) => ended,
            Err(_) => {
                sim.world()
                    .violated("nothing panics", "the function did".to_owned());
                (Ended::Killed, false)
            }
        };
        end(&sim, slot, number, &ended, was_frozen);
        let _sent = sender.send(ended);
    });
    receiver
}

fn end(sim: &Sim, slot: usize, number: usize, ended: &Ended, was_frozen: bool) {
    let mut world = sim.world();
    world.active -= 1;
    world.slots[slot].current = None;
    let has_put = world.invocations[number].has_put;
    let kind = world.invocations[number].kind.clone();
    let mut failed = false;
    match ended {
        Ended::Answered(answer) => {
            let status = answer["statusCode"].as_u64();
            let told = answer["body"]
                .as_str()
                .map_or_else(|| answer.to_string(), str::to_owned);
            world.note(format_args!(
                "  [{slot}] {number} answered {status:?} {told}"
            ));
            failed = status.is_some_and(|status| status >= 500)
                || answer["batchItemFailures"]
                    .as_array()
                    .is_some_and(|failed| !failed.is_empty());
            if status == Some(500) {
                world.violated("what passes is no 500", told);
            }
        }
        Ended::Failed(error) => {
            world.note(format_args!("  [{slot}] {number} failed: {error}"));
            failed = !matches!(*error, "NotPublished" | "Refused");
        }
        Ended::Killed => {
            world.note(format_args!("  [{slot}] {number} killed"));
            world.slots[slot].function = None;
            failed = true;
        }
        Ended::Throttled => {}
    }
    checks::check_costs(&mut world, number, ended, was_frozen);
    if matches!(ended, Ended::Answered(_)) && !failed {
        world.read_counts(number);
    }
    let late = Instant::now() > world.invocations[number].deadline;
    if late && !was_frozen {
        world.violated("an invocation ends in time", format!("{number} did not"));
    }
    if failed && has_put {
        world.shake("who has PUT did not save");
    }
    let paid = !world.invocations[number].taken.is_empty();
    let before = world.invocations[number].shocks_before;
    if matches!(kind, Kind::Reconcile)
        && matches!(ended, Ended::Answered(_))
        && paid
        && world.shaken.is_some_and(|shock| shock <= before)
    {
        world.shaken = None;
    }
    world.check_at_rest();
}

/// When an invocation is cut: killed before a poll, frozen before another one.
struct Cut {
    kill_at: Option<u32>,
    freeze_at: Option<(u32, Duration)>,
    /// Whether AWS does not notice that a frozen one is late.
    is_forgotten: bool,
}

impl Cut {
    fn any(rng: &mut Rng, (kills, freezes): (u32, u32)) -> Self {
        let kill = rng.u32(0..100) < kills;
        let freeze = rng.u32(0..100) < freezes;
        let (kill_at, freeze_at) = (rng.u32(2..20), rng.u32(2..20));
        let long = match rng.u32(0..3) {
            0 => rng.u64(1_000..600_000),
            _ => rng.u64(100..15_000),
        };
        Self {
            kill_at: kill.then_some(kill_at),
            freeze_at: freeze.then_some((freeze_at, Duration::from_millis(long))),
            is_forgotten: rng.bool(),
        }
    }
}

/// Runs one invocation to its end, or to where it is cut; says whether it was ever frozen.
async fn run(
    function: Arc<Function>,
    event: Value,
    context: Context,
    cut: Cut,
    deadline: Instant,
) -> (Ended, bool) {
    let mut running = function.handle(event, context);
    let mut polls = 0;
    let mut freeze = cut.freeze_at;
    let mut was_frozen = false;
    let mut frozen: Option<Pin<Box<Sleep>>> = None;
    // AWS ends what takes longer; a little later, to see that nothing does.
    let mut over = Box::pin(tokio::time::sleep_until(
        deadline + Duration::from_millis(2),
    ));
    let answered: Option<Result<Value, Failure>> = poll_fn(|context| {
        loop {
            if !(was_frozen && cut.is_forgotten) && over.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            if let Some(thaws) = &mut frozen {
                if thaws.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                frozen = None;
            }
            polls += 1;
            if let Some((at, long)) = freeze
                && at == polls
            {
                freeze = None;
                was_frozen = true;
                frozen = Some(Box::pin(sleep(long)));
                continue;
            }
            if cut.kill_at == Some(polls) {
                return Poll::Ready(None);
            }
            return running.as_mut().poll(context).map(Some);
        }
    })
    .await;
    let ended = match answered {
        Some(Ok(answer)) => Ended::Answered(answer),
        Some(Err(failure)) => Ended::Failed(failure.error_type()),
        None => Ended::Killed,
    };
    (ended, was_frozen)
}
