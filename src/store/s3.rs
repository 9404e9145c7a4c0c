//! The state in an S3 object, swapped by S3's conditional writes.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>: `If-None-Match: *`
//! creates, `If-Match` with the `ETag` replaces, 412 is a lost race, 409 a race that S3 gave up.
//!
//! `object_store` repeats a PUT that was answered 5xx, or not at all since its connection broke. Where the first one had landed all the same, the
//! repeated one is answered 412, and this module says [`Swap::Lost`]: its caller loads again, finds its
//! own document and goes on from there. [`Swap::Won`] is said after a 2xx only.

use std::{error::Error as StdError, fmt, time::Duration};

use object_store::{
    BackoffConfig, GetOptions, ObjectStore, PutMode, PutOptions, RetryConfig, UpdateVersion,
    aws::{AmazonS3, AmazonS3ConfigKey, S3ConditionalPut},
    client::{HttpError, HttpErrorKind},
    path::Path,
};

use crate::aws::{self, TooLarge};

use super::{BoxFuture, Loaded, S3Location, Since, StateStore, StoreError, Swap, Tag};

/// No new attempt is begun later than this after the first, whatever the call's timeout.
const LONGEST_RETRYING: Duration = Duration::from_secs(3);

/// Far more than any state has, and what a process can take into its memory without an end to it.
const LARGEST_BYTES: usize = 256 * 1024 * 1024;

/// One object, swapped by its `ETag`.
pub struct S3Store {
    s3: AmazonS3,
    path: Path,
    home: String,
    timeout: Duration,
}

impl S3Store {
    /// Over `http`, as AWS's variables say; `timeout` bounds each call, retries included.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where no region is given, credentials come by halves, or an endpoint
    /// is neither https nor on a loopback host.
    pub fn new(
        location: &S3Location,
        http: &reqwest::Client,
        variables: aws::Variables<'_>,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let home = location.to_string();
        let unusable = |reason: String| StoreError::Unusable {
            home: home.clone(),
            reason,
        };
        let builder = aws::s3(http, LARGEST_BYTES, variables).map_err(unusable)?;
        if builder
            .get_config_value(&AmazonS3ConfigKey::Region)
            .is_none()
        {
            return Err(unusable("AWS_REGION is not set".to_owned()));
        }
        let s3 = builder
            .with_bucket_name(location.bucket())
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(50),
                    max_backoff: Duration::from_secs(1),
                    base: 2.0,
                },
                max_retries: 4,
                retry_timeout: LONGEST_RETRYING.min(timeout / 2),
            })
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let path = Path::parse(location.key()).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            s3,
            path,
            home,
            timeout,
        })
    }

    async fn get(&self, unless: Option<&Tag>) -> Result<Since, StoreError> {
        let unless = unless.map(|Tag(etag)| etag.clone());
        let options = GetOptions::new().with_if_none_match(unless);
        let found = match self.s3.get_opts(&self.path, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotModified { .. }) => return Ok(Since::Unchanged),
            // S3 answers 404 for a missing bucket too; taking that for an empty state would be fatal.
            Err(object_store::Error::NotFound { source, .. })
                if error_code(&source.to_string()) != Some("NoSuchBucket") =>
            {
                return Ok(Since::Changed(None));
            }
            Err(error) => return Err(self.error(&error)),
        };
        let Some(etag) = found.meta.e_tag.clone() else {
            return Err(self.unusable("the object has no ETag, so it cannot be swapped"));
        };
        let bytes = found.bytes().await.map_err(|error| self.error(&error))?;
        Ok(Since::Changed(Some(Loaded {
            bytes: bytes.into(),
            tag: Tag(etag),
        })))
    }

    async fn put(&self, bytes: Vec<u8>, expected: Option<Tag>) -> Result<Swap, StoreError> {
        if bytes.len() > LARGEST_BYTES {
            let size = bytes.len();
            return Err(self.unusable(&format!(
                "the document has {size} bytes, and no more than {LARGEST_BYTES} are taken"
            )));
        }
        let mode = match expected {
            None => PutMode::Create,
            Some(Tag(etag)) => PutMode::Update(UpdateVersion {
                e_tag: Some(etag),
                version: None,
            }),
        };
        let options = PutOptions::from(mode);
        match self.s3.put_opts(&self.path, bytes.into(), options).await {
            Ok(put) => match put.e_tag {
                Some(etag) => Ok(Swap::Won(Tag(etag))),
                None => Err(self.unusable("S3 gave no ETag for what it stored")),
            },
            Err(object_store::Error::Precondition { source, .. })
                if error_code(&source.to_string()) == Some("NoSuchBucket") =>
            {
                Err(self.unusable("NoSuchBucket"))
            }
            Err(
                object_store::Error::Precondition { .. }
                | object_store::Error::AlreadyExists { .. },
            ) => Ok(Swap::Lost),
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(self.timeout, call)
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::Unavailable {
                    home: self.home.clone(),
                    reason: format!("no answer within {:?}", self.timeout),
                })
            })
    }

    fn unusable(&self, reason: &str) -> StoreError {
        StoreError::Unusable {
            home: self.home.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Says status and S3's error code, or the transport's complaint; never a body or a header.
    fn error(&self, error: &object_store::Error) -> StoreError {
        let home = self.home.clone();
        if let Some(too_large) = cause::<TooLarge>(error) {
            return self.unusable(&too_large.to_string());
        }
        if let Some(transport) = cause::<HttpError>(error) {
            let reason = match transport.kind() {
                HttpErrorKind::Interrupted => "the answer is cut off".to_owned(),
                kind => format!("the connection failed ({kind:?})"),
            };
            return StoreError::Unavailable { home, reason };
        }
        let text = error.to_string();
        let (status, code) = (status(&text), error_code(&text).unwrap_or("no error code"));
        match status {
            Some(status @ (408 | 429 | 500..)) => StoreError::Unavailable {
                home,
                reason: format!("answered {status} ({code})"),
            },
            Some(403) => StoreError::Unusable {
                home,
                reason: format!(
                    "answered 403 ({code}); a role without s3:ListBucket is answered so too, where there is no object yet"
                ),
            },
            Some(status) => StoreError::Unusable {
                home,
                reason: format!("answered {status} ({code})"),
            },
            // No answer and no connection: the credentials could not be fetched, or the answer made no sense.
            None => StoreError::Unavailable {
                home,
                reason: "no answer that makes sense; are there credentials?".to_owned(),
            },
        }
    }
}

/// The cause of this type, where there is one.
fn cause<E: StdError + 'static>(error: &object_store::Error) -> Option<&E> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The HTTP status in an `object_store` error, which keeps it to itself but for its text.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.split(' ').next()?.trim_end_matches(':').parse().ok()
}

/// The code in an S3 error document.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn error_code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then_some(code)
}

impl fmt::Debug for S3Store {
    /// The address alone: the client holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({})", self.home)
    }
}

impl StateStore for S3Store {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        Box::pin(self.bounded(async {
            match self.get(None).await? {
                Since::Changed(found) => Ok(found),
                Since::Unchanged => Err(self.unusable("it says that nothing changed, unasked")),
            }
        }))
    }

    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        Box::pin(self.bounded(self.get(Some(seen))))
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(self.bounded(self.put(bytes, expected)))
    }
}
