//! What senders have to send, in the disorder in which it comes: some of it twice, some of it late, and again until it is acknowledged.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Result, ensure};
use fastrand::Rng;

use crate::{
    company::Company,
    latencies::Latencies,
    webhook::{Answer, Webhook},
};

/// One of so many webhooks comes twice.
const ONE_IN_SO_MANY_TWICE: usize = 10;

/// Nothing comes more than so many places too early or too late.
const DISORDER: usize = 12;

/// More attempts than any sender would make.
const MOST_ATTEMPTS: u32 = 100;

/// What is to be sent, and what came of what was.
#[derive(Debug)]
pub(super) struct Mail {
    waiting: VecDeque<Letter>,
    random: Rng,
    pub(super) attempts: usize,
    pub(super) acknowledged: usize,
    pub(super) put_off: usize,
    pub(super) unanswered: usize,
    pub(super) refused: Vec<String>,
    pub(super) latencies: Latencies,
}

/// A webhook that was not acknowledged yet.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) webhook: Webhook,
    attempts: u32,
}

impl Mail {
    /// So many webhooks of a company.
    pub(super) fn of(company: &mut Company, webhooks: usize, seed: u64) -> Result<Self> {
        let mut random = Rng::with_seed(seed);
        let mut waiting = VecDeque::new();
        for _ in 0..webhooks {
            let webhook = company.next_webhook()?;
            let letter = Letter {
                webhook,
                attempts: 0,
            };
            if random.usize(0..ONE_IN_SO_MANY_TWICE) == 0 {
                waiting.push_back(letter.clone());
            }
            waiting.push_back(letter);
        }
        for place in 0..waiting.len() {
            let other = (place + random.usize(0..DISORDER)).min(waiting.len() - 1);
            waiting.swap(place, other);
        }
        Ok(Self {
            waiting,
            random,
            attempts: 0,
            acknowledged: 0,
            put_off: 0,
            unanswered: 0,
            refused: Vec::new(),
            latencies: Latencies::default(),
        })
    }

    /// What is to be sent next; `None` where all else is acknowledged or being sent.
    pub(super) fn take(&mut self) -> Option<Letter> {
        self.waiting.pop_front()
    }

    /// What came of an attempt, and after how long; no answer where its instance was killed.
    pub(super) fn sent(
        &mut self,
        letter: Letter,
        answer: Option<(Answer, Duration)>,
    ) -> Result<()> {
        self.attempts += 1;
        let (answer, took) = match answer {
            None => {
                self.unanswered += 1;
                return self.send_again(letter);
            }
            Some(answered) => answered,
        };
        self.latencies.add(took);
        match answer {
            Answer::Acknowledged(_) => self.acknowledged += 1,
            Answer::TryAgain(_) => {
                self.put_off += 1;
                return self.send_again(letter);
            }
            Answer::Refused(told) => self.refused.push(told),
        }
        Ok(())
    }

    fn send_again(&mut self, letter: Letter) -> Result<()> {
        let Letter { webhook, attempts } = letter;
        ensure!(
            attempts < MOST_ATTEMPTS,
            "a webhook was not acknowledged in {MOST_ATTEMPTS} attempts"
        );
        let attempts = attempts + 1;
        let place = self.random.usize(0..DISORDER).min(self.waiting.len());
        self.waiting.insert(place, Letter { webhook, attempts });
        Ok(())
    }
}
