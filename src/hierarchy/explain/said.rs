//! What was said of one group, as an answer shows it: persons as counts alone.

use std::fmt;

use serde::Serialize;

use super::super::name::Group;

/// A parent in an answer: as Calven has it, `null` for the top; or a key that nobody has named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentText {
    /// Its name.
    pub parent: Option<String>,
    /// Its type.
    pub parent_type: Option<String>,
    /// Its key, where nobody has named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_key: Option<String>,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Says {
    /// It exists; nothing of its parent.
    Exists,
    /// It exists, under this parent.
    Placed(ParentText),
    /// It is a part of this group, if it exists.
    Member(ParentText),
    /// It is gone.
    Gone,
    /// It is called otherwise from then on.
    Renamed {
        /// How.
        to: String,
    },
    /// A group with a key has this name.
    Named,
}

/// One thing that a source said of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// What.
    #[serde(flatten)]
    pub says: Says,
    /// The name that it said it of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The sender's key of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// As of when.
    pub occurred_at: String,
    /// When it was received first.
    pub received_at: String,
    /// Whether it counts.
    pub counts: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// How many persons' records imply a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonsSay {
    /// The parent.
    #[serde(flatten)]
    pub parent: ParentText,
    /// How many.
    pub persons: usize,
    /// As of when the newest of their records is.
    pub newest: String,
    /// Whether they count.
    pub counts: bool,
    /// Why they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Everything that one source said of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceSays {
    /// Who.
    pub source: String,
    /// Its priority; `null` where it is not configured, so that nothing it says counts.
    pub priority: Option<i64>,
    /// What it said of the group itself, by time.
    pub said: Vec<Statement>,
    /// What its persons' records imply.
    pub persons: Vec<PersonsSay>,
}

/// The row of a seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seeding {
    /// As of when.
    pub occurred_at: String,
    /// The parent.
    #[serde(flatten)]
    pub parent: ParentText,
}

impl ParentText {
    pub(super) fn of(parent: Option<&Group>) -> Self {
        Self {
            parent: parent.map(|parent| parent.name.to_string()),
            parent_type: parent.map(|parent| parent.group_type.to_string()),
            parent_key: None,
        }
    }
}

impl fmt::Display for ParentText {
    /// `under Division "Ops"`, or `at the top`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            parent,
            parent_type,
            parent_key,
        } = self;
        match (parent, parent_type, parent_key) {
            (Some(parent), Some(parent_type), _) => write!(f, "under {parent_type} {parent:?}"),
            (_, _, Some(key)) => write!(f, "under the key {key:?}, which nobody has named"),
            (_, _, None) => f.write_str("at the top"),
        }
    }
}
