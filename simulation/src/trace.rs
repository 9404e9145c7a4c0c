//! What happened, step by step, and its hash: the same seed, the same hash.

use std::{
    fmt,
    hash::{DefaultHasher, Hasher as _},
};

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: DefaultHasher,
    line: String,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Keeps the lines themselves only where they are wanted.
    pub(crate) fn new(keep: bool) -> Self {
        Self {
            hasher: DefaultHasher::new(),
            line: String::new(),
            lines: keep.then(Vec::new),
        }
    }

    /// Something happened, so many milliseconds after the beginning.
    pub(crate) fn note(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        use fmt::Write as _;
        self.line.clear();
        let _written = write!(
            self.line,
            "{:>9}.{:03} {what}",
            at_ms / 1_000,
            at_ms % 1_000
        );
        self.hasher.write(self.line.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.hasher.finish(), self.lines.unwrap_or_default())
    }
}
