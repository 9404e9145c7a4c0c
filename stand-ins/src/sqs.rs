//! A strict stand-in for one standard queue of SQS, and for what Lambda does with it.
//!
//! - `SendMessage` by the JSON protocol:
//!   <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
//! - The event source mapping: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    canaries,
    fault::{Fault, Faults, Struck},
    server::{Connection, Server, locked},
    signature::Signed,
    traffic::Traffic,
};

pub use crate::signature::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

/// Where the queue is.
pub const REGION: &str = "us-east-1";

/// The queue, behind the address of the service.
const PATH: &str = "/123456789012/calven-bridge";

/// So often a message is delivered before it is dead.
const MAX_RECEIVES: u32 = 5;

/// The largest message, in bytes.
const LARGEST_MESSAGE: usize = 1_048_576;

/// A running queue.
#[derive(Debug)]
pub struct Sqs {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    faults: Faults,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    refusals: VecDeque<(u16, String)>,
    standing_refusal: Option<(u16, String)>,
    requests: usize,
    taken: usize,
    waiting: VecDeque<Message>,
    in_flight: Vec<Message>,
    dead: Vec<Message>,
}

#[derive(Clone, Debug)]
struct Message {
    id: String,
    body: String,
    receives: u32,
}

impl Sqs {
    /// Starts an empty queue on a free port.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/", post(call))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let server = Server::start(0, router).await?;
        Ok(Self { server, shared })
    }

    /// Base URL of the service, for `AWS_ENDPOINT_URL_SQS`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// For `QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}{PATH}", self.server.url())
    }

    /// Orders a fault for the next request that has none yet.
    pub fn fail_next(&self, fault: Fault) {
        self.shared.faults.push(fault);
    }

    /// One of the next requests that have no fault is refused so, with this status and error code.
    pub fn refuse_next(&self, status: u16, code: &str) {
        let mut held = locked(&self.shared.held);
        held.refusals.push_back((status, code.to_owned()));
    }

    /// Every request goes wrong like this, until [`mend`](Self::mend).
    pub fn fail_always(&self, fault: Fault) {
        self.shared.faults.stand(fault);
    }

    /// Every request is refused so, until [`mend`](Self::mend).
    pub fn refuse_always(&self, status: u16, code: &str) {
        locked(&self.shared.held).standing_refusal = Some((status, code.to_owned()));
    }

    /// Ends what went wrong always; how often a fault did.
    pub fn mend(&self) -> Struck {
        locked(&self.shared.held).standing_refusal = None;
        self.shared.faults.mend()
    }

    /// Refuses connections until [`come_back`](Self::come_back).
    pub async fn go_down(&self) {
        self.server.go_down().await;
    }

    /// Is there again, on the same port.
    ///
    /// # Errors
    /// Where somebody else has taken the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        self.server.come_back().await
    }

    /// How many requests have come that were not lost to a fault, refused ones included.
    pub fn requests(&self) -> usize {
        locked(&self.shared.held).requests
    }

    /// The messages that wait to be delivered, oldest first.
    pub fn messages(&self) -> Vec<String> {
        let held = locked(&self.shared.held);
        let waiting = held.waiting.iter();
        waiting.map(|message| message.body.clone()).collect()
    }

    /// The messages of the dead-letter queue.
    pub fn dead(&self) -> Vec<String> {
        let held = locked(&self.shared.held);
        held.dead.iter().map(|m| m.body.clone()).collect()
    }

    /// Puts a message into the queue, as anybody with the right to could.
    pub fn put(&self, body: &str) {
        locked(&self.shared.held).take(body);
    }

    /// Moves the dead letters back, as `StartMessageMoveTask` does.
    pub fn redrive(&self) {
        let mut held = locked(&self.shared.held);
        let dead = std::mem::take(&mut held.dead);
        let fresh = dead.into_iter().map(|message| Message {
            receives: 0,
            ..message
        });
        held.waiting.extend(fresh);
    }

    /// Delivers up to so many messages, oldest first, as one event of Lambda's; none where nothing waits. Until
    /// [`answered`](Self::answered) they are nobody else's.
    pub fn deliver(&self, most: usize) -> Option<Value> {
        self.batch(most, VecDeque::pop_front)
    }

    /// The same, newest first: a standard queue promises no order.
    pub fn deliver_newest(&self, most: usize) -> Option<Value> {
        self.batch(most, VecDeque::pop_back)
    }

    fn batch(
        &self,
        most: usize,
        next: impl Fn(&mut VecDeque<Message>) -> Option<Message>,
    ) -> Option<Value> {
        let mut held = locked(&self.shared.held);
        let mut records = Vec::new();
        while records.len() < most {
            let Some(mut message) = next(&mut held.waiting) else {
                break;
            };
            if message.receives >= MAX_RECEIVES {
                held.dead.push(message);
                continue;
            }
            message.receives += 1;
            records.push(message.record());
            held.in_flight.push(message);
        }
        (!records.is_empty()).then(|| json!({"Records": records}))
    }

    /// What the function answered to all that was delivered: what it names failed is delivered again, the rest is deleted. `None`: the
    /// invocation failed, and with it all of the batch.
    ///
    /// # Panics
    /// Where the answer is no partial-batch response, or names what was not delivered: AWS takes all of the batch for failed
    /// then.
    pub fn answered(&self, answer: Option<&Value>) {
        let mut held = locked(&self.shared.held);
        let delivered = std::mem::take(&mut held.in_flight);
        let failed: Vec<String> = match answer {
            None => delivered.iter().map(|m| m.id.clone()).collect(),
            Some(answer) => {
                let answer: Answer = serde_json::from_value(answer.clone())
                    .expect("the answer is a partial-batch response");
                let failures = answer.batch_item_failures.into_iter();
                failures.map(|failure| failure.item_identifier).collect()
            }
        };
        for id in &failed {
            let is_known = delivered.iter().any(|message| message.id == *id);
            assert!(is_known, "{id} was not delivered");
        }
        let again = delivered.into_iter().filter(|m| failed.contains(&m.id));
        held.waiting.extend(again);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Failure {
    item_identifier: String,
}

impl Held {
    fn take(&mut self, body: &str) -> String {
        self.taken += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.taken);
        self.waiting.push_back(Message {
            id: id.clone(),
            body: body.to_owned(),
            receives: 0,
        });
        id
    }
}

impl Message {
    fn record(&self) -> Value {
        let Self { id, body, receives } = self;
        json!({
            "messageId": id, "receiptHandle": format!("{id}#{receives}"), "body": body,
            "attributes": {
                "ApproximateReceiveCount": receives.to_string(), "SentTimestamp": "1768046400000",
                "SenderId": "AROAIENQZJOLO23YVJ4VO:calven-bridge",
                "ApproximateFirstReceiveTimestamp": "1768046400001",
            },
            "messageAttributes": {}, "md5OfBody": md5_of(body), "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:calven-bridge", "awsRegion": REGION,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessage {
    queue_url: String,
    message_body: String,
}

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = shared.faults.answer(&connection, || {
        let mut held = locked(&shared.held);
        held.requests += 1;
        let standing = held.standing_refusal.clone();
        if let Some((status, code)) = held.refusals.pop_front().or(standing) {
            return refuse(status, &code);
        }
        answer(&mut held, &headers, &body)
    });
    answered.await
}

fn answer(held: &mut Held, headers: &HeaderMap, body: &[u8]) -> Response {
    if text(headers, "x-amz-target") != "AmazonSQS.SendMessage" {
        return refuse(400, "com.amazonaws.sqs#UnsupportedOperation");
    }
    if text(headers, header::CONTENT_TYPE.as_str()) != "application/x-amz-json-1.0" {
        return refuse(400, "com.amazon.coral.service#SerializationException");
    }
    if text(headers, header::AUTHORIZATION.as_str()).is_empty() {
        return refuse(
            403,
            "com.amazon.coral.service#MissingAuthenticationTokenException",
        );
    }
    if !text(headers, header::USER_AGENT.as_str()).starts_with("calven-bridge/") {
        return refuse(403, "com.amazonaws.sqs#AccessDenied");
    }
    if !is_signed(headers, body) {
        return refuse(403, "com.amazon.coral.service#InvalidSignatureException");
    }
    let Ok(message) = serde_json::from_slice::<SendMessage>(body) else {
        return refuse(400, "com.amazon.coral.service#SerializationException");
    };
    if !message.queue_url.ends_with(PATH) {
        return refuse(400, "com.amazonaws.sqs#QueueDoesNotExist");
    }
    let body = message.message_body;
    if body.is_empty() || body.len() > LARGEST_MESSAGE {
        return refuse(400, "com.amazonaws.sqs#InvalidParameterValue");
    }
    if !body.chars().all(is_taken) {
        return refuse(400, "com.amazonaws.sqs#InvalidMessageContents");
    }
    canaries::keep("messages", &body);
    let id = held.take(&body);
    let answer = json!({"MD5OfMessageBody": md5_of(&body), "MessageId": id});
    json_1_0(200, answer.to_string())
}

/// <https://www.w3.org/TR/REC-xml/#charsets>
fn is_taken(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether the signature is that of this request, in our region and name, and all that matters is signed.
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let signed = Signed {
        service: "sqs",
        method: &Method::POST,
        path: "/",
        headers,
        body,
        must: &["content-type", "host", "x-amz-date", "x-amz-target"],
    };
    signed.region() == Some(REGION)
}

fn md5_of(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn refuse(status: u16, code: &str) -> Response {
    let body = json!({"__type": code, "message": "scripted or refused by the stand-in"});
    json_1_0(status, body.to_string())
}

fn json_1_0(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).expect("a test scripts a status that exists");
    (
        status,
        [(header::CONTENT_TYPE, "application/x-amz-json-1.0")],
        body,
    )
        .into_response()
}
