//! Asking the two homes of secrets for one version.

use std::{collections::HashMap, error::Error as StdError, fs, io, path::Path, time::Duration};

use aws_sdk_secretsmanager::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput},
};
use secrecy::zeroize::Zeroizing;
use serde_json::value::RawValue;

use super::SecretsError;

/// Which of the versions, by the label that Secrets Manager keeps on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The one to be used.
    Current,
    /// The one before.
    Previous,
}

impl Stage {
    /// The label. Always sent, though AWSCURRENT is the default: not everything that speaks this
    /// protocol honours the default after a rotation.
    fn label(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Previous => "AWSPREVIOUS",
        }
    }

    /// How long a call may take, its attempts together. One can do without the previous version.
    pub(super) fn deadline(self) -> Duration {
        match self {
            Self::Current => Duration::from_secs(5),
            Self::Previous => Duration::from_secs(2),
        }
    }
}

/// A secret's text, and its version where the home has a name for it.
type Fetched = (String, Option<String>);

/// Asks Secrets Manager.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>
pub(super) async fn from_manager(
    client: &Client,
    id: &str,
    stage: Stage,
) -> Result<Option<Fetched>, SecretsError> {
    let call = client
        .get_secret_value()
        .secret_id(id)
        .version_stage(stage.label())
        .send();
    // The client has timeouts of its own, but whoever made it may have left them out.
    let Ok(answer) = tokio::time::timeout(stage.deadline(), call).await else {
        let reason = format!("no answer within {:?}", stage.deadline());
        return Err(SecretsError::unavailable(id, reason));
    };
    match answer {
        Ok(output) => content(id, output).map(Some),
        Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => {
            Ok(None)
        }
        Err(error) => Err(classify(id, &error)),
    }
}

fn content(id: &str, output: GetSecretValueOutput) -> Result<Fetched, SecretsError> {
    let GetSecretValueOutput {
        secret_string,
        secret_binary,
        version_id,
        ..
    } = output;
    let text = match (secret_string, secret_binary) {
        (Some(text), _) => text,
        (None, Some(bytes)) => String::from_utf8(bytes.into_inner()).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            SecretsError::unusable(id, "it is binary, and no JSON in UTF-8")
        })?,
        (None, None) => String::new(),
    };
    Ok((text, version_id))
}

/// What passes: throttling, failures of the service, of the network, and credentials that ran out
/// (Lambda hands new ones to a new environment). What must be mended: the rest.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>
fn classify(id: &str, error: &SdkError<GetSecretValueError, HttpResponse>) -> SecretsError {
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("no error code");
            let reason = match service.err().message() {
                Some(message) => format!("answered {status}: {code}: {message}"),
                None => format!("answered {status}: {code}"),
            };
            // An answer that is no refusal, and none that can be read, comes from something in between.
            let passes = !(400..500).contains(&status)
                || [408, 429].contains(&status)
                || code.starts_with("Throttling")
                || [
                    "TooManyRequestsException",
                    "RequestLimitExceeded",
                    "ExpiredTokenException",
                    "RequestExpired",
                ]
                .contains(&code);
            if passes {
                SecretsError::unavailable(id, reason)
            } else {
                SecretsError::unusable(id, reason)
            }
        }
        SdkError::ConstructionFailure(_) => {
            SecretsError::unusable(id, format!("the request cannot be made: {}", causes(error)))
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            SecretsError::unavailable(id, format!("answered {status}, unreadably"))
        }
        _ => SecretsError::unavailable(id, causes(error)),
    }
}

/// The SDK's own words are short; what happened is in the causes.
fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Reads the file, anew each time: it is small, and this is local work.
pub(super) async fn from_file(
    path: &Path,
    id: &str,
    stage: Stage,
) -> Result<Option<Fetched>, SecretsError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || fs::read(owned))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
    let place = path.display();
    let bytes = read.map(Zeroizing::new).map_err(|error| {
        let reason = format!("SECRETS_FILE {place}: {error}");
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory => SecretsError::unusable(id, reason),
            _ => SecretsError::unavailable(id, reason),
        }
    })?;
    let mut all: HashMap<String, Box<RawValue>> =
        serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            SecretsError::unusable(
                id,
                format!(
                    "SECRETS_FILE {place} is no JSON object of the form {{\"secret id\": {{…}}}} (line {line}, column {column})"
                ),
            )
        })?;
    let value = all.remove(&key(id, stage));
    Ok(value.map(|value| (value.get().to_owned(), None)))
}

/// What a version is called where the id and the version are one word.
pub(super) fn key(id: &str, stage: Stage) -> String {
    match stage {
        Stage::Current => id.to_owned(),
        Stage::Previous => format!("{id}@{}", stage.label()),
    }
}
