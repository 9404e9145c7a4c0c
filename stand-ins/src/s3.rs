//! A strict stand-in for the part of S3 that holds one document: GET, HEAD and PUT of an object, by
//! path-style addresses, with conditional reads and writes.
//!
//! Conditional reads: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html>.
//! Conditional writes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
//! Error codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
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

use crate::{
    canaries,
    fault::{self, Faults, Struck},
    server::{Connection, Server},
    signature::Signed,
    traffic::Traffic,
};

pub use crate::signature::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

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

/// Which requests a fault is for that stands for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Reading the object.
    Get,
    /// Writing it.
    Put,
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
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    faults: VecDeque<Fault>,
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Object {
    bytes: Bytes,
    tag: String,
}

#[derive(Debug, Default)]
struct Shared {
    get_faults: Faults,
    put_faults: Faults,
    inner: Mutex<Inner>,
}

/// A running S3.
#[derive(Debug)]
pub struct S3 {
    server: Server,
    shared: Arc<Shared>,
}

impl S3 {
    /// Starts one that has a single, empty bucket.
    pub async fn start(bucket: &str) -> Self {
        let shared = Arc::new(Shared::default());
        lock(&shared.inner)
            .buckets
            .insert(bucket.to_owned(), BTreeMap::new());
        let router = Router::new()
            .route("/{bucket}/{*key}", any(object))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        Self {
            server: Server::start(0, router).await.expect("a free port"),
            shared,
        }
    }

    /// For `AWS_ENDPOINT_URL_S3`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// The next requests go wrong like this, one each, in this order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared.inner).faults.extend(faults);
    }

    /// Every such request goes wrong like this, until [`mend`](Self::mend).
    pub fn fail_always(&self, endpoint: Endpoint, fault: fault::Fault) {
        match endpoint {
            Endpoint::Get => self.shared.get_faults.stand(fault),
            Endpoint::Put => self.shared.put_faults.stand(fault),
        }
    }

    /// Ends what went wrong always; how often it did.
    pub fn mend(&self, endpoint: Endpoint) -> Struck {
        match endpoint {
            Endpoint::Get => self.shared.get_faults.mend(),
            Endpoint::Put => self.shared.put_faults.mend(),
        }
    }

    /// Refuses connections until [`come_back`](Self::come_back).
    pub async fn go_down(&self) {
        self.server.go_down().await;
    }

    /// Is there again, on the same port, with all that it held.
    ///
    /// # Errors
    /// Where somebody else has taken the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        self.server.come_back().await
    }

    /// What an object holds.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let inner = lock(&self.shared.inner);
        Some(inner.buckets.get(bucket)?.get(key)?.bytes.to_vec())
    }

    /// Puts an object there, or takes it away, as an operator would.
    pub fn put_object(&self, bucket: &str, key: &str, bytes: Option<&[u8]>) {
        let mut inner = lock(&self.shared.inner);
        let objects = inner.buckets.get_mut(bucket).expect("this bucket");
        match bytes {
            Some(bytes) => {
                let bytes = Bytes::copy_from_slice(bytes);
                let tag = etag(&bytes);
                objects.insert(key.to_owned(), Object { bytes, tag });
            }
            None => {
                objects.remove(key);
            }
        }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.inner).seen.clone()
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner
        .lock()
        .expect("no test panics while it holds the lock")
}

async fn object(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path((bucket, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = {
        let mut inner = lock(&shared.inner);
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
        answer(
            &mut lock(&shared.inner),
            &bucket,
            key,
            &method,
            &headers,
            body,
        )
    };
    match fault {
        None => {
            let faults = match method {
                Method::PUT => &shared.put_faults,
                _ => &shared.get_faults,
            };
            faults.answer(&connection, handle).await
        }
        Some(Fault::Status(status, code)) => refuse(
            StatusCode::from_u16(status).expect("a test scripts a status that exists"),
            code,
        ),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::ApplyThenReset) => {
            connection.break_after(0);
            handle()
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
    if !headers.contains_key(header::AUTHORIZATION) {
        return refuse(StatusCode::FORBIDDEN, "AccessDenied");
    }
    if !is_signed(bucket, &key, method, headers, &body) {
        return refuse(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let Some(objects) = inner.buckets.get_mut(bucket) else {
        return refuse(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    if method == Method::PUT {
        let held = objects.get(&key).map(|object| &object.tag);
        match (
            text(headers, header::IF_MATCH),
            text(headers, header::IF_NONE_MATCH),
        ) {
            (None, None) => {}
            (Some(expected), None) => match held {
                None => return refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
                Some(held) if *held != expected => {
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
        canaries::keep("states", &String::from_utf8_lossy(&body));
        let object = Object {
            bytes: body,
            tag: tag.clone(),
        };
        objects.insert(key, object);
        return [(header::ETAG, tag)].into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    // Of what a read may hang on there is the one tag that it is to differ from, as S3 wrote it.
    let differs_from = text(headers, header::IF_NONE_MATCH);
    let is_quoted = |tag: &str| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"');
    let other_conditions = [
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
    ];
    let is_odd = other_conditions
        .iter()
        .any(|name| headers.contains_key(name));
    if is_odd || differs_from.as_deref().is_some_and(|tag| !is_quoted(tag)) {
        return refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented");
    }
    match objects.get(&key) {
        None => refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
        Some(Object { tag, .. }) if differs_from.as_ref() == Some(tag) => {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, tag.clone())]).into_response()
        }
        Some(Object { bytes, tag }) => (
            [
                (header::ETAG, tag.clone()),
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

/// Whether the signature is that of this request, in our name, and all that matters is signed.
///
/// The path is that of the object, encoded anew and once, whatever was sent:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
fn is_signed(bucket: &str, key: &str, method: &Method, headers: &HeaderMap, body: &[u8]) -> bool {
    let must: &[&str] = match (
        headers.contains_key(header::IF_MATCH),
        headers.contains_key(header::IF_NONE_MATCH),
    ) {
        (false, false) => &["host", "x-amz-content-sha256", "x-amz-date"],
        (true, _) => &["host", "if-match", "x-amz-content-sha256", "x-amz-date"],
        (false, true) => &[
            "host",
            "if-none-match",
            "x-amz-content-sha256",
            "x-amz-date",
        ],
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let encoded = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    let path: String = format!("/{bucket}/{key}").bytes().map(encoded).collect();
    let signed = Signed {
        service: "s3",
        method,
        path: &path,
        headers,
        body,
        must,
    };
    let hash = headers.get("x-amz-content-sha256");
    hash.is_some_and(|hash| *hash == hex::encode(Sha256::digest(body))) && signed.region().is_some()
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
