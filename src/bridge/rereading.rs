//! Reading sources again, each once for all who want it.
//!
//! A re-read covers the events that came in before it began, and no others. Within a process, who waited for a
//! re-read tells by tickets whether it began after they came; no clock decides that.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use crate::{
    hierarchy::SourceName,
    reread::{Reread, Rereader},
    state::State,
};

/// How long after it failed again a source is not asked on another one's behalf: an API that is down must not
/// slow down every webhook. One failure is no reason to wait, and a source's own events always ask.
const PAUSE: Duration = Duration::from_secs(30);

/// As a warning it passes; as an error somebody must mend something.
const NOT_READ: &str = "a source could not be read again; what is known of it stands";

/// The sources that can be read again.
#[derive(Debug)]
pub(super) struct Rereading {
    pub(super) by_source: BTreeMap<SourceName, Readable>,
    /// The next ticket: who has the lower one came, or began, earlier.
    tickets: AtomicU64,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Readable {
    rereader: Rereader,
    last: Mutex<Last>,
    /// Counts those who read or wait, by its clones.
    present: Arc<()>,
}

#[derive(Debug, Default)]
struct Last {
    /// The last one and the ticket of its beginning, kept for those who waited for it.
    finished: Option<(u64, Arc<Reread>)>,
    /// How often it has failed since it last succeeded, and when.
    failed: Option<(u32, Instant)>,
}

impl Last {
    fn note_failure(&mut self) {
        let before = self.failed.map_or(0, |(times, _)| times);
        self.failed = Some((before.saturating_add(1), Instant::now()));
    }

    fn fails_again_and_again(&self) -> bool {
        self.failed
            .is_some_and(|(times, at)| times > 1 && at.elapsed() < PAUSE)
    }
}

/// Why there was no re-read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRead {
    /// It was tried.
    Failed(&'static str),
    /// It failed again a moment ago.
    Paused,
    /// Others were still at it, or there was no time to begin.
    NoTime,
    /// The source has no snapshot, or is no source any more.
    NotConfigured,
}

impl NotRead {
    /// Why, in words that any sender may see.
    pub(super) const fn cause(self) -> &'static str {
        match self {
            Self::Failed(cause) => cause,
            Self::Paused => "that failed again a moment ago",
            Self::NoTime => "there was no time left",
            Self::NotConfigured => "it is not configured to be read",
        }
    }
}

impl Rereading {
    pub(super) fn new(rereaders: Vec<Rereader>) -> Self {
        let by_source = rereaders.into_iter().map(|rereader| {
            let readable = Readable {
                rereader,
                last: Mutex::default(),
                present: Arc::default(),
            };
            (readable.rereader.source().clone(), readable)
        });
        Self {
            by_source: by_source.collect(),
            tickets: AtomicU64::default(),
        }
    }

    /// What reads a source, where it can be read.
    pub(super) fn of(&self, source: &SourceName) -> Option<&Rereader> {
        Some(&self.by_source.get(source)?.rereader)
    }

    /// Whether anything is due that can be done.
    pub(super) fn is_any_due(&self, state: &State) -> bool {
        state
            .due
            .iter()
            .any(|(source, _)| self.by_source.contains_key(source))
    }

    /// What a reconcile says of what is due and cannot be done any more.
    pub(super) fn stranded(&self, state: &State) -> Vec<String> {
        let stranded = state
            .due
            .iter()
            .filter(|(source, _)| !self.by_source.contains_key(*source));
        stranded
            .map(|(source, due)| {
                format!(
                    "{source}: is to be read again since {}, and is not configured to be read; that is kept",
                    due.since
                )
            })
            .collect()
    }

    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::SeqCst)
    }

    /// Reads one source, or takes what another invocation of this process read that began after this one came.
    /// `pauses`: not where that keeps failing.
    pub(super) async fn read(
        &self,
        readable: &Readable,
        pauses: bool,
        until: Instant,
    ) -> Result<Arc<Reread>, NotRead> {
        let came = self.ticket();
        let present = Arc::clone(&readable.present);
        let others_wait = || Arc::strong_count(&present) > 2;
        let Ok(mut last) = timeout_at(until, readable.last.lock()).await else {
            return Err(NotRead::NoTime);
        };
        if let Some((began, reread)) = &last.finished
            && *began > came
        {
            let reread = Arc::clone(reread);
            if !others_wait() {
                last.finished = None;
            }
            return Ok(reread);
        }
        if pauses && last.fails_again_and_again() {
            return Err(NotRead::Paused);
        }
        if Instant::now() >= until {
            return Err(NotRead::NoTime);
        }
        let source = readable.rereader.source();
        let began = self.ticket();
        let read = readable.rereader.read(until).await;
        match read {
            Ok(reread) => {
                if !reread.warnings.is_empty() {
                    let warnings = &reread.warnings;
                    tracing::warn!(%source, ?warnings, "a source was read again, not without faults");
                }
                let reread = Arc::new(reread);
                match reread.finished {
                    true => last.failed = None,
                    false => last.note_failure(),
                }
                last.finished = others_wait().then(|| (began, Arc::clone(&reread)));
                Ok(reread)
            }
            Err(error) => {
                match error.is_transient() {
                    true => tracing::warn!(%source, %error, "{NOT_READ}"),
                    false => tracing::error!(%source, %error, "{NOT_READ}"),
                }
                last.note_failure();
                Err(NotRead::Failed(error.cause()))
            }
        }
    }
}
