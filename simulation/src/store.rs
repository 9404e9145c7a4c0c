//! The state's home as one instance sees it: slow, failing before or after it did what it was asked, or losing the answer.

use std::{fmt, sync::Arc, time::Duration};

use calven_bridge::{
    state::State,
    store::{BoxFuture, Loaded, Since, StateStore, StoreError, Swap, Tag},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use crate::{
    checks::forgetting_changes_nothing,
    saved::Saved,
    sim::{Bug, Sim},
    world::{Kind, World},
};

/// What takes longer was slowed down by chance.
const SLOW_MS: u64 = 25;

/// One instance's way to the home that all share.
pub(crate) struct Home {
    sim: Arc<Sim>,
    slot: usize,
}

impl Home {
    pub(crate) fn new(sim: &Arc<Sim>, slot: usize) -> Self {
        let sim = Arc::clone(sim);
        Self { sim, slot }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home({})", self.slot)
    }
}

/// What becomes of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Told,
    /// It is not even tried.
    Failed,
    /// It is tried, and an error is told.
    Untold,
    /// It is tried, and told as lost, whatever came of it: a second attempt met the first one's work.
    ToldLost,
    /// An error is told, and it is tried so many milliseconds later.
    Late(u64),
}

fn failure() -> StoreError {
    StoreError::Unavailable {
        home: "simulated".to_owned(),
        reason: "by chance".to_owned(),
    }
}

impl Home {
    /// Reads what all share, after a while and perhaps in vain.
    fn reading<'a, T: Send + 'a>(
        &'a self,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            let (fails, there_ms, back_ms) = {
                let mut world = self.sim.world();
                let percent = world.percent(|weather| weather.store);
                let gone = Instant::now() < world.store_back;
                let rng = world.chance(self.slot);
                let fate = (
                    gone || rng.u32(0..100) < percent / 2,
                    delay_ms(rng, percent),
                    rng.u64(0..10),
                );
                if let Some(number) = world.slots[self.slot].current {
                    world.invocations[number].store_failed |= fate.0 || fate.1 > SLOW_MS;
                }
                fate
            };
            sleep(Duration::from_millis(there_ms)).await;
            let read = read.await?;
            {
                let mut world = self.sim.world();
                let saved = Arc::clone(&world.saved);
                let (slot, version) = (self.slot, saved.version);
                if let Some(number) = world.invocation(slot, "load") {
                    let invocation = &mut world.invocations[number];
                    invocation.loaded = saved;
                    invocation.loads += 1;
                }
                world.note(format_args!(
                    "  [{slot}] load: version {version}, fails: {fails}"
                ));
            }
            sleep(Duration::from_millis(back_ms)).await;
            if fails { Err(failure()) } else { Ok(read) }
        })
    }
}

impl StateStore for Home {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.reading(async { self.sim.memory.load().await })
    }

    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        self.reading(async { self.sim.memory.load_since(seen).await })
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        let (fate, there_ms, back_ms, number) = {
            let mut world = self.sim.world();
            let number = world.invocation(self.slot, "swap");
            let percent = world.percent(|weather| weather.store);
            let late = world.percent(|weather| weather.late);
            let gone = Instant::now() < world.store_back;
            let rng = world.chance(self.slot);
            let fate = match rng.u32(0..100) {
                _ if gone => Fate::Failed,
                n if n >= percent => Fate::Told,
                n if n % 4 == 0 => Fate::Failed,
                n if n % 4 == 1 && rng.u32(0..100) < late => Fate::Late(rng.u64(10..10_000)),
                n if n % 4 == 3 => Fate::ToldLost,
                _ => Fate::Untold,
            };
            let fate = (fate, delay_ms(rng, percent), rng.u64(0..10));
            world.in_flight += 1;
            if let Some(number) = number {
                let is_good = fate.0 == Fate::Told && fate.1 <= SLOW_MS;
                world.invocations[number].store_failed |= !is_good;
            }
            (fate.0, fate.1, fate.2, number)
        };
        let (sim, slot) = (Arc::clone(&self.sim), self.slot);
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            sleep(Duration::from_millis(there_ms)).await;
            let told = match fate {
                Fate::Failed => {
                    landed(&sim, slot, "is not tried");
                    Err(failure())
                }
                Fate::Late(late_ms) => {
                    if let Some(number) = number {
                        sim.world().invocations[number].swaps_not_won += 1;
                    }
                    let _gone = sender.send(Err(failure()));
                    sleep(Duration::from_millis(late_ms)).await;
                    let _swap = swap(&sim, slot, number, bytes, expected).await;
                    return;
                }
                Fate::Told | Fate::Untold | Fate::ToldLost => {
                    let swapped = swap(&sim, slot, number, bytes, expected).await;
                    match fate {
                        Fate::Untold => Err(failure()),
                        Fate::ToldLost => Ok(Swap::Lost),
                        _ => swapped,
                    }
                }
            };
            sleep(Duration::from_millis(back_ms)).await;
            if let Some(number) = number {
                let invocation = &mut sim.world().invocations[number];
                match told {
                    Ok(Swap::Won(_)) => invocation.swaps_won += 1,
                    Ok(Swap::Lost) | Err(_) => invocation.swaps_not_won += 1,
                }
            }
            let _gone = sender.send(told);
        });
        Box::pin(async move { receiver.await.unwrap_or_else(|_| Err(failure())) })
    }
}

fn delay_ms(rng: &mut fastrand::Rng, percent: u32) -> u64 {
    // A home of the real kind gives up after five seconds.
    if rng.u32(0..400) < percent {
        rng.u64(500..4_900)
    } else {
        rng.u64(1..SLOW_MS)
    }
}

fn landed(sim: &Sim, slot: usize, what: &str) {
    let mut world = sim.world();
    world.in_flight -= 1;
    world.note(format_args!("  [{slot}] swap {what}"));
    world.check_at_rest();
}

/// The swap itself, and what must hold of what is saved by it.
async fn swap(
    sim: &Sim,
    slot: usize,
    number: Option<usize>,
    bytes: Vec<u8>,
    expected: Option<Tag>,
) -> Result<Swap, StoreError> {
    let state = State::decode(&bytes);
    let expected = match sim.world().bug {
        Some(Bug::NoCompareAndSwap) => None,
        _ => Some(expected),
    };
    let expected = match expected {
        Some(expected) => expected,
        None => sim.memory.load().await?.map(|loaded| loaded.tag),
    };
    let swapped = sim.memory.swap(bytes, expected).await?;
    if swapped == Swap::Lost {
        landed(sim, slot, "lost");
        return Ok(swapped);
    }
    match (state, number) {
        (Ok(state), Some(number)) => saved(&mut sim.world(), slot, number, state),
        (Err(error), _) => {
            let detail = error.to_string();
            sim.world().violated("the state can be read", detail);
        }
        (Ok(_), None) => {}
    }
    landed(sim, slot, "won");
    Ok(swapped)
}

/// What must hold of what an invocation has saved.
fn saved(world: &mut World, slot: usize, number: usize, state: State) {
    let saved = Arc::new(Saved::of(state));
    let before = std::mem::replace(&mut world.saved, Arc::clone(&saved));
    let (version, unsure) = (saved.version, saved.unsure);
    world.note(format_args!(
        "  [{slot}] saved version {version}, unsure: {unsure}"
    ));
    let is_new = saved.rows != before.rows || saved.version != before.version;
    let taken = &world.invocations[number].taken;
    if is_new && !saved.rows.as_ref().is_some_and(|rows| taken.contains(rows)) {
        world.violated(
            "what is saved as published was PUT before",
            format!("version {version}"),
        );
    }
    let reconciles = matches!(world.invocations[number].kind, Kind::Reconcile);
    if let (Some(before), Some(after)) = (&before.state, &saved.state)
        && world.setup.forgets()
        && reconciles
        && !forgetting_changes_nothing(before, after)
    {
        world.violated(
            "forgetting changes nothing that is projected",
            String::new(),
        );
    }
    world.read_counts(number);
    world.check_due();
}
