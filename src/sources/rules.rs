//! A mapping's rules: which records of a body are groups and persons, and what they say.
//!
//! A record with a fault says nothing: half a statement could move or remove what is right.

mod groups;
mod persons;
mod reference;

use serde_json::Value;
use time::UtcOffset;

use self::{groups::GroupRule, persons::PersonRule};
use super::{
    condition::Condition,
    fault::{BodyFault, Faults},
    field::Field,
    given::{Asked, Given},
    place::{Here, shown},
    reader::{KeyPath, Reader},
    search::{MAX_RECORDS, Search},
    times,
};
use crate::{
    hierarchy::{Stated, Statement},
    timestamp::Timestamp,
};

/// More statements than this are no body that a sender means.
pub const MAX_STATEMENTS: usize = 100_000;

/// The rules of a source, or of the answers when it is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    groups: Vec<GroupRule>,
    persons: Vec<PersonRule>,
}

/// What came of a body.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The statements: by the rules' order, then the records'.
    pub statements: Vec<Stated>,
    /// What does not fit; the last one counts those that are not told one by one.
    pub faults: Vec<BodyFault>,
    /// How many groups exist by their key alone, without a name.
    pub nameless: usize,
    /// How many persons' records say nothing of where the person is.
    pub placeless: usize,
}

impl Rules {
    /// Takes `groups` and `persons`; what is wrong is noted.
    pub(super) fn read(source: &mut Reader<'_>) -> Self {
        Self {
            groups: each_rule(source, "groups", GroupRule::read),
            persons: each_rule(source, "persons", PersonRule::read),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        let Self { groups, persons } = self;
        groups.is_empty() && persons.is_empty()
    }

    /// Whether there are rules for persons.
    pub fn has_persons(&self) -> bool {
        !self.persons.is_empty()
    }

    /// Notes what they ask for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        let Self { groups, persons } = self;
        groups.iter().for_each(|rule| rule.asks(asked));
        persons.iter().for_each(|rule| rule.asks(asked));
    }

    /// What the records of a body say; that they are gone, where they were `removed`. Times without a zone are at `offset`;
    /// without an offset no times are read.
    pub fn statements(
        &self,
        body: &Value,
        given: &Given,
        removed: bool,
        offset: Option<UtcOffset>,
    ) -> Outcome {
        let mut made = Made {
            offset,
            removed,
            statements: Vec::new(),
            faults: Faults::default(),
            nameless: 0,
            placeless: 0,
        };
        let Self { groups, persons } = self;
        let groups = groups.iter().map(Rule::Group);
        for rule in groups.chain(persons.iter().map(Rule::Person)) {
            let Records { key, at, .. } = rule.records();
            let Ok(records) = at.records(body, &[]) else {
                made.faults.tell(too_many(Here::body(body, given), key));
                return made.outcome();
            };
            for (record, at) in records {
                let here = Here {
                    record,
                    at: &at,
                    body,
                    given,
                };
                if made.apply(&rule, here).is_err() {
                    return made.outcome();
                }
            }
        }
        made.outcome()
    }
}

fn each_rule<T>(
    source: &mut Reader<'_>,
    key: &str,
    read: impl Fn(&mut Reader<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(mut table) = source.child(key) else {
        return Vec::new();
    };
    let mut names = table.keys();
    names.sort();
    let mut rules = Vec::new();
    for name in names {
        if let Some(mut rule) = table.child(&name) {
            rule.reads_each_record();
            rules.extend(read(&mut rule));
            rule.finish();
        }
    }
    rules
}

/// A rule of either kind.
enum Rule<'a> {
    Group(&'a GroupRule),
    Person(&'a PersonRule),
}

impl Rule<'_> {
    fn records(&self) -> &Records {
        match self {
            Self::Group(rule) => &rule.records,
            Self::Person(rule) => &rule.records,
        }
    }
}

/// What has come of a body so far.
struct Made {
    offset: Option<UtcOffset>,
    removed: bool,
    statements: Vec<Stated>,
    faults: Faults,
    nameless: usize,
    placeless: usize,
}

impl Made {
    /// Reads one record. An error ends the body.
    fn apply(&mut self, rule: &Rule<'_>, here: Here<'_>) -> Result<(), ()> {
        let records = rule.records();
        if !records.when.iter().all(|condition| condition.holds(here)) {
            return Ok(());
        }
        let removed = self.removed || records.removed.iter().any(|removed| removed.holds(here));
        let at = records.time(here, self.offset, &mut self.faults);
        let said = match rule {
            Rule::Group(rule) => rule.says(here, removed, &mut self.faults),
            Rule::Person(rule) => rule.says(here, removed, &mut self.faults),
        };
        let (Ok(at), Ok(said)) = (at, said) else {
            return Ok(());
        };
        if said.is_empty() {
            self.placeless = self.placeless.saturating_add(1);
        }
        if self.statements.len().saturating_add(said.len()) > MAX_STATEMENTS {
            let detail = format!("goes beyond the {MAX_STATEMENTS} statements of one body");
            let fault = BodyFault::new(shown(here.at), detail).by(&records.key);
            self.faults.tell(fault);
            return Err(());
        }
        if let Some(Statement::Exists { group, .. }) = said.first()
            && reference::is_nameless(group)
        {
            self.nameless = self.nameless.saturating_add(1);
        }
        let said = said.into_iter();
        let said = said.map(|statement| Stated { at, statement });
        self.statements.extend(said);
        Ok(())
    }

    fn outcome(self) -> Outcome {
        Outcome {
            statements: self.statements,
            faults: self.faults.told(),
            nameless: self.nameless,
            placeless: self.placeless,
        }
    }
}

const NOT_TWICE: &str = "must not have \"..\" where another place of the same table has it: records may stand in one another then, and each \
                         would be searched again";

/// Which records a rule is about, and what all kinds of rules read of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Records {
    key: KeyPath,
    at: Search,
    when: Vec<Condition>,
    time: Option<Field>,
    removed: Vec<Condition>,
}

impl Records {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            key: reader.here(),
            at: read_path(reader, "at").unwrap_or_default(),
            when: Condition::read_all(reader, "when"),
            time: Field::read(reader, "time"),
            removed: Condition::read_all(reader, "removed"),
        }
    }

    /// Notes it where both the records and what is read of them (`others` besides its own) are searched for at any depth: records
    /// may stand in one another then, and each would be searched again for all that it stands in.
    fn check_descents(&self, others: bool, reader: &mut Reader<'_>) {
        let Self {
            key: _,
            at,
            when,
            time,
            removed,
        } = self;
        let mut conditions = when.iter().chain(removed);
        let descends =
            others || conditions.any(Condition::descends) || time.iter().any(Field::descends);
        if at.descends() && descends {
            reader.problem("at", NOT_TWICE);
        }
    }

    fn asks(&self, asked: &mut Asked) {
        let Self {
            key: _,
            at: _,
            when,
            time,
            removed,
        } = self;
        let conditions = when.iter().chain(removed);
        conditions.for_each(|condition| condition.asks(asked));
        time.iter().for_each(|field| field.asks(asked));
    }

    fn time(
        &self,
        here: Here<'_>,
        offset: Option<UtcOffset>,
        faults: &mut Faults,
    ) -> Result<Option<Timestamp>, ()> {
        let (Some(field), Some(offset)) = (&self.time, offset) else {
            return Ok(None);
        };
        let Some(found) = faults.ok(field.find(here))? else {
            return Ok(None);
        };
        let time = times::read_text(&found.text, offset);
        let fault = || {
            let detail =
                "must be a time: ISO 8601, or a number of seconds, milliseconds or microseconds";
            found.fault(field, here, detail)
        };
        let time = faults.ok(time.ok_or_else(fault))?;
        // What stands for no time at all must not make a statement older than everything: 0, or the year 1.
        Ok((time >= times::EARLIEST).then_some(time))
    }
}

/// Takes a JSONPath into a record; what is wrong is noted.
fn read_path(reader: &mut Reader<'_>, name: &str) -> Option<Search> {
    let key = reader.path(name);
    let text = reader.text(name)?;
    Search::parse(&text, &key, reader)
}

/// The fault of a record in which a rule's path selects too many.
fn too_many(here: Here<'_>, key: &KeyPath) -> BodyFault {
    let detail =
        format!("has more than the {MAX_RECORDS} records that a path with \"..\" may select");
    BodyFault::new(shown(here.at), detail).by(key)
}

#[cfg(test)]
mod tests;
