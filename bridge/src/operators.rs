//! The commands that ask the function: what each sends, and what its end says.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::{
    invoke::{Answered, Whereabouts},
    show,
};

/// In which form the answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// As a terminal shows it.
    Text,
    /// The function's own answer, byte for byte.
    Json,
    /// A flowchart, where the function draws one.
    Mermaid,
    /// One page, where the function draws one.
    Html,
}

impl Format {
    const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Mermaid => "mermaid",
            Self::Html => "html",
        }
    }
}

/// What every one of them takes.
#[derive(Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    whereabouts: Whereabouts,
    /// The form of the answer; text, but for export.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// An approval.
#[derive(Args)]
pub(crate) struct Approve {
    /// The plan's digest, as `bridge plan` shows it.
    digest: String,
    #[command(flatten)]
    asking: Asking,
}

/// A way back.
#[derive(Args)]
pub(crate) struct Rollback {
    /// The version to go back to, as `bridge history` shows it.
    version: u64,
    #[command(flatten)]
    asking: Asking,
}

/// A seed.
#[derive(Args)]
pub(crate) struct Seed {
    /// Calven's own body, {"groupRelationships": […]}; - is standard input.
    file: PathBuf,
    /// As of when it holds, as 2026-11-22T10:00:00Z. Now, if not given.
    #[arg(long, value_name = "TIME")]
    occurred_at: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// A question for a group.
#[derive(Args)]
pub(crate) struct Explain {
    /// The group's type, letter by letter.
    #[arg(value_name = "TYPE")]
    group_type: String,
    /// The group's name, letter by letter.
    #[arg(value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    asking: Asking,
}

/// What the end of a command depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Changes that are pending.
    Plan,
    /// What became of it.
    Report,
    /// Whether all is well.
    Check,
    /// Nothing.
    Look,
}

impl Asking {
    /// An action without anything beside it.
    pub(crate) fn plain(&self, action: &str) -> Result<ExitCode> {
        let (kind, form) = match action {
            "plan" => (Kind::Plan, Format::Text),
            "reconcile" => (Kind::Report, Format::Text),
            "check" => (Kind::Check, Format::Text),
            "export" => (Kind::Look, Format::Json),
            _ => (Kind::Look, Format::Text),
        };
        self.ask(json!({"action": action}), kind, form)
    }

    fn ask(&self, mut event: Value, kind: Kind, form: Format) -> Result<ExitCode> {
        let form = match self.json {
            true => Format::Json,
            false => self.format.unwrap_or(form),
        };
        if let Some(fields) = event.as_object_mut() {
            fields.insert("format".to_owned(), json!(form.word()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("this machine gives no network")?;
        match runtime.block_on(self.whereabouts.invoke(&event))? {
            Answered::Answer(answer) => show::answer(&answer, kind, form),
            Answered::Failed { kind, message } => {
                bail!("{}", show::failure(&kind, &message))
            }
        }
    }
}

impl Approve {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let event = json!({"action": "approve", "digest": self.digest});
        self.asking.ask(event, Kind::Report, Format::Text)
    }
}

impl Rollback {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let event = json!({"action": "rollback", "version": self.version});
        self.asking.ask(event, Kind::Report, Format::Text)
    }
}

impl Seed {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut event = read_body(&self.file)?;
        event.insert("action".to_owned(), json!("seed"));
        if let Some(at) = self.occurred_at {
            event.insert("occurredAt".to_owned(), json!(at));
        }
        let event = Value::Object(event);
        self.asking.ask(event, Kind::Report, Format::Text)
    }
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self {
            group_type,
            group,
            asking,
        } = self;
        let event = json!({"action": "explain", "group": group, "groupType": group_type});
        asking.ask(event, Kind::Look, Format::Text)
    }
}

/// Calven's own body, and nothing beside it.
fn read_body(path: &Path) -> Result<Map<String, Value>> {
    let name = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let mut text = String::new();
    match path == Path::new("-") {
        true => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        false => std::fs::read_to_string(path).map(|read| text = read),
    }
    .with_context(|| format!("{name} cannot be read"))?;
    let body: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| anyhow!("{name} is no JSON object: {error}"))?;
    let others: Vec<&str> = body.keys().map(String::as_str).collect();
    match others.as_slice() {
        ["groupRelationships"] => Ok(body),
        _ => bail!(
            "{name} must be Calven's own body, {{\"groupRelationships\": […]}}, as `bridge export` gives it"
        ),
    }
}
