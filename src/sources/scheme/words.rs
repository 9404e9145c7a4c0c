//! The words of a scheme in `sources.toml`, and what each means: hashes, encodings, keys and units of time.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use crate::timestamp::Timestamp;

/// With or without padding: consoles show secrets both ways, and Merge sends signatures both ways.
/// <https://docs.merge.dev/basics/webhooks/merge-webhooks>
const INDIFFERENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
pub(in crate::sources) const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, INDIFFERENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, INDIFFERENT);

/// The hash under the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Hash {
    Sha256,
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Encoding {
    Hex,
    Base64,
    Base64Url,
}

/// How the key is written in the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum KeyText {
    Utf8,
    Base64,
    Hex,
    /// Base64 after `whsec_`, which may be left out.
    Whsec,
}

/// How the time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Rfc3339,
}

pub(super) const HASHES: [(&str, Hash); 2] = [("sha256", Hash::Sha256), ("sha512", Hash::Sha512)];
pub(super) const ENCODINGS: [(&str, Encoding); 3] = [
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
];
pub(super) const KEY_TEXTS: [(&str, KeyText); 4] = [
    ("utf-8", KeyText::Utf8),
    ("base64", KeyText::Base64),
    ("hex", KeyText::Hex),
    ("whsec", KeyText::Whsec),
];
pub(super) const TIME_UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Seconds),
    ("ms", TimeUnit::Milliseconds),
    ("us", TimeUnit::Microseconds),
    ("rfc3339", TimeUnit::Rfc3339),
];

impl Hash {
    pub(in crate::sources) fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl Encoding {
    pub(in crate::sources) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Base64Url => BASE64_URL.decode(text).ok(),
        }
    }

    pub(in crate::sources) fn word(self) -> &'static str {
        word(&ENCODINGS, self)
    }
}

impl TimeUnit {
    /// A number that is too large is a time out of all tolerance, or none.
    pub(in crate::sources) fn read(self, text: &str) -> Option<Timestamp> {
        // Digits alone: with a sign the same bytes could be signed with a border elsewhere between body and time.
        let number = || {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| is_digits)
        };
        match self {
            Self::Seconds => number().map(Timestamp::from_seconds),
            Self::Milliseconds => {
                number().map(|number| Timestamp::from_micros(number.saturating_mul(1_000)))
            }
            Self::Microseconds => number().map(Timestamp::from_micros),
            Self::Rfc3339 => Timestamp::parse_rfc3339(text).ok(),
        }
    }

    pub(in crate::sources) fn word(self) -> &'static str {
        word(&TIME_UNITS, self)
    }
}

impl KeyText {
    /// Decodes a secret into memory that is wiped; `None` where it cannot be decoded, or nothing comes of it.
    pub(in crate::sources) fn decode(self, secret: &SecretString) -> Option<Zeroizing<Vec<u8>>> {
        let text = secret.expose_secret();
        let base64 = |text: &str| BASE64.decode(text).ok();
        let key = match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Base64 => base64(text.trim()),
            Self::Hex => hex::decode(text.trim()).ok(),
            Self::Whsec => {
                let text = text.trim();
                base64(text.strip_prefix("whsec_").unwrap_or(text))
            }
        };
        key.filter(|key| !key.is_empty()).map(Zeroizing::new)
    }

    /// What a secret must be to be decoded.
    pub(in crate::sources) fn wanted(self) -> &'static str {
        match self {
            Self::Utf8 => "a text that is not empty",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Whsec => "base64, with or without whsec_ before it",
        }
    }

    pub(in crate::sources) fn word(self) -> &'static str {
        word(&KEY_TEXTS, self)
    }
}

/// The word that means this in `sources.toml`.
fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], meaning: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == meaning);
    found.map_or("", |(word, _)| word)
}
