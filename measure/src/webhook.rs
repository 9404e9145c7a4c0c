//! Webhooks as their senders sign them, in the event that a Function URL makes of them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use stand_ins::lambda_runtime::Invoked;
use time::OffsetDateTime;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub enum Sender {
    /// Knows groups, by their names: the preset `generic`.
    Groups,
    /// Knows persons, and groups by key: the preset `peopleforce`.
    Persons,
}

/// What `sources.toml` says of both.
pub const SOURCES: &str = r#"
[sources.groups]
preset = "generic"
secret_id = "measure/groups"

[sources.persons]
preset = "peopleforce"
secret_id = "measure/persons"
"#;

const GROUPS_SIGNING_SECRET: &str = "whsec_bWVhc3VyZS1rZXktb2YtZ3JvdXBzLW5vLXNlY3JldA==";
const PERSONS_SIGNING_SECRET: &str = "measure-key-of-persons-no-secret";

/// The secrets of both, by id.
pub(crate) fn secrets() -> [(&'static str, Value); 2] {
    [
        (
            "measure/groups",
            json!({"signingSecret": GROUPS_SIGNING_SECRET}),
        ),
        (
            "measure/persons",
            json!({"signingSecret": PERSONS_SIGNING_SECRET}),
        ),
    ]
}

/// A webhook that is to be sent, once or more often.
#[derive(Clone, Debug)]
pub struct Webhook {
    sender: Sender,
    id: String,
    body: String,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: it need not be sent again.
    Acknowledged(u64),
    /// 5xx: it is to be sent again.
    TryAgain(String),
    /// What no good webhook is answered, a failed invocation included.
    Refused(String),
}

impl Webhook {
    pub(crate) fn new(sender: Sender, id: String, body: &Value) -> Self {
        let body = body.to_string();
        Self { sender, id, body }
    }

    /// The event of one attempt, signed anew.
    pub fn event(&self, now: OffsetDateTime) -> Value {
        let Self { sender, id, body } = self;
        let seconds = now.unix_timestamp();
        let (path, proof) = match sender {
            Sender::Groups => {
                let key = GROUPS_SIGNING_SECRET.trim_start_matches("whsec_");
                let key = STANDARD.decode(key).unwrap_or_default();
                let signature = hmac(&key, &format!("{id}.{seconds}.{body}"));
                let proof = json!({
                    "webhook-id": id,
                    "webhook-timestamp": seconds.to_string(),
                    "webhook-signature": format!("v1,{}", STANDARD.encode(signature)),
                });
                ("/webhooks/groups", proof)
            }
            Sender::Persons => {
                let signature = hex::encode(hmac(PERSONS_SIGNING_SECRET.as_bytes(), body));
                let proof = json!({"x-peopleforce-signature": format!("sha256={signature}")});
                ("/webhooks/persons", proof)
            }
        };
        let host = "abcdefghij.lambda-url.us-east-1.on.aws";
        let mut headers = proof;
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("host".to_owned(), json!(host));
            headers.insert("content-type".to_owned(), json!("application/json"));
        }
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "accountId": "anonymous", "apiId": "abcdefghij", "domainName": host, "domainPrefix": "abcdefghij",
                "http": {
                    "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "measure",
                },
                "requestId": "00000000-0000-4000-8000-000000000000", "routeKey": "$default", "stage": "$default",
                "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": now.unix_timestamp() * 1_000,
            },
            "body": body, "isBase64Encoded": false,
        })
    }
}

impl Answer {
    /// Reads what the function answered.
    pub fn of(invoked: Invoked) -> Self {
        let answer = match invoked {
            Invoked::Response(answer) => answer,
            Invoked::Error(error) | Invoked::InitError(error) => {
                return Self::Refused(error.to_string());
            }
        };
        match answer.get("statusCode").and_then(Value::as_u64) {
            Some(status @ 200..300) => Self::Acknowledged(status),
            Some(500..600) => Self::TryAgain(answer.to_string()),
            _ => Self::Refused(answer.to_string()),
        }
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
