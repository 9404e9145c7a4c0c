//! How the senders sign, written anew; and who they are.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The source whose records are of employees.
pub(crate) const BAMBOO: &str = "people";

/// The source that only says that something changed.
pub(crate) const KOMBO: &str = "thin";

/// The sources, as `sources.toml` has them.
pub(crate) const SOURCES: &str = r#"
[sources.acme]
preset = "generic"
secret_id = "hris/acme"

[sources.beta]
preset = "generic"
secret_id = "hris/beta"
priority = 5

[sources.people]
preset = "bamboohr"
secret_id = "hris/people"

[sources.thin]
preset = "kombo"
secret_id = "hris/thin"
api_secret_id = "hris/thin-api"
base_url = "https://thin.example/v1"
"#;

/// The key of a source's signing secret of this number.
fn key(source: &str, number: u32) -> String {
    format!("{source}-{number}-0123456789abcdef0123456789abcdef")
}

/// The secret under which the function finds it.
pub(crate) fn secret(source: &str, number: u32) -> String {
    let key = key(source, number);
    let signing = match source {
        "acme" | "beta" => format!("whsec_{}", BASE64_STANDARD.encode(key)),
        _ => key,
    };
    format!(r#"{{"signingSecret":"{signing}"}}"#)
}

/// The headers of a webhook that is signed with the secret of this number at this second.
pub(crate) fn headers(
    source: &str,
    number: u32,
    id: &str,
    seconds: i64,
    body: &str,
) -> BTreeMap<String, String> {
    let code = |text: String| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key(source, number).as_bytes()).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    let headers: Vec<(&str, String)> = match source {
        BAMBOO => vec![
            (
                "x-bamboohr-signature",
                hex::encode(code(format!("{body}{seconds}"))),
            ),
            ("x-bamboohr-timestamp", seconds.to_string()),
        ],
        KOMBO => vec![(
            "x-kombo-signature",
            BASE64_URL_SAFE.encode(code(body.to_owned())),
        )],
        _ => {
            let signature = BASE64_STANDARD.encode(code(format!("{id}.{seconds}.{body}")));
            vec![
                ("webhook-id", id.to_owned()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", format!("v1,{signature}")),
            ]
        }
    };
    let common = [("content-type", "application/json".to_owned())];
    let all = headers.into_iter().chain(common);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}
