//! Testing a deployment before its first event, without changing anything.
//!
//! Every part is looked at for itself and within its own time, so that what is broken hides nothing else. Secrets are fetched
//! anew and tokens with them, past all caches: what an operator has just mended is what is tested. Nothing is saved, nothing is
//! PUT, no token of a handshake is taken, and no text made here holds a secret.

mod apis;
mod calven;
mod remedies;
mod secrets;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::{
    bridge::Bridge,
    hierarchy::SourceName,
    queue::Queue,
    secrets::Secrets,
    sources::config::Sources,
    state::State,
    store::{Loaded, StateStore},
    timestamp::Clock,
};

/// How long one part may take.
const LONGEST_PART: Duration = Duration::from_secs(10);

/// How much of that its calls may take, so that they tell what happened to them before the part is given up.
const CALLS: f64 = 0.6;

/// What an action finds beside the bridge.
#[derive(Debug)]
pub struct Premises<'a> {
    /// Who may post.
    pub sources: &'a Sources,
    /// Where secrets are.
    pub secrets: &'a Secrets,
    /// Where webhooks are queued, where they are.
    pub queue: Option<&'a Queue>,
    /// The sources whose secret is complete, so that no token of a handshake is kept for them.
    pub proven: &'a [SourceName],
}

/// Whether everything is there that a webhook needs.
#[derive(Debug, Serialize)]
pub struct CheckAnswer {
    /// Whether nothing failed.
    pub ok: bool,
    /// What was looked at, one by one.
    pub checks: Vec<Finding>,
}

/// What was found of one part.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of which.
    pub what: String,
    /// Whether it is well; `None` where that was not tried, or is nobody's fault.
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(what: &str, detail: impl Into<String>) -> Self {
        Self::new(what, Some(true), detail.into(), None)
    }

    fn bad(what: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(what, Some(false), detail.into(), Some(remedy.into()))
    }

    /// Of what was not tried, or is only to be known.
    fn open(what: &str, detail: impl Into<String>, remedy: Option<String>) -> Self {
        Self::new(what, None, detail.into(), remedy)
    }

    /// Of an API whose secret failed.
    fn not_tried(what: &str) -> Self {
        Self::open(what, "not tried: its secret must be mended first", None)
    }

    fn new(what: &str, ok: Option<bool>, detail: String, remedy: Option<String>) -> Self {
        Self {
            what: what.to_owned(),
            ok,
            detail,
            remedy,
        }
    }
}

/// Looks at everything, no longer than until `end`.
pub(super) async fn of(
    bridge: &Bridge,
    premises: &Premises<'_>,
    clock: &Clock,
    end: Instant,
) -> CheckAnswer {
    let now = Instant::now();
    let left = end.saturating_duration_since(now).min(LONGEST_PART);
    let (until, asked_until) = (now + left, now + left.mul_f64(CALLS));
    // Of the same home, and with nothing in it yet.
    let secrets = Arc::new(premises.secrets.anew());
    let of_sources = premises.sources.by_name.values().map(|source| {
        let what = format!("source {}", source.name);
        let looked = apis::source(source, bridge.rereader(&source.name), &secrets, asked_until);
        within(until, what, looked)
    });
    let of_capillary = async {
        match bridge.capillary() {
            Some(capillary) => apis::capillary(capillary, &secrets, asked_until).await,
            None => Vec::new(),
        }
    };
    let (of_calven, of_capillary, of_sources, of_state) = tokio::join!(
        within(
            until,
            "Calven".to_owned(),
            calven::look(bridge.calven(), &secrets, clock.now(), asked_until)
        ),
        within(until, "Capillary".to_owned(), of_capillary),
        join_all(of_sources),
        within(until, "state".to_owned(), state(bridge.store())),
    );
    let mut checks = vec![configuration(bridge.is_dry_run(), premises.sources)];
    checks.extend(of_calven);
    checks.extend(of_capillary);
    checks.extend(of_sources.into_iter().flatten());
    checks.extend(of_state);
    checks.push(queue(premises.queue));
    CheckAnswer {
        ok: checks.iter().all(|check| check.ok != Some(false)),
        checks,
    }
}

async fn within(
    until: Instant,
    what: String,
    looked: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    let findings = timeout_at(until, looked).await;
    findings.unwrap_or_else(|_| {
        let detail = "it took longer than there was time";
        vec![Finding::bad(&what, detail, remedies::OUT_OF_REACH)]
    })
}

/// That we are here says that it is valid.
fn configuration(is_dry_run: bool, sources: &Sources) -> Finding {
    let names: Vec<&str> = sources.by_name.keys().map(SourceName::as_str).collect();
    let sources = match names.is_empty() {
        true => "no source".to_owned(),
        false => format!("the sources {}", names.join(", ")),
    };
    let what = "configuration";
    match is_dry_run {
        false => Finding::good(what, format!("valid, with {sources}")),
        true => Finding::open(
            what,
            format!("valid, with {sources}; but this is a dry run, which saves and sends nothing"),
            Some("Set DRY_RUN to false once what it plans is right".to_owned()),
        ),
    }
}

async fn state(store: &dyn StateStore) -> Vec<Finding> {
    let what = "state";
    let found = match store.load().await {
        Err(error) => Finding::bad(what, error.to_string(), remedies::of_store(&error)),
        Ok(None) => Finding::good(
            what,
            "reachable, and there is none yet: seed the complete hierarchy",
        ),
        Ok(Some(Loaded { bytes, tag: _ })) => match State::decode(&bytes) {
            Err(error) => Finding::bad(what, error.to_string(), remedies::of_state(&error)),
            Ok(state) if state.published.is_none() => Finding::good(
                what,
                "readable; nothing has been published yet: seed the complete hierarchy",
            ),
            Ok(state) => Finding::good(
                what,
                format!(
                    "readable; published is version {}, with {} groups",
                    state.version,
                    state.published_groups()
                ),
            ),
        },
    };
    let written = Finding::open(
        "writing the state",
        "not tried: it would be a write; the first webhook or seed shows it",
        None,
    );
    vec![found, written]
}

fn queue(queue: Option<&Queue>) -> Finding {
    match queue {
        Some(queue) => Finding::open(
            "queue",
            format!(
                "{} is a queue's address; nothing was sent to it",
                queue.url()
            ),
            None,
        ),
        None => Finding::open(
            "queue",
            "none is used: webhooks are published in the request",
            None,
        ),
    }
}
