//! What a projection finds beside the hierarchy: what waits, which claims lost, what is odd.
//!
//! One long name may stand in a great many of them, so they share their texts with the ledger: only what is told is written out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    claims::{By, Claims},
    ledger::Ledger,
    name::{Group, GroupType, Key, Name},
    project::Rules,
    settle::{Waiting, Why},
    statement::SourceName,
    table::{Dense, GroupId, KeyId, Names, Order},
    views::Views,
};

/// Why something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// No operator has seeded yet, so what Calven holds is not known.
    NotSeeded,
    /// It removes or moves more than the guard lets pass.
    Guard,
    /// It would make a group its own ancestor.
    Cycle,
    /// Its parent is known only by a key that nobody has named yet.
    UnknownParent,
    /// An operator went back to an older version, and has not approved going on.
    RolledBack,
}

/// A statement that waits, by itself, for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Why.
    pub reason: HeldReason,
    /// The group whose placing waits.
    pub group: Name,
    /// Its type.
    pub group_type: GroupType,
    /// The parent it would have, where that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Name>,
    /// That parent's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_type: Option<GroupType>,
    /// The parent's key, where that is all that is known or what waits itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_key: Option<Key>,
    /// The cycle, from the group upwards; of a long one its beginning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<GroupText>,
    /// How many groups the cycle has, where it is too long to be told whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycle_groups: Option<usize>,
    /// Who said it.
    pub source: Option<SourceName>,
    /// As of when.
    pub occurred_at: String,
    #[serde(skip)]
    pub(super) concern: Concern,
}

/// What something that waits has to do with what who asks is concerned with: the groups of the merged statements, or those that an
/// operator asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// It is one of them that waits.
    Itself,
    /// One of them is in the cycle, if not in the part of it that is told.
    InCycle,
    /// Nothing.
    None,
}

impl Held {
    /// Of the cycle no more is told than has so many bytes as JSON, but for its first two groups.
    pub fn shorten(&mut self, most_bytes: usize) {
        let mut bytes = 0_usize;
        let fits = self.cycle.iter().take_while(|told| {
            bytes = bytes.saturating_add(told.json_bytes());
            bytes <= most_bytes
        });
        let fits = fits.count().max(2);
        if fits < self.cycle.len() {
            self.cycle_groups = self.cycle_groups.or(Some(self.cycle.len()));
            self.cycle.truncate(fits);
        }
    }

    /// How many bytes what is told of the cycle has as JSON.
    pub(super) fn cycle_bytes(&self) -> usize {
        self.cycle.iter().map(GroupText::json_bytes).sum()
    }
}

impl GroupText {
    fn json_bytes(&self) -> usize {
        self.group.json_bytes() + self.group_type.json_bytes() + AROUND_A_GROUP
    }
}

/// What JSON puts around a group's name and type.
const AROUND_A_GROUP: usize = r#"{"group":"","groupType":""},"#.len();

/// A group in an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupText {
    /// Its name.
    pub group: Name,
    /// Its type.
    pub group_type: GroupType,
}

impl From<&Group> for GroupText {
    fn from(group: &Group) -> Self {
        Self {
            group: group.name.clone(),
            group_type: group.group_type.clone(),
        }
    }
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// The parent it names; `null` for the top.
    pub parent: Option<Name>,
    /// That parent's type.
    pub parent_type: Option<GroupType>,
    /// Who names it.
    pub source: SourceName,
    /// How many persons' records imply it; absent where it is said of the group itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons: Option<usize>,
}

impl Side {
    pub(super) fn new(parent: Option<&Group>, source: &SourceName, persons: Option<usize>) -> Self {
        let row = parent.map(GroupText::from);
        let (parent, parent_type) = row.map(|row| (row.group, row.group_type)).unzip();
        Self {
            parent,
            parent_type,
            source: source.clone(),
            persons,
        }
    }
}

/// Two claims on the parent of one group, one of which lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The group.
    pub group: Name,
    /// Its type.
    pub group_type: GroupType,
    /// What won.
    pub won: Side,
    /// What lost.
    pub lost: Side,
    #[serde(skip)]
    pub(super) concerns: Group,
}

pub(super) fn held(waiting: Waiting, views: &Views<'_>, names: &Names<'_>) -> Held {
    let Waiting {
        group,
        by,
        at,
        why,
        concern,
    } = waiting;
    let (reason, parent, key): (_, Option<GroupId>, Option<KeyId>) = match &why {
        Why::UnknownParent(key) => (HeldReason::UnknownParent, None, Some(*key)),
        Why::Cycle { parent, .. } => (HeldReason::Cycle, Some(*parent), None),
    };
    let (cycle, length) = match why {
        Why::UnknownParent(_) => (Vec::new(), 0),
        Why::Cycle { cycle, length, .. } => (cycle, length),
    };
    let source = match by {
        By::Source(source, _) | By::Persons(source, _) => views.name(source).cloned(),
        By::Seed => Some(SourceName::manual()),
        By::Nobody => None,
    };
    let text = |group: GroupId| GroupText::from(names.group(group));
    let GroupText {
        group: name,
        group_type,
    } = text(group);
    let (parent, parent_type) = parent.map(text).map(|p| (p.group, p.group_type)).unzip();
    Held {
        reason,
        group: name,
        group_type,
        parent,
        parent_type,
        parent_key: key.map(|key| names.table().key(key).clone()),
        cycle: cycle.iter().copied().map(text).collect(),
        cycle_groups: (length > cycle.len()).then_some(length),
        source,
        occurred_at: at.time.to_string(),
        concern,
    }
}

/// The conflicts among the claims on these groups, which are in order, and may be contested.
pub(super) fn conflicts(
    groups: &[GroupId],
    claims: &Dense<GroupId, Claims>,
    views: &Views<'_>,
    names: &Names<'_>,
    order: &Order,
) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for id in groups {
        let Some(claims) = claims.get(*id) else {
            continue;
        };
        if !claims.exists() {
            continue;
        }
        let sides = claims.sides(views, names, order);
        let Some((won, lost)) = sides.split_first() else {
            continue;
        };
        let group = names.group(*id);
        for lost in lost
            .iter()
            .filter(|lost| (&lost.parent, &lost.parent_type) != (&won.parent, &won.parent_type))
        {
            conflicts.push(Conflict {
                group: group.name.clone(),
                group_type: group.group_type.clone(),
                won: won.clone(),
                lost: lost.clone(),
                concerns: group.clone(),
            });
        }
    }
    conflicts
}

/// One warning names so many groups.
const MOST_NAMED: usize = 20;

pub(super) fn warnings(
    ledger: &Ledger,
    views: &Views<'_>,
    rules: &Rules,
    groups: &[GroupId],
    names: &Names<'_>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for source in ledger
        .sources
        .keys()
        .filter(|source| rules.priority(source).is_none())
    {
        warnings.push(format!(
            "source {source} is not configured: its statements do not count"
        ));
    }
    for (_, source, view) in views.iter() {
        for group in &view.shared_names {
            let group = names.group(*group);
            warnings.push(format!("{source}: several groups are named {group}: all but the lowest id have it behind their name"));
        }
    }
    for groups in differing_only_in_case(groups, names) {
        let told = groups.iter().take(MOST_NAMED).map(ToString::to_string);
        let told: Vec<String> = told.collect();
        let others = match groups.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            others => format!(", and {others} more"),
        };
        let told = told.join(", ");
        warnings.push(format!("these differ only in case: {told}{others}"));
    }
    warnings
}

/// Which hashes may be there more than once: those that are, and a few others.
struct Many {
    /// A bit for each that comes again, where it may share it with another.
    again: Vec<u64>,
}

impl Many {
    fn of(hashes: &[u64]) -> Self {
        // 64 bits for each: so hardly one in sixty shares its bit with another one.
        let mut once = vec![0; hashes.len().next_power_of_two()];
        let mut again = once.clone();
        for hash in hashes {
            let (word, bit) = bit_of(*hash, once.len());
            if let (Some(once), Some(again)) = (once.get_mut(word), again.get_mut(word)) {
                *again |= *once & bit;
                *once |= bit;
            }
        }
        Self { again }
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bit) = bit_of(hash, self.again.len());
        self.again.get(word).is_some_and(|again| again & bit != 0)
    }
}

/// The word that is a hash's among so many, a power of two, and its bit there.
fn bit_of(hash: u64, words: usize) -> (usize, u64) {
    let word = usize::try_from(hash >> 6).unwrap_or(usize::MAX) & (words - 1);
    (word, 1 << (hash & 63))
}

/// The groups whose names are the same but for their case, by their names in lower case.
fn differing_only_in_case<'n>(groups: &[GroupId], names: &'n Names<'_>) -> Vec<Vec<&'n Group>> {
    // Hardly any do, so only those are looked at whose hashes are the same, and only those are sorted that may be.
    let hashes = groups.iter().map(|id| names.folded(*id));
    let hashes: Vec<u64> = hashes.collect();
    let many = Many::of(&hashes);
    let hashes = hashes.iter().copied().zip(0..);
    let mut hashes: Vec<(u64, usize)> = hashes.filter(|(hash, _)| many.has(*hash)).collect();
    hashes.sort_unstable();
    let mut by_case: BTreeMap<(String, String), Vec<&Group>> = BTreeMap::new();
    for same in hashes.chunk_by(|(a, _), (b, _)| a == b) {
        if same.len() < 2 {
            continue;
        }
        for (_, at) in same {
            let Some(group) = groups.get(*at).map(|id| names.group(*id)) else {
                continue;
            };
            let folded = (
                group.group_type.as_str().to_lowercase(),
                group.name.as_str().to_lowercase(),
            );
            by_case.entry(folded).or_default().push(group);
        }
    }
    by_case
        .into_values()
        .filter(|same| same.len() > 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_found_among_many() {
        // As hashes are: each another one, and spread.
        let hash = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
        for count in [1, 2, 3, 1_000] {
            let mut hashes: Vec<u64> = (0..count).map(hash).collect();
            assert!(
                hashes
                    .iter()
                    .filter(|hash| Many::of(&hashes).has(**hash))
                    .count()
                    < 50
            );
            for twice in [0, count / 2, count - 1] {
                hashes.push(hash(twice));
                let many = Many::of(&hashes);
                assert!(many.has(hash(twice)), "{twice} of {count}");
            }
        }
        assert!(!Many::of(&[]).has(7));
    }
}
