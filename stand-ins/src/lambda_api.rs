//! A stand-in for Lambda's `Invoke`, as who deploys a function calls it; and as `cargo lambda watch` offers it, which asks for
//! no signature.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::{fmt, future::Future, io, pin::Pin, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use crate::{lambda_runtime::Invoked, server::Server, signature::Signed};

pub use crate::signature::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

/// Where the function is.
pub const REGION: &str = "us-east-1";

/// The largest event of a synchronous invocation.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;

type Invocation = Pin<Box<dyn Future<Output = Invoked> + Send>>;

struct Shared {
    function: String,
    is_signed: bool,
    invoke: Box<dyn Fn(Value) -> Invocation + Send + Sync>,
}

/// A running Lambda, with one function.
pub struct LambdaApi {
    server: Server,
}

impl fmt::Debug for LambdaApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LambdaApi({})", self.server.url())
    }
}

impl LambdaApi {
    /// Starts one with this function, which takes what is signed in the test account's name alone.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start<F>(
        function: &str,
        invoke: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = Invoked> + Send + 'static,
    {
        Self::start_as(function, true, invoke).await
    }

    /// Starts one as it is on an engineer's machine: who asks is not asked for.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start_local<F>(
        function: &str,
        invoke: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = Invoked> + Send + 'static,
    {
        Self::start_as(function, false, invoke).await
    }

    async fn start_as<F>(
        function: &str,
        is_signed: bool,
        invoke: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = Invoked> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            function: function.to_owned(),
            is_signed,
            invoke: Box::new(move |event| Box::pin(invoke(event))),
        });
        let router = Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(call))
            .layer(DefaultBodyLimit::disable())
            .with_state(shared);
        Ok(Self {
            server: Server::start(0, router).await?,
        })
    }

    /// For `AWS_ENDPOINT_URL_LAMBDA`, or `--url` where it is local.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Refuses connections from now on.
    pub async fn go_down(&self) {
        self.server.go_down().await;
    }
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if shared.is_signed {
        let signed = Signed {
            service: "lambda",
            method: &method,
            // As every service but S3 has it, of the path that was encoded already.
            path: &uri.path().replace('%', "%25"),
            headers: &headers,
            body: &body,
            must: &["host", "x-amz-date"],
        };
        if signed.region() != Some(REGION) {
            let message =
                "The request signature we calculated does not match the signature you provided.";
            return refuse(StatusCode::FORBIDDEN, "InvalidSignatureException", message);
        }
    } else if headers.contains_key("authorization") {
        let message = "credentials went to a machine of nobody's";
        return refuse(StatusCode::BAD_REQUEST, "TooMuch", message);
    }
    // A name, or an ARN that ends with it; an alias may stand behind.
    let names = [shared.function.clone(), format!("{}:live", shared.function)];
    if !names.iter().any(|known| {
        name == *known || name == format!("arn:aws:lambda:{REGION}:123456789012:function:{known}")
    }) {
        let message =
            format!("Function not found: arn:aws:lambda:{REGION}:123456789012:function:{name}");
        return refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    }
    if body.len() > LARGEST_EVENT {
        let message = "Request must be smaller than 6291456 bytes for the InvokeFunction operation";
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestTooLargeException",
            message,
        );
    }
    let Ok(event) = serde_json::from_slice(&body) else {
        let message = "Could not parse request body into json";
        return refuse(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            message,
        );
    };
    match (shared.invoke)(event).await {
        Invoked::Response(value) => Json(value).into_response(),
        Invoked::Error(error) | Invoked::InitError(error) => {
            ([("X-Amz-Function-Error", "Unhandled")], Json(error)).into_response()
        }
    }
}

fn refuse(status: StatusCode, code: &'static str, message: &str) -> Response {
    let body = json!({"Type": "User", "Message": message});
    (status, [("x-amzn-ErrorType", code)], Json(body)).into_response()
}
