//! A company of bounded size, what its two systems say of it, and the hierarchy that must come of that.
//!
//! One system knows teams and departments by their names, the other persons and where they sit. Whatever is said bears its own
//! time, so that in whatever order, and however often, it arrives, the same must come of it.
//!
//! The size is bounded: whoever watches a function's memory must know that it does not grow because the data does. What is said of
//! a bounded hierarchy is not: for `TOMBSTONE_DAYS` the ledger keeps all that a late rename or a late name would need. So the first
//! system also says all that it has now and then, which thins out what it said before, and persons move a few times and no more.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result};
use fastrand::Rng;
use serde_json::{Value, json};
use stand_ins::calven::Row;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::webhook::{Sender, Webhook};

const DIVISIONS: usize = 6;
const DEPARTMENTS: usize = 30;
const PERSONS: usize = 40;
const OFFICES: usize = 10;
const REGIONS: usize = 3;

/// So often a person moves; from then on their record is sent as it was.
const MOVES: usize = 3;

/// Between two things that are said.
const STEP: Duration = Duration::from_millis(100);

/// A company that changes at random, by a seed.
#[derive(Debug)]
pub struct Company {
    random: Rng,
    /// When the next thing happens.
    clock: OffsetDateTime,
    happened: usize,
    /// The division of each department.
    departments: Vec<usize>,
    /// The department of each team; `None` where there is no such team, or no more.
    teams: Vec<Option<usize>>,
    persons: Vec<Person>,
    last: Option<Webhook>,
    snapshots: Snapshots,
}

/// Whether the system that knows groups says all that it has, now and then.
#[derive(Clone, Copy, Debug)]
pub enum Snapshots {
    /// It says nothing but changes.
    Never,
    /// After so many things that happened.
    Every(usize),
}

#[derive(Clone, Debug, Default)]
struct Person {
    moves: usize,
    /// The record as it was sent last; `None` before they came.
    record: Option<Record>,
}

#[derive(Clone, Debug)]
struct Record {
    office: usize,
    updated_at: OffsetDateTime,
}

impl Company {
    /// A company without teams and persons, in which nothing happens before `since`.
    pub fn new(seed: u64, teams: usize, snapshots: Snapshots, since: OffsetDateTime) -> Self {
        Self {
            random: Rng::with_seed(seed),
            clock: since,
            happened: 0,
            departments: (0..DEPARTMENTS).map(|n| n % DIVISIONS).collect(),
            teams: vec![None; teams],
            persons: vec![Person::default(); PERSONS],
            last: None,
            snapshots,
        }
    }

    /// A company that begins with so many groups, all of them there and a team among them, and never says everything at once.
    pub fn with_groups(seed: u64, groups: usize, since: OffsetDateTime) -> Self {
        let teams = groups.saturating_sub(DIVISIONS + DEPARTMENTS).max(1);
        let mut company = Self::new(seed, teams, Snapshots::Never, since);
        for (n, place) in company.teams.iter_mut().enumerate() {
            *place = Some(n % DEPARTMENTS);
        }
        company
    }

    /// When to begin so that the last of so many things happens before `now`.
    pub fn since(now: OffsetDateTime, happenings: usize) -> OffsetDateTime {
        let steps = u32::try_from(happenings).unwrap_or(u32::MAX);
        now - STEP.saturating_mul(steps.saturating_add(600))
    }

    /// The operator's seed: divisions and departments as they are.
    ///
    /// # Errors
    /// Where the time cannot be written.
    pub fn seed(&self) -> Result<Value> {
        let rows: Vec<Row> = self.rows().into_iter().collect();
        Ok(
            json!({"action": "seed", "occurredAt": written(self.clock)?, "groupRelationships": rows}),
        )
    }

    /// What a system says next; now and then it says the last thing twice.
    ///
    /// # Errors
    /// Where the time cannot be written.
    pub fn next_webhook(&mut self) -> Result<Webhook> {
        let chance = self.random.u32(0..100);
        if let Some(last) = self.last.as_ref().filter(|_| chance < 5) {
            return Ok(last.clone());
        }
        self.clock += STEP;
        self.happened += 1;
        let webhook = match chance {
            _ if self.is_to_say_all() => self.says_all()?,
            5..15 => self.person_moves()?,
            15..20 => self.department_moves()?,
            _ => self.team_changes()?,
        };
        self.last = Some(webhook.clone());
        Ok(webhook)
    }

    /// What is said as a team moves to a department in which it was not: a change in any case.
    ///
    /// # Errors
    /// Where the time cannot be written.
    pub fn next_move(&mut self) -> Result<Webhook> {
        self.clock += STEP;
        self.happened += 1;
        let n = self.random.usize(0..self.teams.len());
        let further = self.random.usize(1..DEPARTMENTS);
        let place = self.teams.get_mut(n).context("a company has teams")?;
        let above = place.map_or(0, |above| (above + further) % DEPARTMENTS);
        *place = Some(above);
        let row = below(team(n), "Team", department(above), "Department");
        self.says(upsert(&row))
    }

    /// What Calven must hold once all that was said so far is published.
    pub fn rows(&self) -> BTreeSet<Row> {
        let mut rows = self.groups();
        rows.extend(self.offices());
        rows
    }

    /// What the system says that knows groups.
    fn groups(&self) -> BTreeSet<Row> {
        let divisions = (0..DIVISIONS).map(|n| top(division(n), "Division"));
        let departments = self
            .departments
            .iter()
            .enumerate()
            .map(|(n, above)| below(department(n), "Department", division(*above), "Division"));
        let teams = self.teams.iter().enumerate().filter_map(|(n, above)| {
            Some(below(team(n), "Team", department((*above)?), "Department"))
        });
        divisions.chain(departments).chain(teams).collect()
    }

    /// What follows from where persons sit.
    fn offices(&self) -> BTreeSet<Row> {
        let records = self.persons.iter().filter_map(|p| p.record.as_ref());
        let taken: BTreeSet<usize> = records.map(|record| record.office).collect();
        let rows = taken.into_iter().flat_map(|n| {
            let above = region(n % REGIONS);
            let office = below(office(n), "Department", above.clone(), "Division");
            [top(above, "Division"), office]
        });
        rows.collect()
    }

    fn is_to_say_all(&self) -> bool {
        match self.snapshots {
            Snapshots::Never => false,
            Snapshots::Every(happenings) => self.happened.is_multiple_of(happenings),
        }
    }

    fn says_all(&self) -> Result<Webhook> {
        let rows: Vec<Row> = self.groups().into_iter().collect();
        let body = json!({"occurredAt": written(self.clock)?, "groupRelationships": rows});
        Ok(Webhook::new(
            Sender::Groups,
            format!("all_{}", self.happened),
            &body,
        ))
    }

    /// A team comes, goes, or moves to another department.
    fn team_changes(&mut self) -> Result<Webhook> {
        let n = self.random.usize(0..self.teams.len());
        let is_to_go = self.random.u32(0..10) == 0;
        let Some(place) = self.teams.get_mut(n) else {
            return self.department_moves();
        };
        let change = if place.is_some() && is_to_go {
            *place = None;
            json!({"op": "remove", "group": team(n), "groupType": "Team"})
        } else {
            let above = self.random.usize(0..DEPARTMENTS);
            *place = Some(above);
            upsert(&below(team(n), "Team", department(above), "Department"))
        };
        self.says(change)
    }

    fn department_moves(&mut self) -> Result<Webhook> {
        let n = self.random.usize(0..DEPARTMENTS);
        let above = self.random.usize(0..DIVISIONS);
        if let Some(place) = self.departments.get_mut(n) {
            *place = above;
        }
        let row = below(department(n), "Department", division(above), "Division");
        self.says(upsert(&row))
    }

    fn says(&self, change: Value) -> Result<Webhook> {
        let id = format!("evt_{}", self.happened);
        let body = json!({"id": id, "occurredAt": written(self.clock)?, "changes": [change]});
        Ok(Webhook::new(Sender::Groups, id, &body))
    }

    /// A person moves to another office, or their record is sent once more.
    fn person_moves(&mut self) -> Result<Webhook> {
        let n = self.random.usize(0..PERSONS);
        let to = self.random.usize(0..OFFICES);
        let now = Record {
            office: to,
            updated_at: self.clock,
        };
        let record = match self.persons.get_mut(n) {
            Some(person) if person.moves < MOVES => {
                person.moves += 1;
                person.record.insert(now)
            }
            Some(Person {
                record: Some(record),
                ..
            }) => record,
            Some(_) | None => return self.department_moves(),
        };
        let above = record.office % REGIONS;
        let body = json!({
            "action": "employee_update",
            "data": {
                "id": n,
                "division": {"id": above, "name": region(above)},
                "department": {"id": record.office, "name": office(record.office)},
                "meta": {"updated_at": written(record.updated_at)?},
            },
        });
        let id = format!("person_{}", self.happened);
        Ok(Webhook::new(Sender::Persons, id, &body))
    }
}

fn written(time: OffsetDateTime) -> Result<String> {
    time.format(&Rfc3339)
        .context("a time before the year 10000")
}

fn upsert(row: &Row) -> Value {
    let Row {
        group,
        group_type,
        parent,
        parent_type,
    } = row;
    json!({"op": "upsert", "group": group, "groupType": group_type, "parent": parent, "parentType": parent_type})
}

fn top(group: String, group_type: &str) -> Row {
    Row {
        group,
        group_type: group_type.to_owned(),
        parent: None,
        parent_type: None,
    }
}

fn below(group: String, group_type: &str, parent: String, parent_type: &str) -> Row {
    Row {
        parent: Some(parent),
        parent_type: Some(parent_type.to_owned()),
        ..top(group, group_type)
    }
}

fn division(n: usize) -> String {
    format!("Division {n}")
}

fn department(n: usize) -> String {
    format!("Department {n}")
}

fn team(n: usize) -> String {
    format!("Team {n}")
}

fn region(n: usize) -> String {
    format!("Region {n}")
}

fn office(n: usize) -> String {
    format!("Office {n}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stand_ins::calven::check;

    const TEAMS: usize = 20;

    fn after(seed: u64, happenings: usize) -> (Company, Vec<String>) {
        let mut company = Company::new(
            seed,
            TEAMS,
            Snapshots::Every(50),
            OffsetDateTime::UNIX_EPOCH,
        );
        let said = (0..happenings)
            .map(|_| format!("{:?}", company.next_webhook().unwrap()))
            .collect();
        (company, said)
    }

    #[test]
    fn it_changes_and_stays_of_its_size_and_valid() {
        let most = DIVISIONS + DEPARTMENTS + TEAMS + REGIONS + OFFICES;
        let mut before = BTreeSet::new();
        for happenings in [0, 100, 2_000] {
            let rows = after(1, happenings).0.rows();
            assert_ne!(rows, before);
            assert!(rows.len() <= most, "{}", rows.len());
            check(&rows.iter().cloned().collect::<Vec<_>>()).unwrap();
            before = rows;
        }
    }

    #[test]
    fn it_has_as_many_groups_as_it_shall_and_every_move_changes_it() {
        let mut company = Company::with_groups(1, 1_000, OffsetDateTime::UNIX_EPOCH);
        for _ in 0..100 {
            let before = company.rows();
            check(&before.iter().cloned().collect::<Vec<_>>()).unwrap();
            company.next_move().unwrap();
            assert_eq!((before.len(), company.rows().len()), (1_000, 1_000));
            assert_ne!(before, company.rows());
        }
    }

    #[test]
    fn a_seed_says_the_same_again_and_now_and_then_one_thing_twice() {
        let (_, said) = after(1, 500);
        assert_eq!(said, after(1, 500).1);
        assert_ne!(said, after(2, 500).1);
        let twice = said.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((10..50).contains(&twice), "{twice}");
    }
}
