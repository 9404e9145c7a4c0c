//! One history, made to happen: its world, and how it begins, becomes quiet and ends.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use calven_bridge::store::MemoryStore;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    checks, functions,
    history::{History, mixed},
    poller, senders,
    trace::Trace,
    world::World,
};

/// How long after the last step everything goes wrong still.
const STORM_AFTER: Duration = Duration::from_secs(30);

/// More virtual time than any history takes.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// A bug, to show that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The store swaps whatever is expected.
    NoCompareAndSwap,
    /// What ended is forgotten at once.
    TombstoneForgotten,
    /// The guard lets everything pass.
    GuardIgnored,
    /// One in the function's own code.
    #[cfg(feature = "planted")]
    Planted(calven_bridge::planted::Bug),
}

/// What does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which of the promises.
    pub promise: &'static str,
    /// What was found instead.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.detail)
    }
}

/// What came of a history.
#[derive(Debug)]
pub struct Outcome {
    /// Follows from all that happened.
    pub hash: u64,
    /// All that happened, where that was to be kept.
    pub lines: Vec<String>,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// How many invocations there were.
    pub invocations: usize,
    /// How many PUTs came in at Calven.
    pub puts: usize,
}

/// A history under way.
pub(crate) struct Sim {
    pub(crate) memory: MemoryStore,
    pub(crate) http: reqwest::Client,
    /// Something may have come into the queue.
    pub(crate) queued: Notify,
    world: Mutex<World>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

impl Sim {
    pub(crate) fn new(world: World) -> Arc<Self> {
        Arc::new(Self {
            memory: MemoryStore::default(),
            http: functions::http(),
            queued: Notify::new(),
            world: Mutex::new(world),
        })
    }

    /// What changes; never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a history happen, with a bug or without.
pub fn run(history: &History, bug: Option<Bug>, keep_trace: bool) -> Outcome {
    fastrand::seed(mixed(history.seed, u64::MAX));
    #[cfg(feature = "planted")]
    calven_bridge::planted::plant(match bug {
        Some(Bug::Planted(bug)) => Some(bug),
        _ => None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let trace = Trace::new(keep_trace);
        let mut world = World::new(history.setup.clone(), history.seed, bug, trace);
        world.renamed = history.renamed_names();
        let sim = Sim::new(world);
        if tokio::time::timeout(LONGEST, happen(&sim, history))
            .await
            .is_err()
        {
            sim.world()
                .violated("it becomes quiet", "it never did".to_owned());
        }
        let mut world = sim.world();
        world.slots.clear();
        let (hash, lines) = std::mem::replace(&mut world.trace, Trace::new(false)).finish();
        Outcome {
            hash,
            lines,
            violation: world.violation.take(),
            invocations: world.invocations.len(),
            puts: world.puts,
        }
    })
}

async fn happen(sim: &Arc<Sim>, history: &History) {
    let begun = Instant::now();
    poller::begin(sim);
    let mut steps = Vec::new();
    for step in history.steps.iter().cloned() {
        let sim = Arc::clone(sim);
        steps.push(tokio::spawn(async move {
            tokio::time::sleep_until(begun + Duration::from_millis(step.at_ms)).await;
            sim.world().note(format_args!("{step}"));
            senders::take(&sim, step).await;
        }));
    }
    let storm = history.steps.last().map_or(0, |step| step.at_ms);
    tokio::time::sleep_until(begun + Duration::from_millis(storm) + STORM_AFTER).await;
    {
        let mut world = sim.world();
        world.quiet = true;
        world.note(format_args!("quiet"));
    }
    for step in steps {
        if step.await.is_err() {
            sim.world()
                .violated("nothing panics", "a step did".to_owned());
        }
    }
    may_save(sim);
    while !rests(sim) {
        sleep(Duration::from_secs(60)).await;
    }
    // Twice the longest skew, so that whoever reads now has read last by every clock.
    sleep(Duration::from_secs(60)).await;
    checks::at_the_end(sim).await;
}

/// Whoever only looked is one of those that save from now on.
fn may_save(sim: &Sim) {
    let mut world = sim.world();
    if world.setup.dry_run.take().is_some() {
        world.slots.iter_mut().for_each(|slot| slot.function = None);
    }
}

/// Whether nobody is at work, and nothing on its way or queued. What nobody could take is handed over once more.
fn rests(sim: &Sim) -> bool {
    let mut world = sim.world();
    let rests = world.active == 0 && world.in_flight == 0 && world.queue.is_idle();
    if !(rests && world.queue.redrive()) {
        return rests;
    }
    world.note(format_args!("the dead-letter queue is redriven"));
    sim.queued.notify_waiters();
    false
}
