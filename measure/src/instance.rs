//! One instance of the function: a process of its own, under a Runtime API of its own.
//!
//! As with Lambda an instance has one invocation at a time, and whoever waits for one that its instance did not survive is told so.
//! [`Observed`] is for who wants to know what one invocation took.

mod observation;

use std::{
    collections::BTreeMap,
    fs::{DirEntry, File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use stand_ins::lambda_runtime::{Invoked, LambdaRuntime};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

pub use self::observation::Observed;
use crate::quota::{self, Quota};

/// The template's `Timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The built function, and how it is started.
#[derive(Debug)]
pub struct Function {
    binary: PathBuf,
    log: Option<File>,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
}

/// A running instance; it is killed with this.
#[derive(Debug)]
pub struct Instance {
    runtime: LambdaRuntime,
    child: Child,
    started: Instant,
    _quota: Option<Quota>,
}

/// Becomes the function once it is told to, so that what it does before does not count.
const GATE: &str = r#"read -r _ && exec "$0" </dev/null"#;

/// A process's memory.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// What is resident now.
    pub resident_kib: u64,
    /// The most that ever was.
    pub peak_kib: u64,
}

impl Function {
    /// The function with these variables, in this working folder. Its log is appended to a file, or nobody's.
    ///
    /// # Errors
    /// Where there is no such binary, or no such file can be written.
    pub(crate) fn new(
        binary: &Path,
        log: Option<&PathBuf>,
        folder: &Path,
        variables: BTreeMap<String, String>,
    ) -> Result<Self> {
        let binary = binary
            .canonicalize()
            .with_context(|| format!("the function {}", binary.display()))?;
        let opened = |path: &PathBuf| {
            let mut options = OpenOptions::new();
            let file = options.create(true).append(true).open(path);
            file.with_context(|| format!("the log {}", path.display()))
        };
        Ok(Self {
            binary,
            log: log.map(opened).transpose()?,
            folder: folder.to_owned(),
            variables,
        })
    }

    /// Starts an instance, without waiting until it is ready.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub async fn start(&self) -> Result<Instance> {
        let runtime = LambdaRuntime::start().await;
        let mut command = self.command(&runtime, Command::new(&self.binary))?;
        let started = Instant::now();
        let child = command.spawn().context("the function cannot be started")?;
        Ok(Instance {
            runtime,
            child,
            started,
            _quota: None,
        })
    }

    /// The same with no more of a CPU than this, from its first instruction on.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub(crate) async fn start_within(&self, quota: Quota) -> Result<Instance> {
        let runtime = LambdaRuntime::start().await;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(GATE).arg(&self.binary);
        let mut command = self.command(&runtime, shell)?;
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        quota.limit(child.id().context("the gate has ended")?)?;
        let mut gate = child.stdin.take().context("the gate has no input")?;
        // The shell starts within the quota too; what it has used of it is there again then.
        tokio::time::sleep(quota::PERIOD * 3).await;
        let started = Instant::now();
        gate.write_all(b"\n").await?;
        Ok(Instance {
            runtime,
            child,
            started,
            _quota: Some(quota),
        })
    }

    fn command(&self, runtime: &LambdaRuntime, mut command: Command) -> Result<Command> {
        runtime.traffic().watch(Duration::ZERO);
        let output = || match &self.log {
            Some(file) => file.try_clone().map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address().to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_FUNCTION_NAME", "calven-bridge")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "measure")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "measure")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
            .envs(&self.variables)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .kill_on_drop(true);
        Ok(command)
    }
}

impl Instance {
    /// Hands it an event, and waits for what comes of it.
    pub async fn invoke(&mut self, event: Value) -> Invoked {
        let Self { runtime, child, .. } = self;
        tokio::select! {
            invoked = runtime.invoke(event, TIMEOUT) => invoked,
            ended = child.wait() => Invoked::Error(json!({
                "errorType": "Runtime.ExitError",
                "errorMessage": format!("the instance ended: {ended:?}"),
            })),
        }
    }

    /// An operator's action or a schedule's.
    ///
    /// # Errors
    /// Where the invocation failed.
    pub async fn act(&mut self, action: Value) -> Result<Value> {
        match self.invoke(action).await {
            Invoked::Response(answer) => Ok(answer),
            Invoked::Error(error) | Invoked::InitError(error) => bail!("{error}"),
        }
    }

    /// Whether it has an invocation that it has not answered.
    pub fn is_at_work(&self) -> bool {
        self.runtime.unanswered() > 0
    }

    /// Kills it as nothing can that it could prepare for, and waits until it is gone.
    ///
    /// # Errors
    /// Where the process can't be waited for.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("an instance won't end")
    }

    /// How much CPU time its process has used since it started, all its threads together, by the scheduler's own count.
    ///
    /// # Errors
    /// Where it has ended, or the system does not tell.
    pub fn cpu(&self) -> Result<Duration> {
        let id = self.child.id().context("the instance has ended")?;
        let threads = std::fs::read_dir(format!("/proc/{id}/task"))?;
        let on_cpu = |thread: std::io::Result<DirEntry>| {
            let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanoseconds = stat.split_whitespace().next();
            let nanoseconds = nanoseconds.context("/proc/…/schedstat is empty")?;
            Ok(Duration::from_nanos(nanoseconds.parse()?))
        };
        threads.map(on_cpu).sum()
    }

    /// What memory its process has.
    ///
    /// # Errors
    /// Where it has ended, or the system does not tell.
    pub fn memory(&self) -> Result<Memory> {
        let id = self.child.id().context("the instance has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.with_context(|| format!("/proc/{id}/status has no {name}"))
        };
        Ok(Memory {
            resident_kib: kib("VmRSS:")?,
            peak_kib: kib("VmHWM:")?,
        })
    }
}
