//! What hands the queue's messages to the function: two batches at a time at most, as `template.yaml` has it. What the
//! function does not name as failed is done with; all of a batch comes back where it failed as a whole.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};

use crate::{
    instances::{Ended, invoke},
    queue::Received,
    sim::Sim,
    world::Kind,
};

const POLLERS: u64 = 2;

/// The numbers of the pollers' chances, so many apart; no step has them.
const CHANCES: u64 = u64::MAX / 4;

/// Messages come back after so many times the time that an invocation may take: as `template.yaml` has it.
const HIDDEN_FOR_INVOCATIONS: u64 = 10;

pub(crate) fn begin(sim: &Arc<Sim>) {
    for number in 0..POLLERS {
        tokio::spawn(poll(Arc::clone(sim), (number + 1) * CHANCES));
    }
}

async fn poll(sim: Arc<Sim>, chances: u64) {
    for chance in chances.. {
        something_is_visible(&sim).await;
        // For more to come.
        let window_ms = sim.world().queue.rng.u64(0..2_000);
        sleep(Duration::from_millis(window_ms)).await;
        let batch = {
            let mut world = sim.world();
            let hidden = Duration::from_secs(world.setup.lambda_seconds * HIDDEN_FOR_INVOCATIONS);
            let twice = world.percent(|weather| weather.messages);
            world.queue.receive(hidden, twice)
        };
        if !batch.is_empty() {
            hand_over(&sim, chance, &batch).await;
        }
    }
}

async fn something_is_visible(sim: &Sim) {
    loop {
        let changes = sim.queued.notified();
        let next = sim.world().queue.next_visible();
        match next {
            None => changes.await,
            Some(next) => {
                tokio::select! {
                    () = changes => {}
                    () = sleep_until(next) => return,
                }
            }
        }
    }
}

async fn hand_over(sim: &Arc<Sim>, chance: u64, batch: &[Received]) {
    let attempts = batch.iter().map(|message| message.attempt).collect();
    let records: Vec<Value> = batch.iter().map(record).collect();
    let ended = invoke(
        sim,
        chance,
        Kind::Batch(attempts),
        |_| json!({"Records": records}),
    );
    let Ok(Ended::Answered(answer)) = ended.await else {
        return;
    };
    let failed: BTreeSet<&str> = answer["batchItemFailures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|failed| failed["itemIdentifier"].as_str())
        .collect();
    let mut world = sim.world();
    let again = world.percent(|weather| weather.messages);
    for message in batch {
        if !failed.contains(message.id.to_string().as_str()) {
            world.queue.delete(message.id, again);
            world.acknowledged(message.attempt);
        }
    }
}

fn record(message: &Received) -> Value {
    let Received { id, text, .. } = message;
    json!({"messageId": id.to_string(), "body": text, "eventSource": "aws:sqs"})
}
