//! What a source says: statements about groups and persons, as of a time.

use std::{borrow::Borrow, fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    forest::cycles_above,
    name::{Group, GroupType, Key, Name, NameFault},
};
use crate::timestamp::Timestamp;

/// How far ahead of our clock a sender's time may lie before it counts as the time of receipt.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// A configured sender, by the name it has in `sources.toml`; or `capillary`, or `manual`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// The source of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The source whose statements are Capillary's organisations.
    pub fn capillary() -> Self {
        Self::new("capillary")
    }

    /// The source of seeds.
    pub fn manual() -> Self {
        Self::new("manual")
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SourceName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl Borrow<str> for SourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a sender calls one event, over all its attempts to deliver it.
pub type EventId = Name;

/// A person's id at the sender. Never kept: the ledger holds an HMAC of it.
#[derive(Clone, Debug)]
pub struct PersonId(SecretString);

impl PersonId {
    /// Takes a sender's id of a person.
    ///
    /// # Errors
    /// [`NameFault::Empty`] where nothing is left after trimming.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameFault::Empty);
        }
        Ok(Self(SecretString::from(text)))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A group as a statement gives it: by the sender's key where it has keys, else by type and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRef {
    /// By type and name: the group that bore the name at the statement's time.
    Named(Group),
    /// By key, and what the statement calls it, if it does.
    Keyed {
        /// The sender's id.
        key: Key,
        /// Its type and name as of the statement.
        named: Option<Group>,
    },
}

impl GroupRef {
    /// The reference by `key` where there is one, else by name.
    pub fn new(group: Group, key: Option<Key>) -> Self {
        match key {
            Some(key) => Self::Keyed {
                key,
                named: Some(group),
            },
            None => Self::Named(group),
        }
    }
}

/// What a statement says of a group's parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// It is part of this one.
    Under(GroupRef),
    /// It is at the top.
    Top,
    /// Nothing: no claim on the parent.
    NotSaid,
}

/// One thing a source says.
#[derive(Clone, Debug)]
pub enum Statement {
    /// The group exists, under this parent.
    Exists {
        /// Which group.
        group: GroupRef,
        /// What is said of its parent.
        parent: Parent,
    },
    /// The group is part of the parent, if it exists: membership alone, as of SCIM's `members`.
    Member {
        /// The part.
        group: GroupRef,
        /// The whole.
        parent: GroupRef,
    },
    /// The group is gone.
    Gone {
        /// Which group.
        group: GroupRef,
    },
    /// The group is called otherwise from now on; it exists.
    Renamed {
        /// Which group, by the name it had.
        group: Group,
        /// The sender's id of it, if it has one.
        key: Option<Key>,
        /// The name it has now; the type stays.
        to: Name,
    },
    /// A person's record.
    Person {
        /// Whose.
        person: PersonId,
        /// What it says.
        says: PersonSays,
    },
    /// All of this scope has been said in this delivery: what is older and not in it has ended.
    Complete(Scope),
}

impl Statement {
    /// Whether it says no more than that something is no longer.
    pub const fn is_an_end(&self) -> bool {
        match self {
            Self::Gone { .. } => true,
            Self::Person { says, .. } => matches!(says, PersonSays::Left),
            Self::Exists { .. }
            | Self::Member { .. }
            | Self::Renamed { .. }
            | Self::Complete(_) => false,
        }
    }
}

/// What a person's record says.
#[derive(Clone, Debug)]
pub enum PersonSays {
    /// The person is in these groups, each part of the one before it.
    In(Vec<GroupRef>),
    /// The person has left.
    Left,
}

/// What a snapshot is complete of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every group of the source.
    Groups,
    /// Every person of the source.
    Persons,
    /// Every child of one group.
    ChildrenOf(GroupRef),
}

/// A statement and its own time, where the sender gave it one.
#[derive(Clone, Debug)]
pub struct Stated {
    /// When it became true, by the sender; a delivery's time where absent.
    pub at: Option<Timestamp>,
    /// What is said.
    pub statement: Statement,
}

/// What came in one delivery of one source, in the order in which it was written.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who says it.
    pub source: SourceName,
    /// The sender's name for the event, by which its first attempt is remembered.
    pub event_id: Option<EventId>,
    /// When this attempt came in, by our clock at the edge.
    pub received: Timestamp,
    /// The time of this attempt as signed by the sender, else the time of receipt. Statements
    /// without a time of their own are as of the first attempt's.
    pub attempted: Timestamp,
    /// What is said.
    pub statements: Vec<Stated>,
}

/// One row of Calven's: a group and its parent, or none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relationship {
    /// The group.
    pub group: Group,
    /// What it is part of; `None` at the top.
    pub parent: Option<Group>,
}

/// The operator's complete set of rows, checked by Calven's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRows(Vec<Relationship>);

/// Why rows are no hierarchy by Calven's rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowsFault {
    /// One group has two rows with different parents.
    #[error("{0} has more than one parent")]
    TwoParents(Group),
    /// A group is its own ancestor.
    #[error("{} is a cycle", cycle_text(.0))]
    Cycle(Vec<Group>),
}

fn cycle_text(cycle: &[Group]) -> String {
    let names: Vec<String> = cycle
        .iter()
        .chain(cycle.first())
        .map(ToString::to_string)
        .collect();
    names.join(" under ")
}

impl SeedRows {
    /// Takes rows that are a hierarchy by Calven's rules; equal rows count once.
    ///
    /// # Errors
    /// [`RowsFault`], one for each group with two parents and one for each cycle.
    pub fn new(mut rows: Vec<Relationship>) -> Result<Self, Vec<RowsFault>> {
        rows.sort();
        rows.dedup();
        let mut faults: Vec<RowsFault> = rows
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] if a.group == b.group => Some(RowsFault::TwoParents(a.group.clone())),
                _ => None,
            })
            .collect();
        faults.dedup();
        if faults.is_empty() {
            let find = |group: &Group| rows.binary_search_by(|row| row.group.cmp(group)).ok();
            let above = |at: usize| find(rows.get(at)?.parent.as_ref()?);
            let cycles = cycles_above(0..rows.len(), rows.len(), above);
            faults = cycles
                .into_iter()
                .map(|mut cycle| {
                    // From its lowest group up.
                    let lowest = (0..).zip(&cycle).min_by_key(|(_, at)| **at);
                    let lowest = lowest.map_or(0, |(place, _)| place);
                    cycle.rotate_left(lowest);
                    let groups = cycle.iter().filter_map(|at| rows.get(*at));
                    RowsFault::Cycle(groups.map(|row| row.group.clone()).collect())
                })
                .collect();
        }
        if faults.is_empty() {
            Ok(Self(rows))
        } else {
            Err(faults)
        }
    }

    /// The rows, sorted.
    pub fn rows(&self) -> &[Relationship] {
        &self.0
    }
}

/// A group's type and name from texts, for callers that have both.
///
/// # Errors
/// As [`Name::new`], for the first that is faulty.
pub fn group(name: &str, group_type: &str) -> Result<Group, NameFault> {
    Ok(Group::new(Name::new(name)?, GroupType::new(group_type)?))
}
