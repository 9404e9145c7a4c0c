//! Instances that share one state are killed at random moments, and senders try again what was not acknowledged.
//!
//! Whatever was answered 2xx must be in what Calven holds after one reconcile: whenever a process ends, before its PUT, between its PUT
//! and its save, or after both.

mod mail;
mod target;

use std::{cell::RefCell, fmt, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};

use self::{mail::Mail, target::Target};
use crate::{
    company::{Company, Snapshots},
    findings::{Findings, difference, examples},
    latencies::Percentiles,
    surroundings::{Home, Publishing, Surroundings, now},
};

/// Kills instances at random while webhooks come in, and looks what is lost.
#[derive(Args, Clone, Debug)]
pub struct Kills {
    /// The built function: its bootstrap.
    #[arg(long, value_name = "PATH")]
    pub function: PathBuf,
    /// The state that all instances share, in a bucket that is there.
    #[arg(long, value_name = "s3://BUCKET/KEY", requires = "endpoint")]
    pub state: Option<String>,
    /// The base URL of the S3 that has it. Without one it is our own stand-in.
    #[arg(long, value_name = "URL", requires = "state")]
    pub endpoint: Option<String>,
    /// How many webhooks; some come twice besides.
    #[arg(long, default_value_t = 500)]
    pub webhooks: usize,
    /// How many instances.
    #[arg(long, default_value_t = 4)]
    pub instances: usize,
    /// How many kills there must be at least for the outcome to say anything.
    #[arg(long, value_name = "KILLS", default_value_t = 25)]
    pub least_kills: usize,
    /// Chooses what the webhooks say, their order, and which invocations are killed and how far on.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the instances log to; what is there stays. Without it their logs are dropped.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// What was counted.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// How many webhooks there were, those that came twice counted once.
    pub webhooks: usize,
    /// How often one was sent.
    pub attempts: usize,
    /// How often one was answered 2xx.
    pub acknowledged: usize,
    /// How often one was answered 5xx.
    pub put_off: usize,
    /// How often one was not answered, its instance having been killed.
    pub unanswered: usize,
    /// How many instances were killed.
    pub kills: usize,
    /// How many of the kills hit an instance that was at work.
    pub kills_at_work: usize,
    /// How many PUTs Calven got.
    pub puts: usize,
    /// How long those took that were answered.
    pub latency: Percentiles,
    /// From the first webhook to the end of the reconcile.
    pub seconds: f64,
    /// How many rows Calven held in the end.
    pub rows: usize,
}

impl Kills {
    /// Sends, kills, reconciles and looks.
    ///
    /// # Errors
    /// Where nothing could be measured.
    pub async fn run(&self) -> Result<Findings<Figures>> {
        ensure!(self.instances > 0, "there must be an instance");
        let surroundings = Surroundings::start(&self.home()?, Publishing::AtOnce).await?;
        let function = surroundings.function(&self.function, self.log.as_ref())?;
        // As many teams as webhooks, and no snapshots, so that most of what is said is said once.
        let since = Company::since(now(), self.webhooks);
        let mut company = Company::new(self.seed, self.webhooks, Snapshots::Never, since);
        let mut first = function.start().await?;
        first.act(company.seed()?).await.context("the seed")?;
        first.kill().await?;

        let began = Instant::now();
        let mail = RefCell::new(Mail::of(&mut company, self.webhooks, self.seed)?);
        let mut targets = Vec::new();
        for number in 0..self.instances {
            targets.push(Target::start(&function, self.seed, number).await?);
        }
        try_join_all(targets.iter_mut().map(|target| target.serve(&mail))).await?;
        let mut kills = Vec::new();
        for target in targets {
            kills.extend(target.end().await?);
        }

        // All are new, as nobody knows what the others had in mind, and one does what the schedule would.
        let mut restarted = Vec::new();
        for _ in 0..self.instances {
            restarted.push(function.start().await?);
        }
        let first = restarted.first_mut().context("there is an instance")?;
        let reconciled = first.act(json!({"action": "reconcile"})).await;
        let reconciled = reconciled.context("the reconcile")?;
        let held = surroundings.rows();

        let mail = mail.into_inner();
        let figures = Figures {
            webhooks: self.webhooks,
            attempts: mail.attempts,
            acknowledged: mail.acknowledged,
            put_off: mail.put_off,
            unanswered: mail.unanswered,
            kills: kills.len(),
            kills_at_work: kills.iter().filter(|kill| kill.at_work).count(),
            puts: surroundings.calven.put_count(),
            latency: mail.latencies.percentiles(),
            seconds: began.elapsed().as_secs_f64(),
            rows: held.len(),
        };
        let mut broken = Vec::new();
        if reconciled.get("status").and_then(Value::as_str) != Some("published") {
            broken.push(format!("a reconcile publishes: {reconciled}"));
        }
        if !mail.refused.is_empty() {
            let told = examples(mail.refused);
            broken.push(format!("no good webhook is refused: {told}"));
        }
        if figures.kills < self.least_kills {
            let (kills, least) = (figures.kills, self.least_kills);
            broken.push(format!("{least} kills at least: there were {kills}"));
        }
        if figures.kills_at_work * 4 < self.least_kills {
            let (kills, least) = (figures.kills_at_work, self.least_kills / 4);
            broken.push(format!(
                "{least} kills at least of who is at work: there were {kills}"
            ));
        }
        let difference = difference(&held, &company.rows());
        broken.extend(difference.map(|told| format!("what was acknowledged is there: {told}")));
        Ok(Findings { figures, broken })
    }

    fn home(&self) -> Result<Home> {
        match (&self.state, &self.endpoint) {
            (Some(state), Some(endpoint)) => Ok(Home::Elsewhere {
                state: state.clone(),
                endpoint: endpoint.clone(),
            }),
            (None, None) => Ok(Home::Ours),
            _ => bail!("a state and its endpoint go together"),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            webhooks,
            attempts,
            acknowledged,
            put_off,
            unanswered,
            kills,
            kills_at_work,
            puts,
            latency,
            seconds,
            rows,
        } = self;
        writeln!(f, "webhooks             {webhooks}")?;
        writeln!(
            f,
            "attempts             {attempts}: {acknowledged} acknowledged, {put_off} put off with 5xx, {unanswered} unanswered"
        )?;
        writeln!(
            f,
            "kills                {kills}, {kills_at_work} of them of an instance at work"
        )?;
        writeln!(f, "PUTs to Calven       {puts}")?;
        writeln!(f, "a webhook            {latency}")?;
        writeln!(f, "time                 {seconds:.1} s in all")?;
        writeln!(f, "rows in the end      {rows}")
    }
}
