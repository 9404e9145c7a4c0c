//! What proves that a webhook comes from the source it names.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::IgnoredAny};

use super::{Secret, SecretsError};
use crate::token::secret_text;

/// The secret of a source, in one of the shapes that it may have.
///
/// Other keys beside these are let be: vendors' consoles export more than is needed.
#[derive(Clone, Debug)]
pub enum SourceSecret {
    /// `{"signingSecret": "…"}`, or a list under `signingSecrets`: one or more, each of which may sign.
    Signing(Vec<SecretString>),
    /// `{"token": "…"}`: sent with each webhook.
    Token(SecretString),
    /// `{"username": "…", "password": "…"}`: sent with each webhook by HTTP Basic.
    Basic {
        /// The name, in the clear.
        username: String,
        /// The password.
        password: SecretString,
    },
}

/// The keys of all the shapes, as [`Raw`] has them.
const KEYS: [&str; 5] = [
    "signingSecret",
    "signingSecrets",
    "token",
    "username",
    "password",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    signing_secret: Option<Text>,
    signing_secrets: Option<Vec<Text>>,
    token: Option<Text>,
    username: Option<String>,
    password: Option<Text>,
}

/// Wiped also where there is something wrong with what stands beside it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text(#[serde(deserialize_with = "secret_text")] SecretString);

impl SourceSecret {
    /// Reads the JSON text of a secret that lies somewhere else than where the function looks.
    ///
    /// # Errors
    /// Those of [`Self::parse`].
    pub fn from_text(text: &str, id: &str) -> Result<Self, SecretsError> {
        Self::parse(&Secret::of_text(text), id)
    }

    /// Reads a source's secret.
    ///
    /// # Errors
    /// [`SecretsError::Unusable`], which names the accepted shapes, where the content has none of
    /// them, or two at once, or an empty value.
    pub fn parse(secret: &Secret, id: &str) -> Result<Self, SecretsError> {
        let unusable = || {
            SecretsError::unusable(
                id,
                "it must have exactly one of these shapes, no value empty: \
                 {\"signingSecret\": \"…\"} or {\"signingSecrets\": [\"…\"]}, {\"token\": \"…\"}, \
                 {\"username\": \"…\", \"password\": \"…\"}",
            )
        };
        let Raw {
            signing_secret,
            signing_secrets,
            token,
            username,
            password,
        } = secret.parse(id).map_err(|_| unusable())?;
        let all = |texts: Option<Vec<Text>>| texts.into_iter().flatten();
        let signing: Vec<SecretString> = signing_secret
            .into_iter()
            .chain(all(signing_secrets))
            .map(|Text(secret)| secret)
            .collect();
        let token = token.map(|Text(token)| token);
        let password = password.map(|Text(password)| password);
        let mut given = signing.iter().chain(&token).chain(&password);
        let is_empty = |secret: &SecretString| secret.expose_secret().is_empty();
        if given.any(is_empty) || username.as_ref().is_some_and(String::is_empty) {
            return Err(unusable());
        }
        match (signing.is_empty(), token, username, password) {
            (false, None, None, None) => Ok(Self::Signing(signing)),
            (true, Some(token), None, None) => Ok(Self::Token(token)),
            (true, None, Some(username), Some(password)) => Ok(Self::Basic { username, password }),
            _ => Err(unusable()),
        }
    }
}

/// Whether a source has not been given its signing secret yet: there is no secret at all, or it is a JSON object with
/// none of the keys that a source's secret has, as somebody leaves it to be filled. Only then may a sender that tells
/// us its key be listened to; a secret that is wrong is not one that is wanting.
pub fn lacks_signing_secret(current: Result<&Secret, &SecretsError>) -> bool {
    match current {
        Err(SecretsError::Missing { .. }) => true,
        Err(SecretsError::Unusable { .. } | SecretsError::Unavailable { .. }) => false,
        Ok(secret) => {
            let parsed: Result<BTreeMap<String, IgnoredAny>, _> = secret.parse("");
            parsed.is_ok_and(|object| !KEYS.iter().any(|key| object.contains_key(*key)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::ExposeSecret;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret {
            text: Arc::new(text.to_owned().into()),
            version: "1".into(),
        }
    }

    fn parse(text: &str) -> Result<SourceSecret, SecretsError> {
        SourceSecret::parse(&secret(text), "hris/acme")
    }

    #[test]
    fn a_signing_secret_is_wanting_where_there_is_none_and_not_where_it_is_wrong() {
        let check = |text: &str, expected| {
            assert_eq!(lacks_signing_secret(Ok(&secret(text))), expected, "{text}");
        };
        check("{}", true);
        check(r#"{"note":"to be filled"}"#, true);
        for text in ["null", "[]", "hunter2", r#""hunter2""#, "{"] {
            check(text, false);
        }
        for key in KEYS {
            for value in [r#""hunter2""#, r#""""#, "null", "[]"] {
                check(&format!("{{\"{key}\":{value}}}"), false);
            }
        }
        let id = || "hris/acme".to_owned();
        let missing = SecretsError::Missing { id: id() };
        assert!(lacks_signing_secret(Err(&missing)));
        assert!(missing.to_string().contains("no such secret"));
        for error in [
            SecretsError::unusable("hris/acme", "it is empty"),
            SecretsError::unavailable("hris/acme", "it is down"),
        ] {
            assert!(!lacks_signing_secret(Err(&error)));
        }
    }

    #[test]
    fn one_signing_secret_and_a_list_are_the_same_shape() {
        for (text, expected) in [
            (r#"{"signingSecret":"a"}"#, vec!["a"]),
            (r#"{"signingSecrets":["a","b"]}"#, vec!["a", "b"]),
            (
                r#"{"signingSecret":"a","signingSecrets":["b"]}"#,
                vec!["a", "b"],
            ),
        ] {
            let Ok(SourceSecret::Signing(secrets)) = parse(text) else {
                panic!("{text}");
            };
            let secrets: Vec<_> = secrets.iter().map(ExposeSecret::expose_secret).collect();
            assert_eq!(secrets, expected);
        }
    }

    #[test]
    fn a_token_and_a_password_are_read_though_other_keys_stand_beside_them() {
        assert!(matches!(
            parse(r#"{"token":"t","note":7}"#),
            Ok(SourceSecret::Token(token)) if token.expose_secret() == "t"
        ));
        assert!(matches!(
            parse(r#"{"username":"u","password":"p","url":null}"#),
            Ok(SourceSecret::Basic { username, password })
                if username == "u" && password.expose_secret() == "p"
        ));
    }

    #[test]
    fn any_other_content_is_refused_with_the_shapes_and_without_the_content() {
        for text in [
            "",
            "null",
            "{}",
            r#""hunter2""#,
            r#"{"password":"hunter2"}"#,
            r#"{"token":""}"#,
            r#"{"signingSecrets":[]}"#,
            r#"{"signingSecrets":["hunter2",""]}"#,
            r#"{"token":"hunter2","signingSecret":"hunter2"}"#,
        ] {
            let error = parse(text).unwrap_err();
            let words = error.to_string();
            assert!(!error.is_transient());
            assert!(
                words.contains("hris/acme") && words.contains("signingSecrets"),
                "{words}"
            );
            assert!(!words.contains("hunter2"), "{words}");
        }
    }

    #[test]
    fn a_printed_source_secret_shows_no_secret() {
        let secret = parse(r#"{"username":"u","password":"hunter2"}"#).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
