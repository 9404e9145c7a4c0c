//! Re-reading: a source's API, asked for all that it has, as its `[snapshot]` says.
//!
//! All that is read is as of the moment the first request was sent: what changed meanwhile may be on a
//! page that was read before. Where one page does not come or cannot be used nothing was read; host and path
//! are the configuration's alone, and redirects are not followed.

mod credential;
mod reading;

use std::sync::Arc;

use reqwest::{
    RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use secrecy::SecretString;
use tokio::time::Instant;

pub use self::credential::ApiCredential;
use self::reading::{GivenUp, Next, Reading};
use crate::{
    call::{CallError, Caller, Fault, Remote, Step, body_fault},
    hierarchy::{SourceName, Stated},
    http::{BaseUrl, Client, read_body},
    retry::RetryPolicy,
    secrets::Secrets,
    sources::snapshot::{PageFault, Question, Snapshot},
    timestamp::{Clock, Timestamp},
};

/// What one page may have; whatever is larger is not what we asked for.
const PAGE_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// One source's API, and how it is read as a whole.
#[derive(Debug)]
pub struct Rereader {
    source: SourceName,
    base_url: BaseUrl,
    snapshot: Snapshot,
    caller: Caller,
}

/// What one re-read said.
#[derive(Clone, Debug)]
pub struct Reread {
    /// When its first request was sent: all statements are as of then.
    pub at: Timestamp,
    /// What was said; begins with `Complete` where all was read that the source has.
    pub statements: Vec<Stated>,
    /// Whether the last page was reached: what is due is done with then.
    pub finished: bool,
    /// What was odd. Names places in the answers, and no source.
    pub warnings: Vec<String>,
}

/// Why nothing was read; what was known before still stands.
#[derive(Debug, thiserror::Error)]
pub enum RereadError {
    /// A page did not come.
    #[error("page {page}: {error}")]
    Call {
        /// Which, from 1.
        page: u64,
        /// Why.
        error: CallError,
    },
    /// A page came that is of no use.
    #[error("page {page}: the answer {unusable}")]
    Answer {
        /// Which, from 1.
        page: u64,
        /// Why.
        unusable: Unusable,
    },
}

/// What is wrong with a page, without quoting it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no JSON, or ends too soon.
    #[error("is no JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the first fault.
        line: usize,
        /// Column of it.
        column: usize,
    },
    /// It is not what the configuration expects.
    #[error(transparent)]
    Page(#[from] PageFault),
}

impl RereadError {
    /// Whether asking again later may help without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Call { error, .. } => error.fault().is_transient(),
            Self::Answer { .. } => false,
        }
    }

    /// What happened, in words that any sender may see.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Call { error, .. } => match error.fault() {
                Fault::Secret(_) => "its API's secret cannot be had or is of no use",
                Fault::Refused { .. } => "its API refused",
                Fault::Unavailable { .. } => "its API is not available",
                Fault::Unreachable { .. } => "its API could not be reached",
                Fault::Unanswered { .. } => "its API did not answer in time",
                Fault::Garbage { .. } => "its API's answer cannot be used",
            },
            Self::Answer { .. } => "its API's answer cannot be used",
        }
    }
}

impl Rereader {
    /// Nothing is fetched or sent before the first re-read. `secret_id`: of an [`ApiCredential`].
    pub fn new(
        source: SourceName,
        http: Client,
        base_url: BaseUrl,
        secrets: Arc<Secrets>,
        secret_id: String,
        snapshot: Snapshot,
        clock: Clock,
    ) -> Self {
        Self {
            source,
            base_url,
            snapshot,
            caller: Caller::new(http, secrets, secret_id, clock),
        }
    }

    /// With other waits than the default ones.
    #[must_use]
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.caller.policy = policy;
        self
    }

    /// The same API, of which nothing is known yet, with what is in these secrets.
    pub(crate) fn anew(&self, secrets: Arc<Secrets>) -> Self {
        Self {
            source: self.source.clone(),
            base_url: self.base_url.clone(),
            snapshot: self.snapshot.clone(),
            caller: self.caller.anew(secrets),
        }
    }

    /// The name or ARN of its secret.
    pub(crate) fn secret_id(&self) -> &str {
        &self.caller.secret_id
    }

    /// Whose API it is.
    pub const fn source(&self) -> &SourceName {
        &self.source
    }

    /// Reads the first page alone, so that it is never all; what there is of faults in it is among the warnings.
    ///
    /// # Errors
    /// [`RereadError`], no later than `deadline`.
    pub(crate) async fn read_first(&self, deadline: Instant) -> Result<Reread, RereadError> {
        let mut reading = Reading::new(&self.snapshot);
        let Answered { body, sent_at } = self.page(1, &reading, deadline).await?;
        reading
            .take(&body)
            .map_err(|unusable| RereadError::Answer { page: 1, unusable })?;
        Ok(reading.finish(sent_at, Some(GivenUp::NotCaptured)))
    }

    /// The page that is to be asked for next.
    async fn page(
        &self,
        page: u64,
        reading: &Reading<'_>,
        deadline: Instant,
    ) -> Result<Answered, RereadError> {
        let asked = PageQuestion {
            rereader: self,
            question: self.snapshot.question(reading.ask()),
        };
        let answered = self.caller.call(&asked, deadline).await;
        answered.map_err(|error| RereadError::Call { page, error })
    }

    /// Reads all pages.
    ///
    /// # Errors
    /// [`RereadError`], no later than `deadline`; then nothing was read.
    pub async fn read(&self, deadline: Instant) -> Result<Reread, RereadError> {
        let mut reading = Reading::new(&self.snapshot);
        let mut began_at = None;
        let mut page = 0;
        loop {
            page += 1;
            let Answered { body, sent_at } = self.page(page, &reading, deadline).await?;
            // Of the attempt that was answered: what the answer says is no older.
            let at = *began_at.get_or_insert(sent_at);
            let next = reading.take(&body);
            match next.map_err(|unusable| RereadError::Answer { page, unusable })? {
                Next::Ask => {}
                Next::End => return Ok(reading.finish(at, None)),
                Next::GivenUp(why) => return Ok(reading.finish(at, Some(why))),
            }
        }
    }
}

/// What captured pages of an answer say, as of a time: for who tries a source out. Where the last one leads on to another
/// they are not complete.
///
/// # Errors
/// The number of the page that is of no use, from 1, and why.
pub fn read_captured<'a>(
    snapshot: &Snapshot,
    pages: impl IntoIterator<Item = &'a [u8]>,
    at: Timestamp,
) -> Result<Reread, (usize, Unusable)> {
    let mut reading = Reading::new(snapshot);
    let mut given_up = None;
    for (index, page) in pages.into_iter().enumerate() {
        match reading.take(page).map_err(|fault| (index + 1, fault))? {
            Next::Ask => given_up = Some(GivenUp::NotCaptured),
            Next::End => given_up = None,
            Next::GivenUp(why) => {
                given_up = Some(why);
                break;
            }
        }
    }
    Ok(reading.finish(at, given_up))
}

/// The question for one page, asked as often as it takes.
struct PageQuestion<'a> {
    rereader: &'a Rereader,
    question: Question<'a>,
}

struct Answered {
    body: Vec<u8>,
    sent_at: Timestamp,
}

impl Remote for PageQuestion<'_> {
    type Credential = ApiCredential;
    type Answer = Answered;

    fn request(&self, credential: &ApiCredential, _token: Option<&SecretString>) -> RequestBuilder {
        let Rereader {
            base_url, caller, ..
        } = self.rereader;
        let Question {
            path,
            query,
            headers: added,
            body,
        } = &self.question;
        let mut url = base_url.at(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in *added {
            headers.insert(name, value.clone());
        }
        // The secret's win: they are the ones that must not be another's.
        for (name, value) in credential.headers() {
            headers.insert(name, value.clone());
        }
        match body {
            None => caller.http.get(url).headers(headers),
            Some(body) => {
                let json = HeaderValue::from_static("application/json");
                headers.entry(CONTENT_TYPE).or_insert(json);
                let request = caller.http.post(url).headers(headers);
                request.body(body.to_string())
            }
        }
    }

    /// The body is part of the attempt: one that is cut off on its way is asked for again.
    async fn read(
        &self,
        response: Response,
        sent_at: Timestamp,
        until: Instant,
    ) -> Result<Answered, Fault> {
        let body = read_body(response, PAGE_LIMIT_BYTES, until).await;
        let body = body.map_err(|failure| body_fault(&failure, Step::Request))?;
        Ok(Answered { body, sent_at })
    }
}

#[cfg(test)]
mod tests;
