//! The state as a document: what is written, and every format that can be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};

use super::{Dues, FORMAT, HandshakeToken, HistoryEntry, Hold, State, StateError};
use crate::{
    hierarchy::{
        Document, Ledger, Published, Remembered, SourceName, plan::Counts, published::Undo,
    },
    timestamp::Timestamp,
};

/// How every document of the newest format begins.
const BEGINNING: &[u8] = b"{\"format\":4,\"remembered\":";

/// What a document has beside what the model remembers takes less of it, where little is due: its history is bounded.
const ROOM_FOR_THE_REST: usize = 8 * 1024;

/// The newest format. What the model remembers stands first: it is long, written and read by the model, and known before all else.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StateDocument<R> {
    #[serde(rename = "format", skip_serializing)]
    _format: u32,
    #[serde(skip_serializing)]
    remembered: R,
    version: u64,
    unsure: bool,
    unpaid: u64,
    hold: HoldDocument,
    /// Format 3 had none.
    #[serde(default)]
    pending_since: Option<Timestamp>,
    approvals: u64,
    history: Vec<HistoryDocument>,
    due: Dues,
    handshakes: BTreeMap<SourceName, HandshakeToken>,
    /// Whether anything was published: it is the first of what was.
    is_published: bool,
}

/// What is held; the waiting version is the last of what was published.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum HoldDocument {
    No,
    RollbackWaits { version: u64 },
    RolledBack { version: u64 },
}

/// One published version; what leads back from it is at its place among the undos.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HistoryDocument {
    version: u64,
    time: Timestamp,
    cause: String,
    counts: Counts,
    groups: usize,
}

/// Formats 1 and 2: every name written out where it is meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlainState {
    #[serde(rename = "format")]
    _format: u32,
    ledger: Ledger,
    published: Option<Published>,
    version: u64,
    unsure: bool,
    unpaid: u64,
    hold: Hold,
    approvals: u64,
    history: Vec<HistoryEntry>,
    due: Dues,
    handshakes: BTreeMap<SourceName, HandshakeToken>,
}

impl State {
    /// Reads a document.
    ///
    /// # Errors
    /// [`StateError`]: nothing is ever guessed or started over.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| StateError::Unreadable {
            line: error.line(),
            column: error.column(),
        };
        let format = match bytes.starts_with(BEGINNING) {
            true => FORMAT,
            false => {
                let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
                format
            }
        };
        let state = match format {
            0 => return Err(StateError::Unreadable { line: 1, column: 1 }),
            1 => {
                let fields = serde_json::from_slice(bytes).map_err(unreadable)?;
                let plain: PlainState =
                    serde_json::from_value(from_format_1(fields)).map_err(unreadable)?;
                plain.state()
            }
            2 => {
                let plain: PlainState = serde_json::from_slice(bytes).map_err(unreadable)?;
                plain.state()
            }
            3 | FORMAT => {
                let document: StateDocument<&RawValue> =
                    serde_json::from_slice(bytes).map_err(unreadable)?;
                let remembered = Document::from_json(document.remembered.get());
                let remembered = remembered.map_err(unreadable)?.remembered()?;
                document.state(remembered)?
            }
            newer => return Err(StateError::Newer(newer)),
        };
        if state.publishable().iter().all(|one| one.is_valid()) {
            Ok(state)
        } else {
            Err(StateError::Invalid)
        }
    }

    /// Writes the document.
    ///
    /// # Errors
    /// None in practice: every part of it can be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let undos: Vec<&Undo> = self.history.iter().map(|entry| &entry.undo).collect();
        self.finish(begin(&self.ledger, &self.publishable(), &undos)?)
    }

    /// Writes the document, of which what the model remembers is there.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(super) fn finish(&self, mut begun: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
        let rest = begun.len();
        serde_json::to_writer(&mut begun, &StateDocument::of(self))?;
        // The rest is written as an object of its own, and goes on where the other one stopped.
        if let Some(brace) = begun.get_mut(rest) {
            *brace = b',';
        }
        Ok(begun)
    }
}

/// Writes how a document begins: with what the model remembers.
pub(super) fn begin(
    ledger: &Ledger,
    published: &[&Published],
    undos: &[&Undo],
) -> Result<Vec<u8>, serde_json::Error> {
    let mut document = BEGINNING.to_vec();
    Document::write(ledger, published, undos, &mut document)?;
    // So that nothing of it is moved when the rest is written.
    document.reserve(ROOM_FOR_THE_REST);
    Ok(document)
}

impl StateDocument<()> {
    fn of(state: &State) -> Self {
        let State {
            ledger: _,
            published,
            version,
            unsure,
            unpaid,
            hold,
            pending_since,
            approvals,
            history,
            due,
            handshakes,
        } = state;
        Self {
            _format: FORMAT,
            version: *version,
            unsure: *unsure,
            unpaid: *unpaid,
            hold: match hold {
                Hold::No => HoldDocument::No,
                Hold::RollbackWaits { version, .. } => {
                    HoldDocument::RollbackWaits { version: *version }
                }
                Hold::RolledBack { version } => HoldDocument::RolledBack { version: *version },
            },
            pending_since: *pending_since,
            approvals: *approvals,
            history: history
                .iter()
                .map(|entry| HistoryDocument {
                    version: entry.version,
                    time: entry.time,
                    cause: entry.cause.clone(),
                    counts: entry.counts,
                    groups: entry.groups,
                })
                .collect(),
            due: due.clone(),
            handshakes: handshakes.clone(),
            is_published: published.is_some(),
            remembered: (),
        }
    }
}

impl<R> StateDocument<R> {
    fn state(self, remembered: Remembered) -> Result<State, StateError> {
        let Self {
            _format: _,
            version,
            unsure,
            unpaid,
            hold,
            pending_since,
            approvals,
            history,
            due,
            handshakes,
            is_published,
            remembered: _,
        } = self;
        let Remembered {
            ledger,
            published,
            undos,
        } = remembered;
        let mut rest = published.into_iter();
        let published = match is_published {
            true => Some(rest.next().ok_or(StateError::Invalid)?),
            false => None,
        };
        let hold = match hold {
            HoldDocument::No => Hold::No,
            HoldDocument::RollbackWaits { version } => Hold::RollbackWaits {
                version,
                target: rest.next().ok_or(StateError::Invalid)?,
            },
            HoldDocument::RolledBack { version } => Hold::RolledBack { version },
        };
        if rest.next().is_some() || history.len() != undos.len() {
            return Err(StateError::Invalid);
        }
        let history = history.into_iter().zip(undos).map(|(entry, undo)| {
            let HistoryDocument {
                version,
                time,
                cause,
                counts,
                groups,
            } = entry;
            HistoryEntry {
                version,
                time,
                cause,
                counts,
                groups,
                undo,
            }
        });
        Ok(State {
            ledger,
            published,
            version,
            unsure,
            unpaid,
            hold,
            pending_since,
            approvals,
            history: history.collect(),
            due,
            handshakes,
        })
    }
}

impl PlainState {
    fn state(self) -> State {
        let Self {
            _format: _,
            ledger,
            published,
            version,
            unsure,
            unpaid,
            hold,
            approvals,
            history,
            due,
            handshakes,
        } = self;
        State {
            ledger,
            published,
            version,
            unsure,
            unpaid,
            hold,
            pending_since: None,
            approvals,
            history,
            due,
            handshakes,
        }
    }
}

/// Format 2 added what is due and the handshakes; there were none.
fn from_format_1(mut fields: Map<String, Value>) -> Value {
    fields.insert("format".to_owned(), json!(2));
    fields.insert("due".to_owned(), json!(Dues::default()));
    fields.insert("handshakes".to_owned(), json!({}));
    Value::Object(fields)
}
