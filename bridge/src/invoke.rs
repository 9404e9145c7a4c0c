//! Invoking the function: Lambda's `Invoke`, or the same as `cargo lambda watch` serves it.
//!
//! - <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
//! - <https://www.cargo-lambda.info/commands/watch.html>
//!
//! Nothing is tried again: an approval is good once, and whoever runs a command sees what came of it.

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow, bail};
use calven_bridge::{
    aws::{self, Signer},
    http::{self, BaseUrl, Client, SendFailure, read_body},
};
use clap::Args;
use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;
use tokio::time::Instant;

/// A function may run for fifteen minutes.
const LONGEST: Duration = Duration::from_secs(15 * 60 + 10);

/// Lambda's own limit is 6 MiB.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// What `cargo lambda watch` calls the function.
const LOCAL_NAME: &str = "calven-bridge";

/// Where the function is.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Whereabouts {
    /// The deployed function's name or ARN, which may end with an alias (NAME:ALIAS). Region and credentials are those of
    /// AWS's variables. Beside --url, the name there.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// A function that is served locally, as by cargo lambda watch: `http://127.0.0.1:9000`.
    #[arg(long, value_name = "URL")]
    url: Option<BaseUrl>,
}

/// What the function answered.
pub(crate) enum Answered {
    /// This, byte for byte.
    Answer(Vec<u8>),
    /// A failed invocation.
    Failed { kind: String, message: String },
}

impl Whereabouts {
    /// Invokes the function with an event.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Answered> {
        let network = match variable("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => http::client_trusting(Path::new(&path))?,
            None => http::client()?,
        };
        let body = serde_json::to_vec(event)?;
        let (url, headers) = match &self.url {
            Some(local) => {
                let name = self.function.as_deref().unwrap_or(LOCAL_NAME);
                (local.at(&path(name)), headers())
            }
            None => self.signed(&network, &body).await?,
        };
        let shown = url.clone();
        let client = Client::from(network);
        let until = Instant::now() + LONGEST;
        let request = client.post(url).headers(headers).body(body);
        let response = client.send(request, until).await.map_err(|failure| {
            let place = place(&shown);
            match failure {
                SendFailure::Unsendable | SendFailure::NeverSent(_) => anyhow!(
                    "{place} cannot be reached: {failure}; nothing was done"
                ),
                SendFailure::Unanswered(_) => anyhow!(
                    "{place} did not answer: {failure}; whether it was done, `bridge plan` and `bridge history` show"
                ),
            }
        })?;
        let status = response.status();
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let is_failed = header("x-amz-function-error").is_some();
        let code = header("x-amzn-errortype");
        let body = read_body(response, ANSWER_LIMIT_BYTES, until)
            .await
            .map_err(|failure| anyhow!("{}: {failure}", place(&shown)))?;
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        // Who serves it locally may answer a failure as anything; no answer of ours has such a field.
        let is_failed = is_failed || told.get("errorType").is_some();
        if status.is_success() && !is_failed {
            return Ok(Answered::Answer(body));
        }
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| told.get(name)?.as_str());
            found.map(str::to_owned)
        };
        if is_failed {
            return Ok(Answered::Failed {
                kind: text(&["errorType"]).unwrap_or_default(),
                message: text(&["errorMessage"]).unwrap_or_default(),
            });
        }
        let code = code.as_deref().and_then(|code| code.split(':').next());
        let said = text(&["Message", "message"]).unwrap_or_default();
        bail!(
            "{} answered {status} {} {said}{}",
            place(&shown),
            code.unwrap_or_default(),
            hint(code, status.as_u16())
        )
    }

    /// Where a deployed function is asked, and the headers that prove who asks.
    async fn signed(&self, network: &reqwest::Client, body: &[u8]) -> Result<(Url, HeaderMap)> {
        let name = self.function.as_deref().unwrap_or(LOCAL_NAME);
        let own = name
            .strip_prefix("arn:")
            .and_then(|arn| arn.split(':').nth(2));
        let region = own.map(str::to_owned).or_else(|| aws::region(&variable));
        let missing = missing(region.is_none());
        let (Some(region), true) = (region, missing.is_empty()) else {
            bail!(
                "{} not set. To take them from the AWS CLI: eval \"$(aws configure export-credentials --format env)\"; \
                 and the region: export AWS_REGION=…",
                missing.join(", ") + if missing.len() == 1 { " is" } else { " are" }
            );
        };
        let endpoint = aws::endpoint_of("AWS_ENDPOINT_URL_LAMBDA", &variable);
        let endpoint = match endpoint.map_err(|error| anyhow!(error))? {
            Some(endpoint) => endpoint,
            None => {
                let domain = match region.starts_with("cn-") {
                    true => "amazonaws.com.cn",
                    false => "amazonaws.com",
                };
                BaseUrl::parse(&format!("https://lambda.{region}.{domain}"))
                    .map_err(|_| anyhow!("{region:?} is no region"))?
            }
        };
        let url = endpoint.at(&path(name));
        let signer = Signer::new("lambda", region, network, &variable)
            .map_err(|error| anyhow!("AWS's variables do not fit together: {error}"))?;
        let signed = signer.sign(Method::POST, &url, headers(), body).await;
        Ok((url, signed.map_err(|unsigned| anyhow!("{unsigned}"))?))
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, json);
    headers
}

/// The path that a function of this name is invoked at.
fn path(name: &str) -> String {
    let encoded = name.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    format!(
        "/2015-03-31/functions/{}/invocations",
        encoded.collect::<String>()
    )
}

/// A place without its path.
fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The variables without which nobody signs. Where a container or a web identity gives the credentials, none is.
fn missing(lacks_region: bool) -> Vec<&'static str> {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    let given_otherwise = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ];
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let mut missing: Vec<&str> = match given_otherwise.iter().any(is_set) {
        true => Vec::new(),
        false => keys.into_iter().filter(|name| !is_set(name)).collect(),
    };
    missing.extend(lacks_region.then_some("AWS_REGION"));
    missing
}

fn hint(code: Option<&str>, status: u16) -> &'static str {
    match (code, status) {
        (Some("ResourceNotFoundException"), _) => {
            "\nLook at the name, the region and the account: aws lambda list-functions"
        }
        (Some("ExpiredTokenException"), _) => {
            "\nThe credentials have ended: eval \"$(aws configure export-credentials --format env)\""
        }
        (Some("AccessDeniedException"), _) => {
            "\nWho asks needs lambda:InvokeFunction on the function"
        }
        (_, 403) => "\nLook at the credentials and the region",
        (_, 413) => "\nLambda takes events of at most 6 MiB",
        (_, 429) => "\nAll instances are busy: try again in a while",
        (_, _) => "",
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command's one look at the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
