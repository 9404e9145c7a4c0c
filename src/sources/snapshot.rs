//! How a source's API is read as a whole: its `[snapshot]`.
//!
//! Host, path and headers come from the configuration alone. An answer that is not what the configuration
//! expects is not usable at all: an API that tells of failures with status 200 must not look like a company
//! without groups.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use serde_json_path::JsonPath;

pub(crate) use super::pages::Ask;
use super::{
    condition::Condition,
    given::Given,
    pages::Pages,
    place::Here,
    reader::{KeyPath, Reader},
    rules::{Outcome, Rules},
    search::json_path,
};
use crate::{hierarchy::Scope, http::added_header};

/// How many pages are asked for, unless a source says otherwise.
const MAX_PAGES: u64 = 1_000;

/// How one source is read again.
#[derive(Clone, Debug)]
pub struct Snapshot {
    path: String,
    query: BTreeMap<String, String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Of a POST.
    body: Option<Map<String, Value>>,
    lists: Vec<(KeyPath, JsonPath)>,
    expect: Vec<Condition>,
    expect_key: KeyPath,
    max_pages: u64,
    complete: Complete,
    pages: Pages,
    rules: Rules,
}

/// What all pages together are complete of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Complete {
    Groups,
    Persons,
    Nothing,
}

/// What one page is asked with.
#[derive(Debug, PartialEq)]
pub(crate) struct Question<'a> {
    /// Below the base URL.
    pub(crate) path: &'a str,
    /// The parameters of the query, in order.
    pub(crate) query: Vec<(&'a str, String)>,
    /// The headers that the configuration adds.
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// The body of a POST; `None` for a GET.
    pub(crate) body: Option<Value>,
}

/// What one page says.
#[derive(Debug)]
pub(crate) struct Page {
    /// What its records say, and which have faults.
    pub(crate) outcome: Outcome,
    /// The page after it.
    pub(crate) next: Option<Ask>,
    /// Whether it tells if there is one.
    pub(crate) is_told: bool,
}

/// Why an answer is not the one that was asked for: the key in `sources.toml` that it does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// A condition does not hold.
    #[error("is not as {0} wants it")]
    Unexpected(KeyPath),
    /// A list is not there, is no array, or is there more than once.
    #[error("does not have exactly one array at {0}")]
    NoList(KeyPath),
    /// The value for the next page is an object or array.
    #[error("does not have a single value at {0}")]
    NoCursor(KeyPath),
}

impl Snapshot {
    /// The first page.
    pub(crate) fn first(&self) -> Ask {
        self.pages.first()
    }

    /// How a page is asked for.
    pub(crate) fn question(&self, ask: &Ask) -> Question<'_> {
        let mut query: Vec<(&str, String)> = self
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        let mut body = self.body.clone();
        if let (Some(parameter), Some(value)) = (self.pages.parameter(), &ask.0) {
            match &mut body {
                Some(body) if parameter.in_body => {
                    body.insert(parameter.name.clone(), value.clone());
                }
                Some(_) | None => query.push((&parameter.name, text_of(value))),
            }
        }
        Question {
            path: &self.path,
            query,
            headers: &self.headers,
            body: body.map(Value::Object),
        }
    }

    /// Reads the answer to a question.
    ///
    /// # Errors
    /// [`PageFault`]: nothing of such an answer counts.
    pub(crate) fn page(&self, ask: &Ask, answer: &Value) -> Result<Page, PageFault> {
        let given = Given::default();
        let here = Here::body(answer, &given);
        if !self.expect.iter().all(|condition| condition.holds(here)) {
            return Err(PageFault::Unexpected(self.expect_key.clone()));
        }
        let mut items = 0_usize;
        for (key, list) in &self.lists {
            match list.query(answer).all().as_slice() {
                [Value::Array(found)] => items = items.saturating_add(found.len()),
                _ => return Err(PageFault::NoList(key.clone())),
            }
        }
        Ok(Page {
            // No times are read: all is as of the first request.
            outcome: self.rules.statements(answer, &given, false, None),
            next: self
                .pages
                .next(ask, here, items)
                .map_err(PageFault::NoCursor)?,
            is_told: self.pages.is_told(here),
        })
    }

    /// How many pages are asked for at most.
    pub(crate) const fn max_pages(&self) -> u64 {
        self.max_pages
    }

    /// What all pages together are complete of.
    pub(crate) const fn complete(&self) -> Option<Scope> {
        match self.complete {
            Complete::Groups => Some(Scope::Groups),
            Complete::Persons => Some(Scope::Persons),
            Complete::Nothing => None,
        }
    }
}

/// Reads the keys of `[snapshot]`; what is wrong is noted.
pub(super) fn read(snapshot: &mut Reader<'_>) -> Option<Snapshot> {
    let path = snapshot.required_text("path");
    let is_below = |path: &&String| {
        path.starts_with('/') && !path.contains(['?', '#', '\\']) && !path.contains("/..")
    };
    if path.is_some() && path.as_ref().filter(is_below).is_none() {
        snapshot.problem(
            "path",
            "must begin with a slash, without a query and without \"..\"",
        );
    }
    let query = snapshot.child("query").map(texts).unwrap_or_default();
    let headers = snapshot.child("headers").map(headers).unwrap_or_default();
    let body = body(snapshot);
    let has_lists = snapshot.has("lists");
    let lists = lists(snapshot);
    let expect_key = snapshot.path("expect");
    let expect = Condition::read_all(snapshot, "expect");
    let max_pages = snapshot.count("max_pages").unwrap_or(MAX_PAGES);
    let words = [
        ("groups", Complete::Groups),
        ("persons", Complete::Persons),
        ("none", Complete::Nothing),
    ];
    let complete = snapshot.one_of("complete", &words);
    let pages = match snapshot.child("pages") {
        Some(mut table) => {
            let pages = Pages::read(&mut table);
            table.finish();
            pages
        }
        None => Pages::One,
    };
    if pages.ends_with_an_empty_page() && lists.is_empty() {
        snapshot.problem("lists", "is missing: an empty page is the last one");
    }
    if let Some(parameter) = pages.parameter() {
        let given_twice = match &body {
            Some(body) if parameter.in_body => body.contains_key(&parameter.name),
            Some(_) | None => query.contains_key(&parameter.name),
        };
        if given_twice {
            snapshot.problem("pages", "names a parameter that is given already");
        }
        if parameter.in_body && body.is_none() {
            snapshot.problem("pages", "has in_body, which needs method = \"POST\"");
        }
    }
    let wanted = match complete {
        Some(Complete::Groups) => Some("groups"),
        Some(Complete::Persons) => Some("persons"),
        Some(Complete::Nothing) | None => None,
    };
    if let Some(wanted) = wanted {
        if !has_lists && !pages.ends_with_an_empty_page() {
            let reason =
                "is missing: without a list that must be there any answer would be complete";
            snapshot.problem("lists", reason);
        }
        if !snapshot.has(wanted) {
            snapshot.problem("complete", format!("needs rules in snapshot.{wanted}"));
        }
    }
    let rules = Rules::read(snapshot);
    Some(Snapshot {
        path: path?,
        query,
        headers,
        body,
        lists,
        expect,
        expect_key,
        max_pages,
        complete: complete.unwrap_or(Complete::Nothing),
        pages,
        rules,
    })
}

/// A table of texts.
fn texts(mut table: Reader<'_>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for key in table.keys() {
        if let Some(text) = table.text(&key) {
            texts.insert(key, text);
        }
    }
    texts
}

fn headers(mut table: Reader<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for key in table.keys() {
        let Some(text) = table.text(&key) else {
            continue;
        };
        match (added_header(&key), HeaderValue::try_from(text)) {
            (Some(name), Ok(value)) => headers.push((name, value)),
            (None, _) => table.problem(&key, "is no header that can be added"),
            (Some(_), Err(_)) => table.problem(&key, "cannot stand in a header"),
        }
    }
    headers
}

/// The body, where the method is POST.
fn body(snapshot: &mut Reader<'_>) -> Option<Map<String, Value>> {
    let methods = [("GET", false), ("POST", true)];
    let is_post = snapshot.one_of("method", &methods) == Some(true);
    match (snapshot.value("body"), is_post) {
        (None, is_post) => is_post.then(Map::new),
        (Some(toml::Value::Table(table)), true) => match serde_json::to_value(table) {
            Ok(Value::Object(body)) => Some(body),
            Ok(_) | Err(_) => {
                snapshot.problem("body", "cannot be written as JSON");
                None
            }
        },
        (Some(_), true) => {
            snapshot.problem("body", "must be a table");
            None
        }
        (Some(_), false) => {
            snapshot.problem("body", "needs method = \"POST\"");
            None
        }
    }
}

fn lists(snapshot: &mut Reader<'_>) -> Vec<(KeyPath, JsonPath)> {
    let paths = match snapshot.value("lists") {
        None => return Vec::new(),
        Some(toml::Value::Array(paths)) => paths,
        Some(_) => {
            snapshot.problem("lists", "must be an array");
            return Vec::new();
        }
    };
    let mut lists = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let key = snapshot.path("lists").index(index);
        match path.as_str() {
            Some(text) => {
                if let Some(path) = json_path(text, &key, snapshot) {
                    lists.push((key, path));
                }
            }
            None => snapshot.problem_at(key, "must be a text"),
        }
    }
    lists
}

/// A value as it stands in a query.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

#[cfg(test)]
mod tests;
