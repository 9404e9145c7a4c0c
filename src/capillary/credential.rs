//! The two ways to prove oneself to Capillary: docs.capillarytech.com, "Basic authentication" and "OAuth
//! authentication".

use std::time::Duration;

use md5::{Digest as _, Md5};
use reqwest::header::{AUTHORIZATION, HeaderName};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Serialize};

use crate::{
    call::BadTokenAnswer,
    http::sensitive_header,
    secrets::composed,
    timestamp::Timestamp,
    token::{Fetched, secret_text},
};

/// Capillary's secret; unknown fields are not minded.
#[derive(Debug, Deserialize)]
#[serde(tag = "auth", rename_all = "snake_case")]
pub enum CapillaryCredential {
    /// Till credentials.
    Basic {
        /// User name of the till.
        username: String,
        /// `password` or `passwordMd5`.
        #[serde(flatten)]
        password: TillPassword,
    },
    /// Key and secret of an OAuth client.
    Oauth {
        /// The key.
        key: String,
        /// The secret.
        #[serde(deserialize_with = "secret_text")]
        secret: SecretString,
    },
}

/// A till's password; over the wire goes the lower-case hex MD5 of its text.
#[derive(Debug, Deserialize)]
pub enum TillPassword {
    /// In clear.
    #[serde(rename = "password")]
    Clear(#[serde(deserialize_with = "secret_text")] SecretString),
    /// Hashed already, as some users store it.
    #[serde(rename = "passwordMd5")]
    Md5(#[serde(deserialize_with = "secret_text")] SecretString),
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    key: &'a str,
    secret: &'a str,
}

#[derive(Deserialize)]
struct TokenAnswer {
    /// Null where `errors` says why.
    #[serde(default)]
    data: Option<TokenData>,
    #[serde(default)]
    errors: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenData {
    access_token: String,
    #[serde(default)]
    ttl_seconds: Option<u64>,
}

impl CapillaryCredential {
    /// The body of a request for a token; `None` where none is needed.
    pub(super) fn token_request(&self) -> Result<Option<String>, &'static str> {
        match self {
            Self::Basic { .. } => Ok(None),
            Self::Oauth { key, secret } => serde_json::to_string(&TokenRequest {
                key,
                secret: secret.expose_secret(),
            })
            .map(Some)
            .map_err(|_| "it cannot be written as JSON"),
        }
    }

    /// The header that proves who asks.
    pub(super) fn header(&self, token: Option<&SecretString>) -> (HeaderName, SecretString) {
        match self {
            Self::Basic { username, password } => (AUTHORIZATION, basic(username, password)),
            Self::Oauth { .. } => (
                HeaderName::from_static("x-cap-api-oauth-token"),
                token.cloned().unwrap_or_default(),
            ),
        }
    }
}

/// Reads the answer to a request for a token.
pub(super) fn read_token(body: &[u8], now: Timestamp) -> Result<Fetched, BadTokenAnswer> {
    let TokenAnswer { data, errors } =
        serde_json::from_slice(body).map_err(|_| BadTokenAnswer::Garbage)?;
    let Some(TokenData {
        access_token,
        ttl_seconds,
    }) = data
    else {
        return Err(match errors {
            Some(_) => BadTokenAnswer::Denied,
            None => BadTokenAnswer::Garbage,
        });
    };
    if access_token.is_empty() || sensitive_header(&access_token).is_none() {
        return Err(BadTokenAnswer::Garbage);
    }
    let ends_at = ttl_seconds.map(|life| now.plus(Duration::from_secs(life)));
    Ok(Fetched {
        value: access_token.into(),
        ends_at,
    })
}

fn basic(username: &str, password: &TillPassword) -> SecretString {
    let hashed = Zeroizing::new(match password {
        TillPassword::Clear(password) => hex::encode(Md5::digest(password.expose_secret())),
        TillPassword::Md5(hashed) => hashed.expose_secret().trim().to_ascii_lowercase(),
    });
    composed::basic(username, &hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(json: &str) -> CapillaryCredential {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_password_goes_over_the_wire_as_its_md5_however_it_is_stored() {
        // printf 'till.1:%s' $(printf 'open sesame' | md5sum | cut -c-32) | base64
        let expected = "Basic dGlsbC4xOjU0ZWYzNmVjNzEyMDFmZGY5ZDE0MjNmZDI2Zjk3ZjZi";
        for json in [
            r#"{"auth":"basic","username":"till.1","password":"open sesame"}"#,
            r#"{"auth":"basic","username":"till.1","passwordMd5":"54ef36ec71201fdf9d1423fd26f97f6b","note":1}"#,
            r#"{"auth":"basic","username":"till.1","passwordMd5":"54EF36EC71201FDF9D1423FD26F97F6B"}"#,
        ] {
            let (name, value) = credential(json).header(None);
            assert_eq!(
                (name, value.expose_secret()),
                (AUTHORIZATION, expected),
                "{json}"
            );
        }
    }

    #[test]
    fn a_credential_prints_no_secret() {
        for json in [
            r#"{"auth":"basic","username":"u","password":"s3cret"}"#,
            r#"{"auth":"basic","username":"u","passwordMd5":"s3cret"}"#,
            r#"{"auth":"oauth","key":"k","secret":"s3cret"}"#,
        ] {
            let printed = format!("{:?}", credential(json));
            assert!(!printed.contains("s3cret"), "{printed}");
        }
    }

    #[test]
    fn a_credential_without_a_password_is_none() {
        let json = r#"{"auth":"basic","username":"u"}"#;
        assert!(serde_json::from_str::<CapillaryCredential>(json).is_err());
    }

    #[test]
    fn a_token_answer_is_read_or_refused() {
        let now = Timestamp::from_seconds(1_000);
        let read = |body: &str| read_token(body.as_bytes(), now);
        let fetched =
            read(r#"{"data":{"accessToken":"t","ttlSeconds":300},"errors":null}"#).unwrap();
        assert_eq!(fetched.value.expose_secret(), "t");
        assert_eq!(fetched.ends_at, Some(Timestamp::from_seconds(1_300)));
        let denied = read(r#"{"data":null,"errors":[{"code":1}]}"#);
        assert!(matches!(denied, Err(BadTokenAnswer::Denied)));
        for garbage in ["", "<html/>", "{}", r#"{"data":{"accessToken":""}}"#] {
            assert!(
                matches!(read(garbage), Err(BadTokenAnswer::Garbage)),
                "{garbage}"
            );
        }
    }
}
