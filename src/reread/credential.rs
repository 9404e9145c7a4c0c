//! How one proves oneself to a source's API: the secret under `api_secret_id`.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{
    http::{added_header, sensitive_header},
    secrets::composed,
    token::secret_text,
};

/// The headers of every request to one API: `{"token": …}` as a bearer's, `{"username", "password"}` as
/// HTTP Basic, and, with or without these, `"headers": {…}` for what else the API wants. Other keys are let be.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct ApiCredential {
    headers: HeaderMap,
}

#[derive(Deserialize)]
struct Raw {
    token: Option<Text>,
    username: Option<String>,
    password: Option<Text>,
    #[serde(default)]
    headers: BTreeMap<String, Text>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text(#[serde(deserialize_with = "secret_text")] SecretString);

/// A secret that cannot prove anything.
#[derive(Debug, thiserror::Error)]
#[error("the secret is none of an API")]
struct Unusable;

impl TryFrom<Raw> for ApiCredential {
    type Error = Unusable;

    fn try_from(raw: Raw) -> Result<Self, Unusable> {
        let Raw {
            token,
            username,
            password,
            headers: others,
        } = raw;
        let mut headers = HeaderMap::new();
        for (name, Text(text)) in &others {
            let name = added_header(name).ok_or(Unusable)?;
            let value = sensitive_header(text.expose_secret()).ok_or(Unusable)?;
            // Names that differ in case alone are one header.
            if headers.insert(name, value).is_some() {
                return Err(Unusable);
            }
        }
        let proof: Option<SecretString> = match (token, username, password) {
            (None, None, None) => None,
            (Some(Text(token)), None, None) if !token.expose_secret().is_empty() => {
                Some(composed::bearer(token.expose_secret()))
            }
            (None, Some(username), Some(Text(password))) if !username.contains(':') => {
                Some(composed::basic(&username, password.expose_secret()))
            }
            _ => return Err(Unusable),
        };
        if let Some(proof) = proof {
            let value = sensitive_header(proof.expose_secret()).ok_or(Unusable)?;
            if headers.insert(AUTHORIZATION, value).is_some() {
                return Err(Unusable);
            }
        }
        if headers.is_empty() {
            return Err(Unusable);
        }
        Ok(Self { headers })
    }
}

impl ApiCredential {
    /// The headers that prove who asks; marked as sensitive.
    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &[(&str, &str)]) {
        let credential: ApiCredential = serde_json::from_str(json).unwrap();
        let mut found: Vec<(&str, &str)> = credential
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn every_form_is_a_set_of_headers() {
        check(
            r#"{"token":"t","note":1}"#,
            &[("authorization", "Bearer t")],
        );
        check(
            r#"{"username":"u","password":"p"}"#,
            &[("authorization", "Basic dTpw")],
        );
        check(
            r#"{"username":"u","password":""}"#,
            &[("authorization", "Basic dTo=")],
        );
        check(
            r#"{"token":"t","headers":{"X-Integration-Id":"i"}}"#,
            &[("authorization", "Bearer t"), ("x-integration-id", "i")],
        );
        check(
            r#"{"headers":{"Authorization":"Token t"}}"#,
            &[("authorization", "Token t")],
        );
    }

    #[test]
    fn what_proves_nothing_or_decides_where_a_request_goes_is_refused() {
        for json in [
            "{}",
            r#"{"token":""}"#,
            r#"{"token":7}"#,
            r#"{"token":"a\nb"}"#,
            r#"{"username":"u"}"#,
            r#"{"username":"u:v","password":"p"}"#,
            r#"{"token":"t","username":"u","password":"p"}"#,
            r#"{"token":"t","headers":{"Authorization":"x"}}"#,
            r#"{"headers":{"X-A":"1","x-a":"2"}}"#,
            r#"{"token":"t","headers":{"Host":"elsewhere.example"}}"#,
            r#"{"token":"t","headers":{"content-length":"1"}}"#,
            r#"{"token":"t","headers":{"Connection":"close"}}"#,
            r#"{"token":"t","headers":{"Transfer-Encoding":"chunked"}}"#,
            r#"{"token":"t","headers":{"no name":"x"}}"#,
            r#"{"token":"t","headers":{"X-A":"a\r\nb"}}"#,
        ] {
            assert!(
                serde_json::from_str::<ApiCredential>(json).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn a_printed_credential_shows_no_secret() {
        for json in [
            r#"{"token":"s3cret"}"#,
            r#"{"username":"u","password":"s3cret"}"#,
            r#"{"headers":{"X-Key":"s3cret"}}"#,
        ] {
            let credential: ApiCredential = serde_json::from_str(json).unwrap();
            let printed = format!("{credential:?}");
            assert!(
                !printed.contains("s3cret") && !printed.contains("czNjcmV0"),
                "{printed}"
            );
        }
    }
}
