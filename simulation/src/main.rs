//! `cargo run --release -p simulation -- --histories 100000 --seed 1`

#![expect(clippy::print_stdout, reason = "a command prints")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use simulation::{History, run, shrink};

const USAGE: &str = "usage: simulation [--histories N] [--seed S] [--jobs J] [--steps 1,2,3]

Runs the histories of the seeds S to S+N-1 (default: 1000 from 1), J at a time (default: 1). Of the first that breaks a
promise the shortest that still does so is shown step by step, and how to run it again. With --steps one history runs,
of these of its steps alone, and is shown.";

struct Wanted {
    histories: u64,
    seed: u64,
    jobs: u64,
    steps: Option<Vec<u64>>,
}

fn wanted() -> Option<Wanted> {
    let mut wanted = Wanted {
        histories: 1_000,
        seed: 1,
        jobs: 1,
        steps: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--histories" => wanted.histories = value.parse().ok()?,
            "--seed" => wanted.seed = value.parse().ok()?,
            "--jobs" => wanted.jobs = value.parse().ok()?,
            "--steps" => {
                wanted.steps = Some(
                    value
                        .split(',')
                        .map(str::parse)
                        .collect::<Result<_, _>>()
                        .ok()?,
                )
            }
            _ => return None,
        }
    }
    Some(wanted)
}

fn main() -> ExitCode {
    let Some(wanted) = wanted() else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    if let Some(steps) = &wanted.steps {
        return show(&History::of_seed(wanted.seed).only(steps));
    }
    let began = Instant::now();
    let (next, invocations, puts) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (failed, has_failed) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs.max(1) {
            scope.spawn(|| {
                while !has_failed.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= wanted.histories {
                        return;
                    }
                    let seed = wanted.seed + number;
                    let outcome = run(&History::of_seed(seed), None, false);
                    invocations.fetch_add(outcome.invocations as u64, Ordering::Relaxed);
                    puts.fetch_add(outcome.puts as u64, Ordering::Relaxed);
                    if outcome.violation.is_some() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                        has_failed.store(true, Ordering::Relaxed);
                    }
                    if number > 0 && number % 10_000 == 0 {
                        println!("{number} histories, {} s", began.elapsed().as_secs());
                    }
                }
            });
        }
    });
    if has_failed.load(Ordering::Relaxed) {
        let seed = failed.load(Ordering::Relaxed);
        println!("seed {seed} breaks a promise; looking for fewer steps");
        return show(&shrink(&History::of_seed(seed), None));
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} histories from seed {}: {} invocations, {} PUTs, no promise broken; {seconds:.0} s, {:.1} ms a history",
        wanted.histories,
        wanted.seed,
        invocations.load(Ordering::Relaxed),
        puts.load(Ordering::Relaxed),
        seconds * 1_000.0 / wanted.histories as f64
    );
    ExitCode::SUCCESS
}

/// Shows what happens in a history, and how it is run again.
fn show(history: &History) -> ExitCode {
    let outcome = run(history, None, true);
    println!("{:#?}", history.setup_shown());
    for line in &outcome.lines {
        println!("{line}");
    }
    let steps: Vec<String> = history
        .steps
        .iter()
        .map(|step| step.number.to_string())
        .collect();
    println!(
        "\nagain: cargo run --release -p simulation -- --seed {} --steps {}",
        history.seed,
        steps.join(",")
    );
    match outcome.violation {
        Some(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
