//! The load of a soak: webhooks to every instance, and from the queue, where there is one, batch by batch.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::try_join_all;
use stand_ins::{lambda_runtime::Invoked, sqs::Sqs};

use crate::{
    company::Company,
    instance::{Instance, Memory},
    latencies::Latencies,
    surroundings::now,
    webhook::{Answer, Webhook},
};

/// What is sent, to whom, and what came of it so far.
pub(super) struct Load<'a> {
    sqs: &'a Sqs,
    batch_size: usize,
    instances: Vec<Instance>,
    webhooks: RefCell<Webhooks>,
    batches: Batches,
}

/// What the senders have to say.
pub(super) struct Webhooks {
    pub(super) company: Company,
    left: usize,
    pub(super) latencies: Latencies,
    pub(super) acknowledged: usize,
    pub(super) put_off: Vec<String>,
    pub(super) refused: Vec<String>,
}

/// How often a webhook is sent that is answered 5xx, as senders do: a machine that others work on may be late once.
const ATTEMPTS: usize = 4;

/// What the queue handed over.
#[derive(Default)]
pub(super) struct Batches {
    pub(super) count: usize,
    pub(super) latencies: Latencies,
    pub(super) failed: Vec<String>,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        company: Company,
        instances: Vec<Instance>,
        sqs: &'a Sqs,
        batch_size: usize,
    ) -> Self {
        let webhooks = Webhooks {
            company,
            left: 0,
            latencies: Latencies::default(),
            acknowledged: 0,
            put_off: Vec::new(),
            refused: Vec::new(),
        };
        Self {
            sqs,
            batch_size,
            instances,
            webhooks: RefCell::new(webhooks),
            batches: Batches::default(),
        }
    }

    /// Sends so many webhooks; where they are queued, until all of them are published.
    pub(super) async fn send(&mut self, webhooks: usize) -> Result<()> {
        let mut left = webhooks;
        while left > 0 {
            let batch = left.min(self.batch_size);
            left -= batch;
            self.webhooks.borrow_mut().left = batch;
            let feeding = self.instances.iter_mut();
            try_join_all(feeding.map(|instance| feed(instance, &self.webhooks))).await?;
            self.publish_what_is_queued().await;
        }
        Ok(())
    }

    /// What memory each instance has.
    pub(super) fn memory(&self) -> Result<Vec<Memory>> {
        self.instances.iter().map(Instance::memory).collect()
    }

    /// How much CPU time all instances together have used.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.instances.iter().map(Instance::cpu).sum()
    }

    /// What came of all of it; the instances end.
    pub(super) fn end(self) -> (Webhooks, Batches) {
        (self.webhooks.into_inner(), self.batches)
    }

    /// What Lambda's event source mapping does, with one instance after the other.
    async fn publish_what_is_queued(&mut self) {
        let turn = self.batches.count % self.instances.len().max(1);
        let Some(instance) = self.instances.get_mut(turn) else {
            return;
        };
        while let Some(batch) = self.sqs.deliver(self.batch_size) {
            let began = Instant::now();
            let invoked = instance.invoke(batch).await;
            self.batches.latencies.add(began.elapsed());
            self.batches.count += 1;
            match invoked {
                Invoked::Response(answer) => self.sqs.answered(Some(&answer)),
                Invoked::Error(error) | Invoked::InitError(error) => {
                    self.batches.failed.push(error.to_string());
                    self.sqs.answered(None);
                }
            }
        }
    }
}

/// Gives an instance one webhook after the other, as long as there are any.
async fn feed(instance: &mut Instance, webhooks: &RefCell<Webhooks>) -> Result<()> {
    loop {
        let webhook = webhooks.borrow_mut().next()?;
        let Some(webhook) = webhook else {
            return Ok(());
        };
        for attempt in 1..=ATTEMPTS {
            let event = webhook.event(now());
            let began = Instant::now();
            let answer = Answer::of(instance.invoke(event).await);
            let mut webhooks = webhooks.borrow_mut();
            webhooks.latencies.add(began.elapsed());
            match answer {
                Answer::Acknowledged(_) => webhooks.acknowledged += 1,
                Answer::TryAgain(told) if attempt < ATTEMPTS => {
                    webhooks.put_off.push(told);
                    continue;
                }
                Answer::TryAgain(told) | Answer::Refused(told) => webhooks.refused.push(told),
            }
            break;
        }
    }
}

impl Webhooks {
    fn next(&mut self) -> Result<Option<Webhook>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.company.next_webhook().map(Some)
    }
}
