//! What tests use and nobody may print, noted for who searches all that was printed; and what they see that no log has.
//!
//! Where `CHECK_LOGS` names a folder every canary becomes a line of `canaries.jsonl` there, and every output a line of a text of
//! its own. `ci/search_logs.py` reads both. Elsewhere nothing is noted.

use std::{
    collections::HashSet,
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    sync::{LazyLock, Mutex},
};

use serde_json::{Value, json};

use crate::server::locked;

/// The fields of a secret that are none: they say which key it is, and of what kind.
const PUBLIC: [&str; 8] = [
    "auth", "apiKey", "clientId", "key", "username", "note", "url", "_comment",
];

/// Of shorter texts in bodies nothing can be told: they are words that stand everywhere.
const SHORTEST_IN_BODIES: usize = 8;

/// What a text is that nobody may print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A secret, or a token that is as good as one.
    Secret,
    /// A handshake's token, which a state may hold and one answer may tell.
    Handshake,
    /// A signature, or what else is sent to prove something.
    Proof,
    /// A text in a body; it may be a group's name, which answers and states may tell, and logs may not.
    Body,
    /// A person's id, name or address.
    Person,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Handshake => "handshake",
            Self::Proof => "proof",
            Self::Body => "body",
            Self::Person => "person",
        }
    }
}

static FOLDER: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("CHECK_LOGS").map(PathBuf::from));

static NOTED: LazyLock<Mutex<HashSet<(Kind, String)>>> = LazyLock::new(Mutex::default);

/// Notes a text that nobody may print.
pub fn note(kind: Kind, text: &str) {
    if FOLDER.is_none() || text.is_empty() {
        return;
    }
    if locked(&NOTED).insert((kind, text.to_owned())) {
        let line = json!({"kind": kind.word(), "text": text});
        append("canaries.jsonl", &line.to_string());
    }
}

/// Notes what is secret of a secret, and the text that HTTP Basic makes of it.
pub fn note_secret(text: &str) {
    let Ok(secret) = serde_json::from_str::<Value>(text) else {
        return note(Kind::Secret, text);
    };
    note_fields(&secret);
    let field = |names: [&str; 3]| names.iter().find_map(|name| secret.get(name)?.as_str());
    let user = field(["username", "apiKey", "clientId"]);
    let password = field(["password", "apiSecret", "clientSecret"]);
    if let (Some(user), Some(password)) = (user, password) {
        note(Kind::Secret, &format!("{user}:{password}"));
    }
}

fn note_fields(value: &Value) {
    match value {
        Value::String(text) => note(Kind::Secret, text),
        Value::Array(items) => items.iter().for_each(note_fields),
        Value::Object(fields) => {
            let secret = fields
                .iter()
                .filter(|(name, _)| !PUBLIC.contains(&name.as_str()));
            secret.for_each(|(_, value)| note_fields(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Notes what proves something among a request's headers, by the header's name.
pub fn note_header(name: &str, value: &str) {
    let name = name.to_ascii_lowercase();
    let proves = ["signature", "authorization", "token", "cookie", "secret"];
    if proves.iter().any(|part| name.contains(part)) {
        // `v1,…`, `sha256=…`, `Bearer …`: the longest part is what proves.
        let parts = value.split([' ', ',']).flat_map(|part| {
            let known = ["sha256=", "sha1=", "t=", "v0="];
            known
                .iter()
                .find_map(|known| part.strip_prefix(known))
                .or(Some(part))
        });
        parts
            .filter(|part| part.len() > SHORTEST_IN_BODIES)
            .for_each(|part| note(Kind::Proof, part));
    }
}

/// Notes every text in a body.
pub fn note_body(body: &[u8]) {
    if FOLDER.is_none() {
        return;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => note_texts(&value),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let parts = text.split(|c: char| c.is_whitespace() || "\"&=,:{}[]".contains(c));
            parts.for_each(note_text);
        }
    }
}

fn note_texts(value: &Value) {
    match value {
        Value::String(text) => note_text(text),
        Value::Array(items) => items.iter().for_each(note_texts),
        Value::Object(fields) => fields.values().for_each(note_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn note_text(text: &str) {
    // A line of a log has but so much of a text, and a text of megabytes is one made to be too long.
    if (SHORTEST_IN_BODIES..1024).contains(&text.len()) {
        note(Kind::Body, text);
    }
}

/// Keeps an output that stands in no log, such as a state or an answer, to be searched: a line of `NAME.txt`.
pub fn keep(name: &str, text: &str) {
    append(&format!("{name}.txt"), text);
}

fn append(file: &str, line: &str) {
    let Some(folder) = &*FOLDER else {
        return;
    };
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(file));
    let mut opened = opened.expect("CHECK_LOGS is a folder to write to");
    // At once, so that lines of several who write stay whole.
    let written = opened.write_all(format!("{line}\n").as_bytes());
    written.expect("CHECK_LOGS can be written to");
}
