//! The state: one document that holds all that is remembered between two invocations.

mod document;
mod due;
mod handshake;
mod since;

use std::{collections::BTreeMap, fmt, iter};

use serde::Deserialize;

pub use self::{
    due::{Due, Dues},
    handshake::{HandshakeToken, NoToken},
    since::Since,
};
use crate::{
    hierarchy::{
        Ledger, Published, Salt, SourceName, document::Dangling, plan::Counts, published::Undo,
    },
    timestamp::Timestamp,
};

/// The format that is written, and the newest one that can be read.
const FORMAT: u32 = 4;

/// How many published versions are remembered.
pub const HISTORY: usize = 20;

/// Everything that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What the sources said.
    pub ledger: Ledger,
    /// What Calven was sent last, as far as is known; `None` before the first PUT.
    pub published: Option<Published>,
    /// Rises with every PUT that was saved; 0 before the first.
    pub version: u64,
    /// Whether Calven may hold something else than `published`, so that a PUT is owed.
    pub unsure: bool,
    /// How often somebody gave up owing a PUT: so that who pays meanwhile loses the swap and pays
    /// again, though the document was unsure before.
    pub unpaid: u64,
    /// Whether an operator's rollback holds publishing.
    pub hold: Hold,
    /// Since when there has been, without a break, something that could be published and is not.
    pub pending_since: Option<Timestamp>,
    /// How many plans have been approved: makes each digest good once.
    pub approvals: u64,
    /// The last published versions, newest first.
    pub history: Vec<HistoryEntry>,
    /// Which sources are to be read again.
    pub due: Dues,
    /// Of each source the token of a handshake that nobody has fetched yet.
    pub handshakes: BTreeMap<SourceName, HandshakeToken>,
}

/// What an operator's rollback holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hold {
    /// Nothing.
    No,
    /// A rollback waits for approval itself: it would remove or move too much.
    RollbackWaits {
        /// The version to go back to.
        version: u64,
        /// What was published then.
        target: Published,
    },
    /// This version was published again; what was said since waits for approval.
    RolledBack {
        /// The version that was gone back to.
        version: u64,
    },
}

/// One published version.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryEntry {
    /// Its number.
    pub version: u64,
    /// When it was saved.
    pub time: Timestamp,
    /// What led to it: `webhook SOURCE`, `queue`, `seed`, `reconcile`, `approve`, `rollback to N`.
    pub cause: String,
    /// What changed.
    pub counts: Counts,
    /// How many groups it had.
    pub groups: usize,
    /// What leads back to the version before.
    undo: Undo,
}

impl HistoryEntry {
    /// Whether Calven held something else before.
    pub fn changed(&self) -> bool {
        !self.undo.is_empty()
    }
}

/// What is about to be published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// What is sent.
    pub published: Published,
    /// What led to it.
    pub cause: String,
    /// What changes.
    pub counts: Counts,
    /// What is held from then on.
    pub hold: Hold,
    /// Since when something else has been pending from then on.
    pub pending_since: Option<Timestamp>,
}

/// What a state remembers of a publication once it is made, written before that is known.
pub struct Prepared {
    undo: Undo,
    document: Vec<u8>,
}

/// How the document begins of a state that has published something.
pub struct Begun(Vec<u8>);

impl Prepared {
    /// How the document begins.
    pub fn beginning(&self) -> &[u8] {
        &self.document
    }
}

impl fmt::Debug for Begun {
    /// As [`Prepared`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begun([redacted])")
    }
}

impl fmt::Debug for Prepared {
    /// The state names people's departments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared([redacted])")
    }
}

/// Why a document is not a state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is cut off or no state at all.
    #[error(
        "the state cannot be read (line {line}, column {column}): restore an older version of it; nothing was changed"
    )]
    Unreadable {
        /// Where reading stopped.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// A newer version of this program wrote it.
    #[error(
        "the state has format {0}, and this version reads up to {FORMAT}: deploy the newer version again; nothing was changed"
    )]
    Newer(u32),
    /// It can be read, but refers to what is not in it.
    #[error(
        "the state cannot be read (it {0}): restore an older version of it; nothing was changed"
    )]
    Dangling(#[from] Dangling),
    /// It can be read, but what it says was published is no valid hierarchy.
    #[error(
        "what the state says was published is no valid hierarchy: restore an older version of it; nothing was changed"
    )]
    Invalid,
}

impl State {
    /// The state before anything was said.
    pub fn new(salt: Salt) -> Self {
        Self {
            ledger: Ledger::new(salt),
            published: None,
            version: 0,
            unsure: false,
            unpaid: 0,
            hold: Hold::No,
            pending_since: None,
            approvals: 0,
            history: Vec::new(),
            due: Dues::default(),
            handshakes: BTreeMap::new(),
        }
    }

    /// How many groups are published.
    pub fn published_groups(&self) -> usize {
        self.published.as_ref().map_or(0, Published::groups)
    }

    /// What will be remembered once this is published, if nothing else changes meanwhile.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn prepare(&self, publication: &Publication) -> Result<Prepared, serde_json::Error> {
        let Publication {
            published, hold, ..
        } = publication;
        let undo = match &self.published {
            Some(before) => published.undo_to(before),
            None => published.undo_to(&Published::default()),
        };
        let replaced = usize::from(self.replaces_the_last(&undo));
        let older = self.history.iter().skip(replaced).map(|entry| &entry.undo);
        let undos: Vec<&Undo> = iter::once(&undo).chain(older).take(HISTORY).collect();
        let publishable = publishable(Some(published), hold);
        let document = document::begin(&self.ledger, &publishable, &undos)?;
        Ok(Prepared { undo, document })
    }

    /// Takes what was PUT as published: the version rises, and history remembers the way back. Returns how the document
    /// begins that is to be saved.
    ///
    /// A version that changed nothing replaces the one before it that changed nothing either, so
    /// that regular reconciles don't crowd out what can be gone back to.
    pub fn publish(
        &mut self,
        publication: Publication,
        prepared: Prepared,
        time: Timestamp,
    ) -> Begun {
        let Publication {
            published,
            cause,
            counts,
            hold,
            pending_since,
        } = publication;
        let Prepared { undo, document } = prepared;
        self.version += 1;
        self.unsure = false;
        self.hold = hold;
        self.pending_since = pending_since;
        if self.replaces_the_last(&undo) {
            self.history.remove(0);
        }
        let groups = published.groups();
        self.history.insert(
            0,
            HistoryEntry {
                version: self.version,
                time,
                cause,
                counts,
                groups,
                undo,
            },
        );
        self.history.truncate(HISTORY);
        self.published = Some(published);
        Begun(document)
    }

    /// Whether neither this publication nor the last one changed anything.
    fn replaces_the_last(&self, undo: &Undo) -> bool {
        let last = self.history.first();
        undo.is_empty() && last.is_some_and(|last| !last.changed())
    }

    /// Writes the document of which the beginning was written ahead.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_begun(&self, begun: Begun) -> Result<Vec<u8>, serde_json::Error> {
        let document = self.finish(begun.0)?;
        debug_assert!(
            self.encode().is_ok_and(|whole| whole == document),
            "what was written ahead is what is remembered"
        );
        Ok(document)
    }

    /// What was published as this version, if that is remembered.
    pub fn version_published(&self, version: u64) -> Option<Published> {
        if version > self.version || !self.versions().contains(&version) {
            return None;
        }
        let mut published = self.published.clone()?;
        for entry in self
            .history
            .iter()
            .take_while(|entry| entry.version > version)
        {
            published = published.undone(&entry.undo);
        }
        // What leads back was read as it stood: a damaged one must not end in a PUT.
        Some(published).filter(Published::is_valid)
    }

    /// The versions that can be gone back to. One between two of them is the older of the two.
    fn versions(&self) -> std::ops::RangeInclusive<u64> {
        self.history.last().map_or(1, |oldest| oldest.version)..=self.version
    }

    /// Everything that may be published again and so must be found by its names.
    pub fn publishable(&self) -> Vec<&Published> {
        publishable(self.published.as_ref(), &self.hold)
    }
}

#[cfg(test)]
impl State {
    /// Publishes as the protocol does, for tests.
    pub(crate) fn publish_at_once(&mut self, published: Published, cause: &str, time: Timestamp) {
        let publication = Publication {
            published,
            cause: cause.to_owned(),
            counts: Counts::default(),
            hold: self.hold.clone(),
            pending_since: None,
        };
        let prepared = self.prepare(&publication).unwrap();
        let begun = self.publish(publication, prepared, time);
        assert_eq!(self.encode_begun(begun).unwrap(), self.encode().unwrap());
    }
}

fn publishable<'a>(published: Option<&'a Published>, hold: &'a Hold) -> Vec<&'a Published> {
    let target = match hold {
        Hold::RollbackWaits { target, .. } => Some(target),
        Hold::No | Hold::RolledBack { .. } => None,
    };
    published.into_iter().chain(target).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::hierarchy::{Merged, Projection, Relationship, Rules, SeedRows, statement::group};

    fn published(names: &[&str]) -> Published {
        let rows = names.iter().map(|name| Relationship {
            group: group(name, "Team").unwrap(),
            parent: None,
        });
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        let rows = SeedRows::new(rows.collect()).unwrap();
        ledger.merge_seed(&rows, None, Timestamp::from_seconds(1));
        Projection::of(&ledger, None, &Rules::default(), &Merged::default()).as_published()
    }

    fn state_of(versions: &[&[&str]]) -> State {
        let mut state = State::new(Salt::new([1; 32]));
        for (index, names) in versions.iter().enumerate() {
            let time = Timestamp::from_seconds(i64::try_from(index).unwrap());
            state.publish_at_once(published(names), "test", time);
        }
        state
    }

    #[test]
    fn every_remembered_version_can_be_gone_back_to() {
        let state = state_of(&[&["a"], &["a", "b"], &["b", "c"], &[]]);
        for (version, names) in [
            (1, &["a"][..]),
            (2, &["a", "b"]),
            (3, &["b", "c"]),
            (4, &[]),
        ] {
            let found = state.version_published(version).unwrap();
            assert_eq!(
                found.hierarchy(),
                published(names).hierarchy(),
                "version {version}"
            );
        }
        assert_eq!(state.version_published(0), None);
        assert_eq!(state.version_published(5), None);
    }

    #[test]
    fn versions_that_change_nothing_do_not_crowd_out_the_others() {
        let mut versions: Vec<&[&str]> = vec![&["a"]];
        versions.extend(std::iter::repeat_n(&["a", "b"][..], 100));
        let state = state_of(&versions);
        assert_eq!(state.version, 101);
        let kept: Vec<u64> = state.history.iter().map(|entry| entry.version).collect();
        assert_eq!(kept, [101, 2, 1]);
        assert_eq!(state.version_published(1).unwrap().groups(), 1);
        assert_eq!(state.version_published(50).unwrap().groups(), 2);
    }

    #[test]
    fn a_version_that_is_only_found_again_otherwise_changes_nothing() {
        let as_of = |seconds: i64| {
            let rows = SeedRows::new(vec![Relationship {
                group: group("a", "Team").unwrap(),
                parent: None,
            }]);
            let mut ledger = Ledger::new(Salt::new([1; 32]));
            ledger.merge_seed(&rows.unwrap(), None, Timestamp::from_seconds(seconds));
            Projection::of(&ledger, None, &Rules::default(), &Merged::default()).as_published()
        };
        assert_ne!(as_of(1), as_of(2));
        let mut state = state_of(&[&["b"], &["a"]]);
        for seconds in 2..30 {
            let time = Timestamp::from_seconds(seconds);
            state.publish_at_once(as_of(seconds), "test", time);
        }
        let kept: Vec<u64> = state.history.iter().map(|entry| entry.version).collect();
        assert_eq!(kept, [30, 2, 1]);
        assert_eq!(state.published, Some(as_of(29)));
    }

    #[test]
    fn only_the_last_versions_are_remembered() {
        let names: Vec<String> = (0..30).map(|n| format!("g{n}")).collect();
        let mut state = State::new(Salt::new([1; 32]));
        for name in &names {
            let time = Timestamp::from_seconds(0);
            state.publish_at_once(published(&[name]), "test", time);
        }
        assert_eq!(state.history.len(), HISTORY);
        assert_eq!(state.version_published(10), None);
        let oldest = state.version_published(11).unwrap().hierarchy();
        assert_eq!(oldest, published(&["g10"]).hierarchy());
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        let mut state = state_of(&[&["a"], &["b"]]);
        state.hold = Hold::RollbackWaits {
            version: 1,
            target: published(&["a"]),
        };
        let (source, at) = (SourceName::new("people"), Timestamp::from_seconds(1));
        state.due.add(&source, at);
        state.pending_since = Some(at);
        let token = HandshakeToken::new("t", at).unwrap();
        state.handshakes.insert(source, token);
        assert_eq!(State::decode(&state.encode().unwrap()).unwrap(), state);
    }

    #[test]
    fn a_document_that_is_cut_off_anywhere_is_refused() {
        let bytes = state_of(&[&["a"], &["b"]]).encode().unwrap();
        for cut in 0..bytes.len() {
            let error = State::decode(&bytes[..cut]).unwrap_err();
            assert!(
                matches!(error, StateError::Unreadable { .. }),
                "{cut}: {error}"
            );
        }
    }

    #[test]
    fn a_format_that_never_was_is_no_state() {
        let mut document = state_of(&[&["a"]]).encode().unwrap();
        let digit = document.iter().position(|byte| *byte == b'4').unwrap();
        document[digit] = b'0';
        assert!(document.starts_with(br#"{"format":0,"#));
        let error = State::decode(&document).unwrap_err();
        assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number() {
        let error = State::decode(br#"{"format": 5, "whatever": true}"#).unwrap_err();
        assert!(matches!(error, StateError::Newer(5)), "{error}");
    }

    #[test]
    fn documents_of_older_formats_are_read_and_written_anew() {
        for (format, old) in [
            (
                1,
                &include_bytes!("../tests/fixtures/state/format-1.json")[..],
            ),
            (
                2,
                &include_bytes!("../tests/fixtures/state/format-2.json")[..],
            ),
        ] {
            let state = State::decode(old).unwrap();
            assert_eq!((state.version, state.history.len()), (4, 4));
            assert!(state.ledger.is_seeded());
            let bytes = state.encode().unwrap();
            let written: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(written["format"], FORMAT);
            assert_eq!(State::decode(&bytes).unwrap(), state);
            // All that was in it is in it still.
            let old: Map<String, Value> = serde_json::from_slice(old).unwrap();
            let as_before = |value: Value| -> Value { serde_json::from_value(value).unwrap() };
            assert_eq!(old["format"], format);
            assert_eq!(json!(state.ledger), as_before(old["ledger"].clone()));
            assert_eq!(json!(state.published), old["published"]);
            for (entry, old) in state.history.iter().zip(old["history"].as_array().unwrap()) {
                assert_eq!(json!(entry.undo), old["undo"]);
                assert_eq!(json!(entry.time), old["time"]);
                assert_eq!(json!(entry.cause), old["cause"]);
            }
            for version in 1..=4 {
                let read = State::decode(&bytes).unwrap().version_published(version);
                assert_eq!(read, state.version_published(version), "version {version}");
            }
        }
    }

    #[test]
    fn a_document_of_format_3_is_the_same_with_nothing_pending() {
        let old = include_bytes!("../tests/fixtures/state/format-3.json");
        let state = State::decode(old).unwrap();
        let before = include_bytes!("../tests/fixtures/state/format-2.json");
        assert_eq!(state, State::decode(before).unwrap());
        assert_eq!(state.pending_since, None);
        let written: Map<String, Value> = serde_json::from_slice(&state.encode().unwrap()).unwrap();
        let mut expected: Map<String, Value> = serde_json::from_slice(old).unwrap();
        assert_eq!(
            expected.insert("format".to_owned(), json!(FORMAT)),
            Some(json!(3))
        );
        assert_eq!(
            expected.insert("pendingSince".to_owned(), Value::Null),
            None
        );
        // What the only seed holds is not written twice any more.
        let seeded = &mut expected["remembered"]["ledger"]["seeded"];
        assert_ne!(seeded.take(), json!([]));
        *seeded = json!([]);
        assert_eq!(written, expected);
    }

    #[test]
    fn a_state_that_refers_to_what_is_not_in_it_is_refused() {
        let bytes = state_of(&[&["a"]]).encode().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let published = "\"published\":[[[0,";
        assert!(text.contains(published), "{text}");
        let error = State::decode(text.replace(published, "\"published\":[[[9,").as_bytes());
        assert!(matches!(error, Err(StateError::Dangling(_))), "{error:?}");
    }

    #[test]
    fn a_state_whose_hierarchy_is_none_is_refused() {
        let text = String::from_utf8(state_of(&[&["a"]]).encode().unwrap()).unwrap();
        let published = "\"published\":[[[0,null,";
        assert!(text.contains(published), "{text}");
        // A group under itself, and one under what is not there.
        for parent in ["0", "7"] {
            let broken = text.replace(published, &format!("\"published\":[[[0,{parent},"));
            let error = State::decode(broken.as_bytes());
            assert!(matches!(error, Err(StateError::Invalid)), "{error:?}");
        }
    }

    #[test]
    fn a_damaged_way_back_leads_nowhere() {
        let state = state_of(&[&["a"], &["b"]]);
        let text = String::from_utf8(state.encode().unwrap()).unwrap();
        // Before the second version there was a group at the top; now it is under one that is not there.
        let way_back = "\"undos\":[[[0,[null,";
        assert!(text.contains(way_back), "{text}");
        let damaged = text.replace(way_back, "\"undos\":[[[0,[1,");
        let state = State::decode(damaged.as_bytes()).unwrap();
        assert_eq!(state.version_published(1), None);
        assert!(state.version_published(2).is_some());
    }

    #[test]
    fn a_format_does_not_take_the_fields_of_another() {
        let mut state: Map<String, Value> =
            serde_json::from_slice(&state_of(&[&["a"]]).encode().unwrap()).unwrap();
        state.remove("due");
        let bytes = serde_json::to_vec(&state).unwrap();
        assert!(State::decode(&bytes).is_err());
    }
}
