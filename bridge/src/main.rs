//! `bridge`: the operators' command.
//!
//! It knows nothing that the function does not know: what it shows comes from the function's own code.

mod attempt;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The operators' command of calven-bridge.
#[derive(Parser)]
#[command(name = "bridge", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tries a source's keys on captured bodies: nothing is fetched, saved or sent.
    Try(attempt::Try),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Try(attempt) => attempt.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            report(&format!("bridge: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command says what went wrong")]
fn report(text: &str) {
    eprintln!("{text}");
}
