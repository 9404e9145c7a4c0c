//! Faults to order: what a stand-in does with its next requests, or with all of them, instead of answering as it
//! should.

mod by_hand;

use std::{
    collections::VecDeque,
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};

use self::by_hand::Ending;
use crate::server::{Connection, locked};

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status before anything is looked at.
    Status(u16),
    /// The same with a `Retry-After`, in seconds or as an HTTP date.
    StatusRetryAfter(u16, String),
    /// Read and never answered; nothing is applied.
    Hang,
    /// Read, and the connection closed; nothing is applied.
    Reset,
    /// Applied as it should be, but never answered.
    HangAfterApplying,
    /// Applied as it should be, and the connection closed before the answer.
    ResetAfterApplying,
    /// Applied as it should be; only so many bytes of the answer, head included, get through.
    CutOff(usize),
    /// Applied as it should be; the connection closes in the middle of the answer's body, or of its head where it
    /// has no body.
    CutInHalf,
    /// Applied as it should be; the answer comes byte by byte, ten a second.
    Drip,
    /// Applied as it should be; after the answer's body, spaces come without an end.
    Endless,
    /// Applied as it should be; of the answer's body the first half comes, as if it were all.
    HalfABody,
    /// Applied as it should be; the answer calls itself this type of content.
    ContentType(&'static str),
    /// Nothing is applied; the answer is 200 with this body in place of what is documented.
    Garbage(String),
}

/// How often a fault that stood for all requests has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Struck {
    /// To how many requests.
    pub times: usize,
    /// How many bytes of an endless answer were taken from us.
    pub bytes: u64,
}

/// The faults that were ordered and have not happened yet, first come first served; and one for all other requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    due: Mutex<VecDeque<Fault>>,
    standing: Mutex<Option<Fault>>,
    times: AtomicUsize,
    bytes: Arc<AtomicU64>,
}

impl Faults {
    /// Orders one more.
    pub(crate) fn push(&self, fault: Fault) {
        locked(&self.due).push_back(fault);
    }

    /// From now on every request goes wrong like this, after those that were ordered one by one.
    pub(crate) fn stand(&self, fault: Fault) {
        *locked(&self.standing) = Some(fault);
        self.times.store(0, Ordering::SeqCst);
        self.bytes.store(0, Ordering::SeqCst);
    }

    /// Ends what stands; how often it has happened.
    pub(crate) fn mend(&self) -> Struck {
        *locked(&self.standing) = None;
        Struck {
            times: self.times.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
        }
    }

    fn next(&self) -> Option<Fault> {
        let due = locked(&self.due).pop_front();
        due.or_else(|| {
            let standing = locked(&self.standing).clone()?;
            self.times.fetch_add(1, Ordering::SeqCst);
            Some(standing)
        })
    }

    /// Answers a request: as `apply` does, unless a fault is due.
    pub(crate) async fn answer(
        &self,
        connection: &Connection,
        apply: impl FnOnce() -> Response,
    ) -> Response {
        let ending = match self.next() {
            None => return apply(),
            Some(Fault::Status(status)) => return status_of(status).into_response(),
            Some(Fault::StatusRetryAfter(status, after)) => {
                return (status_of(status), [(RETRY_AFTER, after)]).into_response();
            }
            Some(Fault::Garbage(body)) => return (StatusCode::OK, body).into_response(),
            Some(Fault::Hang) => return future::pending().await,
            Some(Fault::HangAfterApplying) => {
                apply();
                return future::pending().await;
            }
            Some(Fault::Reset) => {
                connection.break_after(0);
                return StatusCode::OK.into_response();
            }
            Some(Fault::ResetAfterApplying) => {
                connection.break_after(0);
                return apply();
            }
            Some(Fault::CutOff(bytes)) => {
                connection.break_after(bytes);
                return apply();
            }
            Some(Fault::HalfABody) => return half(apply()).await,
            Some(Fault::ContentType(name)) => {
                let mut response = apply();
                let name = HeaderValue::from_static(name);
                response.headers_mut().insert(CONTENT_TYPE, name);
                return response;
            }
            Some(Fault::CutInHalf) => Ending::Middle,
            Some(Fault::Drip) => Ending::Slow,
            Some(Fault::Endless) => Ending::Never(Arc::clone(&self.bytes)),
        };
        by_hand::write(apply(), connection, ending).await;
        future::pending().await
    }
}

async fn half(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = all_of(body).await;
    head.headers.remove(CONTENT_LENGTH);
    let (first, _) = body.split_at(body.len() / 2);
    Response::from_parts(head, Body::from(first.to_vec()))
}

async fn all_of(body: Body) -> Vec<u8> {
    let bytes = to_bytes(body, usize::MAX).await;
    bytes.expect("an answer of ours is in memory").to_vec()
}

fn status_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
