//! Records that are persons.

use toml::Value;

use super::{
    Records,
    reference::{OWN, Reference, read},
};
use crate::{
    hierarchy::{GroupRef, PersonId, PersonSays, Statement},
    sources::{fault::Faults, field::Field, given::Asked, place::Here, reader::Reader},
};

/// A rule for persons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PersonRule {
    pub(super) records: Records,
    id: Field,
    chain: Vec<Reference>,
}

impl PersonRule {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let records = Records::read(reader);
        if !reader.has("id") {
            reader.problem("id", "is missing");
        }
        let id = Field::read(reader, "id");
        let chain = read_chain(reader);
        let descends = id.iter().any(Field::descends) || chain.iter().any(Reference::descends);
        records.check_descents(descends, reader);
        Some(Self {
            records,
            id: id?,
            chain,
        })
    }

    pub(super) fn asks(&self, asked: &mut Asked) {
        let Self { records, id, chain } = self;
        records.asks(asked);
        id.asks(asked);
        chain.iter().for_each(|level| level.asks(asked));
    }

    pub(super) fn says(
        &self,
        here: Here<'_>,
        removed: bool,
        faults: &mut Faults,
    ) -> Result<Vec<Statement>, ()> {
        let person = read(&self.id, here, faults, PersonId::new);
        if let Ok(None) = person {
            faults.tell_by(|| self.id.missing(here));
        }
        let says = match removed {
            true => Ok(Some(PersonSays::Left)),
            false => self.chain_in(here, faults),
        };
        let (Some(person), says) = (person?, says?) else {
            return Err(());
        };
        let says = says.into_iter();
        Ok(says
            .map(|says| Statement::Person {
                person: person.clone(),
                says,
            })
            .collect())
    }

    /// Where the person is, if the record speaks of it.
    fn chain_in(&self, here: Here<'_>, faults: &mut Faults) -> Result<Option<PersonSays>, ()> {
        let fields = || self.chain.iter().flat_map(Reference::naming);
        // What stands beside the record (a company's name, a constant) says nothing of this person.
        let mut asking = fields().filter(|field| field.asks_record()).peekable();
        if self.chain.is_empty()
            || (asking.peek().is_some() && !asking.any(|field| field.is_in(here)))
        {
            return Ok(None);
        }
        let levels: Vec<Result<Option<GroupRef>, ()>> = self
            .chain
            .iter()
            .map(|level| level.find(here, faults))
            .collect();
        let levels: Result<Vec<Option<GroupRef>>, ()> = levels.into_iter().collect();
        Ok(Some(PersonSays::In(
            levels?.into_iter().flatten().collect(),
        )))
    }
}

fn read_chain(reader: &mut Reader<'_>) -> Vec<Reference> {
    let key = reader.path("chain");
    let levels = match reader.value("chain") {
        // A rule without a chain tells who has left.
        None => return Vec::new(),
        Some(Value::Array(levels)) if !levels.is_empty() => levels,
        Some(_) => {
            let reason = "must be an array of levels such as [{ type = { value = \"Department\" }, name = \"$.department\" }]";
            reader.problem("chain", reason);
            return Vec::new();
        }
    };
    let mut chain = Vec::new();
    for (index, level) in levels.into_iter().enumerate() {
        let key = key.index(index);
        let Value::Table(table) = level else {
            reader.problem_at(key, "must be a table");
            continue;
        };
        let mut level = reader.below(key, table);
        chain.extend(Reference::required(&mut level, OWN));
        level.finish();
    }
    chain
}
