//! The secrets: fetched when first needed, cached, fetched again when refused, and a stale one used
//! while AWS Secrets Manager is down.
//!
//! Everything here that can be printed is redacted, and no error quotes a content.
//!
//! Versions: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version>.

mod cache;
pub(crate) mod composed;
mod fetch;
mod manager;
mod source_secret;

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use crate::{store::BoxFuture, timestamp::Clock};

use self::{cache::Cached, fetch::Stage};

pub use self::{
    manager::{SecretsManagerClient, secrets_manager_client},
    source_secret::{SourceSecret, lacks_signing_secret},
};

/// After a fetch that failed, or that a refusal forced, so long nothing is fetched again while there
/// is something to serve: neither a manager that is down nor one that is well shall be hammered.
const PAUSE: Duration = Duration::from_secs(5);

/// Where secrets come from.
#[derive(Clone, Debug)]
pub enum SecretsHome {
    /// AWS Secrets Manager, best asked by a [`secrets_manager_client`].
    SecretsManager(SecretsManagerClient),
    /// A JSON file `{"secret id": {…}}`; `"secret id@AWSPREVIOUS"` holds a previous version, to try a
    /// rotation locally.
    File(PathBuf),
    /// Whatever else is asked, with the keys of such a file: where time and failures are to be played.
    Elsewhere(Lookup),
}

/// The text of a secret, and its version where there is a name for it; `None` where there is no such secret.
pub type Found = Option<(String, Option<String>)>;

/// Asks some other home of secrets.
#[derive(Clone)]
pub struct Lookup(Arc<LookupFn>);

type LookupFn = dyn Fn(&str) -> BoxFuture<'static, Result<Found, SecretsError>> + Send + Sync;

impl Lookup {
    /// A home that is asked by `look_up`.
    pub fn new(
        look_up: impl Fn(&str) -> BoxFuture<'static, Result<Found, SecretsError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(look_up))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
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

    /// A secret of this content, which came from no home.
    pub(crate) fn of_text(text: &str) -> Self {
        Self {
            text: Arc::new(text.to_owned().into()),
            version: "".into(),
        }
    }

    /// Reads the JSON; the error never quotes the content.
    ///
    /// # Errors
    /// [`SecretsError::Unusable`] where the content is not of this shape.
    pub fn parse<T: DeserializeOwned>(&self, id: &str) -> Result<T, SecretsError> {
        serde_json::from_str(self.text.expose_secret())
            .map_err(|_| SecretsError::unusable(id, "its shape is not one that is known"))
    }
}

/// Why a secret could not be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretsError {
    /// There is none: nobody has made it yet, or nobody has put anything into it.
    #[error("secret {id}: there is no such secret, or no current version")]
    Missing {
        /// The secret's name or ARN.
        id: String,
    },
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
            Self::Missing { .. } | Self::Unusable { .. } => false,
            Self::Unavailable { .. } => true,
        }
    }

    fn unusable(id: &str, reason: impl Into<String>) -> Self {
        Self::Unusable {
            id: id.to_owned(),
            reason: reason.into(),
        }
    }

    fn unavailable(id: &str, reason: impl Into<String>) -> Self {
        Self::Unavailable {
            id: id.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The secrets, cached.
#[derive(Debug)]
pub struct Secrets {
    home: SecretsHome,
    max_age: Duration,
    clock: Clock,
    marker: RandomState,
    entries: Mutex<HashMap<String, Arc<Entry>>>,
    /// How many versions were asked for, to be told of.
    fetches: AtomicU64,
}

/// What is cached of one secret. Each has its own lock, so no secret waits for another's fetch.
#[derive(Debug)]
struct Entry {
    current: Cached<Secret>,
    previous: Cached<Previous>,
}

/// The previous version, if there is one, as of a certain current version.
#[derive(Clone, Debug)]
struct Previous {
    secret: Option<Secret>,
    current_version: Arc<str>,
}

impl Secrets {
    /// Nothing is fetched before it is needed.
    pub fn new(home: SecretsHome, max_age: Duration, clock: Clock) -> Self {
        Self {
            home,
            max_age,
            clock,
            marker: RandomState::new(),
            entries: Mutex::default(),
            fetches: AtomicU64::default(),
        }
    }

    /// The same home, with nothing fetched from it yet.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.home.clone(), self.max_age, self.clock.clone())
    }

    /// The current version; from the cache while it is young enough; a stale one while the manager is down.
    ///
    /// # Errors
    /// [`SecretsError`] where it must be mended, or cannot be fetched and never was.
    pub async fn current(&self, id: &str) -> Result<Secret, SecretsError> {
        let entry = self.entry(id);
        let young = |_: &Secret, age: Duration| age < self.max_age;
        entry
            .current
            .get(id, &self.clock, young, self.fetch_current(id))
            .await
    }

    /// The current version after `refused` was refused by whom it is for: fetched again, once, unless
    /// somebody else has done so meanwhile. After a signature that did not verify, too: a sender may
    /// have been given the new secret before the cached one was old.
    ///
    /// Within five seconds of such a fetch its outcome is given again, so the answer may be
    /// the refused version: then there is no newer one.
    ///
    /// # Errors
    /// [`SecretsError`] where the fetch fails: what was refused is not served as a stale one.
    pub async fn renewed(&self, id: &str, refused: &Secret) -> Result<Secret, SecretsError> {
        let entry = self.entry(id);
        let other = |held: &Secret| held.version != refused.version;
        entry
            .current
            .renew(&self.clock, other, self.fetch_current(id))
            .await
    }

    /// Every version that a sender may sign with while its secret rotates: AWSCURRENT, then AWSPREVIOUS.
    ///
    /// A previous version that is missing, or cannot be had, is left out.
    ///
    /// # Errors
    /// Those of [`Self::current`].
    pub async fn verifying(&self, id: &str) -> Result<Vec<Secret>, SecretsError> {
        let current = self.current(id).await?;
        let entry = self.entry(id);
        // Once the current version has changed, the previous one has too.
        let young = |held: &Previous, age: Duration| {
            age < self.max_age && held.current_version == current.version
        };
        let fetch = async {
            Ok(Previous {
                secret: self.fetch(id, Stage::Previous).await?,
                current_version: Arc::clone(&current.version),
            })
        };
        let previous = match entry.previous.get(id, &self.clock, young, fetch).await {
            Ok(previous) => previous.secret,
            Err(error) => {
                tracing::warn!(secret_id = id, %error, "the previous version of a secret is left out");
                None
            }
        };
        let previous = previous.filter(|previous| previous.version != current.version);
        Ok([Some(current), previous].into_iter().flatten().collect())
    }

    /// How many versions were asked for since this was asked last.
    pub(crate) fn take_fetches(&self) -> u64 {
        self.fetches.swap(0, Ordering::Relaxed)
    }

    fn entry(&self, id: &str) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(id.to_owned()).or_insert_with(|| {
            Arc::new(Entry {
                current: Cached::new(Duration::ZERO),
                // One can do without it, so it pauses even while there is nothing to serve.
                previous: Cached::new(PAUSE),
            })
        });
        Arc::clone(entry)
    }

    async fn fetch_current(&self, id: &str) -> Result<Secret, SecretsError> {
        let fetched = self.fetch(id, Stage::Current).await?;
        fetched.ok_or_else(|| SecretsError::Missing { id: id.to_owned() })
    }

    /// The version at this stage; `None` where there is none.
    async fn fetch(&self, id: &str, stage: Stage) -> Result<Option<Secret>, SecretsError> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let fetched = match &self.home {
            SecretsHome::SecretsManager(client) => {
                fetch::from_manager(client.client(), id, stage).await?
            }
            SecretsHome::File(path) => fetch::from_file(path, id, stage).await?,
            SecretsHome::Elsewhere(Lookup(look_up)) => look_up(&fetch::key(id, stage)).await?,
        };
        let Some((text, version)) = fetched else {
            return Ok(None);
        };
        if text.trim().is_empty() {
            return Err(SecretsError::unusable(id, "it is empty"));
        }
        // Keyed by a number of this process: a marker is printed, and must give no hash to guess from.
        let version =
            version.unwrap_or_else(|| format!("{:016x}", self.marker.hash_one(text.as_str())));
        Ok(Some(Secret {
            text: Arc::new(text.into()),
            version: version.into(),
        }))
    }
}

#[cfg(test)]
mod tests;
