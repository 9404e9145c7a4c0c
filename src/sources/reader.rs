//! Reads tables of `sources.toml`: every key once, every problem with its key's path.

use std::{fmt, iter, sync::Arc};

use toml::{Table, Value};

/// Where a key stands, from the file's root. Each is its last segment below a path that all beside it share: every key of
/// every source has one at every start, and few are ever told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPath(Option<Arc<Step>>);

#[derive(Debug, PartialEq, Eq)]
struct Step {
    above: KeyPath,
    segment: Segment,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// The key of this name below.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        self.below(Segment::Key(name.to_owned()))
    }

    /// The item of an array below.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.below(Segment::Index(index))
    }

    fn below(&self, segment: Segment) -> Self {
        let above = self.clone();
        Self(Some(Arc::new(Step { above, segment })))
    }

    /// From the root on.
    fn segments(&self) -> Vec<&Segment> {
        let steps = iter::successors(self.0.as_deref(), |step| step.above.0.as_deref());
        let mut segments: Vec<&Segment> = steps.map(|step| &step.segment).collect();
        segments.reverse();
        segments
    }

    /// Whether the table holds this key, as read from so many segments on: an array or a plain value on the way stands
    /// for all below it.
    pub(super) fn is_in(&self, table: &Table, from: usize) -> bool {
        let mut table = table;
        for segment in self.segments().into_iter().skip(from) {
            let Segment::Key(name) = segment else {
                return true;
            };
            match table.get(name) {
                None => return false,
                Some(Value::Table(inner)) => table = inner,
                Some(_) => return true,
            }
        }
        true
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.segments().into_iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(name) => {
                    let dot = if place == 0 { "" } else { "." };
                    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !name.is_empty() && name.chars().all(is_bare) {
                        write!(f, "{dot}{name}")?;
                    } else {
                        write!(f, "{dot}{name:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// One thing that is wrong in `sources.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesProblem {
    /// The key.
    pub key: KeyPath,
    /// What is wrong with it, and what is accepted.
    pub reason: String,
}

impl fmt::Display for SourcesProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, reason } = self;
        if key == &KeyPath::default() {
            return f.write_str(reason);
        }
        write!(f, "{key} {reason}")
    }
}

/// Takes keys out of a table; what is left in the end is unknown.
pub(super) struct Reader<'a> {
    path: KeyPath,
    table: Table,
    is_of_each_record: bool,
    problems: &'a mut Vec<SourcesProblem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: KeyPath, table: Table, problems: &'a mut Vec<SourcesProblem>) -> Self {
        Self {
            path,
            table,
            is_of_each_record: false,
            problems,
        }
    }

    /// Notes that what stands in the table, and in all below it, is read of every record of a body.
    pub(super) const fn reads_each_record(&mut self) {
        self.is_of_each_record = true;
    }

    /// Whether what stands here is read of every record, rather than once a body.
    pub(super) const fn is_of_each_record(&self) -> bool {
        self.is_of_each_record
    }

    /// Where the table itself stands.
    pub(super) fn here(&self) -> KeyPath {
        self.path.clone()
    }

    /// Where the key of this name stands.
    pub(super) fn path(&self, key: &str) -> KeyPath {
        self.path.key(key)
    }

    /// The keys that are left.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Puts a text in a key's place.
    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.table
            .insert(key.to_owned(), Value::String(text.to_owned()));
    }

    /// Any value, to be read elsewhere.
    pub(super) fn value(&mut self, key: &str) -> Option<Value> {
        self.table.remove(key)
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.table.remove(key)? {
            Value::String(text) if !text.trim().is_empty() => return Some(text),
            _ => self.problem(key, "must be a text that is not empty"),
        }
        None
    }

    /// As [`Self::text`], where its absence is a problem.
    pub(super) fn required_text(&mut self, key: &str) -> Option<String> {
        if !self.has(key) {
            self.problem(key, "is missing");
        }
        self.text(key)
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let given = self.table.remove(key)?;
        let found = words
            .iter()
            .find(|(word, _)| given.as_str() == Some(*word))
            .map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(key, format!("must be one of: {}", words.join(", ")));
        }
        found
    }

    pub(super) fn integer(&mut self, key: &str) -> Option<i64> {
        match self.table.remove(key)? {
            Value::Integer(number) => return Some(number),
            _ => self.problem(key, "must be a whole number"),
        }
        None
    }

    /// A whole number of 1 or more.
    pub(super) fn count(&mut self, key: &str) -> Option<u64> {
        match self.table.remove(key)? {
            Value::Integer(number @ 1..) => return u64::try_from(number).ok(),
            Value::Integer(_) => self.problem(key, "must be greater than 0"),
            _ => self.problem(key, "must be a whole number"),
        }
        None
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.table.remove(key)? {
            Value::Boolean(flag) => return Some(flag),
            _ => self.problem(key, "must be true or false"),
        }
        None
    }

    /// The table of this name, to be read on its own.
    pub(super) fn child(&mut self, key: &str) -> Option<Reader<'_>> {
        match self.table.remove(key)? {
            Value::Table(table) => {
                return Some(Reader {
                    path: self.path.key(key),
                    table,
                    is_of_each_record: self.is_of_each_record,
                    problems: self.problems,
                });
            }
            _ => self.problem(key, "must be a table"),
        }
        None
    }

    /// A table that stands somewhere below, such as in an array, to be read on its own.
    pub(super) fn below(&mut self, path: KeyPath, table: Table) -> Reader<'_> {
        Reader {
            path,
            table,
            is_of_each_record: self.is_of_each_record,
            problems: self.problems,
        }
    }

    /// How many problems have been noted so far, here and elsewhere.
    pub(super) fn noted(&self) -> usize {
        self.problems.len()
    }

    /// Notes what is wrong with a key.
    pub(super) fn problem(&mut self, key: &str, reason: impl Into<String>) {
        self.problem_at(self.path.key(key), reason);
    }

    /// Notes what is wrong with the table itself.
    pub(super) fn problem_here(&mut self, reason: impl Into<String>) {
        self.problem_at(self.path.clone(), reason);
    }

    /// Notes what is wrong somewhere below.
    pub(super) fn problem_at(&mut self, key: KeyPath, reason: impl Into<String>) {
        let reason = reason.into();
        self.problems.push(SourcesProblem { key, reason });
    }

    /// Ends the table: what nobody has taken is not known.
    pub(super) fn finish(mut self) {
        for key in self.keys() {
            self.problem(&key, "is not known");
        }
    }
}
