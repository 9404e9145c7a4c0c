//! What AWS's own variables say: where the services are, and who asks them.
//!
//! The store and the queue are reached by one reading of them, over the HTTP client that all share. `object_store` brings the
//! credentials of all of Lambda's ways to give them, and the signature, so no second SDK is needed for either. Of its client
//! of S3's no request is used, and so none is part of the function.
//! It reads no profiles (`AWS_PROFILE`, `~/.aws`).

mod signer;
mod transport;

use std::{sync::Arc, time::Duration};

use object_store::{
    RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider},
};

pub use self::signer::{Signer, Unsigned};
pub(crate) use self::transport::{Failure, Transport};
use crate::http::BaseUrl;

/// AWS's variables that say who asks, and what `object_store` calls them.
const VARIABLES: [(&str, AmazonS3ConfigKey); 12] = [
    (KEY_ID, AmazonS3ConfigKey::AccessKeyId),
    (SECRET_KEY, AmazonS3ConfigKey::SecretAccessKey),
    (SESSION_TOKEN, AmazonS3ConfigKey::Token),
    (REGION, AmazonS3ConfigKey::Region),
    (DEFAULT_REGION, AmazonS3ConfigKey::DefaultRegion),
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

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const REGION: &str = "AWS_REGION";
const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Gives the values of environment variables.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Whose name requests are signed in; nothing is fetched yet.
///
/// # Errors
/// Where credentials come by halves.
pub(crate) fn credentials(
    http: &reqwest::Client,
    aws: Variables<'_>,
) -> Result<AwsCredentialProvider, String> {
    if let Some(credential) = given(aws) {
        return Ok(Arc::new(StaticCredentialProvider::new(credential)));
    }
    let mut builder = AmazonS3Builder::new();
    for (name, key) in VARIABLES {
        if let Some(value) = set(name, aws) {
            builder = builder.with_config(key, value);
        }
    }
    // They are the same for every service; that there is such a bucket is not asked.
    let client = builder
        .with_bucket_name("credentials-only")
        .with_http_connector(Transport::new(http, CREDENTIALS_LIMIT_BYTES))
        .with_retry(RetryConfig {
            max_retries: 2,
            retry_timeout: CREDENTIALS_RETRYING,
            ..RetryConfig::default()
        })
        .build();
    let client = client.map_err(|error| error.to_string())?;
    Ok(client.credentials().clone())
}

/// A key as it stands in the environment, which is where Lambda puts it.
fn given(aws: Variables<'_>) -> Option<AwsCredential> {
    Some(AwsCredential {
        key_id: set(KEY_ID, aws)?,
        secret_key: set(SECRET_KEY, aws)?,
        token: set(SESSION_TOKEN, aws),
    })
}

/// The region, where one is set.
pub fn region(aws: Variables<'_>) -> Option<String> {
    set(REGION, aws).or_else(|| set(DEFAULT_REGION, aws))
}

/// Where a service is said to be: by a variable of its own, else by the one for all.
///
/// # Errors
/// Where that is neither https nor a loopback host.
pub fn endpoint_of(own: &str, aws: Variables<'_>) -> Result<Option<BaseUrl>, String> {
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
