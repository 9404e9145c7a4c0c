//! Searches: what a JSONPath selects, <https://www.rfc-editor.org/rfc/rfc9535>, of bodies whose senders may want that to be slow.
//!
//! What a search costs is in proportion to what it searches. So paths that could cost more are refused when they are read, and where
//! one searches at any depth it is not noted of each value where it stands: a value can stand deep, and hardly any is told.

use std::{collections::HashMap, ptr};

use serde_json::Value;
use serde_json_path::{JsonPath, PathElement};

use super::{
    functions,
    place::Spot,
    reader::{KeyPath, Reader},
};

/// In bytes; nobody writes longer ones.
const LONGEST_PATH: usize = 500;

/// One path with `..` selects at most so many records: as many as there may be statements.
pub(super) const MAX_RECORDS: usize = 100_000;

/// A record that was selected, and where it stands from the body's root.
pub(super) type Record<'a> = (&'a Value, Vec<PathElement<'a>>);

/// Records one by one, since where each stands is only found out when it is its turn.
type Records<'a> = Box<dyn Iterator<Item = Record<'a>> + 'a>;

/// A JSONPath that is searched for in bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    path: JsonPath,
    descends: bool,
}

/// A path with `..` selects more than [`MAX_RECORDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Search {
    /// Reads a JSONPath; what is wrong is noted.
    pub(super) fn parse(text: &str, key: &KeyPath, sink: &mut Reader<'_>) -> Option<Self> {
        let path = json_path(text, key, sink)?;
        let descends = has_descent(text);
        Some(Self { path, descends })
    }

    pub(super) const fn path(&self) -> &JsonPath {
        &self.path
    }

    /// Whether it has `..`, and so searches at any depth.
    pub(super) const fn descends(&self) -> bool {
        self.descends
    }

    /// What it selects in a record.
    pub(super) fn values<'a>(&self, record: &'a Value) -> Vec<&'a Value> {
        self.path.query(record).all()
    }

    /// What it selects in a record that stands at `at`, and where from the body's root.
    pub(super) fn select<'a>(
        &self,
        record: &'a Value,
        at: &'a [PathElement<'a>],
    ) -> Vec<(&'a Value, Spot<'a>)> {
        if self.descends {
            let values = self.values(record).into_iter();
            return values
                .map(|value| (value, Spot::Within { at, record, value }))
                .collect();
        }
        let nodes = self.located(record, at);
        nodes
            .map(|(value, path)| (value, Spot::Body(path)))
            .collect()
    }

    /// The records that it selects: an array is its items, and `null` is none.
    ///
    /// # Errors
    /// [`TooMany`], of which none is looked at.
    pub(super) fn records<'a>(
        &self,
        record: &'a Value,
        at: &[PathElement<'a>],
    ) -> Result<Records<'a>, TooMany> {
        if self.descends {
            return self.records_at_any_depth(record, at);
        }
        let mut records: Vec<Record<'a>> = Vec::new();
        for (value, path) in self.located(record, at) {
            match value {
                Value::Array(items) => {
                    records.extend(items.iter().enumerate().map(|(index, item)| {
                        let index = PathElement::Index(index);
                        (item, path.iter().cloned().chain([index]).collect())
                    }));
                }
                one => records.push((one, path)),
            }
        }
        records.retain(|(value, _)| !value.is_null());
        Ok(Box::new(records.into_iter()))
    }

    fn records_at_any_depth<'a>(
        &self,
        record: &'a Value,
        at: &[PathElement<'a>],
    ) -> Result<Records<'a>, TooMany> {
        let mut records: Vec<&Value> = Vec::new();
        for value in self.values(record) {
            match value {
                Value::Array(items) => records.extend(items.iter().filter(|item| !item.is_null())),
                Value::Null => {}
                one => records.push(one),
            }
            if records.len() > MAX_RECORDS {
                return Err(TooMany);
            }
        }
        let (places, at) = (Places::new(record), at.to_vec());
        Ok(Box::new(records.into_iter().map(move |value| {
            let below = places.path(value);
            (value, at.iter().cloned().chain(below).collect())
        })))
    }

    fn located<'a>(
        &self,
        record: &'a Value,
        at: &[PathElement<'a>],
    ) -> impl Iterator<Item = Record<'a>> {
        let nodes = self.path.query_located(record).all().into_iter();
        nodes.map(|node| {
            let value = node.node();
            let below = node.to_location().into_iter();
            (value, at.iter().cloned().chain(below).collect())
        })
    }
}

/// Where a value of a record stands in it.
pub(super) fn located<'a>(record: &'a Value, value: &Value) -> Vec<PathElement<'a>> {
    Places::new(record).path(value)
}

/// Of every value of a record what it stands in, and as what. A value is told from its equals by its address.
struct Places<'a>(HashMap<*const Value, (*const Value, PathElement<'a>)>);

impl<'a> Places<'a> {
    fn new(record: &'a Value) -> Self {
        let mut places = HashMap::new();
        let mut rest = vec![record];
        while let Some(value) = rest.pop() {
            let mut note = |below: &'a Value, element: PathElement<'a>| {
                places.insert(ptr::from_ref(below), (ptr::from_ref(value), element));
                if below.is_array() || below.is_object() {
                    rest.push(below);
                }
            };
            match value {
                Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| note(item, PathElement::Index(index))),
                Value::Object(fields) => fields
                    .iter()
                    .for_each(|(name, field)| note(field, PathElement::Name(name))),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        Self(places)
    }

    fn path(&self, value: &Value) -> Vec<PathElement<'a>> {
        let Self(places) = self;
        let mut path = Vec::new();
        let mut value = ptr::from_ref(value);
        while let Some((above, element)) = places.get(&value) {
            path.push(element.clone());
            value = *above;
        }
        path.reverse();
        path
    }
}

/// Reads a JSONPath, and notes at which column it goes wrong.
pub(super) fn json_path(text: &str, key: &KeyPath, sink: &mut Reader<'_>) -> Option<JsonPath> {
    if !text.starts_with('$') {
        let reason = "must be a JSONPath, which begins with $";
        sink.problem_at(key.clone(), reason);
        return None;
    }
    if let Some(reason) = costly(text) {
        sink.problem_at(key.clone(), reason);
        return None;
    }
    match JsonPath::parse(text) {
        Ok(path) => match functions::misfit(text) {
            None => Some(path),
            Some(reason) => {
                sink.problem_at(key.clone(), reason);
                None
            }
        },
        Err(error) => {
            let before = text.get(..error.position()).unwrap_or(text);
            let column = before.chars().count().saturating_add(1);
            // The parser has words for some errors only.
            let why = error.message().replace("parser error", "not understood");
            let reason = format!("is no JSONPath: at column {column}, {why}");
            sink.problem_at(key.clone(), reason);
            None
        }
    }
}

/// Whether a path, as it is written, names one value by names and numbers alone. It is one that was understood.
pub(super) fn is_singular(path: &str) -> bool {
    let mut rest = path.strip_prefix('$').unwrap_or_default().trim_start();
    while !rest.is_empty() {
        let after = match (rest.strip_prefix('['), rest.strip_prefix('.')) {
            (Some(selector), _) => {
                let after = after_one_selector(selector.trim_start());
                after.and_then(|after| after.trim_start().strip_prefix(']'))
            }
            (None, Some(name)) => {
                let is_end = |c: char| matches!(c, '.' | '[' | '*') || c.is_whitespace();
                let end = name.find(is_end).unwrap_or(name.len());
                name.split_at_checked(end)
                    .filter(|(name, after)| !name.is_empty() && !after.starts_with('*'))
                    .map(|(_, after)| after)
            }
            (None, None) => None,
        };
        let Some(after) = after else { return false };
        rest = after.trim_start();
    }
    true
}

/// What follows a name in quotes, or a number.
fn after_one_selector(text: &str) -> Option<&str> {
    let Some(quote @ ('\'' | '"')) = text.chars().next() else {
        let after = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        return (after.len() < text.len()).then_some(after);
    };
    let mut is_escaped = false;
    let mut within = text.char_indices().skip(1);
    let (end, _) = within.find(|(_, c)| {
        let is_end = *c == quote && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    })?;
    text.get(end + quote.len_utf8()..)
}

/// Why a path could cost more than in proportion to what it searches, if it could: a body is searched whose sender may want that.
fn costly(path: &str) -> Option<&'static str> {
    if path.len() > LONGEST_PATH {
        return Some("must not be longer than 500 bytes");
    }
    let (mut quote, mut is_escaped) = (None, false);
    let (mut descents, mut roots, mut filters, mut commas) = (0, 0, 0, 0);
    let mut before = ' ';
    for c in path.chars() {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '.') if before == '.' => descents += 1,
            (None, '$') => roots += 1,
            (None, '?') => filters += 1,
            (None, ',') => commas += 1,
            (None, _) => {}
        }
        before = c;
    }
    if descents > 1 {
        return Some(
            "must not have more than one \"..\": each would search all that the one before it found",
        );
    }
    if roots > 1 {
        return Some(
            "must not ask for \"$\" in a filter: all of it would be searched for each value",
        );
    }
    if filters > 4 || commas > 8 {
        return Some("must not have more than four filters and eight commas");
    }
    None
}

/// Whether a path has `..` outside of the names in it.
fn has_descent(path: &str) -> bool {
    let (mut quote, mut is_escaped, mut before) = (None, false, ' ');
    for c in path.chars() {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '.') if before == '.' => return true,
            (None, _) => {}
        }
        before = c;
    }
    false
}
