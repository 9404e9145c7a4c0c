//! What the model costs, step by step: a snapshot and one webhook's change, at 100, 10,000 and 100,000 groups or persons.
//!
//! ```sh
//! cargo bench --bench model                    # all of it
//! cargo bench --bench model -- merge           # what has this in its name
//! cargo bench --bench model -- '/1000000$'     # a million, which takes minutes: snapshot, merge and projection alone
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

mod company;
mod instance;

use std::{cell::LazyCell, time::Duration};

use calven_bridge::{
    hierarchy::{Delivery, Ledger, Merged, Projection, Published},
    state::State,
};
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main, measurement::WallTime,
};
use serde_json::Value;

use self::{
    company::{Company, Kind},
    instance::{Instance, Taken},
};

const MILLION: usize = 1_000_000;

criterion_group! {
    name = model;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = kinds
}
criterion_main!(model);

/// A million only where it is asked for, and little where it is only to be shown that all runs.
fn sizes() -> Vec<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |text: &str| arguments.iter().any(|argument| argument == text);
    if !has("--bench") || has("--test") {
        return vec![100];
    }
    if arguments.iter().any(|it| it.contains("1000000")) {
        return vec![MILLION];
    }
    vec![100, 1_000, 10_000, 100_000]
}

fn kinds(criterion: &mut Criterion) {
    for kind in Kind::ALL {
        let mut group = criterion.benchmark_group(kind.name());
        group.sampling_mode(SamplingMode::Flat);
        for size in sizes() {
            group.throughput(Throughput::Elements(size as u64));
            let scene = LazyCell::new(|| Scene::new(kind, size));
            snapshot(&mut group, size, &scene);
            if size < MILLION {
                state(&mut group, size, &scene);
                change(&mut group, size, &scene);
            }
        }
        group.finish();
    }
}

/// All that there is, as it is said to somebody who knows nothing, and once more to somebody who knows it.
struct Scene {
    company: Company,
    documents: Vec<Vec<u8>>,
    all: Delivery,
    new: Before,
    known: Before,
    saved: Vec<u8>,
}

/// Who is told.
#[derive(Clone, Copy)]
enum Which {
    First,
    Again,
}

const EITHER: [(Which, &str); 2] = [(Which::First, "first"), (Which::Again, "again")];

/// A ledger before a delivery, and after it.
struct Before {
    instance: Instance,
    ledger: Ledger,
    merged: Merged,
}

impl Before {
    fn new(instance: Instance, all: &Delivery) -> Self {
        let mut ledger = instance.state.ledger.clone();
        let merged = ledger.merge(all);
        Self {
            instance,
            ledger,
            merged,
        }
    }

    fn published(&self) -> Option<&Published> {
        self.instance.state.published.as_ref()
    }

    fn projection(&self) -> Projection {
        let rules = &self.instance.rules;
        Projection::of(&self.ledger, self.published(), rules, &self.merged)
    }
}

impl Scene {
    fn new(kind: Kind, size: usize) -> Self {
        let mut company = Company::new(kind, size);
        let known = Instance::that_knows(kind, &mut company).unwrap();
        let documents = company.says_all().unwrap();
        let all = known.read_all(&documents, company.now()).unwrap();
        Self {
            company,
            documents,
            new: Before::new(Instance::new(kind).unwrap(), &all),
            saved: known.state.encode().unwrap(),
            known: Before::new(known, &all),
            all,
        }
    }

    fn before(&self, which: Which) -> &Before {
        match which {
            Which::First => &self.new,
            Which::Again => &self.known,
        }
    }
}

fn snapshot(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    scene: &LazyCell<Scene, impl FnOnce() -> Scene>,
) {
    group.bench_function(format!("serde_json alone/{size}"), |bencher| {
        bencher.iter_with_large_drop(|| {
            let values = scene.documents.iter();
            let values = values.map(|body| serde_json::from_slice::<Value>(body).unwrap());
            values.collect::<Vec<_>>()
        });
    });
    group.bench_function(format!("mapping/{size}"), |bencher| {
        let (instance, documents) = (&scene.known.instance, &scene.documents);
        let now = scene.company.now();
        bencher.iter_with_large_drop(|| instance.read_all(documents, now).unwrap());
    });
    for (which, what) in EITHER {
        group.bench_function(format!("merge, {what}/{size}"), |bencher| {
            let before = scene.before(which);
            bencher.iter_batched(
                || before.instance.state.ledger.clone(),
                |mut ledger| (ledger.merge(&scene.all), ledger),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(format!("projection, {what}/{size}"), |bencher| {
            let before = scene.before(which);
            bencher.iter_with_large_drop(|| before.projection());
        });
    }
}

/// What is done with a projection, and with the state after it.
fn state(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    scene: &LazyCell<Scene, impl FnOnce() -> Scene>,
) {
    for (which, what) in EITHER {
        group.bench_function(format!("plan, {what}/{size}"), |bencher| {
            let before = scene.before(which);
            let projection = before.projection();
            bencher.iter_with_large_drop(|| projection.plan(before.published()));
        });
    }
    group.bench_function(format!("PUT body/{size}"), |bencher| {
        let projection = scene.known.projection();
        bencher.iter_with_large_drop(|| serde_json::to_vec(&projection.hierarchy).unwrap());
    });
    group.bench_function(format!("encode/{size}"), |bencher| {
        let state = &scene.known.instance.state;
        bencher.iter_with_large_drop(|| state.encode().unwrap());
    });
    group.bench_function(format!("decode/{size}"), |bencher| {
        bencher.iter_with_large_drop(|| State::decode(&scene.saved).unwrap());
    });
    group.bench_function(format!("prune/{size}"), |bencher| {
        let Before {
            instance, ledger, ..
        } = &scene.known;
        let now = scene.company.now();
        bencher.iter_batched(
            || ledger.clone(),
            |mut ledger| (ledger.prune(now, &instance.state.publishable()), ledger),
            BatchSize::PerIteration,
        );
    });
}

/// One webhook after the other, each of one group or person that moves, from its statements to the bytes that are saved and sent.
fn change(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    scene: &LazyCell<Scene, impl FnOnce() -> Scene>,
) {
    group.bench_function(format!("change/{size}"), |bencher| {
        let mut company = scene.company.clone();
        let mut instance = scene.known.instance.clone();
        bencher.iter_custom(|times| {
            let change = |_| {
                let body = company.says_a_move().unwrap();
                let delivery = instance.read(&body, company.now()).unwrap();
                let Taken { laps, saved } = instance.take(&[delivery]).unwrap();
                drop(saved);
                laps.iter().sum::<Duration>()
            };
            (0..times).map(change).sum()
        });
    });
}
