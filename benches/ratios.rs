//! What a change, a snapshot and a batch cost against what they are to be measured by, as ratios of one process.
//!
//! ```sh
//! cargo bench --bench ratios
//! cargo bench --bench ratios -- --bounds ci --largest 10000
//! cargo bench --bench ratios -- --json
//! ```
//!
//! What is compared is measured in turn, and of each the least counts: what else the machine does hits both, and never makes
//! anything faster. It ends with 1 where a bound does not hold.

mod company;
mod instance;

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use calven_bridge::{
    hierarchy::{Delivery, Ledger, Merged, Projection},
    state::HISTORY,
    timestamp::Timestamp,
};
use serde_json::{Value, json};

use self::{
    company::{Company, Kind},
    instance::{Instance, PARTS, Taken},
};

/// A change, a group of a large company against one of a small one.
const CHANGE: Bound = Bound { goal: 1.5, ci: 3.0 };
/// Merge and projection of a snapshot, against the parsing of its document.
const SNAPSHOT: Bound = Bound { goal: 3.0, ci: 6.0 };
/// A batch, against one webhook and the parsing of the batch.
const BATCH: Bound = Bound { goal: 2.0, ci: 4.0 };

/// As many webhooks as a batch has at the most.
const LARGEST_BATCH: usize = 1_000;

const SMALL: usize = 1_000;

/// What must not be exceeded.
#[derive(Clone, Copy)]
struct Bound {
    /// By what is deployed, on a quiet machine.
    goal: f64,
    /// What noise does not break, and a doubling does, of a build that is hardly optimised.
    ci: f64,
}

#[derive(Clone, Copy)]
enum Bounds {
    Goal,
    Ci,
    /// Nothing is judged.
    None,
}

struct Options {
    bounds: Bounds,
    /// The larger company's size.
    largest: usize,
    rounds: usize,
    /// One line of JSON, of what is judged, in place of the tables.
    json: bool,
}

impl Options {
    /// Cargo says `--bench` where it is to be measured; else, as in `cargo test --benches`, it is only shown that all runs.
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            bounds: Bounds::None,
            largest: SMALL,
            rounds: 1,
            json: false,
        };
        let (mut is_bench, mut json) = (false, false);
        let (mut bounds, mut largest) = (Bounds::Goal, 100_000);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => is_bench = true,
                "--json" => json = true,
                "--bounds" => {
                    bounds = match arguments.next().as_deref() {
                        Some("goal") => Bounds::Goal,
                        Some("ci") => Bounds::Ci,
                        Some(_) | None => bail!("--bounds goal or --bounds ci"),
                    }
                }
                "--largest" => {
                    let size = arguments.next().context("--largest SIZE")?;
                    largest = size.parse().context("--largest SIZE")?;
                }
                other => bail!("{other} is not known: --bounds goal|ci, --largest SIZE, --json"),
            }
        }
        if is_bench {
            options = Self {
                bounds,
                largest,
                rounds: 10,
                json,
            };
        }
        Ok(options)
    }
}

/// The least of what was measured.
#[derive(Clone, Copy)]
struct Least(Duration);

impl Least {
    const NONE: Self = Self(Duration::MAX);

    fn note(&mut self, measured: Duration) {
        self.0 = self.0.min(measured);
    }

    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.note(began.elapsed());
        done
    }

    const fn micros(self) -> f64 {
        self.0.as_nanos() as f64 / 1e3
    }

    const fn millis(self) -> f64 {
        self.micros() / 1e3
    }
}

/// The lines, and whether all bounds hold.
struct Table {
    bounds: Bounds,
    holds: bool,
    /// What is judged, where that is printed as JSON.
    json: Option<Vec<Value>>,
    title: &'static str,
}

#[expect(clippy::print_stdout, reason = "a table for who runs it")]
impl Table {
    fn title(&mut self, title: &'static str, figure: &str, against: &str) {
        self.title = title;
        if self.json.is_none() {
            println!("\n| {title} | {figure} | {against} | ratio | at most | holds |");
            println!("|---|---|---|---|---|---|");
        }
    }

    fn line(&mut self, what: &str, figure: f64, against: f64, bound: Option<Bound>) {
        let ratio = figure / against;
        let most = bound.and_then(|bound| match self.bounds {
            Bounds::Goal => Some(bound.goal),
            Bounds::Ci => Some(bound.ci),
            Bounds::None => None,
        });
        if let Some(lines) = &mut self.json {
            self.holds &= most.is_none_or(|most| ratio <= most);
            lines.extend(most.map(|most| {
                json!({"title": self.title, "what": what, "figure": figure, "against": against, "most": most})
            }));
            return;
        }
        let (most, holds) = match most {
            Some(most) if ratio <= most => (format!("{most} x"), "yes"),
            Some(most) => {
                self.holds = false;
                (format!("{most} x"), "NO")
            }
            None => (String::new(), ""),
        };
        println!("| {what} | {figure:.3} | {against:.3} | {ratio:.2} x | {most} | {holds} |");
    }

    fn end(self) -> ExitCode {
        if let Some(lines) = self.json {
            println!("{}", Value::Array(lines));
        }
        match self.holds {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::of(std::env::args().skip(1))?;
    let mut table = Table {
        bounds: options.bounds,
        holds: true,
        json: options.json.then(Vec::new),
        title: "",
    };
    changes(&options, &mut table)?;
    snapshots(&options, &mut table)?;
    batches(&options, &mut table)?;
    Ok(table.end())
}

/// Companies of one size, an instance each that knows it, and the least of what a change of all of them took.
struct Changing {
    groups: usize,
    known: Vec<(Company, Instance)>,
    whole: Least,
    parts: [Least; PARTS.len()],
}

impl Changing {
    fn new(kind: Kind, size: usize, companies: usize) -> Result<Self> {
        let known = (0..companies).map(|_| {
            let mut company = Company::new(kind, size);
            let instance = Instance::that_knows(kind, &mut company)?;
            Ok((company, instance))
        });
        Ok(Self {
            groups: size * companies,
            known: known.collect::<Result<_>>()?,
            whole: Least::NONE,
            parts: [Least::NONE; PARTS.len()],
        })
    }

    /// Of each company in turn: from a webhook's bytes to the bytes that are saved and sent, and until all of it is dropped.
    fn change(&mut self) -> Result<()> {
        let mut whole = Duration::ZERO;
        let mut parts = [Duration::ZERO; PARTS.len()];
        for (company, instance) in &mut self.known {
            let body = company.says_a_move()?;
            let began = Instant::now();
            let delivery = instance.read(&body, company.now())?;
            let Taken { laps, saved } = instance.take(&[delivery])?;
            drop(saved);
            whole += began.elapsed();
            for (part, lap) in parts.iter_mut().zip(laps) {
                *part += lap;
            }
        }
        self.whole.note(whole);
        for (least, part) in self.parts.iter_mut().zip(parts) {
            least.note(part);
        }
        Ok(())
    }

    fn each(&self, least: Least) -> f64 {
        least.micros() / self.groups as f64
    }
}

/// One webhook that moves one group, or one person: of a large company, against as many small ones as have as many groups together.
/// One small company that is changed again and again stays in the processor's second cache, which no webhook finds so: that is told,
/// and not judged.
fn changes(options: &Options, table: &mut Table) -> Result<()> {
    let large = format!("us a group of {}", options.largest);
    table.title("a change", &large, &format!("us a group of {SMALL}"));
    for kind in Kind::ALL {
        let mut alone = Changing::new(kind, SMALL, 1)?;
        let mut small = Changing::new(kind, SMALL, options.largest / SMALL)?;
        let mut large = Changing::new(kind, options.largest, 1)?;
        // What leads back from the first publication is as long as the company: remembered by all, or by none.
        for changing in [&mut alone, &mut small, &mut large] {
            for _ in 0..HISTORY {
                changing.change()?;
            }
        }
        for _ in 0..options.rounds {
            for _ in 0..10 {
                alone.change()?;
            }
            small.change()?;
            large.change()?;
        }
        let figure = large.each(large.whole);
        let against = small.each(small.whole);
        table.line(kind.name(), figure, against, Some(CHANGE));
        for (part, (of_large, of_small)) in PARTS.iter().zip(large.parts.iter().zip(&small.parts)) {
            let (figure, against) = (large.each(*of_large), small.each(*of_small));
            table.line(&format!("… {part}"), figure, against, None);
        }
        let against = alone.each(alone.whole);
        table.line("… against one in the cache", figure, against, None);
    }
    Ok(())
}

/// Merge and projection of all that there is, by who knows nothing of it and by who knows it all.
fn snapshots(options: &Options, table: &mut Table) -> Result<()> {
    table.title("a snapshot: merge and projection", "ms", "ms to parse it");
    let sizes = [1_000, 10_000, 100_000];
    for kind in Kind::ALL {
        for size in sizes.into_iter().filter(|size| *size <= options.largest) {
            let mut company = Company::new(kind, size);
            let instance = Instance::that_knows(kind, &mut company)?;
            let documents = company.says_all()?;
            let all = instance.read_all(&documents, company.now())?;
            let new = Instance::new(kind)?;
            let (mut parse, mut first, mut again) = (Least::NONE, Parts::NONE, Parts::NONE);
            let repetitions = options.rounds * (100_000 / size).clamp(1, 10) / 2 + 1;
            for _ in 0..repetitions {
                drop(black_box(parse.of(|| read_alone(&documents))?));
                first.of(&new, &all);
                again.of(&instance, &all);
            }
            for (parts, what) in [(first, "first"), (again, "again")] {
                let told = format!("{}, {size}, {what}", kind.name());
                let (merge, projection) = (parts.merge.millis(), parts.projection.millis());
                let (figure, parse) = (merge + projection, parse.millis());
                table.line(&told, figure, parse, kind.judged_by(SNAPSHOT));
                table.line("… merge", merge, parse, None);
                table.line("… projection", projection, parse, None);
            }
        }
    }
    Ok(())
}

/// The bodies as JSON, and no more than that.
fn read_alone(bodies: &[Vec<u8>]) -> Result<Vec<Value>, serde_json::Error> {
    let values = bodies.iter().map(|body| serde_json::from_slice(body));
    values.collect()
}

#[derive(Clone, Copy)]
struct Parts {
    merge: Least,
    projection: Least,
}

impl Parts {
    const NONE: Self = Self {
        merge: Least::NONE,
        projection: Least::NONE,
    };

    fn of(&mut self, instance: &Instance, all: &Delivery) {
        let mut ledger: Ledger = instance.state.ledger.clone();
        let merged: Merged = self.merge.of(|| ledger.merge(all));
        let published = instance.state.published.as_ref();
        let project = || Projection::of(&ledger, published, &instance.rules, &merged);
        let projection = self.projection.of(project);
        drop(black_box(projection));
    }
}

/// As many webhooks as a batch has, of one group or person each: from their bytes on, and from their statements on.
fn batches(options: &Options, table: &mut Table) -> Result<()> {
    let against = "ms for one, and to parse all";
    table.title("a batch of 1,000 webhooks", "ms", against);
    let sizes = [1_000, 10_000];
    for kind in Kind::ALL {
        for size in sizes.into_iter().filter(|size| *size <= options.largest) {
            let mut company = Company::new(kind, size);
            let mut instance = Instance::that_knows(kind, &mut company)?;
            let (mut one, mut batch) = (Batch::NONE, Batch::NONE);
            let mut parse = Least::NONE;
            for _ in 0..options.rounds {
                let body = company.says_a_move()?;
                one.of(&mut instance, &[body], company.now())?;
                let bodies = (0..LARGEST_BATCH).map(|_| company.says_a_move());
                let bodies: Vec<Vec<u8>> = bodies.collect::<Result<_>>()?;
                drop(black_box(parse.of(|| read_alone(&bodies))?));
                batch.of(&mut instance, &bodies, company.now())?;
            }
            let told = format!("{}, {size}", kind.name());
            let one_and_parsing = one.whole.millis() + parse.millis();
            let figure = batch.whole.millis();
            table.line(&told, figure, one_and_parsing, kind.judged_by(BATCH));
            let (mapping, parse) = (batch.mapping.millis(), parse.millis());
            table.line("… mapping, against parsing", mapping, parse, None);
            let (figure, against) = (batch.taking.millis(), one.taking.millis());
            table.line(
                "… the rest, against one's",
                figure,
                against,
                kind.judged_by(BATCH),
            );
        }
    }
    Ok(())
}

/// What one webhook took, or many of them together.
struct Batch {
    whole: Least,
    mapping: Least,
    taking: Least,
}

impl Batch {
    const NONE: Self = Self {
        whole: Least::NONE,
        mapping: Least::NONE,
        taking: Least::NONE,
    };

    fn of(&mut self, instance: &mut Instance, bodies: &[Vec<u8>], now: Timestamp) -> Result<()> {
        let Self {
            whole,
            mapping,
            taking,
        } = self;
        whole.of(|| {
            let deliveries: Result<Vec<Delivery>> = mapping.of(|| {
                let deliveries = bodies.iter().map(|body| instance.read(body, now));
                deliveries.collect()
            });
            let deliveries = deliveries?;
            taking.of(|| instance.take(&deliveries)).map(drop)
        })
    }
}

impl Kind {
    /// Persons are told, and not judged: they make a tenth as many groups, so what is done for each of them has less to hide behind.
    fn judged_by(self, bound: Bound) -> Option<Bound> {
        (self != Self::Persons).then_some(bound)
    }
}
