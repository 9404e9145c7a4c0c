//! The function, and the two that it is compared with.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

/// The packages, by the names that their binaries have too.
pub(super) const FUNCTION: &str = "calven-bridge";
pub(super) const SMALLEST: &str = "smallest";
pub(super) const BARE: &str = "bare";

/// Builds a package's binary by itself, so that no other package adds features to what it depends on; where it is then.
pub(super) async fn build(package: &str, profile: &str) -> Result<PathBuf> {
    // The clone that this tool was built from.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--locked", "--package", package, "--bin", package])
        .args(["--profile", profile])
        .args(as_fast_as_can_be(package, profile))
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let built = cargo.output().await.context("cargo cannot be started")?;
    ensure!(built.status.success(), "{package} cannot be built");
    let told = String::from_utf8(built.stdout)?;
    let messages = told.lines().rev();
    let mut messages = messages.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = messages.find_map(|message| Some(message.get("executable")?.as_str()?.into()));
    executable.with_context(|| format!("cargo does not tell where {package} is"))
}

/// What is deployed is built for its size. What it is compared with is built as releases are by default, but for one library of all its parts:
/// larger than it would be so, and as fast as it gets.
fn as_fast_as_can_be(package: &str, profile: &str) -> Vec<String> {
    match (package, profile) {
        (SMALLEST | BARE, "release") => vec![
            "--config".to_owned(),
            format!("profile.{profile}.opt-level=3"),
        ],
        (_, _) => Vec::new(),
    }
}

/// How large a binary is.
pub(super) fn bytes(binary: &Path) -> Result<u64> {
    let file = std::fs::metadata(binary);
    let file = file.with_context(|| binary.display().to_string())?;
    Ok(file.len())
}
