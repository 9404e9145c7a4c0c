//! The smallest parts that read what others have written: names, times, addresses, secrets, queries.

use calven_bridge::{
    hierarchy::{Digest, GroupType, Key, Name, NameFault, PersonId},
    http::{BaseUrl, added_header, sensitive_header},
    queue::QueueUrl,
    retry::retry_after,
    secrets::SourceSecret,
    sources::{config::source_name, generic::read_seed, given::Given, times},
    state::HandshakeToken,
    store::StateUrl,
    timestamp::Timestamp,
};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    input::Input,
    measure::{Bound, linear},
    rules,
};

/// Nothing here makes much more of a text than the text.
const BOUND: Bound = Bound {
    bytes: 64 * 1024,
    bytes_a_byte: 512,
    times: 512,
    times_a_line: 128,
};

/// Reads one text in one way.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let way = input.below(12);
    let bytes = input.rest();
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    linear("a text", text.len(), BOUND, || read(way, text));
}

fn read(way: usize, text: &str) {
    match way {
        0 => name(text),
        1 => {
            let key = Key::new(text).map(|key| key.as_str().to_owned());
            let group_type = GroupType::new(text).map(|kind| kind.as_str().to_owned());
            let name = Name::new(text).map(|name| name.as_str().to_owned());
            assert!(key == name && group_type == name, "one text, one name");
        }
        2 => {
            if let Ok(time) = Timestamp::parse_rfc3339(text) {
                let again = Timestamp::parse_rfc3339(&time.to_string());
                assert_eq!(
                    again.ok(),
                    Some(time),
                    "a time reads back as it was written"
                );
            }
        }
        3 => {
            let Ok(value) = serde_json::from_str::<Value>(text) else {
                return;
            };
            for offset in ["+00:00", "-12:34"] {
                let offset = times::parse_offset(offset).unwrap();
                let _time = times::read(&value, offset);
                let _time = times::read(&Value::String(text.to_owned()), offset);
            }
        }
        4 => {
            let now = Timestamp::from_seconds(1_767_693_601);
            let _wait = retry_after(text, now);
            let _offset = times::parse_offset(text);
            let _time = times::read(
                &Value::String(text.to_owned()),
                times::parse_offset("+00:00").unwrap(),
            );
        }
        5 => base_url(text),
        6 => {
            if let Ok(url) = text.parse::<StateUrl>() {
                assert_eq!(url.to_string().parse::<StateUrl>().ok(), Some(url));
            }
            if let Ok(url) = text.parse::<QueueUrl>() {
                assert_eq!(url.as_str().parse::<QueueUrl>().ok(), Some(url));
            }
        }
        7 => {
            if let Err(fault) = SourceSecret::from_text(text, "id") {
                let any = SourceSecret::from_text("{}", "id").unwrap_err();
                assert_eq!(fault.to_string(), any.to_string(), "no secret is quoted");
            }
        }
        8 => {
            let given = Given {
                headers: Default::default(),
                query: Given::query_of(text),
            };
            assert_eq!(
                Given::query_of(&given.query_text()),
                given.query,
                "a query reads back"
            );
        }
        9 => {
            if let Some(value) = sensitive_header(text) {
                assert!(value.is_sensitive() && !value.as_bytes().contains(&b'\n'));
            }
            if let Some(name) = added_header(text) {
                let taken = ["host", "content-length", "connection", "transfer-encoding"];
                assert!(!taken.contains(&name.as_str()), "{name} is the transport's");
            }
            let _person = PersonId::new(text);
            let _digest = Digest::from_text(text);
        }
        10 => {
            if let Ok(rows) = serde_json::from_str(text)
                && let Ok(rows) = read_seed(&rows)
            {
                rules::relationships(rows.rows());
            }
        }
        _ => {
            if let Ok(source) = source_name(text) {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                assert!(
                    source.as_str() == text && text.chars().all(is_plain),
                    "{text:?}"
                );
            }
            if let Ok(token) = HandshakeToken::new(text, Timestamp::default()) {
                let other = HandshakeToken::new("other", Timestamp::default()).unwrap();
                assert_eq!(format!("{token:?}"), format!("{other:?}"), "it is printed");
            }
        }
    }
}

fn name(text: &str) {
    match Name::new(text) {
        Ok(name) => {
            rules::clean(name.as_str());
            assert_eq!(
                Name::new(name.as_str()).as_ref(),
                Ok(&name),
                "clean stays clean"
            );
            let words = |text: &str| {
                let composed: String = text.nfc().collect();
                composed
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(text), words(name.as_str()), "its words are kept");
        }
        Err(NameFault::Empty) => assert!(text.trim().is_empty(), "{text:?}"),
        Err(NameFault::ControlCharacter) => assert!(text.chars().any(char::is_control), "{text:?}"),
        Err(NameFault::TooLong) => assert!(text.nfc().map(char::len_utf8).sum::<usize>() > 1024),
    }
}

fn base_url(text: &str) {
    let Ok(base) = BaseUrl::parse(text) else {
        return;
    };
    let url = base.at("/a/b");
    let host = url.host_str().expect("a host");
    let is_loopback = host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_end_matches('.').ends_with("localhost")
        || host.starts_with("127.")
        || host == "[::1]";
    assert!(
        url.scheme() == "https" || (url.scheme() == "http" && is_loopback),
        "{url}"
    );
    assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none());
    assert!(url.path().ends_with("/a/b"), "{url}");
    assert_eq!(
        BaseUrl::parse(base.as_str()).map(|base| base.at("/a/b")),
        Ok(url)
    );
}
