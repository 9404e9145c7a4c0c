//! One re-read, page by page: what was said so far, and whether it goes on. Pure.
//!
//! An API may page in circles, or without end. A page that comes again ends the re-read, as does too much of it:
//! what was read until then was said, but it is not known to be all.

use std::collections::HashSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Reread, Unusable};
use crate::{
    hierarchy::{Scope, Stated, Statement},
    sources::{
        rules::MAX_STATEMENTS,
        snapshot::{Ask, Snapshot},
    },
    timestamp::Timestamp,
};

/// What all pages of one re-read may have together.
const ALL_PAGES_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// How many faulty records are told one by one.
const FAULTS_TOLD: usize = 10;

/// A re-read under way.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    snapshot: &'a Snapshot,
    ask: Ask,
    pages: u64,
    bytes: usize,
    cursors: HashSet<String>,
    digests: HashSet<[u8; 32]>,
    statements: Vec<Stated>,
    faults: Vec<String>,
    nameless: usize,
    placeless: usize,
    /// Whether any page told if there is another one.
    is_told: bool,
}

/// Whether there is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another page is to be asked for.
    Ask,
    /// That was the last one.
    End,
    /// It goes on, but is given up.
    GivenUp(GivenUp),
}

/// Why a re-read did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    Repeated,
    TooManyPages,
    TooManyBytes,
    TooManyStatements,
    /// Of captured pages, which cannot be asked for.
    NotCaptured,
}

impl GivenUp {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Repeated => "a page came again",
            Self::TooManyPages => "there are more pages than max_pages",
            Self::TooManyBytes => "its pages are larger than 64 MiB together",
            Self::TooManyStatements => "it has more than 100,000 statements",
            Self::NotCaptured => "there would be another page",
        }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            ask: snapshot.first(),
            pages: 0,
            bytes: 0,
            cursors: HashSet::new(),
            digests: HashSet::new(),
            statements: Vec::new(),
            faults: Vec::new(),
            nameless: 0,
            placeless: 0,
            is_told: false,
        }
    }

    /// The page to ask for.
    pub(super) const fn ask(&self) -> &Ask {
        &self.ask
    }

    /// Takes the answer to it.
    pub(super) fn take(&mut self, body: &[u8]) -> Result<Next, Unusable> {
        self.pages += 1;
        self.bytes = self.bytes.saturating_add(body.len());
        if self.bytes > ALL_PAGES_LIMIT_BYTES {
            return Ok(Next::GivenUp(GivenUp::TooManyBytes));
        }
        if !self.digests.insert(Sha256::digest(body).into()) {
            return Ok(Next::GivenUp(GivenUp::Repeated));
        }
        let answer: Value = serde_json::from_slice(body).map_err(|error| Unusable::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        let page = self.snapshot.page(&self.ask, &answer)?;
        self.statements.extend(page.outcome.statements);
        self.is_told |= page.is_told;
        self.nameless = self.nameless.saturating_add(page.outcome.nameless);
        self.placeless = self.placeless.saturating_add(page.outcome.placeless);
        for fault in page.outcome.faults {
            let number = self.pages;
            self.faults
                .push(format!("page {number}: {} {}", fault.path, fault.detail));
        }
        if self.statements.len() > MAX_STATEMENTS {
            return Ok(Next::GivenUp(GivenUp::TooManyStatements));
        }
        let Some(ask) = page.next else {
            return Ok(Next::End);
        };
        if !self.cursors.insert(ask.text()) {
            return Ok(Next::GivenUp(GivenUp::Repeated));
        }
        if self.pages >= self.snapshot.max_pages() {
            return Ok(Next::GivenUp(GivenUp::TooManyPages));
        }
        self.ask = ask;
        Ok(Next::Ask)
    }

    /// What was read, as of when its first request was sent.
    pub(super) fn finish(self, at: Timestamp, given_up: Option<GivenUp>) -> Reread {
        let Self {
            snapshot,
            statements: mut stated,
            faults,
            nameless,
            placeless,
            is_told,
            ..
        } = self;
        let mut warnings: Vec<String> = given_up
            .map(|why| format!("the re-read is not complete: {}", why.as_str()))
            .into_iter()
            .collect();
        let untold = faults.len().saturating_sub(FAULTS_TOLD);
        let told = faults.iter().take(FAULTS_TOLD);
        warnings.extend(told.map(|fault| format!("a record was left out: {fault}")));
        if untold > 0 {
            warnings.push(format!("{untold} more records were left out"));
        }
        if nameless > 0 {
            warnings.push(format!("{nameless} groups have a key and no name"));
        }
        let read = given_up.is_none() && faults.is_empty();
        if let Some(scope) = snapshot.complete().filter(|_| read) {
            match doubt(&scope, &stated, placeless, is_told) {
                Some(doubt) => warnings.push(doubt),
                None => {
                    let statement = Statement::Complete(scope);
                    let stands_for_all = Stated {
                        at: None,
                        statement,
                    };
                    stated.insert(0, stands_for_all);
                }
            }
        }
        for said in &mut stated {
            said.at = Some(at);
        }
        Reread {
            at,
            statements: stated,
            finished: given_up.is_none(),
            warnings,
        }
    }
}

/// Why an answer that was read to its end is not taken as complete all the same: it would end what it is only silent about.
fn doubt(scope: &Scope, stated: &[Stated], placeless: usize, is_told: bool) -> Option<String> {
    if !is_told {
        return Some(
            "no page has anything at pages.cursor, so there may be more of them: who is not there does not count as gone"
                .to_owned(),
        );
    }
    let (is_of_persons, what) = match scope {
        Scope::Persons => (true, "person"),
        Scope::Groups | Scope::ChildrenOf(_) => (false, "group"),
    };
    if is_of_persons && placeless > 0 {
        return Some(format!(
            "{placeless} persons are there of whom nothing is said: who is not there does not count as gone"
        ));
    }
    let is_person = |stated: &Stated| matches!(stated.statement, Statement::Person { .. });
    let says_any = stated.iter().any(|said| is_person(said) == is_of_persons);
    (!says_any).then(|| format!("there is no {what} in the answer: none counts as gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_bytes_end_it_without_an_end() {
        let snapshot = Snapshot::of_toml(
            r#"
            path = "/"
            pages = { cursor = "$.next", parameter = "c" }
            "#,
        );
        let mut reading = Reading::new(&snapshot);
        reading.bytes = ALL_PAGES_LIMIT_BYTES - 20;
        assert_eq!(reading.take(br#"{"next": 1}"#).unwrap(), Next::Ask);
        let next = reading.take(br#"{"next": 2}"#).unwrap();
        let why = GivenUp::TooManyBytes;
        assert_eq!(next, Next::GivenUp(why));
        let reread = reading.finish(Timestamp::from_seconds(1), Some(why));
        assert!(reread.statements.is_empty() && !reread.finished);
        let told = "the re-read is not complete: its pages are larger than 64 MiB together";
        assert_eq!(reread.warnings, [told]);
    }
}
