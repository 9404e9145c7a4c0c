//! A strict stand-in for the part of S3 that holds one document: GET, HEAD and PUT of an object, by
//! path-style addresses, with conditional writes.
//!
//! Conditional writes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
//! Error codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use sha2::{Digest, Sha256};

use crate::listen::{Listening, Wire};

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status and S3 error code; nothing is done.
    Status(u16, &'static str),
    /// Never answered; nothing is done.
    Hang,
    /// Done, and then the connection is lost before the answer.
    ApplyThenReset,
    /// Done, and then answered with a 500: the caller can't know.
    ApplyThenFail,
}

/// A request that was taken, faulty or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The HTTP method.
    pub method: String,
    /// Bucket, slash, key.
    pub object: String,
    /// The `If-Match` header.
    pub if_match: Option<String>,
    /// The `If-None-Match` header.
    pub if_none_match: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    buckets: BTreeMap<String, BTreeMap<String, Bytes>>,
    faults: VecDeque<Fault>,
    seen: Vec<Seen>,
}

/// A running S3.
#[derive(Debug)]
pub struct S3 {
    listening: Listening,
    inner: Arc<Mutex<Inner>>,
}

impl S3 {
    /// Starts one that has a single, empty bucket.
    pub async fn start(bucket: &str) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        lock(&inner)
            .buckets
            .insert(bucket.to_owned(), BTreeMap::new());
        let router = Router::new()
            .route("/{bucket}/{*key}", any(object))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        Self {
            listening: Listening::start(router).await,
            inner,
        }
    }

    /// For `AWS_ENDPOINT_URL_S3`.
    pub fn url(&self) -> String {
        self.listening.url()
    }

    /// The next requests go wrong like this, one each, in this order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.inner).faults.extend(faults);
    }

    /// What an object holds.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let inner = lock(&self.inner);
        Some(inner.buckets.get(bucket)?.get(key)?.to_vec())
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.inner).seen.clone()
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner
        .lock()
        .expect("no test panics while it holds the lock")
}

async fn object(
    State(inner): State<Arc<Mutex<Inner>>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path((bucket, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = {
        let mut inner = lock(&inner);
        inner.seen.push(Seen {
            method: method.to_string(),
            object: format!("{bucket}/{key}"),
            if_match: text(&headers, header::IF_MATCH),
            if_none_match: text(&headers, header::IF_NONE_MATCH),
        });
        inner.faults.pop_front()
    };
    let handle = || {
        if query.is_some() {
            return refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented");
        }
        answer(&mut lock(&inner), &bucket, key, &method, &headers, body)
    };
    match fault {
        None => handle(),
        Some(Fault::Status(status, code)) => refuse(
            StatusCode::from_u16(status).expect("a test scripts a status that exists"),
            code,
        ),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::ApplyThenReset) => {
            let response = handle();
            wire.cut();
            response
        }
        Some(Fault::ApplyThenFail) => {
            let _lost = handle();
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    }
}

fn answer(
    inner: &mut Inner,
    bucket: &str,
    key: String,
    method: &Method,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let signed = text(headers, header::AUTHORIZATION)
        .is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential="));
    if !signed || !headers.contains_key("x-amz-date") {
        return refuse(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let Some(objects) = inner.buckets.get_mut(bucket) else {
        return refuse(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    if method == Method::PUT {
        let held = objects.get(&key).map(etag);
        match (
            text(headers, header::IF_MATCH),
            text(headers, header::IF_NONE_MATCH),
        ) {
            (None, None) => {}
            (Some(expected), None) => match held {
                None => return refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
                Some(held) if held != expected => {
                    return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
                }
                Some(_) => {}
            },
            (None, Some(star)) if star == "*" => {
                if held.is_some() {
                    return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
                }
            }
            (_, Some(_)) => return refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
        let tag = etag(&body);
        objects.insert(key, body);
        return [(header::ETAG, tag)].into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    match objects.get(&key) {
        None => refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
        Some(bytes) => (
            [
                (header::ETAG, etag(bytes)),
                (
                    header::LAST_MODIFIED,
                    "Sun, 22 Nov 2026 10:00:00 GMT".to_owned(),
                ),
            ],
            bytes.clone(),
        )
            .into_response(),
    }
}

/// As S3 says, an `ETag` may or may not be an MD5 of the content; here it is not.
fn etag(bytes: &Bytes) -> String {
    let digest = hex::encode(Sha256::digest(bytes));
    format!("\"{}\"", digest.get(..32).expect("64 digits"))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>scripted or refused by the stand-in</Message></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
