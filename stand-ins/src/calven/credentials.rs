//! Who may PUT: the four kinds of key, and the tokens that two of them are exchanged for.
//!
//! Facts: apidocs.calven.com, "HMAC Authentication Overview", "Basic Authentication Overview", "Generate
//! a token with an API key and client secret".

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;

use super::{Held, PUT_BASIC, Received, Shared, TOKEN_HMAC, fault, is_json};
use crate::{canaries, server::locked};

/// How far a signed token request's time may lie from ours; Calven documents no number.
const TIMESTAMP_TOLERANCE_SECONDS: i64 = 300;

/// A key that is accepted; the path must fit its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A token is had by signing the key id and the time.
    Hmac {
        /// Id of the key.
        api_key: String,
        /// Its secret.
        api_secret: String,
    },
    /// A token is had for the secret itself.
    ClientSecret {
        /// Id of the client.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
    /// No token: every PUT carries the secret, on the path for it.
    Basic {
        /// Id of the key.
        api_key: String,
        /// Its secret.
        api_secret: String,
    },
    /// No token request: this bearer token was handed over.
    Jwt {
        /// The token.
        token: String,
    },
}

/// The path must fit the key: "the endpoint path must match the auth type".
pub(super) fn authorise(held: &Held, request: &Received, now: i64) -> Result<(), &'static str> {
    let header = request
        .headers
        .get("authorization")
        .map_or("", String::as_str);
    if request.path == PUT_BASIC {
        let expected: Vec<String> = held.credentials.iter().filter_map(basic_header).collect();
        return if expected.is_empty() {
            Err("this key is not for Basic authentication")
        } else if expected.iter().any(|expected| header == expected) {
            Ok(())
        } else {
            Err("wrong key or secret")
        };
    }
    let Some(token) = header.strip_prefix("Bearer ") else {
        return Err("a bearer token is required");
    };
    let handed_over =
        |key: &Credentials| matches!(key, Credentials::Jwt { token: good } if good == token);
    if held.credentials.iter().any(handed_over) {
        return Ok(());
    }
    match held.tokens.get(token) {
        Some(end) if now < *end => Ok(()),
        Some(_) => Err("the token has expired"),
        None => Err("the token is not one of ours"),
    }
}

fn basic_header(key: &Credentials) -> Option<String> {
    let Credentials::Basic {
        api_key,
        api_secret,
    } = key
    else {
        return None;
    };
    let encoded = BASE64_STANDARD.encode(format!("{api_key}:{api_secret}"));
    Some(format!("Basic {encoded}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HmacRequest {
    api_key: String,
    timestamp: i64,
    hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientSecretRequest {
    client_id: String,
    client_secret: String,
}

/// Grants or refuses a token.
pub(super) fn issue(shared: &Shared, request: &Received) -> Response {
    let mut held = locked(&shared.held);
    let now = (shared.now)();
    if !is_json(request) {
        return fault(
            StatusCode::BAD_REQUEST,
            "Content-Type must be application/json",
        );
    }
    let proved = match request.path.as_str() {
        TOKEN_HMAC => serde_json::from_slice(&request.body)
            .map(|body| held.credentials.iter().any(|key| signed(key, &body, now))),
        _ => serde_json::from_slice(&request.body)
            .map(|body| held.credentials.iter().any(|key| told(key, &body))),
    };
    match proved {
        Err(error) => return fault(StatusCode::BAD_REQUEST, &error.to_string()),
        Ok(false) => return fault(StatusCode::UNAUTHORIZED, "wrong key or secret"),
        Ok(true) => {}
    }
    held.tokens_made += 1;
    let token = format!("token-{}", held.tokens_made);
    canaries::note(canaries::Kind::Secret, &token);
    let lifetime = held.token_lifetime_seconds;
    held.tokens
        .insert(token.clone(), now.saturating_add(lifetime));
    let answer = match request.path.as_str() {
        TOKEN_HMAC => json!({
            "authenticated": true, "message": "ok", "token": token, "expiration": now.saturating_add(lifetime),
        }),
        _ => json!({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}),
    };
    Json(answer).into_response()
}

fn signed(credentials: &Credentials, body: &HmacRequest, now: i64) -> bool {
    let Credentials::Hmac {
        api_key,
        api_secret,
    } = credentials
    else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(api_secret.as_bytes()) else {
        return false;
    };
    mac.update(format!("{api_key}{}", body.timestamp).as_bytes());
    let expected = hex::encode(mac.finalize().into_bytes());
    body.api_key == *api_key
        && body.hash == expected
        && now.abs_diff(body.timestamp) <= TIMESTAMP_TOLERANCE_SECONDS.unsigned_abs()
}

fn told(credentials: &Credentials, body: &ClientSecretRequest) -> bool {
    matches!(credentials, Credentials::ClientSecret { client_id, client_secret }
        if *client_id == body.client_id && *client_secret == body.client_secret)
}
