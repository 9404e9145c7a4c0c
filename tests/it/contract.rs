//! The machine-readable contract: the files in docs/contract say what the code does, and are written by these tests.
//!
//! `UPDATE_DOCS=1 cargo test --test it contract::` writes them anew.

mod bodies;
mod openapi;
mod probing;
mod seen;
mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        LazyLock, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
};

use boon::{Compiler, Schemas};
use calven_bridge::sources::{config::Sources, presets};
use serde_json::{Value, json};

use self::{
    openapi::ALWAYS,
    probing::{PLACES, candidates, json_of, problems, values},
    seen::{HEALTH, Seen, WEBHOOK},
};
use crate::{
    faults::is_to_be_written,
    harness::{read, root},
};

const SOURCES: &str = "docs/contract/sources.schema.json";
const OPENAPI: &str = "docs/contract/openapi.json";

/// Where the validator believes a document to be.
const HERE: &str = "http://contract.invalid/contract.json";

/// A document with schemas, and what is asked of it.
struct Contract {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
}

impl Contract {
    fn of(document: &Value) -> Self {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(HERE, document.clone()).unwrap();
        Self {
            document: document.clone(),
            compiler,
            schemas: Schemas::new(),
        }
    }

    /// Whether a value is as the schema at this pointer has it.
    fn check(&mut self, pointer: &str, value: &Value) -> Result<(), String> {
        assert!(self.document.pointer(pointer).is_some(), "{pointer}");
        let escaped = pointer.replace('{', "%7B").replace('}', "%7D");
        let at = format!("{HERE}#{escaped}");
        let schema = self.compiler.compile(&at, &mut self.schemas);
        let schema = schema.unwrap_or_else(|error| panic!("{at}: {error:#}"));
        let checked = self.schemas.validate(value, schema);
        checked.map_err(|error| format!("{error:#}"))
    }

    /// The schema at this pointer, references followed.
    fn schema_at(&self, pointer: &str) -> &Value {
        let schema = self.document.pointer(pointer).unwrap();
        match schema["$ref"].as_str() {
            Some(to) => self.schema_at(to.strip_prefix('#').unwrap()),
            None => schema,
        }
    }
}

/// Asks a thread of its own, and hears what it says: who asks may have little stack left.
type Asking = (Sender<Value>, Receiver<Result<(), String>>);

static OF_SOURCES: LazyLock<Mutex<Asking>> = LazyLock::new(|| {
    let (ask, asked) = channel::<Value>();
    let (say, said) = channel();
    std::thread::spawn(move || {
        let mut contract = Contract::of(&sources::schema());
        for document in asked {
            say.send(contract.check("", &document)).unwrap();
        }
    });
    Mutex::new((ask, said))
});

/// What the schema of `sources.toml` says of a file.
fn by_schema(document: &Value) -> Result<(), String> {
    let asking = OF_SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    asking.0.send(document.clone()).unwrap();
    asking.1.recv().unwrap()
}

/// Every `sources.toml` that a test runs the function with is one by the schema too.
#[track_caller]
pub(crate) fn assert_is_sources(text: &str) {
    if let Err(why) = by_schema(&json_of(text)) {
        panic!("{why}\n{text}");
    }
}

/// The file says this; its keys in the order of the alphabet.
#[track_caller]
fn assert_kept(path: &str, document: &Value) {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields: BTreeMap<&String, Value> = fields
                    .iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect();
                fields
                    .into_iter()
                    .map(|(key, value)| (key.clone(), value))
                    .collect()
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    let expected = serde_json::to_string_pretty(&sorted(document)).unwrap() + "\n";
    if is_to_be_written() {
        std::fs::create_dir_all(root().join("docs/contract")).unwrap();
        std::fs::write(root().join(path), &expected).unwrap();
    }
    assert!(
        read(path) == expected,
        "{path} is out of date: UPDATE_DOCS=1 cargo test --test it contract:: writes it anew"
    );
}

#[test]
fn the_schema_of_sources_is_kept() {
    assert_kept(SOURCES, &sources::schema());
}

#[test]
fn every_key_that_the_reader_knows_is_in_the_schema_and_no_other() {
    let contract = Contract::of(&sources::schema());
    let mut candidates = candidates();
    assert!(candidates.len() > 100, "{candidates:?}");
    for place in &PLACES {
        let keys = contract.schema_at(place.schema)["properties"].as_object();
        candidates.extend(keys.into_iter().flat_map(|keys| keys.keys().cloned()));
    }
    for place in &PLACES {
        let schema = contract.schema_at(place.schema);
        let Some(keys) = schema["properties"].as_object() else {
            continue;
        };
        assert_eq!(schema["additionalProperties"], false, "{}", place.schema);
        let known: BTreeSet<&String> = candidates.iter().filter(|key| place.knows(key)).collect();
        let expected: BTreeSet<&String> = keys.keys().collect();
        assert_eq!(expected, known, "{:?}", place.path);
        for (key, schema) in keys {
            let described = schema.get("description");
            let described = described.or_else(|| {
                let to = schema["$ref"].as_str()?.strip_prefix('#')?;
                contract.schema_at(to).get("description")
            });
            assert!(
                described.is_some(),
                "{key} of {} is not described",
                place.schema
            );
        }
    }
}

#[test]
fn every_word_that_the_reader_knows_is_in_the_schema_and_no_other() {
    let contract = Contract::of(&sources::schema());
    let mut checked = 0;
    for place in &PLACES {
        let schema = contract.schema_at(place.schema);
        let of_words = |schema: &Value| -> Option<BTreeSet<String>> {
            let words = schema["enum"].as_array()?.iter();
            Some(
                words
                    .map(|word| word.as_str().unwrap().to_owned())
                    .collect(),
            )
        };
        let pairs: Vec<(&str, Option<BTreeSet<String>>)> = match schema["properties"].as_object() {
            Some(keys) => keys
                .iter()
                .map(|(key, schema)| (key.as_str(), of_words(schema)))
                .collect(),
            None => vec![("*", of_words(&schema["additionalProperties"]))],
        };
        for (key, words) in pairs {
            assert_eq!(words, place.words(key), "{}", place.named(key));
            checked += usize::from(words.is_some());
        }
    }
    assert!(checked >= 12, "{checked}");
}

/// What the reader takes though the schema does not: of another proof than the source's, which a preset may have brought.
const TAKEN_UNREAD: [&str; 1] = ["sources.x.proof_header"];

/// What of these the reader refuses and the schema cannot: what one key means for another.
const FOR_THE_READER_ALONE: [&str; 3] = [
    "names what is not signed",
    "is missing: an empty page",
    "has in_body, which needs",
];

#[test]
fn what_the_reader_takes_the_schema_takes_and_what_it_refuses_the_schema_refuses() {
    let contract = Contract::of(&sources::schema());
    let (mut taken, mut refused) = (0, 0);
    let mut excused = BTreeSet::new();
    for place in &PLACES {
        let keys = contract.schema_at(place.schema)["properties"].as_object();
        for key in keys.into_iter().flat_map(|keys| keys.keys()) {
            for value in values() {
                for file in place.with(key, &value) {
                    let told = problems(&file);
                    let name = place.named(key);
                    match (told.is_empty(), by_schema(&file)) {
                        (true, Ok(())) => taken += 1,
                        (false, Err(_)) => refused += 1,
                        (true, Err(why)) => {
                            assert!(
                                TAKEN_UNREAD.contains(&name.as_str()),
                                "{name} = {value} is refused: {why}"
                            );
                        }
                        (false, Ok(())) => {
                            for told in told {
                                let excuse =
                                    FOR_THE_READER_ALONE.iter().find(|why| told.contains(**why));
                                excused.insert(excuse.unwrap_or_else(|| {
                                    panic!("{name} = {value} is taken, and {told}")
                                }));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(
        taken > 500 && refused > 4_000,
        "{taken} taken, {refused} refused"
    );
    assert_eq!(excused, FOR_THE_READER_ALONE.iter().collect());
}

/// TOML that stands in a text between these.
fn blocks<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let blocks = text.split(open).skip(1);
    blocks.filter_map(move |block| block.split_once(close).map(|(block, _)| block))
}

/// Files of a folder and below.
fn files_in(folder: &str, extension: &str) -> Vec<String> {
    let mut folders = vec![root().join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(found) if found == extension => {
                    texts.push(std::fs::read_to_string(path).unwrap())
                }
                Some(_) | None => {}
            }
        }
    }
    texts
}

#[test]
fn every_file_of_sources_that_is_shipped_told_or_tested_is_one_by_the_schema() {
    let mut checked = 0;
    let mut check = |text: &str| {
        if Sources::parse(text).is_ok() && text.contains("sources") {
            assert_is_sources(text);
            checked += 1;
        }
    };
    for path in ["sources.toml", "examples/sandbox/sources.toml"] {
        assert!(Sources::parse(&read(path)).is_ok(), "{path}");
        check(&read(path));
    }
    files_in("tests/fixtures/sources", "toml")
        .iter()
        .for_each(|text| check(text));
    let told = files_in("docs", "md")
        .into_iter()
        .chain([read("README.md")]);
    for text in told {
        blocks(&text, "```toml\n", "```").for_each(&mut check);
    }
    // What tests quote; what they run the function with is checked where they do.
    for folder in ["tests/it", "src/sources", "bridge", "simulation", "measure"] {
        for text in files_in(folder, "rs") {
            blocks(&text, "r#\"", "\"#").for_each(&mut check);
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn every_preset_and_every_case_of_one_is_one_by_the_schema() {
    let mut checked = 0;
    for name in presets::names() {
        let mut keys = json_of(presets::text(name).unwrap());
        keys["secret_id"] = json!("x");
        let written_out = json!({ "sources": { "x": keys } });
        // One that leaves the proof to its user is refused by both.
        let told = problems(&written_out);
        let said = by_schema(&written_out);
        assert_eq!(said.is_ok(), told.is_empty(), "{name}: {told:?}, {said:?}");
        keys["preset"] = json!(name);
        let document = json!({ "sources": { "x": keys } });
        by_schema(&document).unwrap_or_else(|why| panic!("{name}: {why}"));
        for path in &crate::presets::cases()[name] {
            let case: Value =
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let mut source = json!({ "preset": name, "secret_id": "x" });
            for (key, value) in case["source"].as_object().into_iter().flatten() {
                source[key] = value.clone();
            }
            let document = json!({ "sources": { "x": source } });
            by_schema(&document).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            checked += 1;
        }
    }
    assert!(checked > 28, "{checked}");
}

#[test]
fn what_is_wrong_is_refused_by_the_schema_and_by_the_reader() {
    let source = |keys: &str| format!("[sources.x]\nsecret_id = \"x\"\n{keys}");
    let wrong = [
        "colour = 1".to_owned(),
        "sources = 1".to_owned(),
        "[sources]\nx = 1".to_owned(),
        "[sources.x]\npreset = \"generic\"".to_owned(),
        "[sources.\"a b\"]\npreset = \"generic\"\nsecret_id = \"x\"".to_owned(),
        "[sources.manual]\npreset = \"generic\"\nsecret_id = \"x\"".to_owned(),
        "[sources.capillary]\npreset = \"generic\"\nsecret_id = \"x\"".to_owned(),
        "[capillary]\ngroup_types = { STORE = \"\" }".to_owned(),
        source(""),
        source("preset = \"generik\""),
        source("preset = \"generic\"\ncolour = 1"),
        source("preset = \"generic\"\npriority = \"high\""),
        source("preset = \"generic\"\npatience_seconds = 0"),
        source("preset = \"generic\"\nsignature = { tolerance_seconds = -1 }"),
        source("preset = \"generic\"\nsignature = { tolerance = 300 }"),
        source("preset = \"generic\"\nbase_url = \"example.com\""),
        source("proof = \"signature\""),
        source("proof = \"header\""),
        source("proof = \"password\""),
        source("proof = \"bearer\"\nhandshake = {}"),
        source("proof = \"bearer\"\nhandshake = { pings = [\"x\"], token = \"$.t\" }"),
        source("proof = \"bearer\"\ngroups.r = { name = \"$.n\" }"),
        source("proof = \"bearer\"\ngroups.r = { at = \"$\" }"),
        source("proof = \"bearer\"\ngroups.r = { key = \"$.k\", parent_name = \"$.n\" }"),
        source("proof = \"bearer\"\npersons.r = { chain = [{ key = \"$.k\" }] }"),
        source("proof = \"bearer\"\nevents = { type = \"$.t\" }"),
        source("proof = \"bearer\"\nevents = { meaning = { \"a*b\" = \"ignore\" } }"),
        source("proof = \"bearer\"\nsnapshot = { path = \"/a\", body = {} }"),
        source(
            "proof = \"bearer\"\nsnapshot = { path = \"/a\", lists = [\"$.l\"], pages = { number = \"n\", parameter = \"p\" } }",
        ),
        source(
            "proof = \"bearer\"\nsnapshot = { path = \"/a\", pages = { cursor = \"$.c\", parameter = \"p\", first = 1 } }",
        ),
        source(
            "proof = \"bearer\"\nsnapshot = { path = \"/a\", pages = { cursor = \"header:X\", parameter = \"p\" } }",
        ),
    ];
    for text in wrong {
        assert!(Sources::parse(&text).is_err(), "the reader takes {text}");
        assert!(
            by_schema(&json_of(&text)).is_err(),
            "the schema takes {text}"
        );
    }
}

#[tokio::test]
async fn the_document_of_the_http_side_is_kept_and_its_examples_are_answers_that_were_seen() {
    assert_kept(OPENAPI, &openapi::document(&seen::all().await));
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let mut seen = seen::all().await;
    seen.push(seen::too_long().await);
    let mut contract = Contract::of(&openapi::document(&[]));
    let mut checked = 0;
    for (path, method) in [(WEBHOOK, "POST"), (WEBHOOK, "GET"), (HEALTH, "GET")] {
        let mut answered = BTreeSet::new();
        for seen in seen.iter().filter(|seen| seen.is_of(path, method)) {
            answered.insert(seen.answer.status.to_string());
            check_answer(&mut contract, seen, method);
            checked += 1;
        }
        let told = &contract.document["paths"][path][method.to_lowercase()]["responses"];
        let told: BTreeSet<String> = told.as_object().unwrap().keys().cloned().collect();
        assert_eq!(answered, told, "{method} {path}");
    }
    // Those to a method of which there is no operation count for each.
    assert!(checked >= seen.len(), "{checked}");
}

fn check_answer(contract: &mut Contract, seen: &Seen, method: &str) {
    let path = seen.path.replace('/', "~1");
    let method = method.to_lowercase();
    let response = format!("/paths/{path}/{method}/responses/{}", seen.answer.status);
    let told = contract.document.pointer(&response);
    let told = told
        .unwrap_or_else(|| panic!("{}: {response} is not told", seen.name))
        .clone();
    let (media, _) = told["content"].as_object().unwrap().iter().next().unwrap();
    for name in told["headers"].as_object().unwrap().keys() {
        let value = json!(
            seen.answer
                .headers
                .get(name)
                .unwrap_or_else(|| panic!("{}: {name}", seen.name))
        );
        let schema = format!("/components/headers/{name}/schema");
        contract
            .check(&schema, &value)
            .unwrap_or_else(|why| panic!("{}: {why}", seen.name));
    }
    let known = told["headers"].as_object().unwrap();
    for name in seen
        .answer
        .headers
        .keys()
        .filter(|name| *name != "content-type")
    {
        assert!(
            known.contains_key(name),
            "{}: the header {name} is not told",
            seen.name
        );
        assert!(
            ALWAYS.contains(&name.as_str()) || seen.answer.status >= 400,
            "{name}"
        );
    }
    if seen.answer.body == "" {
        assert_eq!(
            seen.answer.headers.get("content-type"),
            None,
            "{}",
            seen.name
        );
        return;
    }
    assert_eq!(seen.answer.headers["content-type"], *media, "{}", seen.name);
    let media = media.replace('/', "~1");
    let schema = format!("{response}/content/{media}/schema");
    let checked = contract.check(&schema, &seen.answer.body);
    checked.unwrap_or_else(|why| panic!("{}: {why}\n{:#}", seen.name, seen.answer.body));
}

#[tokio::test]
async fn every_field_status_and_reason_of_the_document_is_seen_in_an_answer() {
    let document = openapi::document(&[]);
    let mut fields = BTreeSet::new();
    let mut words = BTreeSet::new();
    fn collect(value: &Value, fields: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
        match value {
            Value::Object(inner) => inner.iter().for_each(|(key, value)| {
                fields.insert(key.clone());
                if let (true, Some(word)) =
                    (["status", "reason"].contains(&key.as_str()), value.as_str())
                {
                    words.insert(word.to_owned());
                }
                collect(value, fields, words);
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, fields, words)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut seen = seen::all().await;
    seen.push(seen::too_long().await);
    for seen in seen {
        collect(&seen.answer.body, &mut fields, &mut words);
    }
    let of_answers = [
        "Report",
        "HeldPlan",
        "HeldStatement",
        "Conflict",
        "Side",
        "Group",
        "Row",
        "Moved",
        "Renamed",
        "Problem",
        "ProblemPart",
        "Health",
    ];
    for name in of_answers {
        let schema = &document["components"]["schemas"][name];
        for field in schema["properties"].as_object().unwrap().keys() {
            assert!(fields.contains(field), "{field} of {name} is in no answer");
        }
        for key in ["status", "reason"] {
            let told = schema["properties"][key]["enum"].as_array();
            for word in told.into_iter().flatten() {
                assert!(
                    words.contains(word.as_str().unwrap()),
                    "{key} {word} is in no answer"
                );
            }
        }
    }
}

/// The status codes that the HTTP edge names.
#[test]
fn every_status_that_the_edge_can_answer_is_in_the_document() {
    let code = read("src/webhook/response.rs");
    let code = code.split("#[cfg(test)]").next().unwrap();
    let named: BTreeSet<&str> = code
        .split("StatusCode::")
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_uppercase() && c != '_')
                .next()
                .unwrap()
        })
        .collect();
    let status = |name: &str| {
        let words = name.replace('_', " ");
        let found = (100..600).find(|code| {
            let status = lambda_http::http::StatusCode::from_u16(*code).unwrap();
            status
                .canonical_reason()
                .is_some_and(|reason| reason.eq_ignore_ascii_case(&words))
        });
        found.unwrap_or_else(|| panic!("{name}")).to_string()
    };
    let expected: BTreeSet<String> = named.into_iter().map(status).collect();
    let document = openapi::document(&[]);
    let told = document["paths"][WEBHOOK]["post"]["responses"]
        .as_object()
        .unwrap();
    let told: BTreeSet<String> = told.keys().cloned().collect();
    assert_eq!(told, expected);
}

#[test]
fn the_document_has_no_reference_that_leads_nowhere_and_every_schema_can_be_used() {
    for document in [openapi::document(&[]), sources::schema()] {
        let mut contract = Contract::of(&document);
        let schemas = match document["components"]["schemas"].as_object() {
            Some(schemas) => schemas
                .keys()
                .map(|name| format!("/components/schemas/{name}"))
                .collect(),
            None => vec![String::new()],
        };
        for pointer in schemas {
            // Whatever it says of it: it could be compiled.
            let _said = contract.check(&pointer, &Value::Null);
        }
        let text = document.to_string();
        for reference in blocks(&text, "\"$ref\":\"#", "\"") {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
