//! The function's one HTTP client, with bounded answers, as the store and the two crates that speak AWS's protocols want it.
//!
//! Left to themselves each of the crates brings a stack of its own: connections, TLS, and root certificates to parse.

use std::{error::Error, mem, pin::Pin};

use aws_sdk_secretsmanager::config::{
    HttpClient as SdkClient, RuntimeComponents,
    http::{HttpRequest as SdkRequest, HttpResponse as SdkResponse},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector as SdkConnector, HttpConnectorFuture, HttpConnectorSettings,
        SharedHttpConnector,
    },
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use lambda_http::http;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};
use reqwest::{
    Body, Request,
    header::{self, HeaderValue},
};

use crate::http::USER_AGENT;

/// Room for so many bytes of an answer is made on its word alone.
const MOST_AT_ONCE: u64 = 8 * 1024 * 1024;

/// Lends the client.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    answer_limit_bytes: usize,
}

/// An answer that is not taken into memory.
#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {limit_bytes} bytes")]
pub(crate) struct TooLarge {
    limit_bytes: usize,
}

/// Why there is no answer.
pub(crate) enum Failure {
    /// What the network, or the other side, did.
    Network(reqwest::Error),
    /// There is more of it than is taken.
    TooLarge(TooLarge),
}

impl Failure {
    /// What failed, as far as it matters for trying again.
    pub(crate) fn kind(&self) -> HttpErrorKind {
        match self {
            Self::TooLarge(_) => HttpErrorKind::Decode,
            Self::Network(error) if error.is_timeout() => HttpErrorKind::Timeout,
            Self::Network(error) if error.is_connect() => HttpErrorKind::Connect,
            Self::Network(error) if error.is_request() => HttpErrorKind::Request,
            Self::Network(_) => HttpErrorKind::Interrupted,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Network(error)
    }
}

impl Transport {
    /// Lends `http`, for answers of up to `answer_limit_bytes`.
    pub(crate) fn new(http: &reqwest::Client, answer_limit_bytes: usize) -> Self {
        let http = http.clone();
        Self {
            http,
            answer_limit_bytes,
        }
    }

    /// An answer with all of its body, so that one that is cut off is one more failed attempt.
    pub(crate) async fn exchange(
        &self,
        request: Request,
    ) -> Result<http::Response<Vec<u8>>, Failure> {
        let mut response = self.http.execute(request).await?;
        let limit_bytes = self.answer_limit_bytes;
        let announced = response.content_length();
        if announced.is_some_and(|bytes| bytes > limit_bytes as u64) {
            return Err(Failure::TooLarge(TooLarge { limit_bytes }));
        }
        // What is announced need not come.
        let announced = announced.unwrap_or(0).min(MOST_AT_ONCE) as usize;
        let mut body = Vec::with_capacity(announced);
        while let Some(chunk) = response.chunk().await? {
            if body.len().saturating_add(chunk.len()) > limit_bytes {
                return Err(Failure::TooLarge(TooLarge { limit_bytes }));
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = http::Response::new(body);
        *whole.status_mut() = response.status();
        *whole.headers_mut() = mem::take(response.headers_mut());
        Ok(whole)
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Transport {
    fn call<'a, 'call>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'a: 'call,
        Self: 'call,
    {
        Box::pin(async {
            let request = Request::try_from(request.map(Body::wrap))
                .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error.without_url()))?;
            let answer = self.exchange(request).await;
            answer
                .map_err(of_store)
                .map(|answer| answer.map(Into::into))
        })
    }
}

/// The URL says nothing that the library's own texts don't.
fn of_store(failure: Failure) -> HttpError {
    let kind = failure.kind();
    match failure {
        Failure::Network(error) => HttpError::new(kind, error.without_url()),
        Failure::TooLarge(error) => HttpError::new(kind, error),
    }
}

impl SdkClient for Transport {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl SdkConnector for Transport {
    fn call(&self, request: SdkRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(unusable)?;
            let Some(body) = request.body().bytes().map(<[u8]>::to_vec) else {
                return Err(unusable("only what is in memory is sent"));
            };
            let mut request = Request::try_from(request.map(|_| body)).map_err(unusable)?;
            // It is not signed; the SDK's says which SDK it is, and nothing of us.
            let ours = HeaderValue::from_static(USER_AGENT);
            request.headers_mut().insert(header::USER_AGENT, ours);
            let answer = transport.exchange(request).await.map_err(of_sdk)?;
            SdkResponse::try_from(answer.map(SdkBody::from)).map_err(unusable)
        })
    }
}

fn unusable(error: impl Into<Box<dyn Error + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

/// Whatever the network did will pass: the SDK tries again.
fn of_sdk(failure: Failure) -> ConnectorError {
    match failure {
        Failure::Network(error) if error.is_timeout() => {
            ConnectorError::timeout(error.without_url().into())
        }
        Failure::Network(error) => ConnectorError::io(error.without_url().into()),
        Failure::TooLarge(error) => unusable(error),
    }
}
