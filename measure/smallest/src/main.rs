//! What `cargo lambda new --http` begins with, logs and all, and no more: it reads a webhook's body as JSON, and answers 200, or 400
//! where it is none.

use std::convert::Infallible;

use lambda_http::{Body, Error, Request, Response, http::StatusCode, run, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(answer)).await
}

async fn answer(webhook: Request) -> Result<Response<Body>, Infallible> {
    let mut answer = Response::new(Body::Empty);
    if serde_json::from_slice::<Value>(webhook.body()).is_err() {
        *answer.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(answer)
}
