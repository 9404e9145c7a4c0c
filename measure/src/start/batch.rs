//! A batch of the queue, and what reading it alone would take.

use anyhow::{Context as _, Result, bail};
use stand_ins::lambda_runtime::Invoked;

use super::{
    scene::{Scene, Which},
    trips::waited,
};
use crate::{
    instance::Instance,
    latencies::Latencies,
    surroundings::now,
    webhook::{Sender, Webhook},
};

/// What batches took.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// From handing out the event to its answer, without the time in which a request of its own was at a stand-in.
    pub(super) own: Latencies,
    /// CPU time until it asked for the next event.
    pub(super) cpu: Latencies,
    /// As long as the smallest function takes for a webhook that has all of the batch in its body: it parses it, and nothing else.
    pub(super) parsing: Latencies,
    /// The CPU time of that.
    pub(super) parsing_cpu: Latencies,
}

/// Queues so many webhooks as often, and hands them over as a batch each time; a small one warms.
pub(super) async fn batches(scene: &mut Scene, count: usize, size: usize) -> Result<Batches> {
    let mut instance = scene.binary(Which::Function).start().await?;
    let mut smallest = scene.binary(Which::Smallest).start().await?;
    let mut batches = Batches::default();
    one(
        scene,
        &mut instance,
        &mut smallest,
        2,
        &mut Batches::default(),
    )
    .await?;
    for _ in 0..count {
        one(scene, &mut instance, &mut smallest, size, &mut batches).await?;
    }
    instance.kill().await?;
    smallest.kill().await?;
    Ok(batches)
}

async fn one(
    scene: &mut Scene,
    instance: &mut Instance,
    smallest: &mut Instance,
    size: usize,
    batches: &mut Batches,
) -> Result<()> {
    for _ in 0..size {
        scene.send(instance, Which::Function).await?;
    }
    let batch = scene.surroundings.sqs.deliver(size);
    let batch = batch.context("nothing was queued")?;

    let webhook = Webhook::new(Sender::Groups, "batch".to_owned(), &batch);
    let cpu_before = smallest.cpu()?;
    let parsed = smallest.observe(webhook.event(now())).await?;
    batches.parsing.add(parsed.took());
    batches.parsing_cpu.add(parsed.cpu - cpu_before);

    let cpu_before = instance.cpu()?;
    let observed = instance.observe(batch).await?;
    let trips = scene.surroundings.round_trips(observed.handed_out);
    batches
        .own
        .add(observed.took() - waited(&trips, observed.span()));
    batches.cpu.add(observed.cpu - cpu_before);
    match observed.invoked {
        Invoked::Response(answer) => scene.surroundings.sqs.answered(Some(&answer)),
        Invoked::Error(error) | Invoked::InitError(error) => bail!("a batch failed: {error}"),
    }
    Ok(())
}
