//! How the presets' senders prove themselves, written anew.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

/// What every sender here has for a key.
pub const KEY: &str = "5d41a7-fuzzed-sender-0123456789abcdef";

/// The secret of a preset's source.
pub fn secret(preset: &str) -> Value {
    match preset {
        "generic" => json!({"signingSecret": format!("whsec_{}", STANDARD.encode(KEY))}),
        "finch" => json!({"signingSecret": STANDARD.encode(KEY)}),
        "okta" | "scim" | "personio" => json!({"token": KEY}),
        _ => json!({"signingSecret": KEY}),
    }
}

/// Whether what proves this preset's sender is made of the body.
pub fn signs_the_body(preset: &str) -> bool {
    !matches!(preset, "okta" | "scim" | "personio")
}

/// The headers, in lower case, with which this preset's sender would post a body at this second; `None` of a preset that is
/// not known here.
pub fn headers(
    preset: &str,
    key: &str,
    seconds: i64,
    body: &[u8],
) -> Option<BTreeMap<String, String>> {
    let code = |parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let hex = |parts: &[&[u8]]| hex::encode(code(parts));
    let time = seconds.to_string();
    let standard = |start: &str| {
        let code = code(&[b"msg_1.", time.as_bytes(), b".", body]);
        format!("{start}{}", STANDARD.encode(code))
    };
    let headers = match preset {
        "generic" => vec![
            ("webhook-id", "msg_1".to_owned()),
            ("webhook-timestamp", time.clone()),
            ("webhook-signature", standard("v1,")),
        ],
        "finch" => vec![
            ("finch-event-id", "msg_1".to_owned()),
            ("finch-timestamp", time.clone()),
            ("finch-signature", standard("v1,")),
        ],
        "bamboohr" => vec![
            ("x-bamboohr-timestamp", time.clone()),
            ("x-bamboohr-signature", hex(&[body, time.as_bytes()])),
        ],
        "remote" => {
            let millis = format!("{seconds}000");
            let signature = hex(&[body, b":", millis.as_bytes()]);
            vec![
                ("x-remote-timestamp", millis),
                ("x-remote-signature", signature),
            ]
        }
        "deel" => vec![("x-deel-signature", hex(&[b"POST", body]))],
        "github" => vec![("x-hub-signature-256", format!("sha256={}", hex(&[body])))],
        "peopleforce" => vec![(
            "x-peopleforce-signature",
            format!("sha256={}", hex(&[body])),
        )],
        "gusto" => vec![("x-gusto-signature", hex(&[body]))],
        "kombo" => vec![("x-kombo-signature", URL_SAFE.encode(code(&[body])))],
        "merge" => vec![("x-merge-webhook-signature", URL_SAFE.encode(code(&[body])))],
        "hibob" => {
            let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
            mac.update(body);
            vec![(
                "bob-signature",
                STANDARD.encode(mac.finalize().into_bytes()),
            )]
        }
        "okta" => vec![("authorization", key.to_owned())],
        "scim" | "personio" => vec![("authorization", format!("Bearer {key}"))],
        _ => return None,
    };
    let headers = headers.into_iter();
    Some(
        headers
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}
