//! Starts, the first webhook, warm webhooks and a batch, of the built function and of the smallest there can be.
//!
//! Both are built alike and started in turn, so that what else the machine does hits both. A warm webhook is told from the bare client too, which
//! makes its round trips and nothing else. `goals` has what is to be reached, and
//! [`Table`] says whether it is; docs/performance.md says how each line is measured.

mod bare;
mod batch;
mod binaries;
mod cold;
mod figures;
mod goals;
mod model;
mod scene;
mod table;
mod trips;
mod warm;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::{
    bare::Bare,
    batch::batches,
    cold::Starts,
    scene::{Binaries, Scene, Which},
    warm::{function_and_bare, smallest},
};
pub use self::{
    figures::{Figures, Size},
    goals::{Bounds, Limit},
    table::{Line, Table},
};
use crate::{
    findings::Findings, latencies::Latencies, quota::Quota, soak::LARGEST_BATCH,
    surroundings::Publishing,
};

/// Lambda gives a whole CPU for so many megabytes of memory:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>.
const MB_A_CPU: f64 = 1_769.0;

/// What a function may have of memory, smallest first.
const SIZES_MB: [u32; 3] = [128, 256, 1_024];

const KIB_A_MIB: f64 = 1_024.0;
const BYTES_A_MB: f64 = 1e6;

/// Measures the start, webhooks and a batch against the smallest function, and prints a table.
#[derive(Args, Clone, Debug)]
pub struct Start {
    /// The built function: its bootstrap. Without it, it is built.
    #[arg(long, value_name = "PATH")]
    pub function: Option<PathBuf>,
    /// The smallest function, built alike. Without it, it is built.
    #[arg(long, value_name = "PATH")]
    pub smallest: Option<PathBuf>,
    /// The bare client, which makes a webhook's round trips alone, built alike. Without it, it is built.
    #[arg(long, value_name = "PATH")]
    pub bare: Option<PathBuf>,
    /// Cargo's profile by which is built what is not given.
    #[arg(long, default_value = "release")]
    pub profile: String,
    /// By which limits the figures are judged.
    #[arg(long, value_enum, default_value_t)]
    pub bounds: Bounds,
    /// How often each is started, for each of the figures of a start.
    #[arg(long, default_value_t = 21)]
    pub starts: usize,
    /// How often with each of Lambda's shares of a CPU; 0: never.
    #[arg(long, value_name = "STARTS", default_value_t = 21)]
    pub starts_at_a_share: usize,
    /// How many warm webhooks.
    #[arg(long, default_value_t = 300)]
    pub webhooks: usize,
    /// How many batches of the queue.
    #[arg(long, default_value_t = 5)]
    pub batches: usize,
    /// How many messages a batch has.
    #[arg(long, value_name = "MESSAGES", default_value_t = LARGEST_BATCH)]
    pub batch_size: usize,
    /// How many groups the hierarchy has.
    #[arg(long, default_value_t = 1_000)]
    pub groups: usize,
    /// How long the answers to the first webhook's requests are held back.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5)]
    pub latency_ms: u64,
    /// Chooses what the webhooks say.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Leaves out what the library alone is measured by, a benchmark that is built anew.
    #[arg(long)]
    pub without_model: bool,
    /// Where the instances log to; what is there stays. Without it their logs are dropped.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

impl Start {
    /// Builds, starts and sends.
    ///
    /// # Errors
    /// Where nothing could be measured.
    pub async fn run(&self) -> Result<Findings<Figures>> {
        let least = self.starts.min(self.webhooks).min(self.batches);
        ensure!(least > 0, "there must be a start, a webhook and a batch");
        ensure!(
            (1..=LARGEST_BATCH).contains(&self.batch_size),
            "a batch has 1 to {LARGEST_BATCH} messages"
        );
        let function = self.binary(self.function.as_ref(), binaries::FUNCTION);
        let function = function.await?;
        let smallest = self.binary(self.smallest.as_ref(), binaries::SMALLEST);
        let smallest = smallest.await?;
        let bare = self.binary(self.bare.as_ref(), binaries::BARE).await?;
        let both = Binaries {
            function: &function,
            smallest: &smallest,
            log: self.log.as_ref(),
        };
        let mut at_once = self.scene(&both, Publishing::AtOnce).await?;
        let mut queued = self.scene(&both, Publishing::Queued).await?;
        let mut table = Table::new(self.bounds);

        self.inits(&mut table, &queued, &both).await?;
        let without_shares = match self.starts_at_a_share {
            0 => Some("nobody asked for it".to_owned()),
            _ => Quota::new(1.0)
                .err()
                .map(|error| format!("no control group: {error:#}")),
        };
        let sizes = match without_shares {
            None => self.at_shares(&mut at_once, &queued).await?,
            Some(_) => Vec::new(),
        };
        match sizes.first() {
            Some(size) => {
                let (init, least) = (size.init_ms, size.smallest_init_ms);
                table.compare(&goals::INIT_AT_128_MB, init, least);
            }
            None => table.unmeasured(&goals::INIT_AT_128_MB),
        }
        self.firsts(&mut table, &mut at_once).await?;
        let around = &at_once.surroundings;
        let bare = Bare::new(around, &bare, self.log.as_ref(), self.latency()).await?;
        self.webhooks(&mut table, &mut at_once, &mut queued, &bare)
            .await?;
        if !self.without_model {
            model::model(&mut table).await?;
        }

        let broken = table.broken();
        let figures = Figures {
            binaries: (function, smallest),
            table,
            sizes,
            without_shares,
        };
        Ok(Findings { figures, broken })
    }

    async fn binary(&self, given: Option<&PathBuf>, package: &str) -> Result<PathBuf> {
        match given {
            Some(path) => Ok(path.clone()),
            None => binaries::build(package, &self.profile).await,
        }
    }

    async fn scene(&self, both: &Binaries<'_>, publishing: Publishing) -> Result<Scene> {
        Scene::start(both, publishing, self.groups, self.seed).await
    }

    /// Init with all that can be configured, and what can be said of the binaries themselves.
    async fn inits(&self, table: &mut Table, scene: &Scene, both: &Binaries<'_>) -> Result<()> {
        let (mut function, mut smallest) = (Starts::default(), Starts::default());
        for _ in 0..self.starts {
            function.init(scene, Which::WithAll, None).await?;
            smallest.init(scene, Which::Smallest, None).await?;
        }
        let megabytes = |binary: &Path| {
            let bytes = u32::try_from(binaries::bytes(binary)?)?;
            Ok::<_, anyhow::Error>(f64::from(bytes) / BYTES_A_MB)
        };
        let (large, small) = (megabytes(both.function)?, megabytes(both.smallest)?);
        let (init, least) = (median_ms(&function.init), median_ms(&smallest.init));
        table.compare(&goals::INIT, init, least);
        let (cpu, least) = (median_ms(&function.init_cpu), median_ms(&smallest.init_cpu));
        table.compare(&goals::INIT_CPU, cpu, least);
        let (memory, least) = (mib(function.memory_kib), mib(smallest.memory_kib));
        table.compare(&goals::INIT_MEMORY, memory, least);
        table.compare(&goals::BINARY, large, small);
        let connections = f64::from(function.connections);
        table.add(&goals::INIT_CONNECTIONS, connections);
        Ok(())
    }

    /// Starts with as much of a CPU as functions have on Lambda.
    async fn at_shares(&self, at_once: &mut Scene, queued: &Scene) -> Result<Vec<Size>> {
        at_once.surroundings.watch(self.latency());
        let mut sizes = Vec::new();
        for memory_mb in SIZES_MB {
            let cpus = f64::from(memory_mb) / MB_A_CPU;
            let (mut function, mut smallest) = (Starts::default(), Starts::default());
            let mut over_tls = Starts::default();
            for _ in 0..self.starts_at_a_share {
                function.init(queued, Which::WithAll, Some(cpus)).await?;
                smallest.init(queued, Which::Smallest, Some(cpus)).await?;
                let share = Some(cpus);
                function.first(at_once, Which::Function, share).await?;
                over_tls.first(at_once, Which::OverTls, share).await?;
            }
            sizes.push(Size {
                memory_mb,
                cpus,
                init_ms: median_ms(&function.init),
                smallest_init_ms: median_ms(&smallest.init),
                first_ms: median_ms(&function.first),
                first_over_tls_ms: median_ms(&over_tls.first),
            });
        }
        Ok(sizes)
    }

    /// Starts with a webhook that waits already, and a network that takes its time.
    async fn firsts(&self, table: &mut Table, scene: &mut Scene) -> Result<()> {
        scene.surroundings.watch(self.latency());
        let (mut function, mut smallest) = (Starts::default(), Starts::default());
        let mut over_tls = Starts::default();
        for _ in 0..self.starts {
            function.first(scene, Which::Function, None).await?;
            over_tls.first(scene, Which::OverTls, None).await?;
            smallest.first(scene, Which::Smallest, None).await?;
        }
        let (cpu, least) = (
            median_ms(&function.first_cpu),
            median_ms(&smallest.first_cpu),
        );
        table.compare(&goals::FIRST_CPU, cpu, least);
        let (first, least) = (median_ms(&function.first), median_ms(&smallest.first));
        table.compare(&goals::FIRST, first, least);
        let over_tls = median_ms(&over_tls.first_cpu);
        table.compare(&goals::FIRST_CPU_OVER_TLS, over_tls, cpu);
        let in_turn = function.in_turn.context("no first webhook came to a PUT")?;
        table.add(&goals::FIRST_IN_TURN, f64::from(in_turn));
        Ok(())
    }

    /// Warm webhooks, and batches compared with one of them.
    async fn webhooks(
        &self,
        table: &mut Table,
        at_once: &mut Scene,
        queued: &mut Scene,
        bare: &Bare,
    ) -> Result<()> {
        // What is done while an answer is on its way is none of a webhook's own time: so the network takes its time, as it does.
        at_once.surroundings.watch(self.latency());
        let (function, bare) = function_and_bare(at_once, bare, self.webhooks).await?;
        let least = smallest(at_once, self.webhooks).await?;
        let (memory, least_memory) = (mib(function.peak_kib), mib(least.peak_kib));
        table.compare(&goals::PEAK_MEMORY, memory, least_memory);
        let (raw, raw_bare) = (function.raw.percentiles(), bare.raw.percentiles());
        table.add(&goals::WARM_OWN, raw.p50_ms - raw_bare.p50_ms);
        let raw_least = least.raw.percentiles();
        table.compare(&goals::WARM_RAW, raw.p50_ms, raw_least.p50_ms);
        table.compare(&goals::WARM_RAW_BARE, raw_bare.p50_ms, raw_least.p50_ms);
        table.compare(&goals::WARM_RAW_P99, raw.p99_ms, raw_least.p99_ms);
        table.compare(&goals::WARM_RAW_P99_BARE, raw_bare.p99_ms, raw_least.p99_ms);
        let cpu_least = median_ms(&least.cpu);
        table.compare(&goals::WARM_CPU, median_ms(&function.cpu), cpu_least);
        table.compare(&goals::WARM_CPU_BARE, median_ms(&bare.cpu), cpu_least);
        let (in_all, least) = (median_ms(&function.in_all), median_ms(&least.in_all));
        table.compare(&goals::WARM, in_all, least);
        let trips = f64::from(function.round_trips);
        table.compare(&goals::WARM_ROUND_TRIPS, trips, f64::from(bare.round_trips));
        let downloads = f64::from(function.downloads);
        table.add(&goals::WARM_DOWNLOADS, downloads);

        let batches = batches(queued, self.batches, self.batch_size).await?;
        let (batch, one) = (median_ms(&batches.own), median_ms(&function.raw));
        table.compare(&goals::BATCH, batch, one + median_ms(&batches.parsing));
        let (batch, one) = (median_ms(&batches.cpu), median_ms(&function.cpu));
        table.compare(
            &goals::BATCH_CPU,
            batch,
            one + median_ms(&batches.parsing_cpu),
        );
        Ok(())
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }
}

fn median_ms(latencies: &Latencies) -> f64 {
    latencies.percentiles().p50_ms
}

fn mib(kib: u32) -> f64 {
    f64::from(kib) / KIB_A_MIB
}
