//! One instance of the function: a process of its own, under a Runtime API of its own.
//!
//! As with Lambda an instance has one invocation at a time, and whoever waits for one that its instance did not survive is told so.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use stand_ins::lambda_runtime::{Invoked, LambdaRuntime};
use tokio::process::{Child, Command};

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
}

/// The clock by which Linux tells the CPU time of processes.
const TICKS_A_SECOND: u32 = 100;

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
        let output = || match &self.log {
            Some(file) => file.try_clone().map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        let mut command = Command::new(&self.binary);
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
        let child = command.spawn().context("the function cannot be started")?;
        Ok(Instance { runtime, child })
    }
}

impl Instance {
    /// Hands it an event, and waits for what comes of it.
    pub async fn invoke(&mut self, event: Value) -> Invoked {
        let Self { runtime, child } = self;
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

    /// How much CPU time its process has used since it started, all threads together.
    ///
    /// # Errors
    /// Where it has ended, or the system does not tell.
    pub fn cpu(&self) -> Result<Duration> {
        let id = self.child.id().context("the instance has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name, in parentheses, may have anything in it; user and system time are the 12th and 13th after it.
        let (_, fields) = stat.rsplit_once(')').context("/proc/…/stat has no name")?;
        let fields = fields.split_whitespace().skip(11).take(2);
        let ticks: Result<Vec<u32>, _> = fields.map(str::parse).collect();
        Ok(Duration::from_secs(1) * ticks?.iter().sum() / TICKS_A_SECOND)
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
