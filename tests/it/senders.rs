//! How the senders of the presets prove themselves, written anew here: nothing of it is the function's own code.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use calven_bridge::timestamp::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use crate::harness::{Request, sign_with};

/// What every sender here has for a key, unless a test says otherwise.
pub(crate) const KEY: &str = "0123456789-key-of-the-sender";

/// The secret of a preset's source with this key.
pub(crate) fn secret_of(preset: &str, key: &str) -> Value {
    match preset {
        "generic" => json!({"signingSecret": format!("whsec_{}", STANDARD.encode(key))}),
        "finch" => json!({"signingSecret": STANDARD.encode(key)}),
        "okta" | "scim" | "personio" => json!({"token": key}),
        _ => json!({"signingSecret": key}),
    }
}

fn sha256(key: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The request as this preset's sender would send it at this time.
pub(crate) fn proven(preset: &str, key: &str, at: Timestamp, request: Request) -> Request {
    let body = request.body.clone();
    let body = body.as_slice();
    let seconds = at.seconds().to_string();
    let hex = |parts: &[&[u8]]| hex::encode(sha256(key, parts));
    match preset {
        "generic" => {
            let secret = format!("whsec_{}", STANDARD.encode(key));
            request
                .with("webhook-id", "msg_1")
                .with("webhook-timestamp", &seconds)
                .with(
                    "webhook-signature",
                    &sign_with(&secret, "msg_1", at.seconds(), body),
                )
        }
        "bamboohr" => request
            .with("X-BambooHR-Timestamp", &seconds)
            .with("X-BambooHR-Signature", &hex(&[body, seconds.as_bytes()])),
        "finch" => {
            let code = sha256(key, &[b"msg_1.", seconds.as_bytes(), b".", body]);
            request
                .with("Finch-Event-Id", "msg_1")
                .with("Finch-Timestamp", &seconds)
                .with("Finch-Signature", &format!("v1,{}", STANDARD.encode(code)))
        }
        "remote" => {
            let millis = (at.micros() / 1_000).to_string();
            request
                .with("X-Remote-Timestamp", &millis)
                .with("X-Remote-Signature", &hex(&[body, b":", millis.as_bytes()]))
        }
        "deel" => request.with("x-deel-signature", &hex(&[b"POST", body])),
        "github" => request.with("X-Hub-Signature-256", &format!("sha256={}", hex(&[body]))),
        "peopleforce" => request.with(
            "x-peopleforce-signature",
            &format!("sha256={}", hex(&[body])),
        ),
        "gusto" => request.with("X-Gusto-Signature", &hex(&[body])),
        "kombo" => request.with("X-Kombo-Signature", &URL_SAFE.encode(sha256(key, &[body]))),
        "merge" => request.with(
            "X-Merge-Webhook-Signature",
            &URL_SAFE.encode(sha256(key, &[body])),
        ),
        "hibob" => {
            let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
            mac.update(body);
            request.with(
                "Bob-Signature",
                &STANDARD.encode(mac.finalize().into_bytes()),
            )
        }
        "okta" => request.with("Authorization", key),
        "scim" | "personio" => request.with("Authorization", &format!("Bearer {key}")),
        preset => panic!("{preset} is not known here"),
    }
}
