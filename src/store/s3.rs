//! The state in an S3 object, swapped by S3's conditional writes.
//!
//! - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>: `If-None-Match: *` creates, `If-Match`
//!   with the `ETag` replaces, 412 is a lost race, 409 a race that S3 gave up.
//! - <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>,
//!   <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
//!
//! Two requests to one object are not worth a ready client: each brings checksums, listings and uploads in parts with it, which
//! every new instance would have to load.
//!
//! A PUT is repeated that was answered 5xx, or not at all since its connection broke. Where the first one had landed all the
//! same, the repeated one is answered 412, and this module says [`Swap::Lost`]: its caller loads again, finds its
//! own document and goes on from there. [`Swap::Won`] is said after a 2xx only.

mod question;

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use bytes::Bytes;
use object_store::client::HttpErrorKind;
use reqwest::{Request, Url, header::ETAG};
use tokio::time::Instant;

use self::question::{Answer, Question};
use super::{BoxFuture, Hashed, Loaded, S3Location, Since, StateStore, StoreError, Swap, Tag};
use crate::{
    aws::{self, Failure, Signer, Transport, Unsigned},
    http::BaseUrl,
    retry::{Attempts, RetryPolicy},
};

/// No new attempt is begun later than this after the first, whatever the call's timeout.
const LONGEST_RETRYING: Duration = Duration::from_secs(3);

/// No request is repeated more often.
const MOST_REPETITIONS: u32 = 4;

/// Between two attempts; an attempt may take all of the call's time.
const WAITS: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(1),
    attempt: Duration::MAX,
};

/// Far more than any state has, and what a process can take into its memory without an end to it.
const LARGEST_BYTES: usize = 256 * 1024 * 1024;

/// S3's variable for its endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";

/// One object, swapped by its `ETag`.
pub struct S3Store {
    transport: Transport,
    signer: Signer,
    object: Url,
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
        let endpoint = aws::endpoint_of(ENDPOINT, variables).map_err(unusable)?;
        let region =
            aws::region(variables).ok_or_else(|| unusable("AWS_REGION is not set".to_owned()))?;
        let service = match endpoint {
            Some(endpoint) => endpoint,
            None => BaseUrl::parse(&format!("https://s3.{region}.amazonaws.com"))
                .map_err(|_| unusable("AWS_REGION is no region".to_owned()))?,
        };
        // The bucket stands in the path: before the host, a name with dots would fit no certificate of S3's.
        let (bucket, key) = (location.bucket(), encoded(location.key()));
        let object = service.at(&format!("/{bucket}/{key}"));
        let signer = Signer::new("s3", region, http, variables).map_err(unusable)?;
        Ok(Self {
            transport: Transport::new(http, LARGEST_BYTES),
            signer,
            object,
            home,
            timeout,
        })
    }

    async fn get(&self, unless: Option<&Tag>) -> Result<Since, StoreError> {
        let answer = self
            .ask(Question::Read { unless }, Bytes::new(), Hashed::default())
            .await?;
        match answer.status().as_u16() {
            200..300 => match tag(&answer) {
                Some(tag) => Ok(Since::Changed(Some(Loaded {
                    bytes: answer.into_body(),
                    tag,
                }))),
                None => Err(self.unusable("the object has no ETag, so it cannot be swapped")),
            },
            304 => Ok(Since::Unchanged),
            // S3 answers 404 for a missing bucket too; taking that for an empty state would be fatal.
            404 if !misses_bucket(&answer) => Ok(Since::Changed(None)),
            _ => Err(self.refused(&answer)),
        }
    }

    async fn put(
        &self,
        bytes: Vec<u8>,
        hashed: Hashed,
        expected: Option<Tag>,
    ) -> Result<Swap, StoreError> {
        if bytes.len() > LARGEST_BYTES {
            let size = bytes.len();
            return Err(self.unusable(&format!(
                "the document has {size} bytes, and no more than {LARGEST_BYTES} are taken"
            )));
        }
        let question = match &expected {
            None => Question::Create,
            Some(tag) => Question::Replace(tag),
        };
        let answer = self.ask(question, bytes.into(), hashed).await?;
        match (answer.status().as_u16(), expected) {
            (200..300, _) => match tag(&answer) {
                Some(tag) => Ok(Swap::Won(tag)),
                None => Err(self.unavailable("it says success, and gives no ETag".to_owned())),
            },
            (409 | 412, _) => Ok(Swap::Lost),
            // So S3 says that there is nothing to replace.
            (404, Some(_)) if !misses_bucket(&answer) => Ok(Swap::Lost),
            // What some who speak its protocol say for 412.
            (304, None) => Ok(Swap::Lost),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Asks as often as it takes; the last answer, whatever it says.
    async fn ask(
        &self,
        question: Question<'_>,
        body: Bytes,
        hashed: Hashed,
    ) -> Result<Answer, StoreError> {
        let began = Instant::now();
        let longest_retrying = LONGEST_RETRYING.min(self.timeout / 2);
        let mut attempts = Attempts::new(WAITS, began + self.timeout);
        let condition = question
            .condition()
            .ok_or_else(|| self.unusable("the tag cannot be written as HTTP"))?;
        let headers = self
            .signer
            .sign_hashed(
                question.method(),
                &self.object,
                condition,
                &hashed.of_whole(&body),
            )
            .await
            .map_err(|unsigned| match unsigned {
                Unsigned::NoCredentials => self.unavailable(unsigned.to_string()),
                Unsigned::Unsignable => self.unusable(&unsigned.to_string()),
            })?;
        let mut repetitions = 0;
        loop {
            let mut request = Request::new(question.method(), self.object.clone());
            *request.headers_mut() = headers.clone();
            *request.body_mut() = Some(body.clone().into());
            let outcome = self.transport.exchange(request).await;
            let is_final = !question.may_be_repeated(&outcome)
                || repetitions == MOST_REPETITIONS
                || began.elapsed() > longest_retrying;
            if is_final || !attempts.another(None).await {
                return outcome.map_err(|failure| self.failed(&failure));
            }
            repetitions += 1;
        }
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let call = tokio::time::timeout(self.timeout, call).await;
        call.unwrap_or_else(|_| {
            Err(self.unavailable(format!("no answer within {:?}", self.timeout)))
        })
    }

    fn unusable(&self, reason: &str) -> StoreError {
        StoreError::Unusable {
            home: self.home.clone(),
            reason: reason.to_owned(),
        }
    }

    fn unavailable(&self, reason: String) -> StoreError {
        StoreError::Unavailable {
            home: self.home.clone(),
            reason,
        }
    }

    /// Says what broke, without an address.
    fn failed(&self, failure: &Failure) -> StoreError {
        match (failure, failure.kind()) {
            (Failure::TooLarge(error), _) => self.unusable(&error.to_string()),
            (Failure::Network(_), HttpErrorKind::Interrupted) => {
                self.unavailable("the answer is cut off".to_owned())
            }
            (Failure::Network(_), kind) => {
                self.unavailable(format!("the connection failed ({kind:?})"))
            }
        }
    }

    /// Says status and S3's error code; never a body or a header.
    fn refused(&self, answer: &Answer) -> StoreError {
        let status = answer.status().as_u16();
        let code = error_code(answer);
        let reason = format!(
            "answered {status} ({})",
            code.as_deref().unwrap_or("no error code")
        );
        match status {
            // 307: of a new bucket, until all of S3 knows where it is.
            307 | 408 | 429 | 500.. => self.unavailable(reason),
            300..=399 => self.unusable(&format!("{reason}; is AWS_REGION the bucket's region?")),
            403 => self.unusable(&format!(
                "{reason}; a role without s3:ListBucket is answered so too, where there is no object yet"
            )),
            _ => self.unusable(&reason),
        }
    }
}

/// A key as it stands in a URL, and below a signature: every byte encoded that is not unreserved, once.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
fn encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into memory does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn tag(answer: &Answer) -> Option<Tag> {
    let etag = answer.headers().get(ETAG)?.to_str().ok()?;
    Some(Tag(etag.to_owned()))
}

fn misses_bucket(answer: &Answer) -> bool {
    error_code(answer).as_deref() == Some("NoSuchBucket")
}

/// The code in an S3 error document.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn error_code(answer: &Answer) -> Option<String> {
    let text = String::from_utf8_lossy(answer.body());
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
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
        self.swap_hashed(bytes, Hashed::default(), expected)
    }

    fn swap_hashed(
        &self,
        bytes: Vec<u8>,
        hashed: Hashed,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(self.bounded(self.put(bytes, hashed, expected)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http, store::StateUrl};

    #[test]
    fn the_bucket_stands_in_the_path_wherever_s3_is() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            let Ok(StateUrl::S3(location)) = "s3://my.bucket/a b/ä+.json".parse() else {
                panic!("an address in S3");
            };
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let http = http::client().unwrap();
            let store = S3Store::new(&location, &http, &variable, Duration::MAX).unwrap();
            assert_eq!(store.object.as_str(), expected);
        };
        let region = ("AWS_REGION", "eu-central-1");
        check(
            &[region, ("AWS_DEFAULT_REGION", "us-east-1")],
            "https://s3.eu-central-1.amazonaws.com/my.bucket/a%20b/%C3%A4%2B.json",
        );
        check(
            &[("AWS_DEFAULT_REGION", "us-east-1")],
            "https://s3.us-east-1.amazonaws.com/my.bucket/a%20b/%C3%A4%2B.json",
        );
        let everywhere = ("AWS_ENDPOINT_URL", "https://aws.example");
        check(
            &[region, everywhere],
            "https://aws.example/my.bucket/a%20b/%C3%A4%2B.json",
        );
        check(
            &[
                region,
                everywhere,
                ("AWS_ENDPOINT_URL_S3", "http://localhost:9000/s3/"),
            ],
            "http://localhost:9000/s3/my.bucket/a%20b/%C3%A4%2B.json",
        );
    }
}
