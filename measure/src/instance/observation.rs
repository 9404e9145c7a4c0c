//! What one invocation took, as its Runtime API and the system saw it.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use stand_ins::lambda_runtime::Invoked;

use super::Instance;

/// How long an instance may take until it asks for its next invocation; with a share of a CPU that is long.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether it has.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Who has asked for the next invocation goes to sleep within this, and then the system's count of its CPU time is complete.
const SETTLING: Duration = Duration::from_millis(2);

/// Where a process's connections to other hosts are listed, by their inodes.
const CONNECTIONS: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];

/// One invocation.
#[derive(Debug)]
pub struct Observed {
    /// What came of it.
    pub invoked: Invoked,
    /// When the Runtime API let the event go.
    pub handed_out: Instant,
    /// When the answer came to the Runtime API.
    pub answered: Instant,
    /// The CPU time of the whole instance up to its asking for the next one.
    pub cpu: Duration,
}

impl Observed {
    /// From when until when.
    pub fn span(&self) -> (Instant, Instant) {
        (self.handed_out, self.answered)
    }

    /// How long that is.
    pub fn took(&self) -> Duration {
        self.answered - self.handed_out
    }
}

impl Instance {
    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Waits until it has asked for its next invocation and sleeps; when it asked.
    ///
    /// # Errors
    /// Where it ends, or takes too long.
    pub async fn idle(&mut self) -> Result<Instant> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(asked) = self.waiting_since() {
                tokio::time::sleep(SETTLING).await;
                return Ok(asked);
            }
            if let Some(ended) = self.child.try_wait()? {
                bail!("the instance ended: {ended}");
            }
            ensure!(Instant::now() < until, "the instance asks for nothing");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Hands it an event, and waits until it wants the next one.
    ///
    /// # Errors
    /// Where it ends, or takes too long.
    pub async fn observe(&mut self, event: Value) -> Result<Observed> {
        let invoked = self.invoke(event).await;
        self.idle().await?;
        let trips = self.runtime.traffic().since(self.started);
        // The last is the request for the next invocation, the one before it the answer, and before that the event went out.
        let mut latest = trips.iter().rev().skip(1);
        let answer = latest.next().context("nothing was answered")?;
        let event = latest.next().and_then(|asked| asked.end);
        Ok(Observed {
            invoked,
            handed_out: event.context("no event was handed out")?.answered,
            answered: answer.began,
            cpu: self.cpu()?,
        })
    }

    /// How many connections it has to other hosts, the one to its Runtime API left out.
    ///
    /// # Errors
    /// Where it has ended, or the system does not tell.
    pub fn connections(&self) -> Result<usize> {
        let id = self.child.id().context("the instance has ended")?;
        let process = Path::new("/proc").join(id.to_string());
        let mut connections = BTreeSet::new();
        for kind in CONNECTIONS {
            // Where there is no IPv6 there is no such list.
            let table = std::fs::read_to_string(process.join("net").join(kind));
            let rows = table.unwrap_or_default();
            let inodes = rows.lines().skip(1).filter_map(inode);
            connections.extend(inodes.map(|inode| format!("socket:[{inode}]")));
        }
        let mut open = 0;
        for file in std::fs::read_dir(process.join("fd"))? {
            // What is closed meanwhile is none.
            let target = std::fs::read_link(file?.path()).unwrap_or_default();
            open += usize::from(connections.contains(&target.display().to_string()));
        }
        Ok(open.saturating_sub(self.runtime.traffic().connections()))
    }

    /// Since when it waits for an invocation.
    fn waiting_since(&self) -> Option<Instant> {
        let last = self.runtime.traffic().last()?;
        let is_waiting = last.path.ends_with("/invocation/next") && last.end.is_none();
        is_waiting.then_some(last.began)
    }
}

/// The tenth field of a row of `/proc/net/tcp` and its like.
fn inode(row: &str) -> Option<&str> {
    row.split_whitespace().nth(9)
}
