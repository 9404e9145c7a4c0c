//! Says how a delivery was verified, step by step: for somebody who tries a captured one, and sees why it does not fit.
//!
//! What is signed is told, so that it can be compared with the sender's page. No secret, no key, and no signature that
//! would be right: from these lines nobody can sign.

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{AUTHORIZATION, Proof, ProofFault, Verified, credentials, signing_secrets};
use crate::{
    secrets::SourceSecret,
    sources::scheme::{KeyText, Part, Piece, Scheme, given},
    timestamp::Timestamp,
};

/// How a delivery was verified. Printed it is a few short lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What came of it, as [`Proof::verify`] has it.
    pub verified: Result<Verified, ProofFault>,
    /// What was looked for and found, a line each.
    pub steps: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        match &self.verified {
            Ok(_) => f.write_str("verified"),
            Err(fault) => write!(f, "not verified: {fault}"),
        }
    }
}

impl Proof {
    /// As [`Self::verify`], with every step. For a local try-out, not for the log: the delivery's id is told.
    pub fn explain(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        secrets: &[SourceSecret],
        now: Timestamp,
    ) -> Explanation {
        let mut steps = Vec::new();
        match self {
            Self::Signature(scheme) => {
                found_header(headers, &scheme.header, &mut steps);
                found_signatures(scheme, headers, &mut steps);
                steps.push(signed(scheme, headers, body));
                found_keys(scheme, headers, body, secrets, &mut steps);
                steps.extend(age(scheme, headers, now));
            }
            Self::Bearer => found_credentials(headers, "Bearer", &mut steps),
            Self::Basic => found_credentials(headers, "Basic", &mut steps),
            Self::Header(name) => found_header(headers, name, &mut steps),
        }
        Explanation {
            verified: self.verify(headers, body, secrets, now),
            steps,
        }
    }
}

fn found_header(headers: &BTreeMap<String, String>, name: &str, steps: &mut Vec<String>) {
    steps.push(match given(headers, name) {
        Some(value) => format!("header {name}: there, {} bytes", value.trim().len()),
        None => format!("header {name}: missing"),
    });
}

fn found_credentials(headers: &BTreeMap<String, String>, scheme: &str, steps: &mut Vec<String>) {
    found_header(headers, AUTHORIZATION, steps);
    match credentials(headers, scheme) {
        Ok(credentials) => steps.push(format!("after {scheme}: {} bytes", credentials.len())),
        Err(Some(_)) => {}
        Err(None) => steps.push(format!("it does not begin with {scheme} and one space")),
    }
}

fn found_signatures(scheme: &Scheme, headers: &BTreeMap<String, String>, steps: &mut Vec<String>) {
    let header = given(headers, &scheme.header).unwrap_or_default();
    for (place, piece) in scheme.pieces(header).iter().enumerate() {
        let found = match piece {
            Piece::NoPrefix => format!("does not begin with {:?}", scheme.prefix),
            Piece::Undecodable => format!("is not {}", scheme.encoding.word()),
            Piece::WrongLength(bytes) => {
                format!("is {bytes} bytes, not {}", scheme.hash.bytes())
            }
            Piece::Code(code) => {
                format!("is {} bytes in {}", code.len(), scheme.encoding.word())
            }
        };
        steps.push(format!("signature {}: {found}", place + 1));
    }
}

/// The template with what is told of the delivery; of the body no more than tells one from another.
fn signed(scheme: &Scheme, headers: &BTreeMap<String, String>, body: &[u8]) -> String {
    let value = |name: Option<&String>| {
        let value = name.and_then(|name| given(headers, name));
        value.map_or_else(
            || "(missing)".to_owned(),
            |value| value.escape_debug().to_string(),
        )
    };
    let parts = scheme.signed.iter().map(|part| match part {
        Part::Literal(text) => text.escape_debug().to_string(),
        Part::Body => {
            let digest = hex::encode(Sha256::digest(body));
            format!("(body: {} bytes, SHA-256 {digest})", body.len())
        }
        Part::Timestamp => value(scheme.timestamp.as_ref().map(|time| &time.header)),
        Part::Id => value(scheme.id_header.as_ref()),
    });
    format!("signed: {}", parts.collect::<String>())
}

fn found_keys(
    scheme: &Scheme,
    headers: &BTreeMap<String, String>,
    body: &[u8],
    secrets: &[SourceSecret],
    steps: &mut Vec<String>,
) {
    let presented = scheme.presented(headers);
    let keys = secrets.iter().map(signing_secrets);
    for (place, key) in keys.flat_map(each).enumerate() {
        let found = match key {
            Err(fault) => fault.to_string(),
            Ok(secret) => match (scheme.key(secret), &presented) {
                (Err(fault), _) => fault.to_string(),
                (Ok(key), Err(_)) => decoded(scheme.key, secret, key.len()),
                (Ok(key), Ok(presented)) => {
                    let fits = scheme.fits(presented, body, secret).unwrap_or(false);
                    let fits = if fits { "fits" } else { "does not fit" };
                    format!("{}: {fits}", decoded(scheme.key, secret, key.len()))
                }
            },
        };
        steps.push(format!("key {}: {found}", place + 1));
    }
}

fn each(secrets: Result<&[SecretString], ProofFault>) -> Vec<Result<&SecretString, ProofFault>> {
    match secrets {
        Ok(secrets) => secrets.iter().map(Ok).collect(),
        Err(fault) => vec![Err(fault)],
    }
}

fn decoded(key: KeyText, secret: &SecretString, bytes: usize) -> String {
    let text = secret.expose_secret();
    // Then it counts, and was hardly meant.
    let is_padded = key == KeyText::Utf8 && text.trim().len() != text.len();
    let padded = if is_padded {
        ", with white space around it"
    } else {
        ""
    };
    format!("{}, {bytes} bytes{padded}", key.word())
}

fn age(scheme: &Scheme, headers: &BTreeMap<String, String>, now: Timestamp) -> Option<String> {
    let time = scheme.timestamp.as_ref()?;
    let (behind, ahead) = (time.behind.as_secs(), time.ahead.as_secs());
    let Some(text) = given(headers, &time.header) else {
        return Some(format!("header {}: missing", time.header));
    };
    Some(match time.unit.read(text) {
        None => format!(
            "timestamp: {} is not of the unit {}",
            time.header,
            time.unit.word()
        ),
        Some(at) => {
            let (old, early) = (now.since(at).as_secs(), at.since(now).as_secs());
            let age = if at > now {
                format!("{early} s ahead")
            } else {
                format!("{old} s old")
            };
            format!("timestamp: {at}, {age}; up to {behind} s old or {ahead} s ahead is taken")
        }
    })
}
