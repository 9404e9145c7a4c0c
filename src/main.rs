//! The Lambda function: environment and clock in, [`Function`] served.
//!
//! The only file that reads the environment and the system's clock.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, anyhow};
use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http,
    invocation::{Function, Parts, log_places_of_panics},
    metrics::Metrics,
    queue::Queue,
    retry::RetryPolicy,
    secrets::{SecretsHome, secrets_manager_client},
    store,
    timestamp::{Clock, Timestamp},
};
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use serde_json::Value;

/// How long one load or save of the state may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    log_places_of_panics();
    let function = match function().await {
        Ok(function) => Arc::new(function),
        Err(error) => {
            tracing::error!("the function cannot start: {error:#}");
            return Err(error.into());
        }
    };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { function.handle(event.payload, event.context).await }
    }))
    .await
}

async fn function() -> Result<Function> {
    let config = Config::read(&variable, &files()?)?;
    let network = match variable("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        Some(path) => http::client_trusting(Path::new(&path))?,
        None => http::client()?,
    };
    let store = store::open(&config.state_url, &network, &variable, STORE_TIMEOUT)?;
    let secrets = match &config.secrets_file {
        Some(path) => SecretsHome::File(path.clone()),
        None => SecretsHome::SecretsManager(
            secrets_manager_client(&network, &variable)
                .map_err(|reason| anyhow!("Secrets Manager cannot be asked: {reason}"))?,
        ),
    };
    let http = http::Client::from(network);
    let queue = match &config.queue_url {
        Some(url) => Some(Queue::open(url, &http, &variable, Clock::new(now))?),
        None => None,
    };
    let parts = Parts {
        http,
        secrets,
        store,
        queue,
        clock: Clock::new(now),
        retry: RetryPolicy::default(),
        metrics: config.inside_lambda.then(metrics),
        salt: Salt::new(random()?),
    };
    Ok(Function::new(config, parts))
}

/// On stdout, where Lambda's log comes from. Each line is written at once, so that no line of the log gets into it; one that
/// cannot be written is a metric less and nothing worse.
fn metrics() -> Metrics {
    let function_name = variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    Metrics::new(function_name, |line| {
        let mut stdout = std::io::stdout().lock();
        let _unwritten = stdout.write_all(line).and_then(|()| stdout.flush());
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn files() -> Result<Files> {
    let task_root = variable("LAMBDA_TASK_ROOT").map(PathBuf::from);
    let beside_executable = || {
        std::env::current_exe()
            .ok()?
            .parent()
            .map(std::path::Path::to_path_buf)
    };
    Ok(Files {
        beside_binary: task_root.or_else(beside_executable),
        working_dir: std::env::current_dir().context("there is no working directory")?,
    })
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(bytes)
}
