//! The SDK's client, over the function's own HTTP client and credentials.
//!
//! Left to itself the SDK would bring a second HTTP stack, parse the system's root certificates once more, and look for
//! credentials in places that Lambda does not have.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_credential_types::provider::{error::CredentialsError, future};
use aws_sdk_secretsmanager::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, IdentityCache, ProvideCredentials, Region,
        retry::{ReconnectMode, RetryConfig},
        timeout::TimeoutConfig,
    },
};
use object_store::aws::AwsCredentialProvider;

use super::fetch::Stage;
use crate::aws::{self, Transport};

/// More than any answer takes: a secret has at most 64 KiB.
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
const ANSWER_LIMIT_BYTES: usize = 1024 * 1024;

/// Secrets Manager's variable for its endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";

/// A client for Secrets Manager, made when it is first asked: the SDK reads all of AWS's partitions then,
/// which is a quarter of what a start would cost.
#[derive(Clone)]
pub struct SecretsManagerClient(Arc<LazyLock<Client, Make>>);

type Make = Box<dyn FnOnce() -> Client + Send + Sync>;

impl SecretsManagerClient {
    /// The SDK's client.
    pub fn client(&self) -> &Client {
        &self.0
    }
}

impl From<Config> for SecretsManagerClient {
    fn from(config: Config) -> Self {
        let make: Make = Box::new(move || Client::from_conf(config));
        Self(Arc::new(LazyLock::new(make)))
    }
}

impl fmt::Debug for SecretsManagerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretsManagerClient")
    }
}

/// A client for Secrets Manager that gives up early enough for a webhook: two attempts within five
/// seconds. Nothing is sent yet.
///
/// # Errors
/// Where AWS's variables name no region or do not fit together.
pub fn secrets_manager_client(
    http: &reqwest::Client,
    variables: aws::Variables<'_>,
) -> Result<SecretsManagerClient, String> {
    let region = aws::region(variables).ok_or("AWS_REGION is not set")?;
    let endpoint = aws::endpoint_of(ENDPOINT, variables)?;
    let credentials = Lent(aws::credentials(http, variables)?);
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(2_400))
        .operation_timeout(Stage::Current.deadline())
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(50))
        // The client's own pool knows which connections are broken.
        .with_reconnect_mode(ReconnectMode::ReuseAllConnections);
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        // They are kept where they come from, by their end.
        .identity_cache(IdentityCache::no_cache())
        .http_client(Transport::new(http, ANSWER_LIMIT_BYTES))
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint.at("/").as_str());
    }
    Ok(config.build().into())
}

/// Credentials from where those for S3 and the queue are from.
#[derive(Debug)]
struct Lent(AwsCredentialProvider);

impl ProvideCredentials for Lent {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let lent = self.0.get_credential().await;
            // What went wrong may quote an answer with credentials in it.
            let lent =
                lent.map_err(|_| CredentialsError::not_loaded("there are no credentials"))?;
            Ok(Credentials::new(
                lent.key_id.as_str(),
                lent.secret_key.as_str(),
                lent.token.clone(),
                None,
                "environment",
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use stand_ins::secrets_manager::SecretsManager;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{http, secrets::fetch::from_manager};

    const ID: &str = "hris/acme";

    /// A container that gives whoever asks these credentials; how often it was asked.
    async fn container(answer: String) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let bytes = answer.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {bytes}\r\n");
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream
                    .write_all(format!("{head}\r\n{answer}").as_bytes())
                    .await;
            }
        });
        (url, asked)
    }

    /// Asks for a secret twice, as somebody whom a container gives these credentials.
    async fn ask_twice(answer: String) -> (Vec<Result<String, String>>, usize) {
        let manager = SecretsManager::start().await;
        manager.put(ID, r#"{"token":"one"}"#);
        let (container, asked) = container(answer).await;
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "who-asks").unwrap();
        let variables = |name: &str| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI" => Some(container.clone()),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => Some(token.display().to_string()),
            ENDPOINT => Some(manager.url()),
            _ => None,
        };
        let client = secrets_manager_client(&http::client().unwrap(), &variables).unwrap();
        let mut answers = Vec::new();
        for _ in 0..2 {
            let found = from_manager(client.client(), ID, Stage::Current).await;
            let found = found.map(|found| found.unwrap().0);
            answers.push(found.map_err(|error| error.to_string()));
        }
        (answers, asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn credentials_are_not_used_beyond_their_end() {
        let ended = r#"{"AccessKeyId":"test-access-key","SecretAccessKey":"test-secret-access-key","Token":"a-session","Expiration":"2026-01-01T00:00:00Z"}"#;
        let (answers, asked) = ask_twice(ended.to_owned()).await;
        assert_eq!(answers, vec![Ok(r#"{"token":"one"}"#.to_owned()); 2]);
        assert_eq!(asked, 2);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_credentials_is_not_quoted() {
        let (answers, _) = ask_twice(r#""a-text-of-theirs""#.to_owned()).await;
        for answer in answers {
            let error = answer.unwrap_err();
            assert!(error.contains("there are no credentials"), "{error}");
            assert!(!error.contains("a-text-of-theirs"), "{error}");
        }
    }
}
