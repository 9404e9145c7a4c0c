//! Every preset's case files, played against the built function: tests/fixtures/presets/PRESET/*.json.
//!
//! A case is one history of one source, which is called `case`: what it posts, what its API answers when it is read again,
//! what the function answers, and what Calven holds after. docs/presets/README.md tells what a case file may say.

use std::{collections::BTreeMap, path::Path};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use calven_bridge::sources::presets;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use stand_ins::{calven::CalvenStandIn, canaries, hris::HrisStandIn};

use crate::{
    built::{calven, now, report},
    harness::{Answer, Request, read, root, secrets, text_of},
    processes::Process,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sentence: String,
    #[serde(default)]
    source: Value,
    #[serde(default)]
    secret: Value,
    #[serde(default)]
    api_secret: Value,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    seed: Option<Value>,
    sign: Option<Signing>,
    steps: Vec<Step>,
}

/// How the sender signs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    header: String,
    hash: String,
    encoding: String,
    #[serde(default)]
    prefix: String,
    key: String,
    bytes: String,
    timestamp_header: Option<String>,
    timestamp_unit: Option<String>,
    id_header: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What the API answers from now on.
    api: Option<Vec<Api>>,
    post: Option<Value>,
    get: Option<String>,
    invoke: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: String,
    event_id: Option<String>,
    status: Option<u64>,
    answer: Option<Value>,
    calven: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Api {
    request: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    #[serde(default = "ok")]
    status: u16,
    answer: Value,
}

fn ok() -> u16 {
    200
}

/// A body by the name of its file, or as it stands.
fn body_of(folder: &str, given: &Value) -> Vec<u8> {
    match given {
        Value::String(name) => read(&format!("tests/fixtures/{folder}/{name}")).into_bytes(),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("text") => {
            fields["text"].as_str().unwrap().as_bytes().to_vec()
        }
        inline => inline.to_string().into_bytes(),
    }
}

/// A value as TOML has it in one line.
pub(crate) fn toml_of(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{} = {}", json!(key), toml_of(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let items = items.iter().map(toml_of);
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => panic!("TOML has no null"),
    }
}

impl Signing {
    /// The headers of a delivery that is signed now, written anew here: nothing of it is the function's own code.
    fn headers(&self, secret: &Value, id: &str, body: &[u8]) -> Vec<(String, String)> {
        let seconds = now().seconds();
        let timestamp = match self.timestamp_unit.as_deref() {
            Some("ms") => format!("{seconds}000"),
            Some("s") | None => seconds.to_string(),
            Some(unit) => panic!("{unit}"),
        };
        let mut signed = Vec::new();
        let mut rest = self.bytes.as_str();
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            signed.extend_from_slice(literal.as_bytes());
            match name {
                "body" => signed.extend_from_slice(body),
                "timestamp" => signed.extend_from_slice(timestamp.as_bytes()),
                "id" => signed.extend_from_slice(id.as_bytes()),
                name => panic!("{name}"),
            }
            rest = after;
        }
        signed.extend_from_slice(rest.as_bytes());
        let text = secret["signingSecret"].as_str().unwrap();
        let key = match self.key.as_str() {
            "utf-8" => text.as_bytes().to_vec(),
            "base64" => STANDARD.decode(text).unwrap(),
            "whsec" => STANDARD
                .decode(text.strip_prefix("whsec_").unwrap())
                .unwrap(),
            key => panic!("{key}"),
        };
        let code = match self.hash.as_str() {
            "sha256" => {
                let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
                mac.update(&signed);
                mac.finalize().into_bytes().to_vec()
            }
            "sha512" => {
                let mut mac = Hmac::<Sha512>::new_from_slice(&key).unwrap();
                mac.update(&signed);
                mac.finalize().into_bytes().to_vec()
            }
            hash => panic!("{hash}"),
        };
        let code = match self.encoding.as_str() {
            "hex" => hex::encode(code),
            "base64" => STANDARD.encode(code),
            "base64url" => URL_SAFE_NO_PAD.encode(code),
            encoding => panic!("{encoding}"),
        };
        let mut headers = vec![(self.header.clone(), format!("{}{code}", self.prefix))];
        headers.extend(self.timestamp_header.clone().map(|name| (name, timestamp)));
        headers.extend(self.id_header.clone().map(|name| (name, id.to_owned())));
        headers
    }
}

/// The path below which a preset's API lies; its host is the stand-in here.
fn base_path(preset: &str) -> String {
    let keys: toml::Table = presets::text(preset).unwrap().parse().unwrap();
    let base_url = keys
        .get("base_url")
        .and_then(toml::Value::as_str)
        .unwrap_or_default();
    let (_, rest) = base_url.split_once("://").unwrap_or_default();
    rest.split_once('/')
        .map_or(String::new(), |(_, path)| format!("/{path}"))
}

/// Whether an answer says at least this: objects by the keys that are named, all else whole.
fn says(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| answer.get(key).is_some_and(|found| says(found, value))),
        (answer, expected) => answer == expected,
    }
}

fn rows_of(calven: &CalvenStandIn) -> Vec<String> {
    let rows = calven.rows().unwrap_or_default();
    let mut rows: Vec<String> = rows.iter().map(text_of).collect();
    rows.sort();
    rows
}

/// One case, from its start to its end.
struct Play<'a> {
    case: &'a Case,
    process: Process,
    calven: CalvenStandIn,
    hris: HrisStandIn,
    /// What is to be asked before the API's answers change, and how much was asked before that.
    expected: Vec<String>,
    asked_before: usize,
    /// What was posted, as it was.
    posted: Vec<Request>,
}

impl<'a> Play<'a> {
    async fn begin(preset: &str, case: &'a Case, folder: &Path) -> Self {
        let calven = calven("calven/api").await;
        let hris = HrisStandIn::start().await.unwrap();
        let mut known = secrets();
        known.insert("hris/case".to_owned(), case.secret.clone());
        if !case.api_secret.is_null() {
            known.insert("hris/api".to_owned(), case.api_secret.clone());
        }
        let all = known.values().map(Value::to_string);
        all.for_each(|secret| canaries::note_secret(&secret));
        std::fs::write(folder.join("secrets.json"), json!(known).to_string()).unwrap();
        let mut source = json!({"preset": preset, "secret_id": "hris/case"});
        if !case.api_secret.is_null() {
            source["base_url"] = json!(format!("{}{}", hris.url(), base_path(preset)));
        }
        for (key, value) in case.source.as_object().into_iter().flatten() {
            source[key] = value.clone();
        }
        let sources = format!("sources.case = {}\n", toml_of(&source));
        std::fs::write(folder.join("sources.toml"), sources).unwrap();
        let calven_url = calven.url();
        let seed_required = case.seed.is_some().to_string();
        let mut variables = vec![
            ("CALVEN_BASE_URL", calven_url.as_str()),
            ("CALVEN_SECRET_ID", "calven/api"),
            ("STATE_URL", "file:state.json"),
            ("SECRETS_FILE", "secrets.json"),
            ("SOURCES_FILE", "sources.toml"),
            ("SEED_REQUIRED", seed_required.as_str()),
        ];
        let more = case.environment.iter();
        variables.extend(more.map(|(name, value)| (name.as_str(), value.as_str())));
        let process = Process::start(folder, &variables).await;
        if let Some(rows) = &case.seed {
            let seed = json!({"action": "seed", "groupRelationships": rows, "occurredAt": "2020-01-01T00:00:00Z"});
            let seeded = report(process.invoke(seed).await);
            assert_eq!(seeded["status"], "published", "{seeded}");
        }
        Self {
            case,
            process,
            calven,
            hris,
            expected: Vec::new(),
            asked_before: 0,
            posted: Vec::new(),
        }
    }

    /// The API answers this from now on; all that it answered before was asked for.
    fn script(&mut self, answers: &[Api], told: &str) {
        self.assert_asked(told);
        self.asked_before = self.hris.lines().len();
        for api in answers {
            for (name, value) in &api.headers {
                self.hris.require(name, value);
            }
            let query: String = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&api.query)
                .finish();
            let line = match query.as_str() {
                "" => api.request.clone(),
                query => format!("{}?{query}", api.request),
            };
            let body = api.body.as_ref().map(Value::to_string).unwrap_or_default();
            let answer = String::from_utf8(body_of("api-answers", &api.answer)).unwrap();
            self.hris.answers(&line, &body, [(api.status, answer)]);
            self.expected.push(line);
        }
    }

    fn assert_asked(&mut self, told: &str) {
        let asked = self.hris.lines().split_off(self.asked_before);
        for line in self.expected.drain(..) {
            assert!(
                asked.contains(&line),
                "{told}: {line} was not asked, but {asked:?}"
            );
        }
        let unexpected = self.hris.unexpected();
        assert!(unexpected.is_empty(), "{told}: {unexpected:?}");
    }

    fn request(&self, step: &Step) -> Option<Request> {
        let mut request = match (&step.post, &step.get) {
            (Some(body), None) => {
                let mut request = Request::new("POST", "/webhooks/case");
                request.body = body_of("payloads", body);
                let id = step.event_id.as_deref().unwrap_or("msg_1");
                if let Some(sign) = &self.case.sign {
                    for (name, value) in sign.headers(&self.case.secret, id, &request.body) {
                        request = request.with(&name, &value);
                    }
                }
                request.with("content-type", "application/json")
            }
            (None, Some(_)) => Request::new("GET", "/webhooks/case"),
            (None, None) => return None,
            (Some(_), Some(_)) => panic!("a step posts or gets"),
        };
        for (name, value) in &step.headers {
            request = request.with(name, value);
        }
        Some(request)
    }

    async fn play(&mut self, step: &Step, told: &str) {
        if let Some(answers) = &step.api {
            self.script(answers, told);
        }
        let answer = match (self.request(step), &step.invoke) {
            (Some(mut request), None) => {
                request.query.clone_from(&step.query);
                let event = request.v2("$default");
                self.posted.push(request);
                let answer = Answer::of(&report(self.process.invoke(event).await));
                let status = step.status.unwrap_or(200);
                assert_eq!(answer.status, status, "{told}: {}", answer.body);
                answer.body
            }
            (None, Some(event)) => report(self.process.invoke(event.clone()).await),
            (None, None) => return,
            (Some(_), Some(_)) => panic!("{told}: a step sends or invokes"),
        };
        if let Some(expected) = &step.answer {
            assert!(
                says(&answer, expected),
                "{told}: {answer} does not say {expected}"
            );
        }
        if let Some(expected) = &step.calven {
            let expected = expected.iter().map(|row| {
                let row = serde_json::from_value(row.clone()).unwrap();
                text_of(&row)
            });
            let mut expected: Vec<String> = expected.collect();
            expected.sort();
            assert_eq!(rows_of(&self.calven), expected, "{told}: {answer}");
        }
    }
}

impl Play<'_> {
    /// Somebody who has seen all that was posted posts it again, the newest first and then the oldest.
    async fn post_all_again(&self) {
        let before = rows_of(&self.calven);
        let again = self.posted.iter().rev().chain(&self.posted);
        for request in again.filter(|request| request.method == "POST") {
            let answer = Answer::of(&report(self.process.invoke(request.v2("$default")).await));
            let told = format!("{}: {}", self.case.sentence, answer.body);
            assert_eq!(rows_of(&self.calven), before, "{told}");
        }
    }
}

async fn play(preset: &str, path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let case: Case =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let folder = tempfile::tempdir().unwrap();
    let mut play = Play::begin(preset, &case, folder.path()).await;
    for (index, step) in case.steps.iter().enumerate() {
        let told = format!("{}, step {index}: {}", path.display(), case.sentence);
        play.play(step, &told).await;
    }
    play.assert_asked(&case.sentence);
    if crate::replay::is_harmless(preset) {
        play.post_all_again().await;
    }
    let log = play.process.end().await;
    for secret in [&case.secret, &case.api_secret] {
        for value in secret
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, value)| value.as_str())
        {
            assert!(
                !log.contains(value),
                "{}: a secret is in the log",
                path.display()
            );
        }
    }
}

/// The folders of cases, by preset.
pub(crate) fn cases() -> BTreeMap<String, Vec<std::path::PathBuf>> {
    let mut cases = BTreeMap::new();
    for folder in std::fs::read_dir(root().join("tests/fixtures/presets")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        cases.insert(name, files);
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_every_preset_holds_at_the_built_function() {
    let mut played = 0;
    for (preset, files) in cases() {
        for file in files {
            play(&preset, &file).await;
            played += 1;
        }
    }
    assert!(played > 28, "{played}");
}
