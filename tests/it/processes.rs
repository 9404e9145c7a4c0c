//! The built function, as processes of their own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use stand_ins::{
    canaries,
    lambda_runtime::{Invoked, LambdaRuntime},
};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    task::JoinHandle,
};

use crate::harness::root;

/// How long an invocation of a debug build may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process under a Runtime API of its own; it ends with this.
pub(crate) struct Process {
    pub(crate) runtime: LambdaRuntime,
    child: Child,
    log: JoinHandle<String>,
    folder: PathBuf,
}

impl Process {
    /// Starts the binary with these variables, AWS's own of a test account, and no others.
    pub(crate) async fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let runtime = LambdaRuntime::start().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_calven-bridge"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "calven-bridge")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test-access-key")
            .env("AWS_SECRET_ACCESS_KEY", "test-secret-access-key")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_LAMBDA_LOG_LEVEL", "DEBUG")
            .env("SOURCES_FILE", root().join("examples/sandbox/sources.toml"))
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut err = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let (mut first, mut second) = (String::new(), String::new());
            let (read_out, read_err) = tokio::join!(
                out.read_to_string(&mut first),
                err.read_to_string(&mut second)
            );
            read_out.unwrap();
            read_err.unwrap();
            first + &second
        });
        Self {
            runtime,
            child,
            log,
            folder: folder.to_owned(),
        }
    }

    pub(crate) async fn invoke(&self, event: Value) -> Invoked {
        self.runtime.invoke(event, PATIENCE).await
    }

    /// Ends it, and tells what it logged.
    pub(crate) async fn end(mut self) -> String {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
        shown(self.log.await.unwrap(), &self.folder)
    }

    /// Waits until it has ended by itself: whether it failed, and what it logged.
    pub(crate) async fn ended(mut self) -> (bool, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let failed = !status.unwrap().unwrap().success();
        (failed, shown(self.log.await.unwrap(), &self.folder))
    }
}

/// Printed too, for whoever searches the output of all tests; and the state that it left, where that is a file.
#[expect(clippy::print_stdout, reason = "the log is meant to be searched")]
fn shown(log: String, folder: &Path) -> String {
    println!("{log}");
    if let Ok(state) = std::fs::read_to_string(folder.join("state.json")) {
        canaries::keep("states", &state);
    }
    log
}
