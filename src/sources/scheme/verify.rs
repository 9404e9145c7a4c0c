//! Verifies by a [`Scheme`]: pure, the present time is given.
//!
//! What is compared is the decoded signature, of the hash's own length, in constant time by `hmac`. The id's and the
//! timestamp's text are signed as they came, also where they are read as something.

use std::{collections::BTreeMap, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{SecretString, zeroize::Zeroizing};
use sha2::{Sha256, Sha512};

use super::{Hash, Part, Scheme, SignedTime};
use crate::timestamp::Timestamp;

/// More signatures than this nobody sends; who can't sign must not make us compute.
const MOST_SIGNATURES: usize = 32;

/// Why a delivery is not taken as the sender's. For the log: it names headers and never quotes what they hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// A header is not there, or empty.
    #[error("the header {0} is missing")]
    Missing(String),
    /// The timestamp is not of the configured unit.
    #[error("the header {header} is no time in the unit {unit}")]
    BadTimestamp {
        /// The timestamp's header.
        header: String,
        /// The unit's word in `sources.toml`.
        unit: &'static str,
    },
    /// Nothing in the header is a signature by its form.
    #[error("no signature in {header} {lacks}")]
    Unreadable {
        /// The signature's header.
        header: String,
        /// What the one that came nearest is not.
        lacks: String,
    },
    /// No signature is one of ours: another secret, or a changed body.
    #[error("no signature in {0} fits")]
    NoMatch(String),
    /// The secret cannot be a key. The operator's fault, not the sender's.
    #[error("the signing secret cannot be used: it must be {0}")]
    BadKey(&'static str),
    /// It was signed too long ago: late, or a replay.
    #[error("{header} is older than the tolerance of {} s", .tolerance.as_secs())]
    TooOld {
        /// The timestamp's header.
        header: String,
        /// What is allowed.
        tolerance: Duration,
    },
    /// It was signed too far in the future.
    #[error("{header} is further in the future than the tolerance of {} s", .tolerance.as_secs())]
    TooNew {
        /// The timestamp's header.
        header: String,
        /// What is allowed.
        tolerance: Duration,
    },
}

/// One of the signatures that a header holds.
pub(in crate::sources) enum Piece {
    NoPrefix,
    Undecodable,
    WrongLength(usize),
    Code(Vec<u8>),
}

/// The headers that prove a delivery.
pub(in crate::sources) struct Presented<'a> {
    pub(in crate::sources) id: Option<&'a str>,
    pub(in crate::sources) timestamp: Option<&'a str>,
    pub(in crate::sources) signed_at: Option<Timestamp>,
    codes: Vec<Vec<u8>>,
}

/// A code that was computed, to be compared in constant time.
enum Code {
    Sha256(Hmac<Sha256>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Code {
    fn is(&self, signature: &[u8]) -> bool {
        match self {
            Self::Sha256(code) => code.clone().verify_slice(signature).is_ok(),
            Self::Sha512(code) => code.clone().verify_slice(signature).is_ok(),
        }
    }
}

/// A header's value; an empty one is none.
pub(in crate::sources) fn given<'a>(
    headers: &'a BTreeMap<String, String>,
    name: &str,
) -> Option<&'a str> {
    let value = headers.get(name).map(String::as_str);
    value.filter(|value| !value.trim().is_empty())
}

impl Scheme {
    /// What the headers present, before any key is looked at.
    pub(in crate::sources) fn presented<'a>(
        &self,
        headers: &'a BTreeMap<String, String>,
    ) -> Result<Presented<'a>, SignatureFault> {
        let wanted = |name: &String| {
            given(headers, name).ok_or_else(|| SignatureFault::Missing(name.clone()))
        };
        let id = self.id_header.as_ref().map(wanted).transpose()?;
        let time = self.timestamp.as_ref();
        let timestamp = time.map(|time| wanted(&time.header)).transpose()?;
        let signatures = wanted(&self.header)?;
        let signed_at = time.zip(timestamp).map(|(time, text)| {
            time.unit
                .read(text)
                .ok_or_else(|| SignatureFault::BadTimestamp {
                    header: time.header.clone(),
                    unit: time.unit.word(),
                })
        });
        Ok(Presented {
            id,
            timestamp,
            signed_at: signed_at.transpose()?,
            codes: self.codes(signatures)?,
        })
    }

    /// The signatures in a header, whatever they are worth.
    pub(in crate::sources) fn pieces(&self, header: &str) -> Vec<Piece> {
        let pieces: Vec<&str> = match &self.separator {
            Some(separator) => header.split(separator.as_str()).collect(),
            None => vec![header],
        };
        let pieces = pieces.into_iter().map(str::trim);
        pieces
            .filter(|piece| !piece.is_empty())
            .take(MOST_SIGNATURES)
            .map(|piece| self.piece(piece))
            .collect()
    }

    fn piece(&self, text: &str) -> Piece {
        let Some(text) = text.strip_prefix(&self.prefix) else {
            return Piece::NoPrefix;
        };
        match self.encoding.decode(text) {
            None => Piece::Undecodable,
            Some(code) if code.len() != self.hash.bytes() => Piece::WrongLength(code.len()),
            Some(code) => Piece::Code(code),
        }
    }

    fn codes(&self, header: &str) -> Result<Vec<Vec<u8>>, SignatureFault> {
        let mut codes = Vec::new();
        let (mut has_prefix, mut is_decodable) = (false, false);
        for piece in self.pieces(header) {
            match piece {
                Piece::NoPrefix => {}
                Piece::Undecodable => has_prefix = true,
                Piece::WrongLength(_) => is_decodable = true,
                Piece::Code(code) => codes.push(code),
            }
        }
        if !codes.is_empty() {
            return Ok(codes);
        }
        let lacks = match (is_decodable, has_prefix) {
            (true, _) => format!("is {} bytes long", self.hash.bytes()),
            (false, true) => format!("is {}", self.encoding.word()),
            (false, false) => format!("begins with {:?}", self.prefix),
        };
        Err(SignatureFault::Unreadable {
            header: self.header.clone(),
            lacks,
        })
    }

    /// Whether any of the signatures is this secret's. The code is computed once, however many there are.
    ///
    /// # Errors
    /// [`SignatureFault::BadKey`].
    pub(in crate::sources) fn fits(
        &self,
        presented: &Presented<'_>,
        body: &[u8],
        secret: &SecretString,
    ) -> Result<bool, SignatureFault> {
        let key = self.key(secret)?;
        let unusable = |_| SignatureFault::BadKey(self.key.wanted());
        let code = match self.hash {
            Hash::Sha256 => {
                let mut code = Hmac::new_from_slice(&key).map_err(unusable)?;
                self.feed(presented, body, |bytes| code.update(bytes));
                Code::Sha256(code)
            }
            Hash::Sha512 => {
                let mut code = Hmac::new_from_slice(&key).map_err(unusable)?;
                self.feed(presented, body, |bytes| code.update(bytes));
                Code::Sha512(Box::new(code))
            }
        };
        Ok(presented.codes.iter().any(|signature| code.is(signature)))
    }

    /// The key that this secret is.
    ///
    /// # Errors
    /// [`SignatureFault::BadKey`].
    pub(in crate::sources) fn key(
        &self,
        secret: &SecretString,
    ) -> Result<Zeroizing<Vec<u8>>, SignatureFault> {
        let key = self.key.decode(secret);
        key.ok_or(SignatureFault::BadKey(self.key.wanted()))
    }

    fn feed(&self, presented: &Presented<'_>, body: &[u8], mut take: impl FnMut(&[u8])) {
        for part in &self.signed {
            match part {
                Part::Literal(text) => take(text.as_bytes()),
                Part::Body => take(body),
                Part::Timestamp => take(presented.timestamp.unwrap_or_default().as_bytes()),
                Part::Id => take(presented.id.unwrap_or_default().as_bytes()),
            }
        }
    }

    /// Whether the time of the signature is near enough. To be asked of what has been proven only: who has no key shall
    /// not learn our clock and tolerance.
    ///
    /// # Errors
    /// [`SignatureFault::TooOld`], [`SignatureFault::TooNew`].
    pub(in crate::sources) fn check_age(
        &self,
        signed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), SignatureFault> {
        let Some((time, signed_at)) = self.timestamp.as_ref().zip(signed_at) else {
            return Ok(());
        };
        let SignedTime {
            header,
            unit: _,
            behind,
            ahead,
        } = time;
        let (header, behind, ahead) = (header.clone(), *behind, *ahead);
        if now.since(signed_at) > behind {
            let tolerance = behind;
            return Err(SignatureFault::TooOld { header, tolerance });
        }
        if signed_at.since(now) > ahead {
            let tolerance = ahead;
            return Err(SignatureFault::TooNew { header, tolerance });
        }
        Ok(())
    }
}
