//! A share of a CPU, as a function has with little memory: a control group of the system's, v1 or v2. Only root may make one.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// How often what was used of it is there again. Lambda's own is not documented; 20 ms is what measurements of it found.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);

/// The kernel takes no smaller quota.
const LEAST: Duration = Duration::from_millis(1);

const V1: &str = "/sys/fs/cgroup/cpu";
const V2: &str = "/sys/fs/cgroup";

/// Processes that have ended may hold their group for a moment.
const TRIES_TO_REMOVE: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// A group without processes; it is removed with this.
#[derive(Debug)]
pub(crate) struct Quota {
    folder: PathBuf,
}

impl Quota {
    /// A group that may use so many CPUs.
    ///
    /// # Errors
    /// Where there is no such thing, or we may not.
    pub(crate) fn new(cpus: f64) -> Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "measure-{}-{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        let is_v1 = Path::new(V1).is_dir();
        let folder = Path::new(if is_v1 { V1 } else { V2 }).join(name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        // From here on it is removed, whatever follows.
        let group = Self { folder };
        let period_us = PERIOD.as_micros();
        let quota_us = PERIOD.mul_f64(cpus).max(LEAST).as_micros();
        if is_v1 {
            group.write("cpu.cfs_period_us", &period_us.to_string())?;
            group.write("cpu.cfs_quota_us", &quota_us.to_string())?;
        } else {
            let limit = "cpu.max";
            ensure!(
                group.folder.join(limit).exists(),
                "control groups have no limit for CPU time here"
            );
            group.write(limit, &format!("{quota_us} {period_us}"))?;
        }
        Ok(group)
    }

    /// Puts a process into it.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(crate) fn limit(&self, process: u32) -> Result<()> {
        self.write("cgroup.procs", &process.to_string())
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        std::fs::write(&path, text).with_context(|| format!("{} = {text}", path.display()))
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        for _ in 0..TRIES_TO_REMOVE {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
    }
}
