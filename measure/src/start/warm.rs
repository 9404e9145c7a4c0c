//! Warm webhooks, one after the other, to one instance.

use std::time::Duration;

use anyhow::{Context as _, Result};
use stand_ins::traffic::RoundTrip;
use tokio::task::JoinHandle;

use super::{
    bare::Bare,
    scene::{Scene, Which},
    trips::{downloads, waited},
};
use crate::{
    instance::{Function, Instance, Observed},
    latencies::Latencies,
    surroundings::Remote,
};

/// So many webhooks are sent before the bare client has its turn: few enough for what else the machine does to hit both, and too many for what
/// the other leaves in its caches to count.
const A_TURN: usize = 10;

/// What they took.
#[derive(Debug, Default)]
pub(super) struct Warm {
    /// From handing out the event to its answer.
    pub(super) in_all: Latencies,
    /// The same without the time in which a request of its own was at a stand-in.
    pub(super) raw: Latencies,
    /// CPU time until it asked for the next event.
    pub(super) cpu: Latencies,
    /// The most round trips of one.
    pub(super) round_trips: u32,
    /// How often the state was read, and not only found to be as it was.
    pub(super) downloads: u32,
    /// The most memory that was ever resident.
    pub(super) peak_kib: u32,
}

/// One instance, and what webhooks took that were sent to it.
struct Warmed {
    instance: Instance,
    cpu_before: Duration,
    warm: Warm,
}

impl Warmed {
    async fn start(function: &Function) -> Result<Self> {
        Ok(Self {
            instance: function.start().await?,
            cpu_before: Duration::ZERO,
            warm: Warm::default(),
        })
    }

    /// What the first one took says nothing of the others.
    fn has_warmed(&mut self, observed: &Observed) {
        self.cpu_before = observed.cpu;
    }

    fn note(&mut self, observed: &Observed, trips: &[(Remote, RoundTrip)]) -> Result<()> {
        let Self {
            cpu_before, warm, ..
        } = self;
        warm.in_all.add(observed.took());
        let waited = waited(trips, observed.span());
        warm.raw.add(observed.took() - waited);
        warm.cpu.add(observed.cpu - *cpu_before);
        warm.round_trips = warm.round_trips.max(u32::try_from(trips.len())?);
        warm.downloads += u32::try_from(downloads(trips))?;
        *cpu_before = observed.cpu;
        Ok(())
    }

    async fn end(mut self) -> Result<Warm> {
        self.warm.peak_kib = u32::try_from(self.instance.memory()?.peak_kib)?;
        self.instance.kill().await?;
        Ok(self.warm)
    }
}

/// Sends the smallest function so many, after one that warms.
pub(super) async fn smallest(scene: &mut Scene, webhooks: usize) -> Result<Warm> {
    let which = Which::Smallest;
    let mut smallest = Warmed::start(scene.binary(which)).await?;
    let observed = scene.send(&mut smallest.instance, which).await?;
    smallest.has_warmed(&observed);
    for _ in 0..webhooks {
        let observed = scene.send(&mut smallest.instance, which).await?;
        smallest.note(&observed, &[])?;
    }
    smallest.end().await
}

/// Keeps who hands out events and who answers requests from falling asleep, as long as it is there: what the kernel takes to wake
/// this process, on a core that may be asleep itself or busy, is neither the function's time nor the bare client's.
struct Awake(JoinHandle<()>);

impl Awake {
    fn keep() -> Self {
        Self(tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        }))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends the function so many, after one that warms, and has the bare client make the same round trips, in turn.
pub(super) async fn function_and_bare(
    scene: &mut Scene,
    bare: &Bare,
    webhooks: usize,
) -> Result<(Warm, Warm)> {
    let which = Which::Function;
    let mut function = Warmed::start(scene.binary(which)).await?;
    let mut client = Warmed::start(bare.function()).await?;
    let observed = scene.send(&mut function.instance, which).await?;
    function.has_warmed(&observed);
    let trips = scene.surroundings.round_trips(observed.handed_out);
    let event = scene.last_event().context("it was sent")?;
    let (observed, _) = bare.send(&mut client.instance, event, &trips).await?;
    client.has_warmed(&observed);

    let _awake = Awake::keep();
    let mut left = webhooks;
    while left > 0 {
        let turn = left.min(A_TURN);
        left -= turn;
        let mut sent = Vec::with_capacity(turn);
        for _ in 0..turn {
            let observed = scene.send(&mut function.instance, which).await?;
            let trips = scene.surroundings.round_trips(observed.handed_out);
            function.note(&observed, &trips)?;
            sent.push((scene.last_event().context("it was sent")?, trips));
        }
        for (event, trips) in sent {
            let (observed, made) = bare.send(&mut client.instance, event, &trips).await?;
            client.note(&observed, &made)?;
        }
    }
    Ok((function.end().await?, client.end().await?))
}
