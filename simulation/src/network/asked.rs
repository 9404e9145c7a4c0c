//! Whom a request is for, and what it says.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Request;
use serde_json::Value;

use crate::{
    calven::{Rows, rows_of},
    checks::check_put,
    queue,
    world::{Kind, World},
};

/// What is asked.
pub(super) enum Asked {
    Put {
        path: String,
        authorization: String,
        body: Vec<u8>,
        rows: Rows,
    },
    Token(Vec<u8>),
    /// A page of the thin source's groups.
    Page(Option<u32>),
    /// To queue a webhook.
    Message {
        text: String,
        attempt: usize,
    },
}

impl Asked {
    /// Reads a request; of a PUT is checked all that must hold of it.
    pub(super) fn read(world: &mut World, request: &Request, number: Option<usize>) -> Self {
        let url = request.url();
        let body = request
            .body()
            .and_then(|body| body.as_bytes())
            .unwrap_or_default();
        if url.host_str() == Some("thin.example") {
            let cursor = url.query_pairs().find(|(name, _)| name == "cursor");
            return Self::Page(cursor.and_then(|(_, cursor)| cursor.parse().ok()));
        }
        if url.host_str().is_some_and(|host| host.starts_with("sqs.")) {
            return Self::message(world, request, body);
        }
        if request.method() != "PUT" {
            return Self::Token(body.to_vec());
        }
        let rows = rows_of(body).unwrap_or_else(|fault| {
            world.violated("every PUT is valid by Calven's rules", fault);
            Rows::new()
        });
        if let Some(number) = number {
            world.invocations[number].has_put = true;
            check_put(world, number, &rows);
        }
        Self::Put {
            path: url.path().to_owned(),
            authorization: header(request, "authorization"),
            body: body.to_vec(),
            rows,
        }
    }

    fn message(world: &mut World, request: &Request, body: &[u8]) -> Self {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = asked["MessageBody"].as_str().unwrap_or_default().to_owned();
        let Some(attempt) = attempt(world, &text) else {
            world.violated("what is queued is a webhook that came in", text);
            return Self::Token(Vec::new());
        };
        let is_signed =
            header(request, "authorization").starts_with("AWS4-HMAC-SHA256 Credential=");
        let is_meant = header(request, "x-amz-target") == "AmazonSQS.SendMessage"
            && asked["QueueUrl"] == queue::URL;
        if !(is_signed && is_meant) {
            world.violated("what is queued is sent as SQS wants it", text.clone());
        }
        Self::Message { text, attempt }
    }
}

/// Which attempt a message holds, by the request that it names and by its body.
fn attempt(world: &World, text: &str) -> Option<usize> {
    let queued: Value = serde_json::from_str(text).ok()?;
    let number: usize = queued["requestId"]
        .as_str()?
        .strip_prefix("request-")?
        .parse()
        .ok()?;
    let Kind::Post(index) = world.invocations.get(number)?.kind else {
        return None;
    };
    let body = BASE64_STANDARD.decode(queued["body"].as_str()?).ok()?;
    (world.attempts[index].body.as_bytes() == body).then_some(index)
}

fn header(request: &Request, name: &str) -> String {
    let value = request.headers().get(name);
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}
