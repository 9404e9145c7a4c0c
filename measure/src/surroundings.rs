//! Everything around the function: the stand-ins, and the variables that lead it to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::json;
use stand_ins::{
    calven::{CalvenStandIn, Credentials, Row},
    s3::S3,
    secrets_manager::SecretsManager,
    sqs::{self, Sqs},
    traffic::{RoundTrip, Traffic},
};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::{
    encrypted::{Authority, Front},
    instance::Function,
    webhook::{SOURCES, secrets},
};

/// The bucket of our own S3.
const BUCKET: &str = "measured";

/// The state's object there.
const KEY: &str = "state.json";

const CALVEN_SECRET_ID: &str = "measure/calven";
const CALVEN_API_KEY: &str = "measure-calven-key";
const CALVEN_API_SECRET: &str = "measure-calven-secret";

/// Where the state is kept.
#[derive(Clone, Debug)]
pub enum Home {
    /// In an S3 of our own.
    Ours,
    /// In another S3, which has the bucket already.
    Elsewhere {
        /// `s3://bucket/key`.
        state: String,
        /// Base URL of that S3.
        endpoint: String,
    },
}

/// When webhooks are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// Before they are answered.
    AtOnce,
    /// By a batch from the queue.
    Queued,
}

/// Whom the function talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Takes the hierarchy.
    Calven,
    /// Has the state.
    S3,
    /// Has the queue.
    Sqs,
    /// Has the secrets.
    SecretsManager,
}

impl Remote {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Calven, Self::S3, Self::Sqs, Self::SecretsManager];
}

/// What the function talks to; all of it ends with this.
#[derive(Debug)]
pub struct Surroundings {
    /// Takes the hierarchy.
    pub calven: CalvenStandIn,
    /// The queue, which is used where publishing is queued.
    pub sqs: Sqs,
    s3: S3,
    secrets: SecretsManager,
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

impl Surroundings {
    /// Starts them all.
    ///
    /// # Errors
    /// Where no port is free, or no file can be written.
    pub async fn start(home: &Home, publishing: Publishing) -> Result<Self> {
        let key = Credentials::Hmac {
            api_key: CALVEN_API_KEY.to_owned(),
            api_secret: CALVEN_API_SECRET.to_owned(),
        };
        let calven = CalvenStandIn::start(key, || now().unix_timestamp()).await?;
        calven.only_count();
        let secrets_manager = SecretsManager::start().await;
        let calven_secret =
            json!({"auth": "hmac", "apiKey": CALVEN_API_KEY, "apiSecret": CALVEN_API_SECRET});
        for (id, secret) in secrets()
            .into_iter()
            .chain([(CALVEN_SECRET_ID, calven_secret)])
        {
            secrets_manager.put(id, &secret.to_string());
        }
        let (s3, sqs) = (S3::start(BUCKET).await, Sqs::start().await?);
        let folder = tempfile::tempdir()?;
        let sources = folder.path().join("sources.toml");
        std::fs::write(&sources, SOURCES).context("sources.toml cannot be written")?;

        let (state, s3_endpoint) = match home {
            Home::Ours => (format!("s3://{BUCKET}/{KEY}"), s3.url()),
            Home::Elsewhere { state, endpoint } => (state.clone(), endpoint.clone()),
        };
        let mut variables: BTreeMap<String, String> = [
            ("AWS_REGION", sqs::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", sqs::ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", sqs::SECRET_ACCESS_KEY.to_owned()),
            ("AWS_ENDPOINT_URL", secrets_manager.url()),
            ("AWS_ENDPOINT_URL_S3", s3_endpoint),
            ("CALVEN_BASE_URL", calven.url()),
            ("CALVEN_SECRET_ID", CALVEN_SECRET_ID.to_owned()),
            ("SOURCES_FILE", sources.display().to_string()),
            ("STATE_URL", state),
            // A batch may well change most of a small company.
            ("GUARD_MAX_REMOVED_PERCENT", "100".to_owned()),
            ("GUARD_MAX_MOVED_PERCENT", "100".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if publishing == Publishing::Queued {
            variables.insert("QUEUE_URL".to_owned(), sqs.queue_url());
            variables.insert("AWS_ENDPOINT_URL_SQS".to_owned(), sqs.url());
        }
        Ok(Self {
            calven,
            sqs,
            s3,
            secrets: secrets_manager,
            folder,
            variables,
        })
    }

    /// How large the state is, where it is kept in an S3 of our own.
    pub fn state_bytes(&self) -> usize {
        self.s3.object(BUCKET, KEY).map_or(0, |state| state.len())
    }

    /// What Calven holds.
    pub fn rows(&self) -> BTreeSet<Row> {
        self.calven.rows().unwrap_or_default().into_iter().collect()
    }

    /// The function among them, logging to this file.
    ///
    /// # Errors
    /// Where there is no such binary, or no such file can be written.
    pub fn function(&self, binary: &Path, log: Option<&PathBuf>) -> Result<Function> {
        self.function_with(binary, log, [])
    }

    /// The same with Capillary to ask too, at whose address nobody answers: for who looks at its start alone.
    ///
    /// # Errors
    /// As [`Self::function`].
    pub fn function_with_capillary(
        &self,
        binary: &Path,
        log: Option<&PathBuf>,
    ) -> Result<Function> {
        let named = [
            ("CAPILLARY_BASE_URL", self.calven.url()),
            ("CAPILLARY_SECRET_ID", CALVEN_SECRET_ID.to_owned()),
        ];
        self.function_with(binary, log, named)
    }

    /// The same as [`Self::function`], which talks to Calven, S3 and Secrets Manager over TLS as long as the fronts are there.
    ///
    /// # Errors
    /// As [`Self::function`], or where no port is free.
    pub(crate) async fn function_over_tls(
        &self,
        binary: &Path,
        log: Option<&PathBuf>,
    ) -> Result<(Function, Vec<Front>)> {
        let authority = Authority::new()?;
        let roots = self.folder.path().join("roots.pem");
        std::fs::write(&roots, authority.pem()).context("roots.pem cannot be written")?;
        let mut changed = vec![("SSL_CERT_FILE", roots.display().to_string())];
        let mut fronts = Vec::new();
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "CALVEN_BASE_URL"] {
            let url = self.variables.get(name).context("it is a variable")?;
            let (url, front) = authority.front(url).await?;
            changed.push((name, url));
            fronts.push(front);
        }
        Ok((self.function_with(binary, log, changed)?, fronts))
    }

    fn function_with<'a>(
        &self,
        binary: &Path,
        log: Option<&PathBuf>,
        changed: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Function> {
        let mut variables = self.variables.clone();
        let changed = changed.into_iter();
        variables.extend(changed.map(|(name, value)| (name.to_owned(), value)));
        Function::new(binary, log, self.folder.path(), variables)
    }

    /// Notes what goes to all of them from now on, and holds each answer back for so long, as a network would.
    pub fn watch(&self, latency: Duration) {
        for (_, traffic) in self.traffic() {
            traffic.watch(latency);
        }
    }

    /// What was asked of whom since then.
    pub fn round_trips(&self, since: Instant) -> Vec<(Remote, RoundTrip)> {
        let all = self.traffic().into_iter().flat_map(|(remote, traffic)| {
            let trips = traffic.since(since).into_iter();
            trips.map(move |trip| (remote, trip))
        });
        all.collect()
    }

    /// How many connections were made to any of them since they are watched.
    pub fn connections(&self) -> usize {
        let traffic = self.traffic().into_iter();
        traffic.map(|(_, traffic)| traffic.connections()).sum()
    }

    fn traffic(&self) -> [(Remote, &Traffic); 4] {
        [
            (Remote::Calven, self.calven.traffic()),
            (Remote::S3, self.s3.traffic()),
            (Remote::Sqs, self.sqs.traffic()),
            (Remote::SecretsManager, self.secrets.traffic()),
        ]
    }
}

/// The machine's clock, which the function reads too.
#[expect(
    clippy::disallowed_methods,
    reason = "the function reads the machine's clock, and so must who signs for it"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::from(std::time::SystemTime::now())
}
