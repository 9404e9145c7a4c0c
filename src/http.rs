//! Addresses of the services that are called.

use std::fmt;

/// A base URL: https, or http on a loopback host; without a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// A text that is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no https URL (http is accepted for loopback hosts only)")]
pub struct BaseUrlError;

impl BaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`BaseUrlError`] where it is none, or would send secrets in the clear.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let url = reqwest::Url::parse(text).map_err(|_| BaseUrlError)?;
        let host = url.host_str().ok_or(BaseUrlError)?;
        let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err(BaseUrlError),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
