//! Calven's secret, and whether it can prove us: as far as that shows without a PUT.
//!
//! A key is for one way to prove oneself and is refused on the others. Two of the four ways are tried by having a token made;
//! whoever is refused there, or has a key that only a PUT would try, may hold a key of one of those two: then a token is had that
//! way, and the secret's `auth` is what is wrong.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Finding, remedies,
    secrets::{Shape, Wanted, read_shape},
};
use crate::{
    call::Fault,
    calven::{Calven, CalvenCredential},
    secrets::Secrets,
    timestamp::Timestamp,
};

const SHAPES: [Shape; 4] = [
    ("hmac", &["apiKey", "apiSecret"]),
    ("client_secret", &["clientId", "clientSecret"]),
    ("basic", &["apiKey", "apiSecret"]),
    ("jwt", &["token"]),
];

const WHAT: &str = "Calven's API";
const ADDRESS: &str = "CALVEN_BASE_URL";
const PLACE: &str = "CALVEN_SECRET_ID";

const REFUSED: &str = "Compare the key and its secret with Calven's console. A key is for one kind of auth, and refused by the others: \
     auth in the secret must be the kind that the key was made for";

/// Looks at both.
pub(super) async fn look(
    calven: &Calven,
    secrets: &Arc<Secrets>,
    now: Timestamp,
    until: Instant,
) -> Vec<Finding> {
    let wanted = Wanted {
        what: "Calven's secret",
        id: calven.secret_id(),
        place: PLACE,
    };
    let read = wanted.fetch(secrets, |secret, fields| {
        read_shape::<CalvenCredential>(secret, fields, &SHAPES)
    });
    let (secret, credential) = read.await;
    let proof = match credential {
        Some(credential) => prove(&calven.anew(Arc::clone(secrets)), &credential, now, until).await,
        None => Finding::not_tried(WHAT),
    };
    vec![secret, proof]
}

async fn prove(
    calven: &Calven,
    credential: &CalvenCredential,
    now: Timestamp,
    until: Instant,
) -> Finding {
    match credential {
        CalvenCredential::Hmac { .. } | CalvenCredential::ClientSecret { .. } => {
            match calven.prove(credential, until).await {
                Ok(_) => Finding::good(WHAT, "it has made a token; nothing was PUT"),
                Err(fault) => refused(calven, credential, &fault, until).await,
            }
        }
        CalvenCredential::Basic { api_secret, .. } => {
            if Jwt::of(api_secret).is_some() {
                return Finding::bad(
                    WHAT,
                    "auth is basic, and apiSecret is a token, which Calven refuses at the address for Basic keys",
                    r#"Make the secret {"auth": "jwt", "token": …}, or put a Basic key into it"#,
                );
            }
            match other_kind(calven, credential, until).await {
                Ok(Some(finding)) => finding,
                Err(fault) => failed(&fault),
                Ok(None) => Finding::open(
                    WHAT,
                    "not tried: a Basic key is shown by a PUT alone; it makes no token, as it should be",
                    None,
                ),
            }
        }
        CalvenCredential::Jwt { token } => of_jwt(token, now),
    }
}

/// What it means that no token was had.
async fn refused(
    calven: &Calven,
    credential: &CalvenCredential,
    fault: &Fault,
    until: Instant,
) -> Finding {
    let Fault::Refused { .. } = fault else {
        return failed(fault);
    };
    match other_kind(calven, credential, until).await {
        Ok(Some(finding)) => finding,
        Ok(None) | Err(_) => failed(fault),
    }
}

/// Whether the key is one of another kind: then a token is had that way.
async fn other_kind(
    calven: &Calven,
    credential: &CalvenCredential,
    until: Instant,
) -> Result<Option<Finding>, Fault> {
    for (word, other) in credential.as_others() {
        match calven.prove(&other, until).await {
            Ok(true) => {}
            Ok(false) | Err(Fault::Refused { .. }) => continue,
            Err(fault) => return Err(fault),
        }
        let detail = format!(
            "the key is one for {word}, and auth says {}: Calven refuses it at that address",
            credential.word()
        );
        let remedy = match other {
            CalvenCredential::ClientSecret { .. } => {
                r#"Make the secret {"auth": "client_secret", "clientId": …, "clientSecret": …}, of the same values"#
            }
            CalvenCredential::Hmac { .. }
            | CalvenCredential::Basic { .. }
            | CalvenCredential::Jwt { .. } => {
                r#"Make the secret {"auth": "hmac", "apiKey": …, "apiSecret": …}, of the same values"#
            }
        };
        return Ok(Some(Finding::bad(WHAT, detail, remedy)));
    }
    Ok(None)
}

/// A call that failed.
fn failed(fault: &Fault) -> Finding {
    let remedy = remedies::of_call(fault, ADDRESS, PLACE, REFUSED);
    Finding::bad(WHAT, fault.to_string(), remedy)
}

/// What a token says of itself.
struct Jwt {
    ends_at: Option<Timestamp>,
}

impl Jwt {
    /// `None` where it is none: three parts, of which the second is a JSON object.
    /// <https://www.rfc-editor.org/rfc/rfc7519#section-3>
    fn of(token: &SecretString) -> Option<Self> {
        let parts: Vec<&str> = token.expose_secret().trim().split('.').collect();
        let [_, claims, _] = parts.as_slice() else {
            return None;
        };
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let ends_at = match claims.as_object()?.get("exp") {
            Some(end) => Some(Timestamp::from_seconds(whole_seconds(end)?)),
            None => None,
        };
        Some(Self { ends_at })
    }
}

/// A `NumericDate`, which may have a fraction.
fn whole_seconds(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    text.split('.').next()?.parse().ok()
}

fn of_jwt(token: &SecretString, now: Timestamp) -> Finding {
    match Jwt::of(token) {
        None => Finding::bad(
            WHAT,
            "auth is jwt, and token is none: Calven refuses it at the address for tokens",
            r#"Put the token into the secret as Calven gave it; a Basic key wants {"auth": "basic", "apiKey": …, "apiSecret": …}"#,
        ),
        Some(Jwt {
            ends_at: Some(ends_at),
        }) if ends_at <= now => Finding::bad(
            WHAT,
            format!("the token ended at {ends_at}"),
            "Put a new token into the secret, or better a key of the kind hmac, whose tokens renew themselves",
        ),
        Some(Jwt { ends_at }) => {
            let end = match ends_at {
                Some(ends_at) => format!("it ends at {ends_at}"),
                None => "it does not say when it ends".to_owned(),
            };
            Finding::open(
                WHAT,
                format!("not tried: a token is shown by a PUT alone; {end}"),
                None,
            )
        }
    }
}
