//! How a source proves that a webhook is its own: by a signature over the bytes, or by a secret that it sends along.
//!
//! - Bearer tokens: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>
//! - Basic: <https://www.rfc-editor.org/rfc/rfc7617#section-2>
//! - A header's exact value, as of Okta's event hooks: <https://developer.okta.com/docs/concepts/event-hooks/>
//!
//! Everything is compared in constant time. Nothing is said of what a header holds, nor of a secret.

mod explain;

use std::collections::BTreeMap;

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use self::explain::Explanation;
use super::{
    given::Asked,
    reader::Reader,
    scheme::{BASE64, Scheme, SignatureFault, given, header_name},
};
use crate::{
    secrets::{SourceSecret, composed::joined},
    timestamp::Timestamp,
};

const AUTHORIZATION: &str = "authorization";

/// What proves a source's webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A signature over the body.
    Signature(Scheme),
    /// `Authorization: Bearer`, with the secret's token.
    Bearer,
    /// `Authorization: Basic`, with the secret's username and password.
    Basic,
    /// The secret's token as the value of the header of this name, in lower case.
    Header(String),
}

/// What a verified delivery says of itself in its signed headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The event's id.
    pub id: Option<String>,
    /// When it was signed.
    pub signed_at: Option<Timestamp>,
}

/// Why a delivery is not taken as the source's. Said to nobody but the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// A header is not there, or empty.
    #[error("the header {0} is missing")]
    Missing(String),
    /// A header is not of the form that is wanted.
    #[error("the header {AUTHORIZATION} is not {0}")]
    Malformed(&'static str),
    /// A header holds something else than the secret.
    #[error("what the header {0} holds is not the secret's")]
    NoMatch(String),
    /// The secret is not of the shape that this source needs. The operator's fault, not the sender's.
    #[error("the source's secret does not fit: {0}")]
    WrongSecret(&'static str),
}

/// What is behind a fault.
enum Cause {
    Sender,
    AnotherSecret,
    UnusableSecret,
}

impl ProofFault {
    /// Whether a newer secret could help.
    pub fn is_mismatch(&self) -> bool {
        match self.cause() {
            Cause::AnotherSecret | Cause::UnusableSecret => true,
            Cause::Sender => false,
        }
    }

    /// Whether the operator must mend the secret: then nothing is said about the sender.
    pub fn is_of_the_secret(&self) -> bool {
        match self.cause() {
            Cause::UnusableSecret => true,
            Cause::AnotherSecret | Cause::Sender => false,
        }
    }

    fn cause(&self) -> Cause {
        match self {
            Self::Signature(fault) => match fault {
                SignatureFault::NoMatch(_) => Cause::AnotherSecret,
                SignatureFault::BadKey(_) => Cause::UnusableSecret,
                SignatureFault::Missing(_)
                | SignatureFault::BadTimestamp { .. }
                | SignatureFault::Unreadable { .. }
                | SignatureFault::TooOld { .. }
                | SignatureFault::TooNew { .. } => Cause::Sender,
            },
            Self::NoMatch(_) => Cause::AnotherSecret,
            Self::WrongSecret(_) => Cause::UnusableSecret,
            Self::Missing(_) | Self::Malformed(_) => Cause::Sender,
        }
    }
}

/// The four, as words of `sources.toml`.
#[derive(Clone, Copy)]
enum Kind {
    Signature,
    Bearer,
    Basic,
    Header,
}

const KINDS: [(&str, Kind); 4] = [
    ("signature", Kind::Signature),
    ("bearer", Kind::Bearer),
    ("basic", Kind::Basic),
    ("header", Kind::Header),
];

impl Proof {
    /// Reads `proof`, `proof_header` and `signature` of a source; `None` where there were problems.
    ///
    /// What belongs to another proof is taken and let be: a preset may have brought it.
    pub(super) fn read(source: &mut Reader<'_>) -> Option<Self> {
        if !source.has("proof") {
            source.problem(
                "proof",
                "is missing: one of signature, bearer, basic, header",
            );
        }
        let kind = source.one_of("proof", &KINDS);
        match kind {
            Some(Kind::Signature) => {
                source.value("proof_header");
                if !source.has("signature") {
                    source.problem("signature", "is missing: proof is signature");
                }
                let mut table = source.child("signature")?;
                let scheme = Scheme::read(&mut table);
                table.finish();
                scheme.map(Self::Signature)
            }
            Some(Kind::Header) => {
                source.value("signature");
                if !source.has("proof_header") {
                    source.problem("proof_header", "is missing: proof is header");
                }
                header_name(source, "proof_header").map(Self::Header)
            }
            Some(Kind::Bearer | Kind::Basic) | None => {
                source.value("signature");
                source.value("proof_header");
                match kind? {
                    Kind::Bearer => Some(Self::Bearer),
                    Kind::Basic => Some(Self::Basic),
                    Kind::Signature | Kind::Header => None,
                }
            }
        }
    }

    /// Verifies a delivery, at `now`, by any of the secrets. The names of `headers` are in lower case.
    ///
    /// The first secret is the one in force: what is wrong with its shape is told, where nothing fits. An older one
    /// that is unusable has been replaced.
    ///
    /// # Errors
    /// [`ProofFault`]; what it says is for the log.
    pub fn verify(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        secrets: &[SourceSecret],
        now: Timestamp,
    ) -> Result<Verified, ProofFault> {
        let no_match = |name: &str| ProofFault::NoMatch(name.to_owned());
        match self {
            Self::Signature(scheme) => {
                let presented = scheme.presented(headers)?;
                let no_match = SignatureFault::NoMatch(scheme.header.clone());
                any_fits(secrets, no_match.into(), |secret| {
                    let mut unusable = None;
                    for secret in signing_secrets(secret)? {
                        match scheme.fits(&presented, body, secret) {
                            Ok(true) => return Ok(true),
                            Ok(false) => {}
                            Err(fault) => unusable = Some(fault),
                        }
                    }
                    unusable.map_or(Ok(false), |fault| Err(fault.into()))
                })?;
                scheme.check_age(presented.signed_at, now)?;
                return Ok(Verified {
                    id: presented.id.map(str::to_owned),
                    signed_at: presented.signed_at,
                });
            }
            Self::Bearer => {
                let given = credentials(headers, "bearer")
                    .map_err(|fault| fault.unwrap_or(ProofFault::Malformed("a bearer token")))?;
                any_fits(secrets, no_match(AUTHORIZATION), |secret| {
                    Ok(same(given.as_bytes(), token(secret)?.as_bytes()))
                })?;
            }
            Self::Basic => {
                let fault = ProofFault::Malformed("a name and password by HTTP Basic");
                let given = credentials(headers, "basic")
                    .map_err(|missing| missing.unwrap_or_else(|| fault.clone()))?;
                let given = Zeroizing::new(BASE64.decode(given).map_err(|_| fault)?);
                any_fits(secrets, no_match(AUTHORIZATION), |secret| {
                    Ok(same(
                        &given,
                        user_and_password(secret)?.expose_secret().as_bytes(),
                    ))
                })?;
            }
            Self::Header(name) => {
                let given =
                    given(headers, name).ok_or_else(|| ProofFault::Missing(name.clone()))?;
                any_fits(secrets, no_match(name), |secret| {
                    Ok(same(given.trim().as_bytes(), token(secret)?.as_bytes()))
                })?;
            }
        }
        Ok(Verified::default())
    }

    /// Whether a secret is of the shape that this proof needs, before anything is to be verified by it.
    ///
    /// # Errors
    /// [`ProofFault`], of the secret.
    pub(crate) fn suits(&self, secret: &SourceSecret) -> Result<(), ProofFault> {
        match self {
            Self::Signature(scheme) => {
                for secret in signing_secrets(secret)? {
                    scheme.key(secret)?;
                }
            }
            Self::Bearer | Self::Header(_) => {
                token(secret)?;
            }
            Self::Basic => {
                user_and_password(secret)?;
            }
        }
        Ok(())
    }

    /// What the headers of a delivery say that was verified before, as before it was queued.
    pub fn claimed(&self, headers: &BTreeMap<String, String>) -> Verified {
        let Self::Signature(scheme) = self else {
            return Verified::default();
        };
        let id = scheme.id_header.as_ref();
        let signed_at = scheme
            .timestamp
            .as_ref()
            .and_then(|time| time.unit.read(given(headers, &time.header)?));
        Verified {
            id: id.and_then(|name| given(headers, name)).map(str::to_owned),
            signed_at,
        }
    }

    /// Notes what [`Self::claimed`] asks for.
    pub(super) fn asks(&self, asked: &mut Asked) {
        if let Self::Signature(scheme) = self {
            let time = scheme.timestamp.as_ref().map(|time| &time.header);
            let names = time.into_iter().chain(&scheme.id_header);
            asked.headers.extend(names.cloned());
        }
    }

    /// The header that proves the sender, or could be used to.
    pub(super) fn secret_header(&self) -> &str {
        match self {
            Self::Signature(scheme) => &scheme.header,
            Self::Bearer | Self::Basic => AUTHORIZATION,
            Self::Header(name) => name,
        }
    }

    /// How old a signature may be; none where none tells its time.
    pub fn tolerance(&self) -> Option<std::time::Duration> {
        match self {
            Self::Signature(scheme) => scheme.timestamp.as_ref().map(|time| time.behind),
            Self::Bearer | Self::Basic | Self::Header(_) => None,
        }
    }

    /// What is wanted of the sender, for `WWW-Authenticate`.
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>
    pub fn wanted(&self) -> &'static str {
        match self {
            Self::Signature(scheme) if scheme.header == "webhook-signature" => "StandardWebhooks",
            Self::Signature(_) => "Signature",
            Self::Bearer => "Bearer",
            Self::Basic => "Basic realm=\"calven-bridge\"",
            Self::Header(_) => "Header",
        }
    }
}

fn any_fits(
    secrets: &[SourceSecret],
    no_match: ProofFault,
    fits: impl Fn(&SourceSecret) -> Result<bool, ProofFault>,
) -> Result<(), ProofFault> {
    let mut fault = no_match;
    for (place, secret) in secrets.iter().enumerate() {
        match fits(secret) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(unusable) if place == 0 => fault = unusable,
            Err(_) => {}
        }
    }
    Err(fault)
}

/// What stands behind the scheme's word in `Authorization`, one space between; `Err(None)` where another scheme does.
fn credentials<'a>(
    headers: &'a BTreeMap<String, String>,
    scheme: &str,
) -> Result<&'a str, Option<ProofFault>> {
    let missing = || Some(ProofFault::Missing(AUTHORIZATION.to_owned()));
    let header = given(headers, AUTHORIZATION).ok_or_else(missing)?;
    let parts = header.trim().split_once(' ');
    let (_, credentials) = parts
        .filter(|(word, _)| word.eq_ignore_ascii_case(scheme))
        .ok_or(None)?;
    Ok(credentials)
}

fn signing_secrets(secret: &SourceSecret) -> Result<&[SecretString], ProofFault> {
    match secret {
        SourceSecret::Signing(secrets) => Ok(secrets),
        SourceSecret::Token(_) | SourceSecret::Basic { .. } => Err(ProofFault::WrongSecret(
            "this source signs, so it must have signingSecret or signingSecrets",
        )),
    }
}

/// Without white space around it, which no header could carry.
fn token(secret: &SourceSecret) -> Result<&str, ProofFault> {
    let wrong = ProofFault::WrongSecret("this source sends a token, so it must have token");
    match secret {
        SourceSecret::Token(token) => {
            let token = token.expose_secret().trim();
            (!token.is_empty()).then_some(token).ok_or(wrong)
        }
        SourceSecret::Signing(_) | SourceSecret::Basic { .. } => Err(wrong),
    }
}

fn user_and_password(secret: &SourceSecret) -> Result<SecretString, ProofFault> {
    match secret {
        SourceSecret::Basic { username, password } => {
            Ok(joined(&[username, ":", password.expose_secret()]))
        }
        SourceSecret::Signing(_) | SourceSecret::Token(_) => Err(ProofFault::WrongSecret(
            "this source sends a name and password, so it must have username and password",
        )),
    }
}

/// Compares in constant time, by digests: so the time does not tell the length either.
fn same(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.as_slice().ct_eq(b.as_slice()).into()
}

#[cfg(test)]
mod tests;
