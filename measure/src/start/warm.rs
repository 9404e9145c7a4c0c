//! Warm webhooks, one after the other, to one instance.

use anyhow::Result;

use super::{
    scene::{Scene, Which},
    trips::{downloads, waited},
};
use crate::latencies::Latencies;

/// What they took.
#[derive(Debug)]
pub(super) struct Warm {
    /// From handing out the event to its answer.
    pub(super) in_all: Latencies,
    /// The same without the time in which a request of its own was at a stand-in.
    pub(super) own: Latencies,
    /// CPU time until it asked for the next event.
    pub(super) cpu: Latencies,
    /// How often the state was read, and not only found to be as it was.
    pub(super) downloads: u32,
    /// The most memory that was ever resident.
    pub(super) peak_kib: u32,
}

/// Sends so many, after one that warms.
pub(super) async fn warm(scene: &mut Scene, which: Which, webhooks: usize) -> Result<Warm> {
    let mut instance = scene.binary(which).start().await?;
    let mut cpu_before = scene.send(&mut instance, which).await?.cpu;
    let (mut in_all, mut own, mut cpu) = (
        Latencies::default(),
        Latencies::default(),
        Latencies::default(),
    );
    let mut read = 0;
    for _ in 0..webhooks {
        let observed = scene.send(&mut instance, which).await?;
        let trips = scene.surroundings.round_trips(observed.handed_out);
        in_all.add(observed.took());
        own.add(observed.took() - waited(&trips, observed.span()));
        cpu.add(observed.cpu - cpu_before);
        read += downloads(&trips);
        cpu_before = observed.cpu;
    }
    let peak_kib = u32::try_from(instance.memory()?.peak_kib)?;
    instance.kill().await?;
    Ok(Warm {
        in_all,
        own,
        cpu,
        downloads: u32::try_from(read)?,
        peak_kib,
    })
}
