//! Capillary, and the sources with their APIs: read, and nothing else.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    Finding, remedies,
    secrets::{Shape, Wanted, read_shape},
};
use crate::{
    capillary::{Capillary, CapillaryCredential, CapillaryError},
    reread::{ApiCredential, RereadError, Rereader},
    secrets::{Secret, Secrets, SourceSecret, lacks_signing_secret},
    sources::{
        config::{Rereading, Source},
        handshake::Handshake,
    },
};

const CAPILLARY_SHAPES: [Shape; 3] = [
    ("basic", &["username", "password"]),
    ("basic", &["username", "passwordMd5"]),
    ("oauth", &["key", "secret"]),
];

/// Capillary's secret, and its organisations.
pub(super) async fn capillary(
    capillary: &Capillary,
    secrets: &Arc<Secrets>,
    until: Instant,
) -> Vec<Finding> {
    let place = "CAPILLARY_SECRET_ID";
    let wanted = Wanted {
        what: "Capillary's secret",
        id: capillary.secret_id(),
        place,
    };
    let read = wanted.fetch(secrets, |secret, fields| {
        read_shape::<CapillaryCredential>(secret, fields, &CAPILLARY_SHAPES)
    });
    let (secret, credential) = read.await;
    let what = "Capillary's API";
    if credential.is_none() {
        return vec![secret, Finding::not_tried(what)];
    }
    let anew = capillary.anew(Arc::clone(secrets));
    let api = match anew.organizations(until).await {
        Ok(_) => Finding::good(what, "its organisations were read"),
        Err(error) => {
            let address = "CAPILLARY_BASE_URL";
            let refused =
                "Compare the credential in the secret with Capillary's, and what it may read";
            let remedy = match &error {
                CapillaryError::Call(error) => {
                    remedies::of_call(error.fault(), address, place, refused)
                }
                CapillaryError::Answer(_) => {
                    format!("Something else answers there: mend {address}")
                }
            };
            Finding::bad(what, error.to_string(), remedy)
        }
    };
    vec![secret, api]
}

/// The secret that proves a source's webhooks, and its API where it can be read again.
pub(super) async fn source(
    source: &Source,
    rereader: Option<&Rereader>,
    secrets: &Arc<Secrets>,
    until: Instant,
) -> Vec<Finding> {
    let (proof, api) = tokio::join!(
        signing_secret(source, secrets),
        source_api(source, rereader, secrets, until)
    );
    let mut findings = vec![proof];
    findings.extend(api);
    findings
}

async fn signing_secret(source: &Source, secrets: &Secrets) -> Finding {
    let Source {
        name, secret_id, ..
    } = source;
    let what = format!("the secret of source {name}");
    let current = secrets.current(secret_id).await;
    let is_to_come = matches!(source.handshake, Some(Handshake::Token(_)))
        && lacks_signing_secret(current.as_ref());
    if is_to_come {
        return Finding::open(
            &what,
            format!(
                "secret {secret_id} has no signingSecret yet: the vendor's handshake brings it"
            ),
            Some(format!(
                "Make the webhook at the vendor, then ask for {{\"action\": \"handshake\", \"source\": \"{name}\"}} and put the token into the secret"
            )),
        );
    }
    let place = format!("sources.{name}.secret_id of sources.toml");
    let wanted = Wanted {
        what: &what,
        id: secret_id,
        place: &place,
    };
    let read = |secret: &Secret, _: &Map<String, Value>| {
        let parsed = SourceSecret::parse(secret, secret_id);
        let parsed = parsed.map_err(|error| without_id(&error.to_string(), secret_id))?;
        source
            .proof
            .suits(&parsed)
            .map_err(|fault| fault.to_string())
    };
    let (finding, _) = wanted.fetch(secrets, read).await;
    finding
}

/// An error of a secret's, without the words that the finding puts before it.
fn without_id(text: &str, id: &str) -> String {
    let said = format!("secret {id}: ");
    text.strip_prefix(&said).unwrap_or(text).to_owned()
}

async fn source_api(
    source: &Source,
    rereader: Option<&Rereader>,
    secrets: &Arc<Secrets>,
    until: Instant,
) -> Vec<Finding> {
    let name = &source.name;
    let what = format!("the API of source {name}");
    let rereader = match (&source.rereading, rereader) {
        (Rereading::Lacking { keys, .. }, _) => {
            return vec![Finding::open(
                &what,
                "it cannot be read again: events that only say that something changed wait",
                Some(format!(
                    "Set {} of sources.{name} in sources.toml, where it is to be read",
                    keys.join(", ")
                )),
            )];
        }
        (Rereading::Ready(_), Some(rereader)) => rereader,
        (Rereading::Never | Rereading::Ready(_), _) => return Vec::new(),
    };
    let place = format!("sources.{name}.api_secret_id of sources.toml");
    let address = format!("sources.{name}.base_url of sources.toml");
    let wanted = Wanted {
        what: &format!("the API secret of source {name}"),
        id: rereader.secret_id(),
        place: &place,
    };
    let read = |secret: &Secret, _: &Map<String, Value>| {
        secret.parse::<ApiCredential>("").map_err(|_| {
            "it must have token, or username and password, or headers, and none twice".to_owned()
        })
    };
    let (secret, credential) = wanted.fetch(secrets, read).await;
    if credential.is_none() {
        return vec![secret, Finding::not_tried(&what)];
    }
    let first = rereader.anew(Arc::clone(secrets)).read_first(until).await;
    let api = match first {
        Ok(read) => Finding::good(
            &what,
            format!(
                "its first page was read, with {} statements",
                read.statements.len()
            ),
        ),
        Err(error) => {
            let refused = "Compare the credential in the secret with the vendor's console, and what it may read";
            let remedy = match &error {
                RereadError::Call { error, .. } => {
                    remedies::of_call(error.fault(), &address, &place, refused)
                }
                RereadError::Answer { .. } => format!(
                    "Compare the answer with sources.{name}.snapshot: `bridge try --answer` shows it; or mend {address}"
                ),
            };
            Finding::bad(&what, error.to_string(), remedy)
        }
    };
    vec![secret, api]
}
