//! From reports and refusals to HTTP answers; errors are RFC 9457's problem details.
//!
//! What the sender is told is dull; the cause is logged here, and nowhere else.

use lambda_http::{
    Body, Response,
    http::{StatusCode, header},
};
use serde::Serialize;

use crate::{
    bridge::BridgeError,
    report::{Report, Status},
    secrets::SecretsError,
    sources::{fault::BodyFault, proof::ProofFault},
};

/// How long a sender should wait before it tries again what failed for passing causes.
const RETRY_AFTER_SECONDS: &str = "30";

/// How many faults of one body the log tells.
const MOST_LOGGED: usize = 20;

/// Why a request is not answered with a report.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// There is nothing at this path.
    #[error("there is nothing at this path")]
    NotFound,
    /// One of these methods is wanted.
    #[error("the method is not allowed here")]
    Method(&'static str),
    /// The proof is missing or wrong.
    #[error("not verified: {fault}")]
    Unverified {
        /// What is wrong with it.
        fault: ProofFault,
        /// How one proves oneself here, as `WWW-Authenticate` has it.
        wanted: &'static str,
    },
    /// The body is not JSON in UTF-8, or not base64 where the envelope says so.
    #[error("{0}")]
    Unreadable(String),
    /// The body is JSON, but not what the source's mapping takes.
    #[error("the body does not fit: {}", places(.0))]
    Unfitting(Vec<BodyFault>),
    /// The source's secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// The statements could not be made durable.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
}

/// For the log, which has a limit for one line: the answer tells more of them.
fn places(faults: &[BodyFault]) -> String {
    let told: Vec<String> = faults
        .iter()
        .take(MOST_LOGGED)
        .map(BodyFault::to_string)
        .collect();
    match faults.len().saturating_sub(MOST_LOGGED) {
        0 => told.join("; "),
        others => format!("{}; and {others} more", told.join("; ")),
    }
}

pub(super) fn health(request_id: &str) -> Response<Body> {
    #[derive(Serialize)]
    struct Health {
        name: &'static str,
        version: &'static str,
    }
    let health = Health {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
    json(StatusCode::OK, "application/json", request_id, &health)
}

/// Success, and no more to say.
pub(super) fn empty(request_id: &str) -> Response<Body> {
    let mut response = json(StatusCode::OK, "application/json", request_id, &());
    response.headers_mut().remove(header::CONTENT_TYPE);
    *response.body_mut() = Body::Empty;
    response
}

/// A challenge, given back.
pub(super) fn greeted(key: &str, value: &str, request_id: &str) -> Response<Body> {
    let body = std::collections::BTreeMap::from([(key, value)]);
    json(StatusCode::OK, "application/json", request_id, &body)
}

pub(super) fn reported(report: &Report, request_id: &str) -> Response<Body> {
    let status = match report.status {
        Status::Published | Status::Unchanged | Status::Ignored | Status::Planned => StatusCode::OK,
        Status::Accepted | Status::Held => StatusCode::ACCEPTED,
    };
    json(status, "application/json", request_id, report)
}

/// RFC 9457, "Problem Details for HTTP APIs".
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemPart<'a>>,
}

#[derive(Serialize)]
struct ProblemPart<'a> {
    path: &'a str,
    detail: &'a str,
}

/// From a refusal to what the sender is told; its cause is logged here, and nowhere else.
pub(super) fn refused(refusal: &Refusal, request_id: &str) -> Response<Body> {
    let unreadable;
    let (status, detail) = match refusal {
        Refusal::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
        Refusal::NotFound => (StatusCode::NOT_FOUND, "There is nothing here."),
        Refusal::Method(_) => (
            StatusCode::METHOD_NOT_ALLOWED,
            "This method is not allowed here.",
        ),
        Refusal::Unverified { .. } => (
            StatusCode::UNAUTHORIZED,
            "The webhook could not be verified.",
        ),
        Refusal::Unreadable(why) => {
            unreadable = format!("The request cannot be read: {why}.");
            (StatusCode::BAD_REQUEST, unreadable.as_str())
        }
        Refusal::Unfitting(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body does not fit; errors names each place.",
        ),
        Refusal::Secret(error) => internal(error.is_transient()),
        Refusal::Bridge(error) => internal(error.is_transient()),
    };
    let errors = match refusal {
        Refusal::Unfitting(faults) => faults
            .iter()
            .map(
                |BodyFault {
                     path,
                     detail,
                     key: _,
                 }| ProblemPart { path, detail },
            )
            .collect(),
        _ => Vec::new(),
    };
    if status.is_server_error() {
        tracing::error!(error = %refusal, status = status.as_u16(), "a webhook could not be taken");
    } else {
        tracing::warn!(cause = %refusal, status = status.as_u16(), "a request was refused");
    }
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        request_id,
        errors,
    };
    let mut response = json(status, "application/problem+json", request_id, &problem);
    let extra = match refusal {
        Refusal::Method(allowed) => Some((header::ALLOW, *allowed)),
        Refusal::Unverified { wanted, .. } => Some((header::WWW_AUTHENTICATE, *wanted)),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => {
            Some((header::RETRY_AFTER, RETRY_AFTER_SECONDS))
        }
        _ => None,
    };
    if let Some((name, value)) = extra
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    response
}

const fn internal(is_transient: bool) -> (StatusCode, &'static str) {
    if is_transient {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "The webhook cannot be taken at present; send it again.",
        )
    } else {
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The webhook cannot be taken; its operator has been told.",
        )
    }
}

fn json<T: Serialize>(
    status: StatusCode,
    content_type: &'static str,
    request_id: &str,
    body: &T,
) -> Response<Body> {
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    if let Ok(value) = request_id.parse() {
        headers.insert("x-request-id", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_tells_the_first_faults_and_counts_the_others() {
        let faults = |count| vec![BodyFault::new("$['id']", "has no value"); count];
        let few = Refusal::Unfitting(faults(2)).to_string();
        let expected = "the body does not fit: $['id'] has no value; $['id'] has no value";
        assert_eq!(few, expected);
        let many = Refusal::Unfitting(faults(1_000)).to_string();
        assert!(
            many.len() < 1_000 && many.ends_with("; and 980 more"),
            "{many}"
        );
    }
}
