//! `sources.toml`: who the sources are and how each proves itself.
//!
//! All problems are collected, each with the path of its key, so that one look mends the file.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use toml::{Table, Value};

use super::{
    given::{Asked, Given},
    handshake::Handshake,
    mapping::Mapping,
    presets,
    proof::Proof,
    reader::{KeyPath, Reader, SourcesProblem},
    snapshot::{self, Snapshot},
};
use crate::{
    hierarchy::{GroupType, SourceName},
    http::BaseUrl,
};

/// How deep in the file a source's own table lies: `sources`, and its name.
const DEPTH: usize = 2;

/// Names that mean a source of the bridge's own.
const RESERVED: [&str; 2] = ["manual", "capillary"];

/// Headers that hold secrets, whoever sends them.
const SECRETS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// Reads a configured source's name: the last segment of its address, letter case kept.
///
/// # Errors
/// Where it is no plain URL path segment, or is reserved.
pub fn source_name(text: &str) -> Result<SourceName, SourceNameError> {
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    if !starts_well || !bytes.all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        return Err(SourceNameError::NoPathSegment);
    }
    if RESERVED.contains(&text) {
        return Err(SourceNameError::Reserved);
    }
    Ok(SourceName::new(text))
}

/// Why a text is no source's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceNameError {
    /// It could not stand in a URL as it is.
    #[error(
        "is no name for a source: letters, digits, - and _ are accepted, beginning with a letter or digit"
    )]
    NoPathSegment,
    /// It names a source of the bridge's own.
    #[error("is reserved for the bridge's own use, as are manual and capillary")]
    Reserved,
}

/// One configured sender.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// The preset that its own keys lie over, if it names one.
    pub preset: Option<&'static str>,
    /// Name or ARN of the secret by which it proves itself.
    pub secret_id: String,
    /// The higher one wins a conflict between sources.
    pub priority: i64,
    /// How long the sender waits for an answer, where that is known.
    pub patience: Option<Duration>,
    /// How it proves itself.
    pub proof: Proof,
    /// What it wants answered before it sends anything.
    pub handshake: Option<Handshake>,
    /// What its bodies mean.
    pub mapping: Mapping,
    /// How it is read again.
    pub rereading: Rereading,
    own: Table,
}

/// Whether and how a source is read again.
#[derive(Clone, Debug)]
pub enum Rereading {
    /// It has no snapshot.
    Never,
    /// It has one, but keys are missing, or have a fault that is told elsewhere.
    Lacking {
        /// Which.
        keys: Vec<&'static str>,
        /// What would be asked, as far as it is there.
        snapshot: Option<Box<Snapshot>>,
    },
    /// By this.
    Ready(Box<Api>),
}

/// A source's API.
#[derive(Clone, Debug)]
pub struct Api {
    /// What everything is asked below.
    pub base_url: BaseUrl,
    /// Name or ARN of the secret that the API takes.
    pub secret_id: String,
    /// What is asked, and what the answers mean.
    pub snapshot: Snapshot,
}

impl Source {
    /// How its API is read as a whole, whether or not all is there to do it.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match &self.rereading {
            Rereading::Never => None,
            Rereading::Lacking { keys: _, snapshot } => snapshot.as_deref(),
            Rereading::Ready(api) => Some(&api.snapshot),
        }
    }

    /// What must be kept of what came beside a webhook, for it to be mapped again later. None where that holds a secret:
    /// such a webhook is not to lie anywhere.
    pub fn to_keep(&self, given: &Given) -> Option<Given> {
        let mut asked = Asked::default();
        self.proof.asks(&mut asked);
        self.mapping.asks(&mut asked);
        let is_secret =
            |name: &String| SECRETS.contains(&name.as_str()) || name == self.proof.secret_header();
        (!asked.headers.iter().any(is_secret)).then(|| given.only(&asked))
    }

    /// Whose a key is: this file's, or the preset's.
    pub fn owner_of(&self, key: &KeyPath, file: &str) -> String {
        match self.preset {
            Some(preset) if !key.is_in(&self.own, DEPTH) => format!("the preset {preset}"),
            Some(_) | None => file.to_owned(),
        }
    }
}

/// What `sources.toml` says of Capillary's orgs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapillarySource {
    /// Calven's group type for each `orgType` that has one of its own.
    pub group_types: BTreeMap<String, GroupType>,
    /// The higher one wins a conflict between sources.
    pub priority: i64,
}

/// The whole of `sources.toml`.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configured senders, by name.
    pub by_name: BTreeMap<SourceName, Source>,
    /// Capillary, which is no sender, but states things like one.
    pub capillary: CapillarySource,
}

impl Sources {
    /// Reads the text of a `sources.toml`.
    ///
    /// # Errors
    /// Every problem, each naming its key's path; a text that is no TOML is one.
    pub fn parse(text: &str) -> Result<Self, Vec<SourcesProblem>> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            vec![SourcesProblem {
                key: KeyPath::default(),
                reason: format!("line {line} is no TOML: {}", error.message()),
            }]
        })?;
        let mut problems = Vec::new();
        let root = KeyPath::default();
        let mut reader = Reader::new(root.clone(), table, &mut problems);
        let sources = match reader.value("sources") {
            None => Table::new(),
            Some(Value::Table(sources)) => sources,
            Some(_) => {
                reader.problem("sources", "must be a table");
                Table::new()
            }
        };
        let capillary = reader
            .child("capillary")
            .map(|mut capillary| {
                let read = read_capillary(&mut capillary);
                capillary.finish();
                read
            })
            .unwrap_or_default();
        reader.finish();
        let mut by_name = BTreeMap::new();
        for (name, value) in sources {
            let path = root.key("sources").key(&name);
            if let Some(source) = read_source(&name, value, path, &mut problems) {
                by_name.insert(source.name.clone(), source);
            }
        }
        if problems.is_empty() {
            Ok(Self { by_name, capillary })
        } else {
            Err(problems)
        }
    }

    /// Sources that have the secret of one before them, with that one. A proof says of no source which one it is for, so what is
    /// captured of one can be sent in the name of the other.
    pub fn sharing_a_secret(&self) -> Vec<(&SourceName, &SourceName)> {
        let mut owners: BTreeMap<&str, &SourceName> = BTreeMap::new();
        let mut sharing = Vec::new();
        for (name, source) in &self.by_name {
            match owners.entry(&source.secret_id) {
                Entry::Vacant(none) => {
                    none.insert(name);
                }
                Entry::Occupied(owner) => sharing.push((name, *owner.get())),
            }
        }
        sharing
    }
}

fn read_source(
    name: &str,
    value: Value,
    path: KeyPath,
    problems: &mut Vec<SourcesProblem>,
) -> Option<Source> {
    let Value::Table(own) = value else {
        problems.push(SourcesProblem {
            key: path,
            reason: "must be a table".to_owned(),
        });
        return None;
    };
    let others = problems.len();
    let mut source = Reader::new(path.clone(), own.clone(), problems);
    let parsed_name = source_name(name)
        .map_err(|error| source.problem_here(error.to_string()))
        .ok();
    let known: Vec<(&str, &str)> = presets::names().map(|name| (name, name)).collect();
    let preset = source.one_of("preset", &known);
    let merge = || {
        let under = preset.and_then(presets::table).unwrap_or_default();
        let mut merged = presets::overlay(under, own.clone());
        merged.remove("preset");
        merged
    };
    let mut source = Reader::new(path, merge(), problems);
    let secret_id = source.required_text("secret_id");
    let priority = source.integer("priority").unwrap_or(0);
    let patience = source.count("patience_seconds").map(Duration::from_secs);
    let proof = Proof::read(&mut source);
    let handshake = source.child("handshake").and_then(|mut table| {
        let handshake = Handshake::read(&mut table);
        table.finish();
        handshake
    });
    let mapping = Mapping::read(&mut source);
    let rereading = read_rereading(&mut source);
    source.finish();
    if let Some(preset) = preset
        && problems.len() > others
    {
        let merged = merge();
        for problem in problems.iter_mut().skip(others) {
            if !problem.key.is_in(&own, DEPTH) && problem.key.is_in(&merged, DEPTH) {
                problem
                    .reason
                    .push_str(&format!(" (from the preset {preset})"));
            }
        }
    }
    Some(Source {
        name: parsed_name?,
        preset,
        secret_id: secret_id?,
        priority,
        patience,
        proof: proof?,
        handshake,
        mapping: mapping?,
        rereading,
        own,
    })
}

/// A source without a snapshot takes the keys of one all the same: its user may have written them down beforehand.
fn read_rereading(source: &mut Reader<'_>) -> Rereading {
    let secret_id = source.text("api_secret_id");
    let base_url = source.text("base_url").and_then(|text| {
        BaseUrl::parse(&text)
            .map_err(|fault| source.problem("base_url", fault.to_string()))
            .ok()
    });
    let mut lacking = Vec::new();
    if secret_id.is_none() {
        lacking.push("api_secret_id");
    }
    if base_url.is_none() {
        lacking.push("base_url");
    }
    let Some(mut table) = source.child("snapshot") else {
        return Rereading::Never;
    };
    if !table.has("path") {
        lacking.push("snapshot.path");
        // What is there is read all the same, for its faults.
        table.set("path", "/");
    }
    let snapshot = snapshot::read(&mut table);
    table.finish();
    match (secret_id, base_url, snapshot) {
        (Some(secret_id), Some(base_url), Some(snapshot)) if lacking.is_empty() => {
            Rereading::Ready(Box::new(Api {
                base_url,
                secret_id,
                snapshot,
            }))
        }
        (_, _, snapshot) => Rereading::Lacking {
            keys: lacking,
            snapshot: snapshot.map(Box::new),
        },
    }
}

fn read_capillary(capillary: &mut Reader<'_>) -> CapillarySource {
    let priority = capillary.integer("priority").unwrap_or(0);
    let mut group_types = BTreeMap::new();
    if let Some(mut types) = capillary.child("group_types") {
        for org_type in types.keys() {
            let Some(text) = types.text(&org_type) else {
                continue;
            };
            match GroupType::new(&text) {
                Ok(group_type) => {
                    group_types.insert(org_type, group_type);
                }
                Err(fault) => types.problem(&org_type, fault.to_string()),
            }
        }
    }
    CapillarySource {
        group_types,
        priority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_problems(text: &str, expected: &[&str]) {
        let problems = Sources::parse(text).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, expected);
    }

    fn tolerance_of(sources: &Sources, name: &str) -> u64 {
        let source = sources.by_name.get(name).unwrap();
        source.proof.tolerance().unwrap().as_secs()
    }

    #[test]
    fn a_source_needs_little_and_may_say_more() {
        let text = r#"
            [sources.acme]
            preset = "generic"
            secret_id = "hris/acme"

            [sources.People-2]
            preset = "generic"
            secret_id = "hris/people"
            priority = -10
            patience_seconds = 3
            signature = { tolerance_seconds = 315360000 }

            [capillary]
            priority = 5
            group_types = { STORE = "Store" }
        "#;
        let sources = Sources::parse(text).unwrap();
        let acme = sources.by_name.get("acme").unwrap();
        assert_eq!((acme.priority, acme.patience), (0, None));
        assert_eq!(tolerance_of(&sources, "acme"), 300);
        let people = sources.by_name.get("People-2").unwrap();
        assert_eq!(people.secret_id, "hris/people");
        assert_eq!(people.priority, -10);
        assert_eq!(people.patience, Some(Duration::from_secs(3)));
        assert_eq!(tolerance_of(&sources, "People-2"), 315_360_000);
        assert_eq!(sources.capillary.priority, 5);
        assert_eq!(sources.capillary.group_types["STORE"].as_str(), "Store");
        assert!(!sources.by_name.contains_key("people-2"));
    }

    #[test]
    fn what_is_kept_of_a_webhook_is_what_any_key_asks_for() {
        let text = r#"
            [sources.x]
            secret_id = "x"
            proof = "signature"
            event_id = ["$.id", "header:H1"]
            events.type = "header:H2"
            events.meaning = { "*" = "say" }
            events.when = { "*" = [{ at = "query:Q1" }] }
            [sources.x.signature]
            header = "X-Signature"
            hash = "sha256"
            encoding = "hex"
            signed = "{id}.{timestamp}.{body}"
            key = "utf-8"
            id_header = "H3"
            timestamp_header = "H4"
            [sources.x.groups.a]
            key = { from = ["$.key", "header:H5"] }
            name = "header:H6"
            type = "query:Q2"
            parent_key = "header:H7"
            parent_name = "header:H8"
            parent_type = "header:H9"
            time = "header:H10"
            when = [{ at = "header:H11" }]
            removed = [{ at = "header:H12" }]
            members = { at = "$.members", key = "header:H13" }
            [sources.x.persons.b]
            id = "header:H14"
            time = "header:H15"
            chain = [{ name = "header:H16", type = "header:H17" }]
        "#;
        let sources = Sources::parse(text).unwrap();
        let source = sources.by_name.get("x").unwrap();
        let numbered = |start: &str, count: usize| {
            let names = (1..=count).map(|n| format!("{start}{n}"));
            names.map(|name| (name, "v".to_owned())).collect()
        };
        let mut given = Given {
            headers: numbered("h", 17),
            query: numbered("Q", 2),
        };
        given
            .headers
            .insert("content-type".to_owned(), "v".to_owned());
        let expected = given.clone();
        for name in ["x-signature", "authorization", "cookie", "x-other"] {
            given.headers.insert(name.to_owned(), "v".to_owned());
        }
        given.query.insert("token".to_owned(), "v".to_owned());
        assert_eq!(source.to_keep(&given), Some(expected));
    }

    #[test]
    fn what_a_rule_asks_of_the_whole_body_is_one_value_wherever_it_stands_in_the_rule() {
        let file =
            |rules: &str| format!("[sources.x]\nsecret_id = 'x'\nproof = 'bearer'\n{rules}\n");
        let group = |keys: &str| format!("groups.G = {{ {keys} }}");
        let named = "name = '$.n', type = '$.t'";
        let keyed = |keys: &str| group(&format!("key = '$.k', {keys}"));
        let person = |keys: &str| format!("persons.P = {{ {keys} }}");
        let member = |keys: &str| keyed(&format!("members = {{ at = '$.m', {keys} }}"));
        let snapshot = |rule: &str| {
            format!(
                "api_secret_id = 'y'\nbase_url = 'https://a.example'\nsnapshot.path = '/'\nsnapshot.{rule}"
            )
        };
        let rules = [
            (group("name = 'PLACE', type = '$.t'"), "groups.G.name"),
            (group("name = '$.n', type = 'PLACE'"), "groups.G.type"),
            (group("key = 'PLACE'"), "groups.G.key"),
            (group("key = ['$.k', 'PLACE']"), "groups.G.key[1]"),
            (group("key = { from = 'PLACE' }"), "groups.G.key.from"),
            (
                group("key = { from = ['$.k', 'PLACE'] }"),
                "groups.G.key.from[1]",
            ),
            (
                group("key = ['$.k', { from = ['PLACE'] }]"),
                "groups.G.key[1].from[0]",
            ),
            (keyed("time = 'PLACE'"), "groups.G.time"),
            (
                keyed("when = [{ at = '$.a' }, { at = 'PLACE' }]"),
                "groups.G.when[1].at",
            ),
            (
                keyed("removed = [{ at = 'PLACE', is = [1] }]"),
                "groups.G.removed[0].at",
            ),
            (keyed("parent_key = 'PLACE'"), "groups.G.parent_key"),
            (
                keyed("parent_name = 'PLACE', parent_type = '$.t'"),
                "groups.G.parent_name",
            ),
            (
                keyed("parent_name = '$.n', parent_type = 'PLACE'"),
                "groups.G.parent_type",
            ),
            (member("key = 'PLACE'"), "groups.G.members.key"),
            (
                member("name = { from = 'PLACE' }, type = '$.t'"),
                "groups.G.members.name.from",
            ),
            (
                member("name = '$.n', type = 'PLACE'"),
                "groups.G.members.type",
            ),
            (person("id = 'PLACE'"), "persons.P.id"),
            (person("id = '$.i', time = 'PLACE'"), "persons.P.time"),
            (
                person("id = '$.i', when = [{ at = 'PLACE' }]"),
                "persons.P.when[0].at",
            ),
            (
                person("id = '$.i', removed = [{ at = 'PLACE' }]"),
                "persons.P.removed[0].at",
            ),
            (
                person(&format!(
                    "id = '$.i', chain = [{{ {named} }}, {{ key = 'PLACE' }}]"
                )),
                "persons.P.chain[1].key",
            ),
            (
                person("id = '$.i', chain = [{ name = ['PLACE'], type = '$.t' }]"),
                "persons.P.chain[0].name[0]",
            ),
            (
                person("id = '$.i', chain = [{ name = '$.n', type = { from = 'PLACE' } }]"),
                "persons.P.chain[0].type.from",
            ),
        ];
        for (rule, key) in rules {
            let told = |above: &str| {
                format!(
                    "sources.x.{above}{key} must name one value, without \"..\", \"*\", filters, slices and commas: it is searched for every record"
                )
            };
            for many in ["body:$..n", "body:$.a[*].n", "body:$.a[?@.b].n"] {
                let rule = rule.replace("PLACE", many);
                check_problems(&file(&rule), &[&told("")]);
                check_problems(&file(&snapshot(&rule)), &[&told("snapshot.")]);
            }
            let rule = rule.replace("PLACE", "body:$.a.b[0]");
            for text in [file(&rule), file(&snapshot(&rule))] {
                assert!(Sources::parse(&text).is_ok(), "{text}");
            }
        }
        // What is read once a body may search it, whatever the source is called.
        for name in ["groups", "persons"] {
            let text = format!(
                "sources.{name} = {{ secret_id = 'x', proof = 'bearer', event_id = ['body:$..id'], \
                 events = {{ type = 'body:$..e', meaning = {{ groups = 'say' }}, when = {{ groups = [{{ at = 'body:$..w' }}] }} }}, \
                 groups.groups = {{ key = '$.k' }} }}"
            );
            assert!(Sources::parse(&text).is_ok(), "{:?}", Sources::parse(&text));
        }
    }

    #[test]
    fn a_file_without_sources_is_a_file() {
        assert!(Sources::parse("").unwrap().by_name.is_empty());
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_paths() {
        let presets = presets::names().collect::<Vec<_>>().join(", ");
        check_problems(
            r#"
                colour = 1
                [sources.acme]
                preset = "nobody"
                proof = "bearer"
                priority = "high"
                secret = "hris/acme"
                [sources.bare]
                secret_id = "x"
                [sources.manual]
                preset = "generic"
                secret_id = ""
                [sources.people]
                preset = "kombo"
                secret_id = "x"
                base_url = "http://api.kombo.dev"
                patience_seconds = 0
                snapshot = { path = "hris", max_pages = "many" }
                [sources."a/b"]
                preset = "generic"
                secret_id = "x"
                signature = { tolerance_seconds = 0, colour = 1 }
                [capillary]
                group_types = { STORE = 7 }
            "#,
            &[
                "capillary.group_types.STORE must be a text that is not empty",
                "colour is not known",
                "sources.\"a/b\" is no name for a source: letters, digits, - and _ are accepted, beginning with a letter or digit",
                "sources.\"a/b\".signature.tolerance_seconds must be greater than 0",
                "sources.\"a/b\".signature.colour is not known",
                &format!("sources.acme.preset must be one of: {presets}"),
                "sources.acme.secret_id is missing",
                "sources.acme.priority must be a whole number",
                "sources.acme.secret is not known",
                "sources.bare.proof is missing: one of signature, bearer, basic, header",
                "sources.manual is reserved for the bridge's own use, as are manual and capillary",
                "sources.manual.secret_id must be a text that is not empty",
                "sources.people.patience_seconds must be greater than 0",
                "sources.people.base_url must begin with https:// (http:// is for this machine's own hosts only)",
                "sources.people.snapshot.path must begin with a slash, without a query and without \"..\"",
                "sources.people.snapshot.max_pages must be a whole number",
            ],
        );
    }

    #[test]
    fn what_a_preset_brings_and_does_not_fit_is_told_as_the_preset_s() {
        check_problems(
            r#"
                [sources.people]
                preset = "kombo"
                secret_id = "x"
                snapshot = { query = { cursor = "x" } }
            "#,
            &[
                "sources.people.snapshot.pages names a parameter that is given already (from the preset kombo)",
            ],
        );
    }

    #[test]
    fn what_a_re_read_lacks_is_known() {
        let sources = Sources::parse(
            "sources.a = { preset = \"gusto\", secret_id = \"x\" }\nsources.b = { preset = \"okta\", secret_id = \"y\" }",
        )
        .unwrap();
        let rereading = |name: &str| &sources.by_name.get(name).unwrap().rereading;
        let Rereading::Lacking { keys, .. } = rereading("a") else {
            panic!("{:?}", rereading("a"));
        };
        assert_eq!(keys, &["api_secret_id", "snapshot.path"]);
        assert!(matches!(rereading("b"), Rereading::Never));
    }

    #[test]
    fn a_text_that_is_no_toml_is_told_by_its_line() {
        let problems = Sources::parse("[sources.acme]\npreset = \n").unwrap_err();
        assert!(
            problems[0].to_string().starts_with("line 2 is no TOML: "),
            "{}",
            problems[0]
        );
    }
}
