//! SKELETON: public signatures are fixed; insides are to be written.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use crate::timestamp::Clock;

/// Where secrets come from.
#[derive(Clone, Debug)]
pub enum SecretsHome {
    /// AWS Secrets Manager.
    SecretsManager(aws_sdk_secretsmanager::Client),
    /// A JSON file `{"secret id": {…}}`.
    File(PathBuf),
}

/// One version of a secret: its JSON text, and a marker that tells versions apart.
#[derive(Clone)]
pub struct Secret {
    text: Arc<SecretString>,
    version: Arc<str>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret([redacted], version {})", self.version)
    }
}

impl Secret {
    /// Marker of this version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Reads the JSON; the error never quotes the content.
    pub fn parse<T: DeserializeOwned>(&self, id: &str) -> Result<T, SecretsError> {
        serde_json::from_str(self.text.expose_secret()).map_err(|_| SecretsError::Unusable {
            id: id.to_owned(),
            reason: "its shape is not one that is known".to_owned(),
        })
    }
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Must be mended by somebody.
    #[error("secret {id}: {reason}")]
    Unusable {
        /// The secret's name or ARN.
        id: String,
        /// What is wrong, without the content.
        reason: String,
    },
    /// Will pass.
    #[error("secret {id} cannot be fetched at present: {reason}")]
    Unavailable {
        /// The secret's name or ARN.
        id: String,
        /// What happened.
        reason: String,
    },
}

impl SecretsError {
    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unusable { .. } => false,
            Self::Unavailable { .. } => true,
        }
    }
}

/// The secrets, cached.
#[derive(Debug)]
pub struct Secrets {
    home: SecretsHome,
    _max_age: Duration,
    _clock: Clock,
}

impl Secrets {
    /// Nothing is fetched before it is needed.
    pub fn new(home: SecretsHome, max_age: Duration, clock: Clock) -> Self {
        Self {
            home,
            _max_age: max_age,
            _clock: clock,
        }
    }

    /// The current version; from the cache while it is young enough; a stale one while the manager is down.
    pub async fn current(&self, id: &str) -> Result<Secret, SecretsError> {
        let SecretsHome::File(path) = &self.home else {
            return Err(SecretsError::Unavailable {
                id: id.to_owned(),
                reason: "skeleton".to_owned(),
            });
        };
        let text = std::fs::read_to_string(path).map_err(|e| SecretsError::Unavailable {
            id: id.to_owned(),
            reason: e.to_string(),
        })?;
        let all: HashMap<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|_| SecretsError::Unusable {
                id: id.to_owned(),
                reason: "no JSON".to_owned(),
            })?;
        let value = all.get(id).ok_or_else(|| SecretsError::Unusable {
            id: id.to_owned(),
            reason: "not there".to_owned(),
        })?;
        let text = value.to_string();
        Ok(Secret {
            version: format!("{}", text.len()).into(),
            text: Arc::new(text.into()),
        })
    }

    /// The current version after `refused` was refused by whom it is for: fetched again, once, unless
    /// somebody else has done so meanwhile.
    pub async fn renewed(&self, id: &str, refused: &Secret) -> Result<Secret, SecretsError> {
        let _ = refused;
        self.current(id).await
    }

    /// Every version that a sender may sign with while its secret rotates: AWSCURRENT, then AWSPREVIOUS.
    pub async fn verifying(&self, id: &str) -> Result<Vec<Secret>, SecretsError> {
        Ok(vec![self.current(id).await?])
    }
}
