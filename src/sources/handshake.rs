//! What a sender wants answered before it signs anything, or beside what it signs.
//!
//! - Okta asks by GET whether the address is ours:
//!   <https://developer.okta.com/docs/concepts/event-hooks/>
//! - HiBob posts two test bodies when a webhook is made: <https://apidocs.hibob.com/docs/working-with-webhooks>
//! - Gusto posts the key that it will sign with: <https://docs.gusto.com/app-integrations/docs/webhooks>
//!
//! All of these come unverified. So they are bounded, are looked at for nothing else, and no answer tells anything that
//! the question did not hold.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json_path::JsonPath;
use toml::Value;

use super::{
    reader::Reader,
    scheme::{given, header_name},
    search::json_path,
};

/// Of a challenge and of a token.
const MOST_TEXT_BYTES: usize = 1024;
const MOST_PING_BYTES: usize = 256;
const MOST_TOKEN_BODY_BYTES: usize = 4096;

/// What a source asks for, unsigned.
#[derive(Clone, Debug, PartialEq)]
pub enum Handshake {
    /// A GET with a challenge is answered by it.
    Challenge {
        /// The challenge's header, in lower case.
        header: String,
        /// The key of the answer's one member.
        answer: String,
    },
    /// Bodies that mean nothing, without their white space.
    Pings(Vec<Vec<u8>>),
    /// Where in a body the key stands that the source will sign with.
    Token(JsonPath),
}

impl Handshake {
    /// Reads the table `handshake`, and leaves its other keys; `None` where there were problems.
    pub(super) fn read(table: &mut Reader<'_>) -> Option<Self> {
        let is_challenge = table.has("challenge_header") || table.has("challenge_answer");
        let kinds = [is_challenge, table.has("pings"), table.has("token")];
        if kinds.iter().filter(|is_there| **is_there).count() != 1 {
            table.problem_here(
                "must have one of: challenge_header with challenge_answer, pings, token",
            );
        }
        let challenge = is_challenge.then(|| read_challenge(table));
        let pings = table.value("pings").map(|pings| read_pings(table, pings));
        let token = table.has("token").then(|| read_token(table));
        match (challenge, pings, token) {
            (Some(challenge), None, None) => challenge,
            (None, Some(pings), None) => pings.map(Self::Pings),
            (None, None, Some(token)) => token.map(Self::Token),
            _ => None,
        }
    }

    /// The challenge in these headers, where it is one that may be sent back: printable ASCII of at most 1 KiB.
    pub fn challenge(&self, headers: &BTreeMap<String, String>) -> Option<String> {
        match self {
            Self::Challenge { header, answer: _ } => {
                let challenge = given(headers, header)?;
                is_printable(challenge).then(|| challenge.to_owned())
            }
            Self::Pings(_) | Self::Token(_) => None,
        }
    }

    /// Whether this body is one of those that mean nothing; white space counts nowhere.
    pub fn is_ping(&self, body: &[u8]) -> bool {
        match self {
            Self::Pings(pings) => {
                body.len() <= MOST_PING_BYTES && pings.contains(&without_white_space(body))
            }
            Self::Challenge { .. } | Self::Token(_) => false,
        }
    }

    /// The key in this body: a printable text of at most 1 KiB, in a JSON body of at most 4 KiB.
    pub fn token(&self, body: &[u8]) -> Option<SecretString> {
        match self {
            Self::Token(path) if body.len() <= MOST_TOKEN_BODY_BYTES => {
                let body: serde_json::Value = serde_json::from_slice(body).ok()?;
                let token = path.query(&body).exactly_one().ok()?.as_str()?;
                is_printable(token).then(|| token.into())
            }
            Self::Token(_) | Self::Challenge { .. } | Self::Pings(_) => None,
        }
    }
}

fn read_challenge(table: &mut Reader<'_>) -> Option<Handshake> {
    if !table.has("challenge_header") {
        table.problem("challenge_header", "is missing");
    }
    let header = header_name(table, "challenge_header");
    let answer = table.required_text("challenge_answer");
    Some(Handshake::Challenge {
        header: header?,
        answer: answer?,
    })
}

fn read_pings(table: &mut Reader<'_>, pings: Value) -> Option<Vec<Vec<u8>>> {
    let bodies = match pings {
        Value::Array(bodies) => bodies,
        _ => Vec::new(),
    };
    let read: Option<Vec<Vec<u8>>> = bodies
        .iter()
        .map(|body| Some(without_white_space(body.as_str()?.as_bytes())))
        .collect();
    // An empty one would let every empty body pass.
    let usable = |ping: &Vec<u8>| (1..=MOST_PING_BYTES).contains(&ping.len());
    let read = read.filter(|pings| !pings.is_empty() && pings.iter().all(usable));
    if read.is_none() {
        table.problem(
            "pings",
            format!("must be a list of texts, each of 1 to {MOST_PING_BYTES} bytes"),
        );
    }
    read
}

fn read_token(table: &mut Reader<'_>) -> Option<JsonPath> {
    let key = table.path("token");
    let text = table.text("token")?;
    json_path(&text, &key, table)
}

fn without_white_space(bytes: &[u8]) -> Vec<u8> {
    let kept = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    kept.copied().collect()
}

fn is_printable(text: &str) -> bool {
    let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    !text.trim().is_empty() && text.len() <= MOST_TEXT_BYTES && text.bytes().all(is_printable)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::sources::reader::KeyPath;

    fn read(text: &str) -> Result<Handshake, Vec<String>> {
        let mut problems = Vec::new();
        let table = text.parse().unwrap();
        let mut reader = Reader::new(KeyPath::default().key("handshake"), table, &mut problems);
        let handshake = Handshake::read(&mut reader);
        reader.finish();
        match handshake {
            Some(handshake) if problems.is_empty() => Ok(handshake),
            _ => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[track_caller]
    fn check_problems(text: &str, expected: &[&str]) {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }

    #[test]
    fn what_is_wrong_is_told_and_two_at_once_are_too_many() {
        let one_of =
            "handshake must have one of: challenge_header with challenge_answer, pings, token";
        let pings = "handshake.pings must be a list of texts, each of 1 to 256 bytes";
        check_problems("", &[one_of]);
        check_problems("pings = ['x']\ntoken = '$.t'", &[one_of]);
        check_problems(
            "pings = ['x']\ncolour = 1",
            &["handshake.colour is not known"],
        );
        check_problems(
            "challenge_header = 'a b'",
            &[
                "handshake.challenge_header must be the name of a header",
                "handshake.challenge_answer is missing",
            ],
        );
        check_problems(
            "challenge_answer = 'a'",
            &["handshake.challenge_header is missing"],
        );
        for text in ["pings = 'x'", "pings = []", "pings = [' ']", "pings = [7]"] {
            check_problems(text, &[pings]);
        }
        check_problems(&format!("pings = ['{}']", "x".repeat(257)), &[pings]);
        check_problems(
            "token = 'verification'",
            &["handshake.token must be a JSONPath, which begins with $"],
        );
        // As any other path.
        check_problems(
            "token = '$..a..b'",
            &[
                "handshake.token must not have more than one \"..\": each would search all that the one before it found",
            ],
        );
        check_problems(
            "token = '$.a[?match(@.b, @.c)].d'",
            &[
                "handshake.token must have the pattern itself in match() and search(): one from a body could be any",
            ],
        );
    }

    #[test]
    fn a_challenge_is_sent_back_if_it_is_harmless() {
        let text =
            "challenge_header = 'X-Okta-Verification-Challenge'\nchallenge_answer = 'verification'";
        let handshake = read(text).unwrap();
        let check = |value: &str, expected: Option<&str>| {
            let name = "x-okta-verification-challenge".to_owned();
            let headers = BTreeMap::from([(name, value.to_owned())]);
            assert_eq!(
                handshake.challenge(&headers).as_deref(),
                expected,
                "{value}"
            );
        };
        check("5c7w-Zs_y<1>", Some("5c7w-Zs_y<1>"));
        check(&"x".repeat(1024), Some(&"x".repeat(1024)));
        for refused in ["", " ", "a\nb", "\u{e9}", &"x".repeat(1025)] {
            check(refused, None);
        }
        assert_eq!(handshake.challenge(&BTreeMap::new()), None);
        assert!(!handshake.is_ping(b"") && handshake.token(b"{}").is_none());
    }

    #[test]
    fn a_ping_is_known_however_it_is_spaced() {
        let handshake = read(r#"pings = ['"Ping test"', '{"text":"Ping test"}']"#).unwrap();
        let check = |body: &str, expected| {
            assert_eq!(handshake.is_ping(body.as_bytes()), expected, "{body}");
        };
        check("\"Ping test\"", true);
        check("{ \"text\" :\r\n\t\"Ping test\" }\n", true);
        check("", false);
        check("{\"text\":\"Ping test\",\"more\":1}", false);
        check(&format!("\"Ping test\"{}", " ".repeat(245)), true);
        check(&format!("\"Ping test\"{}", " ".repeat(246)), false);
    }

    #[test]
    fn a_token_is_a_printable_text_in_a_small_body() {
        let handshake = read("token = '$.verification_token'").unwrap();
        let check = |body: &str, expected: Option<&str>| {
            let token = handshake.token(body.as_bytes());
            let token = token.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(token, expected, "{body}");
        };
        check(r#"{"verification_token":"t-1","x":1}"#, Some("t-1"));
        let (token, space) = ("t".repeat(1024), " ".repeat(3_000));
        check(
            &format!("{{\"verification_token\":\"{token}\"}}"),
            Some(&token),
        );
        check(&format!("{{\"verification_token\":\"{token}t\"}}"), None);
        check(
            &format!("{{\"verification_token\":\"{token}\"{space}}}"),
            Some(&token),
        );
        check(
            &format!("{{\"verification_token\":\"t\"{space}{space}}}"),
            None,
        );
        for refused in [
            "",
            "{}",
            "[]",
            r#"{"verification_token":7}"#,
            r#"{"verification_token":""}"#,
        ] {
            check(refused, None);
        }
        check(r#"{"verification_token":"a\u0000b"}"#, None);
    }
}
