//! `sources.toml`: who the sources are and how each proves itself.
//!
//! All problems are collected, each with the path of its key, so that one look mends the file.

use std::{collections::BTreeMap, fmt, time::Duration};

use toml::{Table, Value};

use crate::hierarchy::{GroupType, SourceName};

/// The largest difference between a signature's time and ours, unless a source says otherwise.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

/// Names that mean a source of the bridge's own.
const RESERVED: [&str; 2] = ["manual", "capillary"];

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

/// How a sender proves itself and what its bodies mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Whoever can be taught to post our own JSON, signed by Standard Webhooks.
    Generic,
}

impl Preset {
    const ALL: [Self; 1] = [Self::Generic];

    /// Its name in `sources.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
        }
    }
}

/// One configured sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// How it speaks.
    pub preset: Preset,
    /// Name or ARN of the secret by which it proves itself.
    pub secret_id: String,
    /// The higher one wins a conflict between sources.
    pub priority: i64,
    /// How far the time of a signature may lie from ours, both ways.
    pub tolerance: Duration,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
                key: format!("line {line}"),
                reason: format!("is no TOML: {}", error.message()),
            }]
        })?;
        let mut problems = Vec::new();
        let mut root = Reader::new("", table, &mut problems);
        let sources = root.table("sources").unwrap_or_default();
        let capillary = root.table("capillary");
        root.finish();
        let mut by_name = BTreeMap::new();
        for (name, value) in sources {
            if let Some(source) = read_source(&name, value, &mut problems) {
                by_name.insert(source.name.clone(), source);
            }
        }
        let capillary = capillary
            .map(|table| read_capillary(table, &mut problems))
            .unwrap_or_default();
        if problems.is_empty() {
            Ok(Self { by_name, capillary })
        } else {
            Err(problems)
        }
    }
}

/// One thing that is wrong in `sources.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesProblem {
    key: String,
    reason: String,
}

impl fmt::Display for SourcesProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, reason } = self;
        write!(f, "{key} {reason}")
    }
}

fn read_source(name: &str, value: Value, problems: &mut Vec<SourcesProblem>) -> Option<Source> {
    let path = format!("sources.{name}");
    let parsed_name = source_name(name);
    let Value::Table(table) = value else {
        problems.push(SourcesProblem {
            key: path,
            reason: "must be a table".to_owned(),
        });
        return None;
    };
    let mut source = Reader::new(&path, table, problems);
    if let Err(error) = parsed_name {
        source.problem(None, error.to_string());
    }
    let preset = source.required_string("preset").and_then(|name| {
        let preset = Preset::ALL.into_iter().find(|preset| preset.name() == name);
        if preset.is_none() {
            let known = Preset::ALL.map(Preset::name).join(", ");
            source.problem(Some("preset"), format!("must be one of: {known}"));
        }
        preset
    });
    let secret_id = source.required_string("secret_id");
    let priority = source.integer("priority").unwrap_or(0);
    let signature = source.table("signature");
    source.finish();
    let tolerance = signature.map_or(Some(DEFAULT_TOLERANCE), |table| {
        let mut signature = Reader::new(&format!("{path}.signature"), table, problems);
        let key = "tolerance_seconds";
        let seconds = signature.integer(key);
        let tolerance = match seconds.map(u64::try_from) {
            None => Some(DEFAULT_TOLERANCE),
            Some(Ok(seconds @ 1..)) => Some(Duration::from_secs(seconds)),
            Some(Ok(0) | Err(_)) => {
                signature.problem(Some(key), "must be greater than 0".to_owned());
                None
            }
        };
        signature.finish();
        tolerance
    });
    Some(Source {
        name: parsed_name.ok()?,
        preset: preset?,
        secret_id: secret_id?,
        priority,
        tolerance: tolerance?,
    })
}

fn read_capillary(table: Table, problems: &mut Vec<SourcesProblem>) -> CapillarySource {
    let mut capillary = Reader::new("capillary", table, problems);
    let priority = capillary.integer("priority").unwrap_or(0);
    let types = capillary.table("group_types").unwrap_or_default();
    capillary.finish();
    let mut reader = Reader::new("capillary.group_types", types, problems);
    let org_types: Vec<String> = reader.table.keys().cloned().collect();
    let group_types = org_types
        .into_iter()
        .filter_map(|org_type| {
            let text = reader.required_string(&org_type)?;
            match GroupType::new(&text) {
                Ok(group_type) => Some((org_type, group_type)),
                Err(fault) => {
                    reader.problem(Some(&org_type), fault.to_string());
                    None
                }
            }
        })
        .collect();
    CapillarySource {
        group_types,
        priority,
    }
}

/// Takes keys out of a table; what is left in the end is unknown.
struct Reader<'a> {
    path: String,
    table: Table,
    problems: &'a mut Vec<SourcesProblem>,
}

impl<'a> Reader<'a> {
    fn new(path: &str, table: Table, problems: &'a mut Vec<SourcesProblem>) -> Self {
        let path = path.to_owned();
        Self {
            path,
            table,
            problems,
        }
    }

    fn required_string(&mut self, key: &str) -> Option<String> {
        match self.table.remove(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => return Some(text),
            Some(_) => self.problem(Some(key), "must be a text that is not empty".to_owned()),
            None => self.problem(Some(key), "is missing".to_owned()),
        }
        None
    }

    fn integer(&mut self, key: &str) -> Option<i64> {
        match self.table.remove(key)? {
            Value::Integer(number) => return Some(number),
            _ => self.problem(Some(key), "must be a whole number".to_owned()),
        }
        None
    }

    fn table(&mut self, key: &str) -> Option<Table> {
        match self.table.remove(key)? {
            Value::Table(table) => return Some(table),
            _ => self.problem(Some(key), "must be a table".to_owned()),
        }
        None
    }

    fn problem(&mut self, key: Option<&str>, reason: String) {
        let path: Vec<&str> = [Some(self.path.as_str()), key]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        self.problems.push(SourcesProblem {
            key: path.join("."),
            reason,
        });
    }

    fn finish(mut self) {
        for key in std::mem::take(&mut self.table)
            .into_iter()
            .map(|(key, _)| key)
        {
            self.problem(Some(&key), "is not known".to_owned());
        }
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
            signature = { tolerance_seconds = 315360000 }

            [capillary]
            priority = 5
            group_types = { STORE = "Store" }
        "#;
        let sources = Sources::parse(text).unwrap();
        let acme = sources.by_name.get("acme").unwrap();
        assert_eq!((acme.priority, acme.tolerance), (0, DEFAULT_TOLERANCE));
        let people = sources.by_name.get("People-2").unwrap();
        assert_eq!(people.secret_id, "hris/people");
        assert_eq!(people.priority, -10);
        assert_eq!(people.tolerance, Duration::from_secs(315_360_000));
        assert_eq!(sources.capillary.priority, 5);
        assert_eq!(sources.capillary.group_types["STORE"].as_str(), "Store");
        assert!(!sources.by_name.contains_key("people-2"));
    }

    #[test]
    fn a_file_without_sources_is_a_file() {
        assert_eq!(Sources::parse(""), Ok(Sources::default()));
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_paths() {
        check_problems(
            r#"
                colour = 1
                [sources.acme]
                preset = "nobody"
                priority = "high"
                secret = "hris/acme"
                [sources.manual]
                preset = "generic"
                secret_id = ""
                [sources."a/b"]
                preset = "generic"
                secret_id = "x"
                signature = { tolerance_seconds = 0, colour = 1 }
                [capillary]
                group_types = { STORE = 7 }
            "#,
            &[
                "colour is not known",
                "sources.a/b is no name for a source: letters, digits, - and _ are accepted, beginning with a letter or digit",
                "sources.a/b.signature.tolerance_seconds must be greater than 0",
                "sources.a/b.signature.colour is not known",
                "sources.acme.preset must be one of: generic",
                "sources.acme.secret_id is missing",
                "sources.acme.priority must be a whole number",
                "sources.acme.secret is not known",
                "sources.manual is reserved for the bridge's own use, as are manual and capillary",
                "sources.manual.secret_id must be a text that is not empty",
                "capillary.group_types.STORE must be a text that is not empty",
            ],
        );
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
