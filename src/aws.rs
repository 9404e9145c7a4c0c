//! What AWS's own variables say: where the services are, and who asks them.
//!
//! The store and the queue are reached by one reading of them, over the HTTP client that all share. `object_store` brings the
//! credentials of all of Lambda's ways to give them, and the signature, so no second SDK is needed for either.
//! It reads no profiles (`AWS_PROFILE`, `~/.aws`).

mod transport;

use std::time::Duration;

use object_store::{
    RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider},
};

pub(crate) use self::transport::{TooLarge, Transport};
use crate::http::BaseUrl;

/// AWS's variables that say where a service is and who asks, and what `object_store` calls them.
///
/// Not every `AWS_*` variable that `object_store` knows: some of its own would switch off what the
/// state's swap stands on.
const VARIABLES: [(&str, AmazonS3ConfigKey); 14] = [
    ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
    (REGION, AmazonS3ConfigKey::Region),
    (DEFAULT_REGION, AmazonS3ConfigKey::DefaultRegion),
    (ENDPOINT, AmazonS3ConfigKey::Endpoint),
    (S3_ENDPOINT, AmazonS3ConfigKey::S3Endpoint),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        AmazonS3ConfigKey::WebIdentityTokenFile,
    ),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    ),
];

/// Who gives credentials is near by, and a webhook waits.
const CREDENTIALS_RETRYING: Duration = Duration::from_secs(1);

/// More than any answer with credentials takes.
const CREDENTIALS_LIMIT_BYTES: usize = 64 * 1024;

const REGION: &str = "AWS_REGION";
const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const S3_ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";

/// Gives the values of environment variables.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A client of S3's to be finished, with credentials, region and endpoint, over `http`; no answer is taken that is larger
/// than `answer_limit_bytes`.
///
/// # Errors
/// Where an endpoint is neither https nor on a loopback host.
pub(crate) fn s3(
    http: &reqwest::Client,
    answer_limit_bytes: usize,
    aws: Variables<'_>,
) -> Result<AmazonS3Builder, String> {
    let mut builder = AmazonS3Builder::new();
    for (name, key) in VARIABLES {
        let Some(value) = set(name, aws) else {
            continue;
        };
        if name == ENDPOINT || name == S3_ENDPOINT {
            endpoint(name, aws)?;
        }
        builder = builder.with_config(key, value);
    }
    Ok(builder
        .with_http_connector(Transport::new(http, answer_limit_bytes))
        // The endpoint was checked above; the connector ignores this anyway.
        .with_allow_http(true))
}

/// Whose name requests are signed in; nothing is fetched yet.
///
/// # Errors
/// Where credentials come by halves.
pub(crate) fn credentials(
    http: &reqwest::Client,
    aws: Variables<'_>,
) -> Result<AwsCredentialProvider, String> {
    // They are the same for every service; that there is such a bucket is not asked.
    let client = s3(http, CREDENTIALS_LIMIT_BYTES, aws)?
        .with_bucket_name("credentials-only")
        .with_retry(RetryConfig {
            max_retries: 2,
            retry_timeout: CREDENTIALS_RETRYING,
            ..RetryConfig::default()
        })
        .build();
    let client = client.map_err(|error| error.to_string())?;
    Ok(client.credentials().clone())
}

/// The region, where one is set.
pub(crate) fn region(aws: Variables<'_>) -> Option<String> {
    set(REGION, aws).or_else(|| set(DEFAULT_REGION, aws))
}

/// Where a service is said to be: by a variable of its own, else by the one for all.
///
/// # Errors
/// Where that is neither https nor a loopback host.
pub(crate) fn endpoint_of(own: &str, aws: Variables<'_>) -> Result<Option<BaseUrl>, String> {
    match endpoint(own, aws)? {
        Some(url) => Ok(Some(url)),
        None => endpoint(ENDPOINT, aws),
    }
}

fn endpoint(name: &str, aws: Variables<'_>) -> Result<Option<BaseUrl>, String> {
    let parse = |value: String| BaseUrl::parse(&value).map_err(|error| format!("{name} {error}"));
    set(name, aws).map(parse).transpose()
}

fn set(name: &str, aws: Variables<'_>) -> Option<String> {
    aws(name).filter(|value| !value.is_empty())
}
