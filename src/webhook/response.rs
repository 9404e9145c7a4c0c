//! From reports and refusals to HTTP answers; errors are RFC 9457's problem details.
//!
//! What the sender is told is dull; the cause is logged here, and nowhere else.

use lambda_http::{
    Body, Response,
    http::{Method, StatusCode, header},
};
use serde::Serialize;

use crate::{
    bridge::BridgeError,
    report::{Report, Status},
    secrets::SecretsError,
    sources::{generic::BodyFault, signature::SignatureFault},
};

/// How long a sender should wait before it tries again what failed for passing causes.
const RETRY_AFTER_SECONDS: &str = "30";

/// Why a request is not answered with a report.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// There is nothing at this path.
    #[error("there is nothing at this path")]
    NotFound,
    /// Another method is wanted.
    #[error("the method is not allowed here")]
    Method(Method),
    /// The proof is missing or wrong.
    #[error("not verified: {0}")]
    Unverified(SignatureFault),
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

fn places(faults: &[BodyFault]) -> String {
    let text = |BodyFault { path, detail }: &BodyFault| format!("{path} {detail}");
    faults.iter().map(text).collect::<Vec<_>>().join("; ")
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

pub(super) fn reported(report: &Report, request_id: &str) -> Response<Body> {
    let status = match report.status {
        Status::Published | Status::Unchanged | Status::Planned => StatusCode::OK,
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
        Refusal::Unverified(_) => (
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
            .map(|BodyFault { path, detail }| ProblemPart { path, detail })
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
        Refusal::Method(allowed) => Some((header::ALLOW, allowed.as_str())),
        Refusal::Unverified(_) => Some((header::WWW_AUTHENTICATE, "StandardWebhooks")),
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
