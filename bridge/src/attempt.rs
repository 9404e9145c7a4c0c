//! `bridge try`: a source's keys, tried on captured bodies.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, anyhow, bail};
use calven_bridge::{
    hierarchy::SeedRows,
    secrets::SourceSecret,
    sources::{config::Sources, generic::read_seed, given::Given},
    timestamp::Timestamp,
    tryout::{Captured, Tryout},
};
use clap::Args;
use serde_json::Value;

/// Shows of each body: whether its proof holds, and why not; which event it is; the statements it makes; and what all of them together
/// would change. A fault is shown with its place in the body and its key in the TOML.
///
/// Ends with 0 where every body is verified (or nothing was there to verify it by) and fits, with 1 where one is not, with 2 where
/// the command or the sources have a fault.
#[derive(Args)]
pub(crate) struct Try {
    /// The source's name in the file.
    source: String,
    /// The captured bodies, in the order in which they came; - is standard input. Headers may lie beside a body, in a file of
    /// its name with .headers behind it.
    #[arg(required_unless_present = "answer")]
    bodies: Vec<PathBuf>,
    /// A page that the source's API answered when it was read as a whole; again for each further page. It is taken after the bodies.
    #[arg(long, value_name = "FILE")]
    answer: Vec<PathBuf>,
    /// The sources.
    #[arg(long, value_name = "FILE", default_value = "sources.toml")]
    sources: PathBuf,
    /// The headers that came with the bodies, a line each (Name: value); a first line `POST /path?query HTTP/1.1` gives the query.
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// The source's secret as it is in Secrets Manager, such as {"signingSecret": "…"}.
    #[arg(long, value_name = "FILE", conflicts_with = "secrets")]
    secret: Option<PathBuf>,
    /// All secrets, by id, as `SECRETS_FILE` has them.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// What is there already: Calven's rows, as the action export gives them.
    #[arg(long, value_name = "FILE")]
    hierarchy: Option<PathBuf>,
    /// When the bodies count as received, as 2026-11-22T10:00:00Z; signatures are as old as that makes them. Now, if not given.
    #[arg(long, value_name = "TIME")]
    received: Option<String>,
}

impl Try {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let file = self.sources.display().to_string();
        let text = read_text(&self.sources)?;
        let sources = Sources::parse(&text).map_err(|problems| {
            let lines = problems
                .iter()
                .map(|problem| format!("\n  {file}: {problem}"));
            anyhow!("the sources have faults:{}", lines.collect::<String>())
        })?;
        let Some(source) = sources.by_name.get(self.source.as_str()) else {
            let known: Vec<&str> = sources.by_name.keys().map(|name| name.as_str()).collect();
            bail!(
                "{file} has no source {:?}; it has: {}",
                self.source,
                known.join(", ")
            );
        };
        let secrets = self.secrets_of(&source.secret_id)?;
        let hierarchy = self.hierarchy.as_deref().map(read_hierarchy).transpose()?;
        let received = match &self.received {
            Some(text) => Timestamp::parse_rfc3339(text)
                .map_err(|_| anyhow!("--received is no RFC 3339 time"))?,
            None => now()?,
        };
        let shared = self.headers.as_deref().map(read_headers).transpose()?;
        let mut tryout = Tryout::new(source, &file, secrets, hierarchy.as_ref());
        for path in &self.bodies {
            let beside = PathBuf::from(format!("{}.headers", path.display()));
            let given = match beside.exists() {
                true => Some(read_headers(&beside)?),
                false => shared.clone(),
            };
            tryout.take(&Captured {
                name: path.display().to_string(),
                body: read_body(path)?,
                given,
                received,
            });
        }
        if !self.answer.is_empty() {
            let pages = self.answer.iter().map(|path| {
                let body = read_body(path)?;
                Ok((path.display().to_string(), body))
            });
            tryout.take_answer(&pages.collect::<Result<Vec<_>>>()?, received);
        }
        let (shown, faulty) = tryout.finish();
        print(&shown);
        Ok(if faulty {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn secrets_of(&self, id: &str) -> Result<Vec<SourceSecret>> {
        let text = match (&self.secret, &self.secrets) {
            (Some(path), _) => read_text(path)?,
            (None, Some(path)) => {
                let all: BTreeMap<String, Value> = serde_json::from_str(&read_text(path)?)
                    .map_err(|_| anyhow!("{} is no JSON object of secrets", path.display()))?;
                let secret = all
                    .get(id)
                    .with_context(|| format!("{} has no secret {id}", path.display()))?;
                secret.to_string()
            }
            (None, None) => return Ok(Vec::new()),
        };
        Ok(vec![SourceSecret::from_text(&text, id)?])
    }
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_body(path: &Path) -> Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin()
            .read_to_end(&mut body)
            .context("standard input cannot be read")?;
        return Ok(body);
    }
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_hierarchy(path: &Path) -> Result<SeedRows> {
    let name = path.display();
    let body: Value =
        serde_json::from_str(&read_text(path)?).with_context(|| format!("{name} is no JSON"))?;
    let rows = body
        .get("groupRelationships")
        .with_context(|| format!("{name} has no groupRelationships"))?;
    read_seed(rows).map_err(|faults| {
        let lines = faults
            .iter()
            .map(|fault| format!("\n  {} {}", fault.path, fault.detail));
        anyhow!("{name} is no hierarchy:{}", lines.collect::<String>())
    })
}

/// Header lines as one copies them from a log or from `curl -v`.
fn read_headers(path: &Path) -> Result<Given> {
    let text = read_text(path)?;
    let mut given = Given::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        if number == 0 && line.ends_with(|c: char| c.is_ascii_digit()) && line.contains(" HTTP/") {
            let target = line.split(' ').nth(1).unwrap_or_default();
            given.query = Given::query_of(target.split_once('?').map_or("", |(_, query)| query));
            continue;
        }
        let (name, value) = line.split_once(':').with_context(|| {
            format!(
                "{}, line {}: no header (Name: value)",
                path.display(),
                number + 1
            )
        })?;
        given
            .headers
            .insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(given)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command's one look at the clock"
)]
fn now() -> Result<Timestamp> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    Ok(Timestamp::from_micros(i64::try_from(since.as_micros())?))
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(text: &str) {
    print!("{text}");
}
