//! What bodies cost that are made to be slow, against a plain one of the same size: by the whole function, and what they leave to the
//! webhooks after them.
//!
//! ```sh
//! cargo bench --bench hostile
//! ```
//!
//! Each is signed: who sends them knows the secret. Whose run was too slow is run again, and the least counts: others may be at work on the machine. It ends with 1 where one takes more than
//! [`MOST`] times as long as the plain one.

mod bodies;
mod function;

use std::{process::ExitCode, time::Duration};

use anyhow::Result;

use self::{
    bodies::{Attack, Body},
    function::Functions,
};

/// How much longer than the plain body one may take, and a webhook behind it than one behind the plain body.
const MOST: f64 = 10.0;

/// What an attack and the next webhook took.
#[derive(Clone, Copy)]
struct Took {
    status: u64,
    body: Duration,
    next: Duration,
}

#[expect(clippy::print_stdout, reason = "a table for who runs it")]
fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo says `--bench` where it is to be measured; else, as in `cargo test --benches`, it is only shown that all runs.
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let only = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    let (bytes, rounds) = match is_bench {
        true => (1_048_576, 3),
        false => (16_384, 1),
    };
    let functions = Functions::new()?;
    let plain = functions.least(&bodies::plain(bytes), rounds, None)?;
    println!(
        "| body of {bytes} bytes | answer | ms | of the plain one | the next, ms | of that behind the plain one | at most | holds |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut all_hold = true;
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    for attack in bodies::all(bytes) {
        if only.is_some_and(|only| !attack.name.contains(only.as_str())) {
            continue;
        }
        let took = functions.least(&attack, rounds, Some(plain))?;
        let ratios = [(took.body, plain.body), (took.next, plain.next)];
        let [body, next] = ratios.map(|(took, plain)| took.as_secs_f64() / plain.as_secs_f64());
        // What is small is not slow, whatever it is compared to.
        let holds = !is_bench || (body <= MOST && next <= MOST);
        all_hold &= holds;
        println!(
            "| {} | {} | {:.1} | {body:.2} x | {:.1} | {next:.2} x | {MOST} x | {} |",
            attack.name,
            took.status,
            millis(took.body),
            millis(took.next),
            if holds { "yes" } else { "NO" },
        );
    }
    Ok(match all_hold {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

impl Functions {
    /// The least of so many runs; of one alone where it is no more than it may be `against` the plain one.
    fn least(&self, attack: &Attack, rounds: usize, against: Option<Took>) -> Result<Took> {
        let mut least: Option<Took> = None;
        for _ in 0..rounds {
            let took = self.run(attack)?;
            least = Some(match least {
                None => took,
                Some(least) => Took {
                    status: took.status,
                    body: least.body.min(took.body),
                    next: least.next.min(took.next),
                },
            });
            // What is far beyond its bound need not be seen again, either.
            let holds = against.zip(least).is_some_and(|(plain, least)| {
                least.body <= plain.body.mul_f64(MOST) && least.next <= plain.next.mul_f64(MOST)
            });
            if holds || took.body > Duration::from_secs(20) {
                break;
            }
        }
        least.ok_or_else(|| anyhow::anyhow!("nothing was run"))
    }

    fn run(&self, attack: &Attack) -> Result<Took> {
        let instance = self.instance()?;
        for (number, body) in attack.before.iter().enumerate() {
            instance.send(body, number)?;
        }
        let (status, took) = instance.send(&attack.body, 100)?;
        let small = Body {
            source: "acme",
            content_type: "application/json",
            bytes: br#"{"id":"next","occurredAt":"2026-01-10T11:59:00Z","changes":[{"group":"Next","groupType":"Team","parent":"Nextly","parentType":"Team"}]}"#.to_vec(),
        };
        let (_, next) = instance.send(&small, 200)?;
        Ok(Took {
            status,
            body: took,
            next,
        })
    }
}
