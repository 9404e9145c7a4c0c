//! Faults to order: what a stand-in does with its next requests instead of answering as it should.

use std::{collections::VecDeque, future, sync::Mutex};

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

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
    /// Nothing is applied; the answer is 200 with this body in place of what is documented.
    Garbage(String),
}

/// The faults that were ordered and have not happened yet, first come first served.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<VecDeque<Fault>>);

impl Faults {
    /// Orders one more.
    pub(crate) fn push(&self, fault: Fault) {
        locked(&self.0).push_back(fault);
    }

    /// Answers a request: as `apply` does, unless a fault is due.
    pub(crate) async fn answer(
        &self,
        connection: &Connection,
        apply: impl FnOnce() -> Response,
    ) -> Response {
        let due = locked(&self.0).pop_front();
        match due {
            None => apply(),
            Some(Fault::Status(status)) => status_of(status).into_response(),
            Some(Fault::StatusRetryAfter(status, after)) => {
                (status_of(status), [(RETRY_AFTER, after)]).into_response()
            }
            Some(Fault::Hang) => future::pending().await,
            Some(Fault::Reset) => {
                connection.break_after(0);
                StatusCode::OK.into_response()
            }
            Some(Fault::HangAfterApplying) => {
                apply();
                future::pending().await
            }
            Some(Fault::ResetAfterApplying) => {
                connection.break_after(0);
                apply()
            }
            Some(Fault::CutOff(bytes)) => {
                connection.break_after(bytes);
                apply()
            }
            Some(Fault::Garbage(body)) => (StatusCode::OK, body).into_response(),
        }
    }
}

fn status_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
