//! An instance that is killed now and then, and started anew as Lambda would.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fastrand::Rng;

use super::mail::Mail;
use crate::{
    instance::{Function, Instance},
    surroundings::now,
    webhook::Answer,
};

/// Between two kills there are fewer invocations than so many.
const INVOCATIONS_BETWEEN: usize = 12;

/// How long an invocation takes, before one was seen.
const USUAL_AT_FIRST: Duration = Duration::from_millis(100);

/// A kill comes before so many times the duration of the last invocation: most of them within one, some after its end.
const LATEST: f64 = 1.25;

/// The process is another after each kill.
#[derive(Debug)]
pub(super) struct Target<'a> {
    function: &'a Function,
    instance: Option<Instance>,
    random: Rng,
    /// So many invocations are left in peace.
    until_kill: usize,
    /// How long the last invocation took that was left in peace.
    usual: Duration,
    kills: Vec<Kill>,
}

/// One kill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    /// Whether the instance had an invocation that it had not answered.
    pub(super) at_work: bool,
}

impl<'a> Target<'a> {
    pub(super) async fn start(function: &'a Function, seed: u64, number: usize) -> Result<Self> {
        let mut random = Rng::with_seed(seed.wrapping_add(1 + u64::try_from(number)?));
        Ok(Self {
            function,
            instance: Some(function.start().await?),
            until_kill: random.usize(0..INVOCATIONS_BETWEEN),
            random,
            usual: USUAL_AT_FIRST,
            kills: Vec::new(),
        })
    }

    /// Takes one webhook after the other, as long as there are any.
    pub(super) async fn serve(&mut self, mail: &RefCell<Mail>) -> Result<()> {
        loop {
            let letter = mail.borrow_mut().take();
            let Some(letter) = letter else {
                return Ok(());
            };
            let event = letter.webhook.event(now());
            let instance = self.instance.as_mut().context("it is started")?;
            let began = Instant::now();
            let answered = match self.until_kill.checked_sub(1) {
                Some(fewer) => {
                    self.until_kill = fewer;
                    let answer = Answer::of(instance.invoke(event).await);
                    self.usual = began.elapsed();
                    Some(answer)
                }
                None => {
                    let moment = self.usual.mul_f64(self.random.f64() * LATEST);
                    let invoking = instance.invoke(event);
                    let answered = tokio::time::timeout(moment, invoking).await.ok();
                    tokio::time::sleep(moment.saturating_sub(began.elapsed())).await;
                    self.kill().await?;
                    answered.map(Answer::of)
                }
            };
            let answered = answered.map(|answer| (answer, began.elapsed()));
            mail.borrow_mut().sent(letter, answered)?;
        }
    }

    /// Ends it for good, and tells how often it was killed.
    pub(super) async fn end(self) -> Result<Vec<Kill>> {
        if let Some(instance) = self.instance {
            instance.kill().await?;
        }
        Ok(self.kills)
    }

    async fn kill(&mut self) -> Result<()> {
        let instance = self.instance.take().context("it is started")?;
        self.kills.push(Kill {
            at_work: instance.is_at_work(),
        });
        instance.kill().await?;
        self.until_kill = self.random.usize(0..INVOCATIONS_BETWEEN);
        self.instance = Some(self.function.start().await?);
        Ok(())
    }
}
