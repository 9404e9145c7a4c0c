//! Many webhooks to warm instances: how fast they are taken, and whether memory grows with their number.

mod load;

use std::{fmt, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;

use self::load::Load;
use crate::{
    company::{Company, Snapshots},
    findings::{Findings, difference, examples},
    instance::Memory,
    latencies::Percentiles,
    surroundings::{Home, Publishing, Surroundings, now},
};

/// So many teams at most: the hierarchy is bounded, so that what grows is the function's own.
const TEAMS: usize = 60;

/// So many may be answered 5xx, and are sent again: others may keep the machine busy for a moment.
const MOST_PUT_OFF: usize = 3;

/// The template's `BatchSize`: the most that the queue hands over at once.
pub const LARGEST_BATCH: usize = 1_000;

/// Sends warm webhooks, and measures time and memory.
#[derive(Args, Clone, Debug)]
pub struct Soak {
    /// The built function: its bootstrap.
    #[arg(long, value_name = "PATH")]
    pub function: PathBuf,
    /// How many webhooks.
    #[arg(long, default_value_t = 10_000)]
    pub invocations: usize,
    /// After how many of them memory is first looked at.
    #[arg(long, value_name = "INVOCATIONS", default_value_t = 1_000)]
    pub warm_after: usize,
    /// How much more memory there may be at the end than then, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10)]
    pub growth_limit: u64,
    /// How many instances, each with one webhook at a time.
    #[arg(long, default_value_t = 1)]
    pub instances: usize,
    /// With a queue: webhooks are put into it, and published from it in batches.
    #[arg(long)]
    pub queue: bool,
    /// How many messages a batch has, up to the template's 1000. As many versions as history has are to be published before memory is
    /// first looked at, or the state still grows.
    #[arg(long, value_name = "MESSAGES", default_value_t = 40)]
    pub batch_size: usize,
    /// After how many webhooks one of them says all that its sender has, which keeps the state small; 0: never.
    #[arg(long, value_name = "WEBHOOKS", default_value_t = 50)]
    pub snapshot_every: usize,
    /// Chooses what the webhooks say.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the instances log to; what is there stays. Without it their logs are dropped.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// How many webhooks were sent.
    pub webhooks: usize,
    /// How many of them were answered 2xx.
    pub acknowledged: usize,
    /// What was answered 5xx, and sent again.
    pub put_off: Vec<String>,
    /// From the first webhook until everything was published.
    pub seconds: f64,
    /// Webhooks a second.
    pub throughput: f64,
    /// How long a webhook took.
    pub latency: Percentiles,
    /// How much CPU time the function used for a webhook, its part of the batches included.
    pub cpu_ms_a_webhook: f64,
    /// How many batches the queue handed over.
    pub batches: usize,
    /// How long a batch took.
    pub batch_latency: Percentiles,
    /// How many PUTs Calven got.
    pub puts: usize,
    /// How large the state was when memory was first looked at, and at the end.
    pub state_bytes: (usize, usize),
    /// After how many webhooks memory was first looked at.
    pub warm_after: usize,
    /// Each instance's memory then, and at the end.
    pub memory: Vec<(Memory, Memory)>,
}

impl Soak {
    /// Sends it all.
    ///
    /// # Errors
    /// Where nothing could be measured.
    pub async fn run(&self) -> Result<Findings<Figures>> {
        ensure!(self.instances > 0, "there must be an instance");
        ensure!(
            self.warm_after < self.invocations,
            "memory cannot have grown before --warm-after"
        );
        ensure!(
            (1..=LARGEST_BATCH).contains(&self.batch_size),
            "a batch has 1 to {LARGEST_BATCH} messages"
        );
        let publishing = match self.queue {
            true => Publishing::Queued,
            false => Publishing::AtOnce,
        };
        let surroundings = Surroundings::start(&Home::Ours, publishing).await?;
        let function = surroundings.function(&self.function, self.log.as_ref())?;
        let mut instances = Vec::new();
        for _ in 0..self.instances {
            instances.push(function.start().await?);
        }
        let since = Company::since(now(), self.invocations);
        let snapshots = match self.snapshot_every {
            0 => Snapshots::Never,
            webhooks => Snapshots::Every(webhooks),
        };
        let company = Company::new(self.seed, TEAMS, snapshots, since);
        let first = instances.first_mut().context("there is an instance")?;
        first.act(company.seed()?).await.context("the seed")?;
        let puts_before = surroundings.calven.put_count();

        let mut load = Load::new(company, instances, &surroundings.sqs, self.batch_size);
        let (began, cpu_before) = (Instant::now(), load.cpu()?);
        load.send(self.warm_after).await?;
        let (warm, warm_state) = (load.memory()?, surroundings.state_bytes());
        load.send(self.invocations - self.warm_after).await?;
        let seconds = began.elapsed().as_secs_f64();
        let cpu = load.cpu()? - cpu_before;
        let memory = warm.into_iter().zip(load.memory()?).collect();

        let (sent, batches) = load.end();
        let webhooks = f64::from(u32::try_from(self.invocations)?);
        let figures = Figures {
            webhooks: self.invocations,
            acknowledged: sent.acknowledged,
            put_off: sent.put_off,
            seconds,
            throughput: webhooks / seconds,
            latency: sent.latencies.percentiles(),
            cpu_ms_a_webhook: cpu.as_secs_f64() * 1_000.0 / webhooks,
            batches: batches.count,
            batch_latency: batches.latencies.percentiles(),
            puts: surroundings.calven.put_count() - puts_before,
            state_bytes: (warm_state, surroundings.state_bytes()),
            warm_after: self.warm_after,
            memory,
        };
        let mut broken = self.grown(&figures.memory);
        if figures.put_off.len() > MOST_PUT_OFF {
            let told = examples(figures.put_off.clone());
            broken.push(format!("hardly any is put off: {told}"));
        }
        if !sent.refused.is_empty() {
            let told = examples(sent.refused);
            broken.push(format!("every webhook is acknowledged: {told}"));
        }
        if !batches.failed.is_empty() {
            let told = examples(batches.failed);
            broken.push(format!("every batch is taken: {told}"));
        }
        let dead = surroundings.sqs.dead().len();
        if dead > 0 {
            broken.push(format!("nothing is dead: {dead} messages are"));
        }
        let held = surroundings.rows();
        broken.extend(difference(&held, &sent.company.rows()));
        Ok(Findings { figures, broken })
    }

    fn grown(&self, memory: &[(Memory, Memory)]) -> Vec<String> {
        let limit = 100 + self.growth_limit;
        let grown = memory.iter().filter(|(warm, last)| {
            last.resident_kib.saturating_mul(100) > warm.resident_kib.saturating_mul(limit)
        });
        grown
            .map(|(warm, last)| {
                format!(
                    "memory stays: {} KiB after {} webhooks and {} KiB after {} are more than {} % apart",
                    warm.resident_kib, self.warm_after, last.resident_kib, self.invocations, self.growth_limit
                )
            })
            .collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            webhooks,
            acknowledged,
            put_off,
            seconds,
            throughput,
            latency,
            cpu_ms_a_webhook,
            batches,
            batch_latency,
            puts,
            state_bytes: (warm_state, last_state),
            warm_after,
            memory,
        } = self;
        writeln!(
            f,
            "webhooks             {webhooks}, {acknowledged} acknowledged"
        )?;
        writeln!(
            f,
            "throughput           {throughput:.0} a second, {seconds:.1} s in all"
        )?;
        writeln!(f, "a webhook            {latency}")?;
        writeln!(f, "CPU of the function  {cpu_ms_a_webhook:.2} ms a webhook")?;
        for told in put_off {
            writeln!(f, "put off with 5xx     {told}")?;
        }
        if *batches > 0 {
            writeln!(f, "a batch              {batch_latency}, {batches} batches")?;
        }
        writeln!(f, "PUTs to Calven       {puts}")?;
        writeln!(
            f,
            "state                {warm_state} bytes after {warm_after}, {last_state} after {webhooks}"
        )?;
        for (n, (warm, last)) in memory.iter().enumerate() {
            let (then, now) = (warm.resident_kib, last.resident_kib);
            let peak = last.peak_kib;
            writeln!(
                f,
                "memory of instance {n} {then} KiB after {warm_after}, {now} KiB after {webhooks}, {peak} KiB at most"
            )?;
        }
        Ok(())
    }
}
