//! `bridge`: the operators' command.
//!
//! It knows nothing that the function does not know: what it shows is the function's answer, or comes from the function's own code.

mod attempt;
mod invoke;
mod operators;
mod show;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::operators::{Approve, Asking, Explain, Rollback, Seed};

/// The end of a command that is wrongly used: `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

const ENDS: &str = "Ends with 0 where all is well, 1 where something was refused or failed, 2 where something waits (plan: changes are \
pending; approve, seed, rollback, reconcile: held, or not published yet), 64 where the command is wrongly used. \
`bridge try --help` has that command's own.";

/// The operators' command of calven-bridge.
#[derive(Parser)]
#[command(name = "bridge", version, about, arg_required_else_help = true, after_help = ENDS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows what is pending, and why it waits. Ends with 2 where changes are pending.
    #[command(after_help = "Example: bridge plan --function calven-bridge")]
    Plan(Asking),
    /// Publishes the pending plan, by its digest.
    #[command(after_help = "Example: bridge approve 9f86d081884c7d65… --function calven-bridge")]
    Approve(Approve),
    /// Lists the published versions, and how old what is known is.
    #[command(after_help = "Example: bridge history --function calven-bridge")]
    History(Asking),
    /// Publishes an earlier version again; what is said from then on waits for approval.
    #[command(after_help = "Example: bridge rollback 9 --function calven-bridge")]
    Rollback(Rollback),
    /// Writes what is published: Calven's own body, which seed takes back.
    #[command(after_help = "Example: bridge export --function calven-bridge > hierarchy.json")]
    Export(Asking),
    /// Gives the complete present hierarchy, Calven's own body.
    #[command(after_help = "Example: bridge seed hierarchy.json --function calven-bridge")]
    Seed(Seed),
    /// Says why a group stands where it stands.
    #[command(
        after_help = "Example: bridge explain Department Facilities --function calven-bridge"
    )]
    Explain(Explain),
    /// Reads every source again, and publishes.
    #[command(after_help = "Example: bridge reconcile --function calven-bridge")]
    Reconcile(Asking),
    /// Tests a deployment before its first event; changes nothing. Ends with 1 where something fails.
    #[command(after_help = "Example: bridge check --function calven-bridge")]
    Check(Asking),
    /// Tries a source's keys on captured bodies: nothing is fetched, saved or sent.
    #[command(
        after_help = "Example: bridge try people captured.json --headers captured.headers --secret secret.json"
    )]
    Try(attempt::Try),
}

fn main() -> ExitCode {
    let Arguments { command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Help goes to stdout; where that is closed there is nobody to tell.
            let _unprinted = usage.print();
            return match usage.use_stderr() {
                true => ExitCode::from(USAGE),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let of_its_own = matches!(command, Command::Try(_));
    let done = match command {
        Command::Plan(asking) => asking.plain("plan"),
        Command::History(asking) => asking.plain("history"),
        Command::Export(asking) => asking.plain("export"),
        Command::Reconcile(asking) => asking.plain("reconcile"),
        Command::Check(asking) => asking.plain("check"),
        Command::Approve(approve) => approve.run(),
        Command::Rollback(rollback) => rollback.run(),
        Command::Seed(seed) => seed.run(),
        Command::Explain(explain) => explain.run(),
        Command::Try(attempt) => attempt.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            report(&format!("bridge: {error:#}"));
            ExitCode::from(if of_its_own { 2 } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command says what went wrong")]
fn report(text: &str) {
    eprintln!("{text}");
}
