//! Standard Webhooks: proof that a body comes from who has the secret, and is not a replay.
//!
//! The signed bytes are `id.timestamp.body`, the signature HMAC-SHA256 in base64 after `v1,`; a
//! header holds several, separated by spaces, while the sender's secret rotates.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::time::Duration;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::timestamp::Timestamp;

/// Base64 with or without its padding: consoles show secrets both ways.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The headers that prove a delivery, as far as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Proof<'a> {
    /// `webhook-id`: the event's id, the same over all attempts.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`: seconds since the epoch, of this attempt.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`: one or more of `v1,BASE64`.
    pub signature: Option<&'a str>,
}

/// What a verified delivery says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The event's id.
    pub id: &'a str,
    /// When this attempt was signed.
    pub signed_at: Timestamp,
}

/// Why a delivery is not taken as the sender's. Said to nobody but the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// A header is not there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The timestamp is no number of seconds.
    #[error("webhook-timestamp is no number of seconds")]
    NoTimestamp,
    /// It was signed too long ago: late, or a replay.
    #[error("webhook-timestamp is older than the tolerance of {} s", .0.as_secs())]
    TooOld(Duration),
    /// It was signed too far in the future.
    #[error("webhook-timestamp is further in the future than the tolerance of {} s", .0.as_secs())]
    TooNew(Duration),
    /// No signature is one of ours: another secret, or a changed body.
    #[error("no signature in webhook-signature fits")]
    NoMatch,
}

/// A secret that cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret must be base64, with or without whsec_ before it")]
pub struct NoKey;

/// A key to verify with.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl SigningKey {
    /// Reads a secret: base64 after `whsec_`, which may be left out.
    ///
    /// # Errors
    /// [`NoKey`] where it is no base64, or empty.
    pub fn new(secret: &SecretString) -> Result<Self, NoKey> {
        let text = secret.expose_secret().trim();
        let key = BASE64
            .decode(text.strip_prefix("whsec_").unwrap_or(text))
            .map_err(|_| NoKey)?;
        if key.is_empty() {
            return Err(NoKey);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| NoKey)
    }

    /// The code of these bytes, to be compared in constant time.
    fn code(&self, signed: [&[u8]; 5]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in signed {
            mac.update(part);
        }
        mac
    }
}

/// Verifies a delivery, at `now`, by any of the keys.
///
/// # Errors
/// [`SignatureFault`]; what it says is for the log.
pub fn verify<'a>(
    proof: Proof<'a>,
    body: &[u8],
    keys: &[SigningKey],
    now: Timestamp,
    tolerance: Duration,
) -> Result<Verified<'a>, SignatureFault> {
    let given = |header: Option<&'a str>, name: &'static str| {
        header
            .filter(|text| !text.is_empty())
            .ok_or(SignatureFault::Missing(name))
    };
    let id = given(proof.id, "webhook-id")?;
    let timestamp = given(proof.timestamp, "webhook-timestamp")?;
    let signatures = given(proof.signature, "webhook-signature")?;
    let seconds: i64 = timestamp.parse().map_err(|_| SignatureFault::NoTimestamp)?;
    let signed_at = Timestamp::from_seconds(seconds);
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    // Once a key, however many signatures the header holds: who can't sign must not make us compute.
    let codes: Vec<Hmac<Sha256>> = keys.iter().map(|key| key.code(signed)).collect();
    let fits = signatures
        .split_ascii_whitespace()
        .filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| {
            let is_it = |code: &Hmac<Sha256>| code.clone().verify_slice(&signature).is_ok();
            codes.iter().any(is_it)
        });
    if !fits {
        return Err(SignatureFault::NoMatch);
    }
    if now.since(signed_at) > tolerance {
        return Err(SignatureFault::TooOld(tolerance));
    }
    if signed_at.since(now) > tolerance {
        return Err(SignatureFault::TooNew(tolerance));
    }
    Ok(Verified { id, signed_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Published in the reference library's test; see tests/fixtures/signature-vectors.json.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const PROOF: Proof<'_> = Proof {
        id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
        timestamp: Some("1614265330"),
        signature: Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    };
    const TOLERANCE: Duration = Duration::from_secs(300);

    fn key(secret: &str) -> SigningKey {
        SigningKey::new(&secret.into()).unwrap()
    }

    #[track_caller]
    fn check(proof: Proof<'_>, body: &[u8], seconds: i64, expected: Result<(), SignatureFault>) {
        let now = Timestamp::from_seconds(seconds);
        let verified = verify(proof, body, &[key(SECRET)], now, TOLERANCE);
        assert_eq!(verified.map(|_| ()), expected);
    }

    #[test]
    fn the_published_vector_verifies() {
        check(PROOF, BODY, 1_614_265_330, Ok(()));
    }

    #[test]
    fn one_of_several_signatures_and_keys_is_enough() {
        let signature = "v1a,AAAA v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        check(
            Proof {
                signature: Some(signature),
                ..PROOF
            },
            BODY,
            1_614_265_330,
            Ok(()),
        );
        let keys = [key("whsec_AAAA"), key(SECRET)];
        let now = Timestamp::from_seconds(1_614_265_330);
        assert!(verify(PROOF, BODY, &keys, now, TOLERANCE).is_ok());
    }

    #[test]
    fn a_flipped_bit_anywhere_in_the_body_fails() {
        for bit in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            check(PROOF, &body, 1_614_265_330, Err(SignatureFault::NoMatch));
        }
    }

    #[test]
    fn another_id_time_key_or_signature_fails() {
        let fault = Err(SignatureFault::NoMatch);
        check(
            Proof {
                id: Some("msg_other"),
                ..PROOF
            },
            BODY,
            1_614_265_330,
            fault,
        );
        check(
            Proof {
                timestamp: Some("1614265331"),
                ..PROOF
            },
            BODY,
            1_614_265_330,
            fault,
        );
        let cut = Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1A==");
        check(
            Proof {
                signature: cut,
                ..PROOF
            },
            BODY,
            1_614_265_330,
            fault,
        );
        let unversioned = Some("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        check(
            Proof {
                signature: unversioned,
                ..PROOF
            },
            BODY,
            1_614_265_330,
            fault,
        );
        let now = Timestamp::from_seconds(1_614_265_330);
        let other = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx");
        assert_eq!(
            verify(PROOF, BODY, &[other], now, TOLERANCE).map(|_| ()),
            fault
        );
    }

    #[test]
    fn what_is_older_or_newer_than_the_tolerance_fails() {
        check(PROOF, BODY, 1_614_265_330 + 300, Ok(()));
        check(
            PROOF,
            BODY,
            1_614_265_330 + 301,
            Err(SignatureFault::TooOld(TOLERANCE)),
        );
        check(PROOF, BODY, 1_614_265_330 - 300, Ok(()));
        check(
            PROOF,
            BODY,
            1_614_265_330 - 301,
            Err(SignatureFault::TooNew(TOLERANCE)),
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |name| Err(SignatureFault::Missing(name));
        check(Proof { id: None, ..PROOF }, BODY, 0, missing("webhook-id"));
        check(
            Proof {
                timestamp: None,
                ..PROOF
            },
            BODY,
            0,
            missing("webhook-timestamp"),
        );
        check(
            Proof {
                signature: Some(""),
                ..PROOF
            },
            BODY,
            0,
            missing("webhook-signature"),
        );
        check(
            Proof {
                timestamp: Some("soon"),
                ..PROOF
            },
            BODY,
            0,
            Err(SignatureFault::NoTimestamp),
        );
    }

    #[test]
    fn a_secret_that_is_no_base64_is_no_key() {
        for secret in ["", "whsec_", "whsec_!", "not base64 at all"] {
            assert_eq!(
                SigningKey::new(&secret.into()).map(|_| ()),
                Err(NoKey),
                "{secret}"
            );
        }
        assert!(SigningKey::new(&"AAAA".into()).is_ok());
    }
}
