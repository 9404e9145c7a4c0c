//! The queue's messages: webhooks that were verified and mapped before they were queued.
//!
//! The queue is trusted (IAM guards it), so nothing is verified here; the time of receipt is the one
//! at the HTTP edge. <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
//!
//! A message holds no secret: of what came beside the body it has only what the source's mapping asks for.

mod sqs;
mod url;

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    sqs::{LARGEST_MESSAGE_BYTES, Queue, QueueError},
    url::{BadQueueUrl, QueueUrl},
};
use crate::{sources::given::Given, timestamp::Timestamp};

/// The newest form of a queued webhook.
const VERSION: u32 = 1;

/// A batch, as Lambda hands it over.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// The records, in no order that matters.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// One record of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Names the record in a partial-batch response.
    pub message_id: String,
    /// The queued webhook, as text.
    pub body: String,
}

/// A queued webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Queued {
    /// Which source it is for.
    pub source: String,
    /// The request that it came by, for the log.
    pub request_id: String,
    /// When it came in at the HTTP edge.
    pub received: Timestamp,
    /// What it came with.
    pub given: Given,
    /// Its raw body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Record {
    /// What it holds is a webhook's body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, body } = self;
        write!(f, "Record({message_id}, {} bytes)", body.len())
    }
}

impl fmt::Debug for Queued {
    /// Without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            request_id,
            received,
            given,
            body,
        } = self;
        let bytes = body.len();
        write!(
            f,
            "Queued({source}, {request_id}, {received}, {given:?}, {bytes} bytes)"
        )
    }
}

/// Why a record is no queued webhook; it fails alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// It is not of the known form.
    #[error("the record is no queued webhook of version {VERSION}")]
    Shape,
    /// Its body is no base64.
    #[error("the record's body is no base64")]
    Base64,
    /// Its time of receipt is none.
    #[error("the record's receivedAt is no RFC 3339 time")]
    Time,
}

impl Queued {
    /// The message, as [`Record::webhook`] reads it. It is plain ASCII: SQS refuses some other characters.
    pub fn message(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw<'a> {
            v: u32,
            source: &'a str,
            request_id: &'a str,
            received_at: String,
            headers: &'a BTreeMap<String, String>,
            #[serde(skip_serializing_if = "String::is_empty")]
            query: String,
            body: String,
        }
        let Self {
            source,
            request_id,
            received,
            given,
            body,
        } = self;
        let raw = Raw {
            v: VERSION,
            source,
            request_id,
            received_at: received.to_string(),
            headers: &given.headers,
            query: given.query_text(),
            body: STANDARD.encode(body),
        };
        // Writing JSON into memory does not fail.
        serde_json::to_string(&raw).unwrap_or_default()
    }
}

impl Record {
    /// Reads the queued webhook.
    ///
    /// # Errors
    /// [`RecordFault`].
    pub fn webhook(&self) -> Result<Queued, RecordFault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            v: u32,
            source: String,
            #[serde(default)]
            request_id: String,
            received_at: String,
            #[serde(default)]
            headers: BTreeMap<String, Value>,
            /// The address' query, where it had one.
            #[serde(default)]
            query: String,
            body: String,
        }
        let raw: Raw = serde_json::from_str(&self.body).map_err(|_| RecordFault::Shape)?;
        if raw.v != VERSION {
            return Err(RecordFault::Shape);
        }
        let received = Timestamp::parse_rfc3339(&raw.received_at).map_err(|_| RecordFault::Time)?;
        let body = STANDARD.decode(raw.body).map_err(|_| RecordFault::Base64)?;
        let headers = raw
            .headers
            .into_iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) => Some((name.to_ascii_lowercase(), text)),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => None,
            });
        Ok(Queued {
            source: raw.source,
            request_id: raw.request_id,
            received,
            given: Given {
                headers: headers.collect(),
                query: Given::query_of(&raw.query),
            },
            body,
        })
    }
}

/// A partial-batch response: SQS hands over again what is named, and that alone.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl BatchResponse {
    /// Names a record as failed.
    pub fn fail(&mut self, record: &Record) {
        self.batch_item_failures.push(Failure {
            item_identifier: record.message_id.clone(),
        });
    }

    /// How many failed.
    pub fn failures(&self) -> usize {
        self.batch_item_failures.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued() -> Queued {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Queued {
            source: "acme".to_owned(),
            request_id: "r-1".to_owned(),
            received: Timestamp::from_micros(1_795_341_600_123_456),
            given: Given {
                headers: [pair("content-type", "application/json")].into(),
                query: [pair("kind", "a&b \u{fffe}"), pair("none", "")].into(),
            },
            body: b"{\"a\": \"\xff\"}".to_vec(),
        }
    }

    fn read(message: String) -> Result<Queued, RecordFault> {
        let record = Record {
            message_id: "m".to_owned(),
            body: message,
        };
        record.webhook()
    }

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        let message = queued().message();
        assert!(message.is_ascii(), "{message}");
        assert_eq!(read(message), Ok(queued()));
        let mut plain = queued();
        plain.given.query.clear();
        let message = plain.message();
        assert_eq!(
            message,
            r#"{"v":1,"source":"acme","requestId":"r-1","receivedAt":"2026-11-22T10:00:00.123456Z","headers":{"content-type":"application/json"},"body":"eyJhIjogIv8ifQ=="}"#
        );
        assert_eq!(read(message), Ok(plain));
    }
}
