//! AWS's signature of a request, computed anew:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use axum::http::{HeaderMap, Method, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Whose requests are taken: `AWS_ACCESS_KEY_ID`.
pub const ACCESS_KEY_ID: &str = "test-access-key";

/// `AWS_SECRET_ACCESS_KEY`.
pub const SECRET_ACCESS_KEY: &str = "test-secret-access-key";

/// What a signature is to be for.
pub(crate) struct Signed<'a> {
    pub(crate) service: &'static str,
    pub(crate) method: &'a Method,
    /// As the service encodes it.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// The headers that must not be left out.
    pub(crate) must: &'static [&'static str],
}

impl Signed<'_> {
    /// The region that the signature is for; `None` where it is none of this request in our name, or leaves out what matters.
    pub(crate) fn region(&self) -> Option<&str> {
        let authorization = self.header(header::AUTHORIZATION.as_str());
        let date = self.header("x-amz-date");
        let day = date.get(..8)?;
        let (scope, rest) = authorization
            .strip_prefix("AWS4-HMAC-SHA256 Credential=")?
            .strip_prefix(ACCESS_KEY_ID)?
            .strip_prefix('/')?
            .split_once(", SignedHeaders=")?;
        let (signed, signature) = rest.split_once(", Signature=")?;
        let region = scope.strip_prefix(day)?.strip_prefix('/')?;
        let region = region.strip_suffix(&format!("/{}/aws4_request", self.service))?;
        let names: Vec<&str> = signed.split(';').collect();
        if !self.must.iter().all(|name| names.contains(name)) {
            return None;
        }
        let canonical: String = names
            .iter()
            .map(|name| format!("{name}:{}\n", self.header(name)))
            .collect();
        let hash = hex::encode(Sha256::digest(self.body));
        let (method, path) = (self.method, self.path);
        let request = format!("{method}\n{path}\n\n{canonical}\n{signed}\n{hash}");
        let request = hex::encode(Sha256::digest(request));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}");
        let key = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
        let key = [day, region, self.service, "aws4_request"]
            .iter()
            .fold(key, |key, part| hmac(&key, part));
        (hex::encode(hmac(&key, &to_sign)) == signature).then_some(region)
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is one");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
