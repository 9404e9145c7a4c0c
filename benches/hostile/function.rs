//! The whole function, in memory: Calven and the secrets answer at once.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http::{self, SendFailure},
    invocation::{Function, Parts},
    retry::RetryPolicy,
    secrets::{Lookup, SecretsHome},
    store::{BoxFuture, MemoryStore},
    timestamp::{Clock, Timestamp},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lambda_runtime::Context;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::runtime::Runtime;

use crate::bodies::{Body, SOURCES};

const NOW_SECONDS: i64 = 1_768_046_400;
const KEY: [u8; 32] = [7; 32];

/// What makes instances.
pub(crate) struct Functions {
    folder: tempfile::TempDir,
    network: reqwest::Client,
}

/// A new instance on a state of its own.
pub(crate) struct Instance {
    runtime: Runtime,
    function: Function,
}

impl Functions {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("sources.toml"), SOURCES)?;
        let network = http::client()?;
        Ok(Self { folder, network })
    }

    pub(crate) fn instance(&self) -> Result<Instance> {
        let sources = self.folder.path().join("sources.toml");
        let variable = |name: &str| {
            let value = match name {
                "CALVEN_SECRET_ID" => "calven",
                "CALVEN_BASE_URL" => "https://calven.example",
                "STATE_URL" => "memory:",
                "SEED_REQUIRED" => "false",
                "GUARD_MAX_REMOVED_PERCENT" | "GUARD_MAX_MOVED_PERCENT" => "100",
                "PUBLISH_BUDGET_SECONDS" => "3600",
                "SOURCES_FILE" => return sources.to_str().map(str::to_owned),
                _ => return None,
            };
            Some(value.to_owned())
        };
        let files = Files {
            beside_binary: None,
            working_dir: self.folder.path().to_owned(),
        };
        let config = Config::read(&variable, &files).context("the configuration")?;
        let exchange = |request: reqwest::Request| -> BoxFuture<'static, _> {
            Box::pin(async move { Ok::<_, SendFailure>(answer(&request)) })
        };
        let secret = |key: &str| -> BoxFuture<'static, _> {
            let secret = match key.starts_with("calven") {
                true => json!({"auth": "jwt", "token": "t"}),
                false => json!({"signingSecret": STANDARD.encode(KEY)}),
            };
            let found = Some((secret.to_string(), Some(key.to_owned())));
            Box::pin(async move { Ok(found) })
        };
        let parts = Parts {
            http: http::Client::by_exchange(self.network.clone(), Arc::new(exchange)),
            secrets: SecretsHome::Elsewhere(Lookup::new(secret)),
            store: Arc::new(MemoryStore::default()),
            queue: None,
            clock: Clock::new(|| Timestamp::from_seconds(NOW_SECONDS)),
            retry: RetryPolicy::default(),
            metrics: None,
            salt: Salt::new([7; 32]),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Instance {
            runtime,
            function: Function::new(config, parts),
        })
    }
}

impl Instance {
    /// Sends a signed webhook: the answer's status, and how long it took.
    pub(crate) fn send(&self, body: &Body, number: usize) -> Result<(u64, Duration)> {
        let event = event(body, number)?;
        let mut context = Context::default();
        context.deadline = u64::try_from(NOW_SECONDS + 3_600)? * 1_000;
        let began = Instant::now();
        let answer = self
            .runtime
            .block_on(self.function.handle(event, context))
            .context("the invocation")?;
        let took = began.elapsed();
        let status = answer.get("statusCode").and_then(Value::as_u64);
        let status = status.context("an answer without a status")?;
        Ok((status, took))
    }
}

/// What an HTTP API makes of a POST.
fn event(body: &Body, number: usize) -> Result<Value> {
    let id = format!("msg_{number}");
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY)?;
    mac.update(format!("{id}.{NOW_SECONDS}.").as_bytes());
    mac.update(&body.bytes);
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let path = format!("/webhooks/{}", body.source);
    Ok(json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": body.content_type,
            "webhook-id": id,
            "webhook-timestamp": NOW_SECONDS.to_string(),
            "webhook-signature": signature,
        },
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "u"},
            "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "10/Jan/2026:12:00:00 +0000", "timeEpoch": 1,
        },
        "body": String::from_utf8(body.bytes.clone()).context("a body is text")?,
        "isBase64Encoded": false,
    }))
}

/// What Calven answers: that it took what it was sent.
fn answer(request: &reqwest::Request) -> reqwest::Response {
    let status = match request.url().path() {
        path if path.starts_with("/v1/auth") => 200,
        _ => 204,
    };
    let mut response = lambda_http::http::Response::new(Vec::new());
    *response.status_mut() = lambda_http::http::StatusCode::from_u16(status).unwrap_or_default();
    response.into()
}
