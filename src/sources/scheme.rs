//! How a sender signs: which header, which hash, over which bytes. Data of `sources.toml`, nothing here knows a sender.
//!
//! The forms that are met, each at its vendor's:
//! - Standard Webhooks: `v1,` and base64, several after spaces, over `id.timestamp.body`
//!   <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//! - `BambooHR`: hex over the body and the timestamp behind it
//!   <https://documentation.bamboohr.com/docs/webhooks>
//! - GitHub's, which many have taken over: `sha256=` and hex over the body
//!   <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
//! - HMAC itself: <https://www.rfc-editor.org/rfc/rfc2104>

mod verify;
mod words;

use std::time::Duration;

use reqwest::header::HeaderName;
use toml::Value;

pub use self::verify::SignatureFault;
use self::words::{ENCODINGS, HASHES, KEY_TEXTS, TIME_UNITS};
pub(super) use self::{
    verify::{Piece, given},
    words::{BASE64, Encoding, Hash, KeyText, TimeUnit},
};
use super::reader::Reader;

/// The largest difference between a signature's time and ours, unless a source says otherwise: as Standard Webhooks'
/// reference libraries have it.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

/// How a sender signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The name of the header with the signatures, in lower case.
    pub(super) header: String,
    pub(super) hash: Hash,
    pub(super) encoding: Encoding,
    /// What stands before each signature.
    pub(super) prefix: String,
    /// What stands between signatures, where there may be several.
    pub(super) separator: Option<String>,
    /// The signed bytes.
    pub(super) signed: Vec<Part>,
    pub(super) key: KeyText,
    /// There exactly if the timestamp is among the signed bytes.
    pub(super) timestamp: Option<SignedTime>,
    /// The name of the header with the id, in lower case; there exactly if the id is among the signed bytes.
    pub(super) id_header: Option<String>,
}

/// A part of the signed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Body,
    Timestamp,
    Id,
}

/// Where the time of the signature stands, and how far it may lie from ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedTime {
    /// In lower case.
    pub(super) header: String,
    pub(super) unit: TimeUnit,
    /// How old a signature may be.
    pub(super) behind: Duration,
    /// How far ahead of us it may be.
    pub(super) ahead: Duration,
}

impl Scheme {
    /// Reads the table `signature`, and leaves its other keys; `None` where there were problems.
    pub(super) fn read(table: &mut Reader<'_>) -> Option<Self> {
        let header = required_header_name(table, "header");
        let hash = required_one_of(table, "hash", &HASHES);
        let encoding = required_one_of(table, "encoding", &ENCODINGS);
        let prefix = any_text(table, "prefix");
        let separator = separator(table);
        let key = required_one_of(table, "key", &KEY_TEXTS);
        let signed = table
            .required_text("signed")
            .and_then(|text| template(table, &text));
        let has = |part: &Part| signed.as_ref().map(|signed| signed.contains(part));
        let timestamp = signed_time(table, has(&Part::Timestamp));
        let id_header = signed_header(table, "id_header", has(&Part::Id), "{id}");
        Some(Self {
            header: header?,
            hash: hash?,
            encoding: encoding?,
            prefix: prefix?,
            separator: separator?,
            signed: signed?,
            key: key?,
            timestamp: timestamp?,
            id_header: id_header?,
        })
    }
}

/// The outer `None` is a problem, here and below.
fn signed_time(table: &mut Reader<'_>, is_signed: Option<bool>) -> Option<Option<SignedTime>> {
    let is_named = table.has("timestamp_header");
    let header = signed_header(table, "timestamp_header", is_signed, "{timestamp}");
    if !is_named {
        for key in [
            "timestamp_unit",
            "tolerance_seconds",
            "tolerance_ahead_seconds",
        ] {
            // Else one would rely on an age that nobody looks at.
            if table.value(key).is_some() {
                table.problem(key, "means nothing without timestamp_header");
            }
        }
        return header?.is_none().then_some(None);
    }
    let unit = match table.has("timestamp_unit") {
        true => table.one_of("timestamp_unit", &TIME_UNITS),
        false => Some(TimeUnit::Seconds),
    };
    let behind = tolerance(table, "tolerance_seconds", DEFAULT_TOLERANCE);
    let ahead = tolerance(
        table,
        "tolerance_ahead_seconds",
        behind.unwrap_or(DEFAULT_TOLERANCE),
    );
    Some(Some(SignedTime {
        header: header??,
        unit: unit?,
        behind: behind?,
        ahead: ahead?,
    }))
}

fn tolerance(table: &mut Reader<'_>, key: &str, default: Duration) -> Option<Duration> {
    match table.has(key) {
        true => table.count(key).map(Duration::from_secs),
        false => Some(default),
    }
}

/// A header that is named exactly if it is signed: what is not signed anybody could change.
fn signed_header(
    table: &mut Reader<'_>,
    key: &str,
    is_signed: Option<bool>,
    placeholder: &str,
) -> Option<Option<String>> {
    let is_named = table.has(key);
    let name = header_name(table, key);
    match (is_named, is_signed) {
        (true, Some(false)) => table.problem(
            key,
            format!("names what is not signed: signed has no {placeholder}"),
        ),
        (false, Some(true)) => table.problem(key, format!("is missing: signed has {placeholder}")),
        (true, Some(true) | None) => return name.map(Some),
        (false, Some(false) | None) => return Some(None),
    }
    None
}

fn required_one_of<T: Copy>(table: &mut Reader<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    if !table.has(key) {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        table.problem(key, format!("is missing: one of {}", words.join(", ")));
    }
    table.one_of(key, words)
}

fn required_header_name(table: &mut Reader<'_>, key: &str) -> Option<String> {
    if !table.has(key) {
        table.problem(key, "is missing");
    }
    header_name(table, key)
}

/// A header's name, in lower case.
pub(super) fn header_name(table: &mut Reader<'_>, key: &str) -> Option<String> {
    let text = table.text(key)?;
    let name = HeaderName::from_bytes(text.as_bytes());
    if name.is_err() {
        table.problem(key, "must be the name of a header");
    }
    name.ok().map(|name| name.as_str().to_owned())
}

/// A text that may be empty, as it is where the key is not there.
fn any_text(table: &mut Reader<'_>, key: &str) -> Option<String> {
    match table.value(key) {
        None => return Some(String::new()),
        Some(Value::String(text)) => return Some(text),
        Some(_) => table.problem(key, "must be a text"),
    }
    None
}

/// A separator may well be white space, but not nothing.
fn separator(table: &mut Reader<'_>) -> Option<Option<String>> {
    if !table.has("separator") {
        return Some(None);
    }
    let text = any_text(table, "separator")?;
    if text.is_empty() {
        table.problem("separator", "must not be empty");
        return None;
    }
    Some(Some(text))
}

/// Reads `{body}`, `{timestamp}` and `{id}`; all else is literal, braces around what is no word too.
fn template(table: &mut Reader<'_>, text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut unknown = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        literal.push_str(before);
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let Some((word, behind)) = after.split_once('}').filter(|(word, _)| is_word(word)) else {
            literal.push('{');
            rest = after;
            continue;
        };
        rest = behind;
        let part = match word {
            "body" => Part::Body,
            "timestamp" => Part::Timestamp,
            "id" => Part::Id,
            _ => {
                let reason =
                    format!("has {{{word}}}, which is not one of: {{body}}, {{timestamp}}, {{id}}");
                table.problem("signed", reason);
                unknown = true;
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part);
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    if !parts.contains(&Part::Body) {
        // A signature that is good for any body proves nothing.
        table.problem("signed", "must have {body}");
        return None;
    }
    (!unknown).then_some(parts)
}

#[cfg(test)]
mod tests;
