//! `measure`: how the built function starts, and what it does under load and under fire.

use std::{fmt::Display, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use measure::{findings::Findings, kills::Kills, soak::Soak, start::Start};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

/// Measures the built function of calven-bridge, as Lambda would drive it, among local stand-ins.
///
/// Ends with 0 where every promise was kept, with 1 where one was not, with 2 where nothing could be measured.
#[derive(Parser)]
#[command(name = "measure", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    measurement: Measurement,
    /// Prints the figures as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Measurement {
    /// The start, the first webhook, warm ones and a batch, against the smallest function and a bare client: whether they are as fast and small as they shall be.
    Start(Start),
    /// Many webhooks to warm instances: how fast, how much memory, and whether it grows.
    Soak(Soak),
    /// Webhooks to instances that are killed at random: whether anything acknowledged is lost.
    Kills(Kills),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Whatever was started ends with the measurement, when this is left.
    let measured = tokio::select! {
        measured = measure(&arguments) => measured,
        ended = ended_from_outside() => ended,
    };
    match measured {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("measure: {error:#}"));
            ExitCode::from(2)
        }
    }
}

async fn measure(Arguments { measurement, json }: &Arguments) -> Result<ExitCode> {
    let form = match json {
        true => Form::Json,
        false => Form::Table,
    };
    match measurement {
        Measurement::Start(start) => conclude(&start.run().await?, form),
        Measurement::Soak(soak) => conclude(&soak.run().await?, form),
        Measurement::Kills(kills) => conclude(&kills.run().await?, form),
    }
}

/// How figures are printed.
enum Form {
    Table,
    Json,
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn conclude<F: Display + Serialize>(findings: &Findings<F>, form: Form) -> Result<ExitCode> {
    match form {
        Form::Table => print!("{}", findings.figures),
        Form::Json => println!("{}", serde_json::to_string_pretty(findings)?),
    }
    for broken in &findings.broken {
        complain(&format!("measure: NOT KEPT: {broken}"));
    }
    Ok(match findings.broken.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}

async fn ended_from_outside() -> Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    anyhow::bail!("ended before it was done")
}

#[expect(clippy::print_stderr, reason = "a command says what went wrong")]
fn complain(text: &str) {
    eprintln!("{text}");
}
