//! A company of any size, and what its HR system says of it: made of a seed, so that every run measures the same.
//!
//! `measure` has a company that changes at random and stays small. This one is a tree, or a list of persons, as large as it
//! shall be, and its documents are in no order.

use std::iter;

use anyhow::{Context as _, Result};
use calven_bridge::timestamp::Timestamp;
use fastrand::Rng;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// So many groups are in one, at the most.
const FAN_OUT: usize = 8;
/// So many persons are in one department, and so many departments in one division.
const STAFF: usize = 10;
const DEPARTMENTS: usize = 10;

/// As many rows as one body of ours has: that these are all is a statement too, and a body has no more than 100,000.
const ROWS: usize = 99_999;

/// 2026-01-12T08:00:00Z.
const BEGINNING: i64 = 1_768_204_800;

const WHERE: [&str; 8] = [
    "Platform", "Customer", "Regional", "Global", "Field", "Digital", "Clinical", "Retail",
];
const WHAT: [&str; 8] = [
    "Engineering",
    "Operations",
    "Finance",
    "Marketing",
    "Research",
    "Logistics",
    "Compliance",
    "Success",
];

/// How a system knows what it tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Groups, by their names.
    Named,
    /// Groups, by keys.
    Keyed,
    /// Persons, whose groups follow from where they are: a tenth as many.
    Persons,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Named, Self::Keyed, Self::Persons];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Keyed => "keyed",
            Self::Persons => "persons",
        }
    }
}

/// A company: its groups, or its persons.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    kind: Kind,
    random: Rng,
    /// Of each member, in no order, what it is in.
    members: Vec<(String, Option<usize>)>,
    order: Vec<usize>,
    now: i64,
}

impl Company {
    /// A company of so many groups, or persons.
    pub(crate) fn new(kind: Kind, size: usize) -> Self {
        let mut random = Rng::with_seed(1);
        let members = (0..size).map(|n| match kind {
            Kind::Named | Kind::Keyed => {
                let above = n.checked_sub(1).map(|n| n / FAN_OUT);
                (name(&mut random, n), above)
            }
            Kind::Persons => (format!("E-{n:06}"), Some(n / STAFF)),
        });
        let members = members.collect();
        let mut order: Vec<usize> = (0..size).collect();
        random.shuffle(&mut order);
        Self {
            kind,
            random,
            members,
            order,
            now: BEGINNING,
        }
    }

    /// When the last thing was said.
    pub(crate) const fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.now)
    }

    /// All that there is, as of now, in one body or as many as it takes; what is said next is newer.
    pub(crate) fn says_all(&mut self) -> Result<Vec<Vec<u8>>> {
        let field = match self.kind {
            Kind::Named | Kind::Keyed => "groupRelationships",
            Kind::Persons => "employees",
        };
        self.now += 1;
        let bodies = self.order.chunks(ROWS).map(|members| {
            let rows: Option<Vec<Value>> = members.iter().map(|n| self.row(*n)).collect();
            self.body(field, rows.context("every member is there")?)
        });
        bodies.collect()
    }

    /// That one member is elsewhere from now on; no other is in it.
    pub(crate) fn says_a_move(&mut self) -> Result<Vec<u8>> {
        let size = self.members.len();
        let (parents, field) = match self.kind {
            Kind::Named | Kind::Keyed => (size / FAN_OUT, "changes"),
            Kind::Persons => (size / STAFF, "employees"),
        };
        let n = self.random.usize(parents + 1..size);
        let further = self.random.usize(1..parents);
        let member = self.members.get_mut(n).context("a member")?;
        member.1 = member.1.map(|above| (above + further) % parents);
        let row = self.row(n).context("a member")?;
        self.now += 1;
        self.body(field, vec![row])
    }

    /// What is said now.
    fn body(&self, field: &str, rows: Vec<Value>) -> Result<Vec<u8>> {
        let at = OffsetDateTime::from_unix_timestamp(self.now)?.format(&Rfc3339)?;
        let id = format!("evt_{}", self.now);
        let fields = [("id", json!(id)), ("occurredAt", json!(at))];
        let fields = fields.into_iter().chain(iter::once((field, json!(rows))));
        let body: serde_json::Map<_, _> = fields.map(|(k, v)| (k.to_owned(), v)).collect();
        Ok(serde_json::to_vec(&body)?)
    }

    fn row(&self, n: usize) -> Option<Value> {
        let (name, above) = self.members.get(n)?;
        let mut row = match self.kind {
            Kind::Named | Kind::Keyed => json!({"group": name, "groupType": group_type(n)}),
            Kind::Persons => {
                let department = (*above)?;
                let division = department / DEPARTMENTS;
                return Some(json!({
                    "id": name,
                    "division": format!("Division {division}"),
                    "department": format!("Department {department}"),
                }));
            }
        };
        let fields = row.as_object_mut()?;
        if self.kind == Kind::Keyed {
            fields.insert("key".to_owned(), json!(key(n)));
        }
        if let Some(above) = *above {
            match self.kind {
                Kind::Keyed => fields.insert("parentKey".to_owned(), json!(key(above))),
                Kind::Named | Kind::Persons => {
                    let (parent, _) = self.members.get(above)?;
                    fields.insert("parent".to_owned(), json!(parent));
                    fields.insert("parentType".to_owned(), json!(group_type(above)))
                }
            };
        }
        Some(row)
    }
}

/// Names whose order is not that of the groups.
fn name(random: &mut Rng, n: usize) -> String {
    let mut word =
        |words: &[&'static str]| random.choice(words.iter().copied()).unwrap_or_default();
    format!("{} {} {n}", word(&WHERE), word(&WHAT))
}

fn key(n: usize) -> String {
    // As ids are that nobody made up in order.
    format!("grp_{:08x}", n.wrapping_mul(2_654_435_761) & 0xffff_ffff)
}

/// By how deep a group lies in the tree.
fn group_type(n: usize) -> &'static str {
    match n {
        0 => "Company",
        1..=8 => "Division",
        9..=584 => "Department",
        _ => "Team",
    }
}
