//! Signing requests to one service: the credentials, and `object_store`'s writing of AWS's signature.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>. The path is signed as S3 wants it where
//! the service is S3, encoded once, and as all others do elsewhere.

use std::fmt;

use object_store::{
    aws::{AwsAuthorizer, AwsCredentialProvider},
    client::{HttpRequest, HttpRequestBody},
};
use reqwest::{Method, Url, header::HeaderMap};
use sha2::{Digest as _, Sha256};

use super::Variables;

/// Signs for one service in one region.
pub struct Signer {
    service: &'static str,
    region: String,
    credentials: AwsCredentialProvider,
}

/// Why a request is not signed. What the library says of it is dropped: it may quote an answer with credentials in it.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// They could not be fetched; that passes.
    #[error("there are no credentials")]
    NoCredentials,
    /// It would be no request.
    #[error("the request cannot be signed")]
    Unsignable,
}

impl fmt::Debug for Signer {
    /// It holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {})", self.service, self.region)
    }
}

impl Signer {
    /// Credentials as AWS's variables say, over `http`; nothing is fetched yet.
    ///
    /// # Errors
    /// Where credentials come by halves.
    pub fn new(
        service: &'static str,
        region: String,
        http: &reqwest::Client,
        variables: Variables<'_>,
    ) -> Result<Self, String> {
        let credentials = super::credentials(http, variables)?;
        Ok(Self {
            service,
            region,
            credentials,
        })
    }

    /// These headers and those that prove who asks, for exactly this request.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub async fn sign(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<HeaderMap, Unsigned> {
        let sha256 = Sha256::digest(body).into();
        self.sign_hashed(method, url, headers, &sha256).await
    }

    /// As [`Self::sign`], where the body's SHA-256 is known.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub async fn sign_hashed(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body_sha256: &[u8; 32],
    ) -> Result<HeaderMap, Unsigned> {
        let credential = self.credentials.get_credential().await;
        let credential = credential.map_err(|_| Unsigned::NoCredentials)?;
        // The body is told by its hash, so it need not be in there.
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|_| Unsigned::Unsignable)?;
        *request.headers_mut() = headers;
        AwsAuthorizer::new(&credential, self.service, &self.region)
            .try_authorize(&mut request, Some(body_sha256))
            .map_err(|_| Unsigned::Unsignable)?;
        Ok(request.into_parts().0.headers)
    }
}
