//! Starts: up to asking for the first event, and up to the answer of the first webhook.

use anyhow::Result;

use super::{
    scene::{Scene, Which},
    trips::in_turn_before_the_put,
};
use crate::{
    instance::{Function, Instance},
    latencies::Latencies,
    quota::Quota,
};

/// What many starts took.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// From the start to asking for the first event.
    pub(super) init: Latencies,
    pub(super) init_cpu: Latencies,
    /// What was resident then, at most.
    pub(super) memory_kib: u32,
    /// Connections that were open then, or made until then.
    pub(super) connections: u32,
    /// From the start to the answer of the first webhook, which was waiting.
    pub(super) first: Latencies,
    pub(super) first_cpu: Latencies,
    /// The least that any of them needed, since chance can only add to it.
    pub(super) in_turn: Option<u32>,
}

impl Starts {
    /// One more start, without an event until all is looked at.
    pub(super) async fn init(
        &mut self,
        scene: &Scene,
        which: Which,
        share: Option<f64>,
    ) -> Result<()> {
        let connections_before = scene.surroundings.connections();
        let mut instance = start(scene.binary(which), share).await?;
        let asked = instance.idle().await?;
        self.init.add(asked - instance.started());
        self.init_cpu.add(instance.cpu()?);
        let resident_kib = u32::try_from(instance.memory()?.resident_kib)?;
        self.memory_kib = self.memory_kib.max(resident_kib);
        let made = scene.surroundings.connections() - connections_before;
        self.connections += u32::try_from(instance.connections()? + made)?;
        instance.kill().await
    }

    /// One more start, with a webhook that waits for it.
    pub(super) async fn first(
        &mut self,
        scene: &mut Scene,
        which: Which,
        share: Option<f64>,
    ) -> Result<()> {
        let mut instance = start(scene.binary(which), share).await?;
        let observed = scene.send(&mut instance, which).await?;
        let took = observed.answered - instance.started();
        self.first.add(took);
        self.first_cpu.add(observed.cpu);
        let trips = scene.surroundings.round_trips(instance.started());
        let in_turn = in_turn_before_the_put(&trips);
        self.in_turn = [self.in_turn, in_turn].into_iter().flatten().min();
        instance.kill().await
    }
}

async fn start(function: &Function, share: Option<f64>) -> Result<Instance> {
    match share {
        None => function.start().await,
        Some(cpus) => function.start_within(Quota::new(cpus)?).await,
    }
}
