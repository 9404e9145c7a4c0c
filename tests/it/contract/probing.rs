//! Asks the reader of `sources.toml` what it takes: at each place every key that the code may know, and values of every kind.

use std::collections::BTreeSet;

use calven_bridge::sources::config::Sources;
use serde_json::{Map, Value, json};

use crate::{harness::root, presets::toml_of};

/// A file in which every table stands once, by no preset.
const EVERYTHING: &str = r#"
[capillary]
priority = 1

[sources.x]
secret_id = "x"
proof = "signature"
event_id = { from = "$.id" }
api_secret_id = "x/api"
base_url = "https://api.example.com"
events = { meaning = { "*" = "say" } }
handshake = { token = "$.token" }

[sources.x.signature]
header = "X-Signature"
hash = "sha256"
encoding = "hex"
signed = "{body}"
key = "utf-8"

[sources.x.groups.r]
key = "$.id"
when = [{ at = "$.kind" }]
members = { at = "$.members", key = "$.id" }

[sources.x.persons.r]
id = "$.id"
chain = [{ key = "$.department" }]

[sources.x.snapshot]
path = "/groups"
lists = ["$.groups"]
pages = { number = "page" }
groups.r = { key = "$.id" }
persons.r = { id = "$.id" }
"#;

/// A table of the file: where it stands there, and where in the schema.
pub(super) struct Place {
    pub(super) path: &'static [&'static str],
    pub(super) schema: &'static str,
}

const fn place(schema: &'static str, path: &'static [&'static str]) -> Place {
    Place { path, schema }
}

pub(super) const PLACES: [Place; 17] = [
    place("", &[]),
    place("/$defs/capillary", &["capillary"]),
    place("/$defs/source", &["sources", "x"]),
    place("/$defs/signature", &["sources", "x", "signature"]),
    place("/$defs/handshake", &["sources", "x", "handshake"]),
    place("/$defs/events", &["sources", "x", "events"]),
    place("/$defs/way", &["sources", "x", "event_id"]),
    place("/$defs/groupRule", &["sources", "x", "groups", "r"]),
    place(
        "/$defs/condition",
        &["sources", "x", "groups", "r", "when", "0"],
    ),
    place(
        "/$defs/members",
        &["sources", "x", "groups", "r", "members"],
    ),
    place("/$defs/personRule", &["sources", "x", "persons", "r"]),
    place(
        "/$defs/personRule/properties/chain/items",
        &["sources", "x", "persons", "r", "chain", "0"],
    ),
    place("/$defs/snapshot", &["sources", "x", "snapshot"]),
    place(
        "/$defs/groupRule",
        &["sources", "x", "snapshot", "groups", "r"],
    ),
    place(
        "/$defs/personRule",
        &["sources", "x", "snapshot", "persons", "r"],
    ),
    place("/$defs/pages", &["sources", "x", "snapshot", "pages"]),
    // Its keys are the user's; what they may hold is asked of one that stands for all.
    place(
        "/$defs/events/properties/meaning",
        &["sources", "x", "events", "meaning"],
    ),
];

/// Other tables in these places, with keys that do not go with those above.
const OTHERS: [(&str, &str); 6] = [
    (
        "/$defs/pages",
        r#"{ cursor = "$.next", parameter = "cursor" }"#,
    ),
    ("/$defs/pages", r#"{ offset = "start" }"#),
    (
        "/$defs/signature",
        r#"{ header = "X-S", hash = "sha512", encoding = "base64", signed = "{id}.{timestamp}.{body}", key = "whsec", id_header = "X-I", timestamp_header = "X-T" }"#,
    ),
    (
        "/$defs/handshake",
        r#"{ challenge_header = "X-Challenge", challenge_answer = "challenge" }"#,
    ),
    ("/$defs/handshake", r#"{ pings = ["ping"] }"#),
    ("/$defs/way", r#"{ value = "x" }"#),
];

/// A file as JSON.
pub(super) fn json_of(toml: &str) -> Value {
    let table: toml::Table = toml.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

/// JSON as a file.
pub(super) fn file_of(document: &Value) -> String {
    let keys = document.as_object().unwrap().iter();
    keys.map(|(key, value)| format!("{} = {}\n", json!(key), toml_of(value)))
        .collect()
}

/// What the reader says of a file.
pub(super) fn problems(document: &Value) -> Vec<String> {
    match Sources::parse(&file_of(document)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

impl Place {
    /// Files with this table.
    fn files(&self) -> Vec<Value> {
        let mut file = json_of(EVERYTHING);
        // What is beside it costs time, and only that.
        if let Some(own) = self.path.get(2) {
            let needed = ["secret_id", "proof", "signature", "groups", own];
            let source = file["sources"]["x"].as_object_mut().unwrap();
            source.retain(|key, _| needed.contains(&key.as_str()));
        }
        let mut files = vec![file.clone()];
        for (_, table) in OTHERS.iter().filter(|(schema, _)| *schema == self.schema) {
            let mut file = file.clone();
            let other = json_of(&format!("table = {table}"));
            *self.table_of(&mut file) = other["table"].as_object().unwrap().clone();
            assert_eq!(problems(&file), [""; 0], "{table}");
            files.push(file);
        }
        files
    }

    fn table_of<'a>(&self, file: &'a mut Value) -> &'a mut Map<String, Value> {
        let pointer: String = self.path.iter().map(|key| format!("/{key}")).collect();
        file.pointer_mut(&pointer).unwrap().as_object_mut().unwrap()
    }

    /// The files with this value at a key.
    pub(super) fn with(&self, key: &str, value: &Value) -> Vec<Value> {
        let mut files = self.files();
        for file in &mut files {
            self.table_of(file).insert(key.to_owned(), value.clone());
        }
        files
    }

    /// As the reader names a key of this table.
    pub(super) fn named(&self, key: &str) -> String {
        let mut name = String::new();
        for part in self.path.iter().copied().chain([key]) {
            match part.parse::<usize>() {
                Ok(index) => name.push_str(&format!("[{index}]")),
                Err(_) if name.is_empty() => name.push_str(part),
                Err(_) if part == "*" => name.push_str(".\"*\""),
                Err(_) => name.push_str(&format!(".{part}")),
            }
        }
        name
    }

    /// Whether the reader knows this key here.
    pub(super) fn knows(&self, key: &str) -> bool {
        let unknown = format!("{} is not known", self.named(key));
        let files = self.with(key, &json!(true));
        !files.iter().all(|file| problems(file).contains(&unknown))
    }

    /// The words of which a key must be one, where it must be one of some.
    pub(super) fn words(&self, key: &str) -> Option<BTreeSet<String>> {
        let before = format!("{} must be one of: ", self.named(key));
        let files = self.with(key, &json!("no such word"));
        let told: Vec<String> = files.iter().flat_map(problems).collect();
        let words = told.iter().find_map(|told| told.strip_prefix(&before))?;
        Some(words.split(", ").map(str::to_owned).collect())
    }
}

/// Every word in the sources of the code that may be a key: quoted, and written like one.
pub(super) fn candidates() -> BTreeSet<String> {
    let mut folders = vec![root().join("src/sources")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension() != Some("rs".as_ref()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let is_key = |word: &&str| {
                let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(fits)
            };
            found.extend(code.split('"').filter(is_key).map(str::to_owned));
        }
    }
    found
}

/// Values of every kind, each of which some key takes.
pub(super) fn values() -> Vec<Value> {
    vec![
        json!(""),
        json!(" "),
        json!("x"),
        json!("two words"),
        json!("$.x"),
        json!("body:$.x"),
        json!("header:X-Y"),
        json!("query:y"),
        json!("header:"),
        json!("other:x"),
        json!("/x"),
        json!("/x?y"),
        json!("/x/../y"),
        json!("+02:00"),
        json!("+0530"),
        json!("Z"),
        json!("+25:00"),
        json!("https://example.com/v1"),
        json!("https://name@example.com"),
        json!("https://example.com/?a=b"),
        json!("{body}"),
        json!(-1),
        json!(0),
        json!(1),
        json!(1.5),
        json!(true),
        json!(false),
        json!([]),
        json!(["x"]),
        json!([" "]),
        json!([1]),
        json!(["$.x"]),
        json!(["$.x", { "value": "y" }]),
        json!([{}]),
        json!([{ "at": "$.x" }]),
        json!([{ "at": "x" }]),
        json!([{ "at": "$.x", "is": [] }]),
        json!([{ "at": "$.x", "is": ["y", 1, true] }]),
        json!([{ "at": "$.x", "starts_with": "y" }]),
        json!([{ "at": "$.x", "starts_with": "y", "is": ["y"] }]),
        json!([{ "key": "$.x" }]),
        json!([{ "name": "$.x" }]),
        json!([{ "name": "$.x", "type": { "value": "Team" } }]),
        json!({}),
        json!({ "x": "y" }),
        json!({ "x": 1 }),
        json!({ "x": " " }),
        json!({ "x": {} }),
        json!({ "x": { "key": "$.x" } }),
        json!({ "x": { "id": "$.x" } }),
        json!({ "from": "$.x" }),
        json!({ "from": ["$.x", "header:Y"] }),
        json!({ "from": [] }),
        json!({ "value": 7 }),
        json!({ "from": "$.x", "value": 7 }),
        json!({ "from": "$.x", "lookup": { "A": "B" }, "default": "C", "prefix": "d:", "after": "e" }),
        json!({ "from": "$.x", "other": 1 }),
        json!({ "a*": [{ "at": "$.x" }] }),
        json!({ "a*b": [] }),
        json!({ "a*": "say" }),
        json!({ "a*b": "say" }),
        json!({ "X-Header": "y" }),
        json!({ "not a header": "y" }),
    ]
}
