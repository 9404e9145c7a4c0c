//! The four ways to prove oneself to Calven, and how a token is had for two of them.
//!
//! apidocs.calven.com: "HMAC Authentication Overview", "Generate a token with an API key and HMAC",
//! "Generate a token with an API key and client secret", "Basic Authentication Overview". A key for one
//! way is refused on the others.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    call::BadTokenAnswer,
    secrets::composed,
    timestamp::Timestamp,
    token::{Fetched, secret_text},
};

/// Calven's secret; unknown fields are not minded.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "auth",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum CalvenCredential {
    /// A token is had by signing; what Calven recommends.
    Hmac {
        /// Id of the key.
        api_key: String,
        /// Its secret; never sent.
        #[serde(deserialize_with = "secret_text")]
        api_secret: SecretString,
    },
    /// A token is had for the secret.
    ClientSecret {
        /// Id of the client.
        client_id: String,
        /// Its secret.
        #[serde(deserialize_with = "secret_text")]
        client_secret: SecretString,
    },
    /// The secret is sent with each PUT.
    Basic {
        /// Id of the key.
        api_key: String,
        /// Its secret.
        #[serde(deserialize_with = "secret_text")]
        api_secret: SecretString,
    },
    /// A token that was handed over.
    Jwt {
        /// The token.
        #[serde(deserialize_with = "secret_text")]
        token: SecretString,
    },
}

/// What to post, and where, to get a token.
pub(super) struct TokenRequest {
    pub(super) path: &'static str,
    pub(super) body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HmacBody<'a> {
    api_key: &'a str,
    timestamp: i64,
    hash: String,
}

#[derive(Serialize)]
struct ClientSecretBody<'a> {
    client_id: &'a str,
    client_secret: &'a str,
}

/// The answer to `POST /v1/auth`.
#[derive(Deserialize)]
struct HmacAnswer {
    authenticated: bool,
    #[serde(default)]
    token: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    expiration: Option<i64>,
}

/// The answer to `POST /v1/auth/token`.
#[derive(Deserialize)]
struct ClientSecretAnswer {
    access_token: String,
    /// Seconds from now; RFC 6749 §5.1 lets it be absent.
    #[serde(default)]
    expires_in: Option<u64>,
}

impl CalvenCredential {
    /// The word under `auth`.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Hmac { .. } => "hmac",
            Self::ClientSecret { .. } => "client_secret",
            Self::Basic { .. } => "basic",
            Self::Jwt { .. } => "jwt",
        }
    }

    /// The same key as those of other kinds for which tokens are made, with the words of these.
    pub(crate) fn as_others(&self) -> Vec<(&'static str, Self)> {
        let (id, secret) = match self {
            Self::Hmac {
                api_key: id,
                api_secret: secret,
            }
            | Self::Basic {
                api_key: id,
                api_secret: secret,
            }
            | Self::ClientSecret {
                client_id: id,
                client_secret: secret,
            } => (id, secret),
            Self::Jwt { .. } => return Vec::new(),
        };
        let all = [
            Self::Hmac {
                api_key: id.clone(),
                api_secret: secret.clone(),
            },
            Self::ClientSecret {
                client_id: id.clone(),
                client_secret: secret.clone(),
            },
        ];
        all.into_iter()
            .map(|other| (other.word(), other))
            .filter(|(word, _)| *word != self.word())
            .collect()
    }

    /// The request for a token as of `now`; `None` where none is needed.
    pub(super) fn token_request(
        &self,
        now: Timestamp,
    ) -> Result<Option<TokenRequest>, &'static str> {
        let (path, body) = match self {
            Self::Hmac {
                api_key,
                api_secret,
            } => {
                let timestamp = now.seconds();
                let hash =
                    hash(api_key, api_secret, timestamp).ok_or("its apiSecret cannot be a key")?;
                (
                    "/v1/auth",
                    serde_json::to_string(&HmacBody {
                        api_key,
                        timestamp,
                        hash,
                    }),
                )
            }
            Self::ClientSecret {
                client_id,
                client_secret,
            } => {
                let client_secret = client_secret.expose_secret();
                (
                    "/v1/auth/token",
                    serde_json::to_string(&ClientSecretBody {
                        client_id,
                        client_secret,
                    }),
                )
            }
            Self::Basic { .. } | Self::Jwt { .. } => return Ok(None),
        };
        let body = body.map_err(|_| "it cannot be written as JSON")?;
        Ok(Some(TokenRequest { path, body }))
    }

    /// Reads the answer to [`token_request`](Self::token_request).
    pub(super) fn read_token(
        &self,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Fetched, BadTokenAnswer> {
        let (value, ends_at) = match self {
            Self::Hmac { .. } => {
                let answer: HmacAnswer = read(body)?;
                if !answer.authenticated {
                    return Err(BadTokenAnswer::Denied);
                }
                let token = answer.token.ok_or(BadTokenAnswer::Garbage)?;
                (token, answer.expiration.map(Timestamp::from_seconds))
            }
            Self::ClientSecret { .. } => {
                let answer: ClientSecretAnswer = read(body)?;
                let life = answer.expires_in.map(Duration::from_secs);
                (answer.access_token, life.map(|life| now.plus(life)))
            }
            Self::Basic { .. } | Self::Jwt { .. } => return Err(BadTokenAnswer::Garbage),
        };
        if value.is_empty() || crate::http::sensitive_header(&value).is_none() {
            return Err(BadTokenAnswer::Garbage);
        }
        Ok(Fetched {
            value: value.into(),
            ends_at,
        })
    }
}

fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, BadTokenAnswer> {
    serde_json::from_slice(body).map_err(|_| BadTokenAnswer::Garbage)
}

/// Lower-case hex HMAC-SHA256 of the key's id followed directly by the time, in decimal seconds.
fn hash(api_key: &str, api_secret: &SecretString, timestamp: i64) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(api_secret.expose_secret().as_bytes()).ok()?;
    mac.update(api_key.as_bytes());
    mac.update(timestamp.to_string().as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

/// RFC 7617.
pub(super) fn basic(user: &str, password: &SecretString) -> SecretString {
    composed::basic(user, password.expose_secret())
}

/// RFC 6750. Tokens that were pasted into a secret often end with a line break.
pub(super) fn bearer(token: &SecretString) -> SecretString {
    composed::bearer(token.expose_secret().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(json: &str) -> CalvenCredential {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_hash_is_the_one_that_openssl_computes() {
        // printf 'key-11795341600' | openssl dgst -sha256 -hmac 's3cret'
        let expected = "b75b204925f06604f91f45ef0e977d80862f17b7a5f0f7d5a9c75d18994644c0";
        assert_eq!(
            hash("key-1", &"s3cret".into(), 1_795_341_600).unwrap(),
            expected
        );
    }

    #[test]
    fn a_token_is_asked_for_with_exactly_the_documented_fields() {
        let now = Timestamp::from_seconds(1_795_341_600);
        let check = |json, path, body: &str| {
            let request = credential(json).token_request(now).unwrap().unwrap();
            assert_eq!((request.path, request.body.as_str()), (path, body));
        };
        check(
            r#"{"auth":"hmac","apiKey":"key-1","apiSecret":"s3cret"}"#,
            "/v1/auth",
            r#"{"apiKey":"key-1","timestamp":1795341600,"hash":"b75b204925f06604f91f45ef0e977d80862f17b7a5f0f7d5a9c75d18994644c0"}"#,
        );
        check(
            r#"{"auth":"client_secret","clientId":"id-1","clientSecret":"s3cret"}"#,
            "/v1/auth/token",
            r#"{"client_id":"id-1","client_secret":"s3cret"}"#,
        );
    }

    #[test]
    fn a_credential_tolerates_unknown_fields_and_prints_no_secret() {
        for json in [
            r#"{"auth":"hmac","apiKey":"k","apiSecret":"s3cret","note":1}"#,
            r#"{"auth":"client_secret","clientId":"k","clientSecret":"s3cret","note":1}"#,
            r#"{"auth":"basic","apiKey":"k","apiSecret":"s3cret","note":1}"#,
            r#"{"auth":"jwt","token":"s3cret","note":1}"#,
        ] {
            let printed = format!("{:?}", credential(json));
            assert!(!printed.contains("s3cret"), "{printed}");
        }
    }

    #[test]
    fn basic_and_bearer_are_written_as_their_rfcs_say() {
        let header = basic("Aladdin", &"open sesame".into());
        assert_eq!(header.expose_secret(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(bearer(&"abc\n".into()).expose_secret(), "Bearer abc");
    }

    #[test]
    fn a_token_answer_is_read_or_refused() {
        let hmac = credential(r#"{"auth":"hmac","apiKey":"k","apiSecret":"s"}"#);
        let client = credential(r#"{"auth":"client_secret","clientId":"k","clientSecret":"s"}"#);
        let now = Timestamp::from_seconds(1_000);
        let check = |credential: &CalvenCredential,
                     body: &str,
                     expected: Result<(&str, Option<i64>), &str>| {
            let read = credential.read_token(body.as_bytes(), now);
            let read = read.map(|Fetched { value, ends_at }| {
                (
                    value.expose_secret().to_owned(),
                    ends_at.map(Timestamp::seconds),
                )
            });
            let expected = expected.map(|(token, end)| (token.to_owned(), end));
            match (&read, &expected) {
                (Err(BadTokenAnswer::Denied), Err("denied"))
                | (Err(BadTokenAnswer::Garbage), Err("garbage")) => {}
                _ => assert_eq!(read.ok(), expected.ok(), "{body}"),
            }
        };
        check(
            &hmac,
            r#"{"authenticated":true,"message":"ok","token":"t","expiration":4600}"#,
            Ok(("t", Some(4_600))),
        );
        check(
            &hmac,
            r#"{"authenticated":false,"message":"no"}"#,
            Err("denied"),
        );
        check(&hmac, r#"{"authenticated":true}"#, Err("garbage"));
        check(&hmac, "<html>maintenance</html>", Err("garbage"));
        check(
            &client,
            r#"{"access_token":"t","expires_in":3600}"#,
            Ok(("t", Some(4_600))),
        );
        check(
            &client,
            r#"{"access_token":"t","token_type":"Bearer"}"#,
            Ok(("t", None)),
        );
        check(
            &client,
            r#"{"access_token":"two\nlines","expires_in":3600}"#,
            Err("garbage"),
        );
        check(
            &client,
            r#"{"access_token":"","expires_in":3600}"#,
            Err("garbage"),
        );
    }
}
