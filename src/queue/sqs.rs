//! Sending to the queue: SQS's `SendMessage`, by its JSON protocol.
//!
//! - <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
//! - <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html>
//! - Signature: <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
//!
//! A message that was sent twice, since an answer was lost, does no harm: merging it again changes nothing. No text made here
//! holds a message, a header or a credential.

use std::{fmt, time::Duration};

use md5::{Digest as _, Md5};
use reqwest::{
    Method, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::QueueUrl;
use crate::{
    aws::{self, Signer, Unsigned},
    http::{BodyFailure, Client, SendFailure, read_body},
    retry::{Attempts, RetryPolicy, retry_after},
    timestamp::Clock,
};

/// The largest message, all of its bytes together: 1 MiB since August 2025.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const LARGEST_MESSAGE_BYTES: usize = 1_048_576;

/// Longer than any answer of SQS's takes that is still to come, and short enough for a second attempt in a webhook.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(3);

/// More than any answer of SQS's takes.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// SQS's variable for its endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_SQS";

/// A queue that messages are sent to.
pub struct Queue {
    http: Client,
    url: QueueUrl,
    service: Url,
    signer: Signer,
    clock: Clock,
    policy: RetryPolicy,
}

/// Why the queue did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// No queue takes it; it was not sent.
    #[error("the message has {bytes} bytes, and SQS takes {LARGEST_MESSAGE_BYTES}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// Must be mended by somebody: variables, rights, the queue itself.
    #[error("queue {queue}: {reason}")]
    Unusable {
        /// Its address.
        queue: String,
        /// What is wrong.
        reason: String,
    },
    /// Will pass.
    #[error("queue {queue} is out of reach at present: {reason}")]
    Unavailable {
        /// Its address.
        queue: String,
        /// What happened.
        reason: String,
    },
}

impl QueueError {
    /// Whether sending again may help without anybody mending anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::TooLarge { .. } | Self::Unusable { .. } => false,
            Self::Unavailable { .. } => true,
        }
    }
}

/// One attempt that failed.
struct Failed {
    error: QueueError,
    retry_after: Option<Duration>,
}

impl From<QueueError> for Failed {
    fn from(error: QueueError) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

impl Queue {
    /// The queue at `url`, over `http`, as AWS's variables say; nothing is sent yet.
    ///
    /// # Errors
    /// [`QueueError::Unusable`] where no region is given, credentials come by halves, or an endpoint is neither https nor on
    /// a loopback host.
    pub fn open(
        url: &QueueUrl,
        http: &Client,
        variables: aws::Variables<'_>,
        clock: Clock,
    ) -> Result<Self, QueueError> {
        let unusable = |reason: String| QueueError::Unusable {
            queue: url.to_string(),
            reason,
        };
        let region = url.region().map(str::to_owned);
        let region = region
            .or_else(|| aws::region(variables))
            .ok_or_else(|| unusable("AWS_REGION is not set".to_owned()))?;
        let endpoint = aws::endpoint_of(ENDPOINT, variables).map_err(unusable)?;
        let service = endpoint.map_or_else(|| url.service(), |endpoint| endpoint.at("/"));
        let signer = Signer::new("sqs", region, http.network(), variables).map_err(unusable)?;
        Ok(Self {
            http: http.clone(),
            url: url.clone(),
            service,
            signer,
            clock,
            policy: RetryPolicy::default(),
        })
    }

    /// Its address.
    pub(crate) const fn url(&self) -> &QueueUrl {
        &self.url
    }

    /// With another policy.
    #[must_use]
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sends a message, as often as it takes and the time until `deadline` allows.
    ///
    /// # Errors
    /// [`QueueError`]; the queue may hold the message all the same.
    pub async fn send(&self, message: &str, deadline: Instant) -> Result<(), QueueError> {
        let bytes = message.len();
        if bytes > LARGEST_MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes });
        }
        let request = SendMessage {
            queue_url: self.url.as_str(),
            message_body: message,
        };
        // Writing JSON into memory does not fail.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        let policy = RetryPolicy {
            attempt: self.policy.attempt.min(LONGEST_ATTEMPT),
            ..self.policy
        };
        let mut attempts = Attempts::new(policy, deadline);
        loop {
            let attempt = self.attempt(body.clone(), message, attempts.give_up_at());
            let Err(Failed { error, retry_after }) = attempt.await else {
                return Ok(());
            };
            if !error.is_transient() || !attempts.another(retry_after).await {
                return Err(error);
            }
        }
    }

    async fn attempt(&self, body: Vec<u8>, message: &str, until: Instant) -> Result<(), Failed> {
        let headers = self.signed(&body, until).await?;
        let request = self.http.post(self.service.clone());
        let response = self
            .http
            .send(request.headers(headers).body(body), until)
            .await
            .map_err(|failure| match failure {
                SendFailure::Unsendable => self.unusable("the request cannot be written as HTTP"),
                SendFailure::NeverSent(_) | SendFailure::Unanswered(_) => {
                    self.unavailable(failure.to_string())
                }
            })?;
        if !response.status().is_success() {
            return Err(self.refused(response, until).await);
        }
        let answer = read_body(response, ANSWER_LIMIT_BYTES, until)
            .await
            .map_err(|failure| match failure {
                BodyFailure::TooLarge { .. } => self.unusable(&failure.to_string()),
                BodyFailure::CutOff(_) => self.unavailable(failure.to_string()),
            })?;
        let sent: Sent = serde_json::from_slice(&answer)
            .map_err(|_| self.unusable("it answers success, and not as SQS does"))?;
        if sent.md5_of_message_body != hex::encode(Md5::digest(message)) {
            return Err(self
                .unavailable("it took another message than was sent".to_owned())
                .into());
        }
        Ok(())
    }

    /// The headers of a request with this body, its signature among them.
    async fn signed(&self, body: &[u8], until: Instant) -> Result<HeaderMap, QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-amz-json-1.0"),
        );
        headers.insert(
            "x-amz-target",
            HeaderValue::from_static("AmazonSQS.SendMessage"),
        );
        let signing = self.signer.sign(Method::POST, &self.service, headers, body);
        let signed = timeout_at(until, signing).await;
        signed
            .unwrap_or(Err(Unsigned::NoCredentials))
            .map_err(|unsigned| match unsigned {
                Unsigned::NoCredentials => self.unavailable(unsigned.to_string()),
                Unsigned::Unsignable => self.unusable(&unsigned.to_string()),
            })
    }

    /// What an answer means that is no success.
    async fn refused(&self, response: Response, until: Instant) -> Failed {
        let status = response.status().as_u16();
        let header = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|header| retry_after(header, self.clock.now()));
        let body = read_body(response, ANSWER_LIMIT_BYTES, until).await;
        let code = error_code(&body.unwrap_or_default());
        let reason = match &code {
            Some(code) => format!("answered {status} ({code})"),
            None => format!("answered {status}"),
        };
        // Throttling is a 400 or 403 with a code of its own.
        // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors
        let is_throttled = code.is_some_and(|code| {
            let code = code.rsplit('.').next().unwrap_or_default();
            code.starts_with("Throttl") || ["RequestThrottled", "KmsThrottled"].contains(&code)
        });
        let passes = matches!(status, 408 | 429 | 500..) || is_throttled;
        let error = match passes {
            true => self.unavailable(reason),
            false => self.unusable(&reason),
        };
        Failed { error, retry_after }
    }

    fn unusable(&self, reason: &str) -> QueueError {
        QueueError::Unusable {
            queue: self.url.to_string(),
            reason: reason.to_owned(),
        }
    }

    fn unavailable(&self, reason: String) -> QueueError {
        QueueError::Unavailable {
            queue: self.url.to_string(),
            reason,
        }
    }
}

impl fmt::Debug for Queue {
    /// The address alone: the client holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({})", self.url)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage<'a> {
    queue_url: &'a str,
    message_body: &'a str,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
}

/// The code of an error, `com.amazonaws.sqs#QueueDoesNotExist`, without what stands before it.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        #[serde(rename = "__type")]
        code: String,
    }
    let told: Told = serde_json::from_slice(body).ok()?;
    let code = told.code.rsplit('#').next()?;
    let is_plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    (is_plain && !code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests;
