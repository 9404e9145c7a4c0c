//! The queue: a standard one of SQS's. It hands over at least once, in no order, what was not done with comes back, and what
//! came back too often ends in its dead-letter queue.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use tokio::time::Instant;

use crate::history::mixed;

/// Where it is.
pub(crate) const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/webhooks";

/// How often a message is handed over before it is given up: as `template.yaml` has it.
const MOST_RECEIVES: u32 = 5;

/// The number of its chances; no step has it.
const CHANCE: u64 = u64::MAX - 1;

#[derive(Debug)]
pub(crate) struct Sqs {
    messages: BTreeMap<u64, Message>,
    dead: BTreeMap<u64, Message>,
    made: u64,
    /// Messages that are on their way to it.
    coming: usize,
    pub(crate) rng: Rng,
}

#[derive(Clone, Debug)]
struct Message {
    text: String,
    /// Which attempt it holds.
    attempt: usize,
    receives: u32,
    visible_from: Instant,
}

/// A message that is handed over.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: u64,
    pub(crate) text: String,
    pub(crate) attempt: usize,
}

impl Sqs {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            messages: BTreeMap::new(),
            dead: BTreeMap::new(),
            made: 0,
            coming: 0,
            rng: Rng::with_seed(mixed(seed, CHANCE)),
        }
    }

    /// A message is on its way.
    pub(crate) fn expect(&mut self) {
        self.coming += 1;
    }

    /// It is not any more.
    pub(crate) fn expect_no_more(&mut self) {
        self.coming -= 1;
    }

    /// Takes a message. `late`: in percent, how often it is not to be had at once.
    pub(crate) fn take(&mut self, text: String, attempt: usize, late: u32) {
        let delay_ms = self.delay_ms(late);
        self.made += 1;
        self.messages.insert(
            self.made,
            Message {
                text,
                attempt,
                receives: 0,
                visible_from: Instant::now() + Duration::from_millis(delay_ms),
            },
        );
    }

    /// Hands over some of the messages that can be seen, and hides them for so long, most of the time.
    pub(crate) fn receive(&mut self, hidden: Duration, twice: u32) -> Vec<Received> {
        let now = Instant::now();
        let mut visible: Vec<u64> = self
            .messages
            .iter()
            .filter(|(_, message)| message.visible_from <= now)
            .map(|(id, _)| *id)
            .collect();
        self.rng.shuffle(&mut visible);
        visible.truncate(self.rng.usize(1..11));
        let mut received = Vec::new();
        for id in visible {
            let is_twice = self.rng.u32(0..100) < twice;
            let soon = Duration::from_millis(self.rng.u64(0..5_000));
            let message = self.messages.get_mut(&id).unwrap();
            if message.receives == MOST_RECEIVES {
                self.dead.extend(self.messages.remove_entry(&id));
                continue;
            }
            message.receives += 1;
            message.visible_from = now + if is_twice { soon } else { hidden };
            received.push(Received {
                id,
                text: message.text.clone(),
                attempt: message.attempt,
            });
        }
        received
    }

    /// Is done with a message, most of the time: it may come once more.
    pub(crate) fn delete(&mut self, id: u64, again: u32) {
        if self.rng.u32(0..100) < again {
            let delay_ms = self.delay_ms(100);
            if let Some(message) = self.messages.get_mut(&id) {
                message.visible_from = Instant::now() + Duration::from_millis(delay_ms);
            }
        } else {
            self.messages.remove(&id);
        }
    }

    /// Puts back what was given up. Says whether there was any.
    pub(crate) fn redrive(&mut self) -> bool {
        let dead = std::mem::take(&mut self.dead);
        let any = !dead.is_empty();
        let revived = dead.into_iter().map(|(id, message)| {
            let message = Message {
                receives: 0,
                visible_from: Instant::now(),
                ..message
            };
            (id, message)
        });
        self.messages.extend(revived);
        any
    }

    /// When the next message can be seen, if there is one.
    pub(crate) fn next_visible(&self) -> Option<Instant> {
        self.messages
            .values()
            .map(|message| message.visible_from)
            .min()
    }

    /// Whether it has a message of this attempt, or its dead-letter queue.
    pub(crate) fn holds(&self, attempt: usize) -> bool {
        let mut all = self.messages.values().chain(self.dead.values());
        all.any(|message| message.attempt == attempt)
    }

    /// Whether there is nothing to hand over, and nothing on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.messages.is_empty() && self.coming == 0
    }

    fn delay_ms(&mut self, late: u32) -> u64 {
        match self.rng.u32(0..100) < late {
            true => self.rng.u64(1_000..60_000),
            false => self.rng.u64(0..50),
        }
    }
}
