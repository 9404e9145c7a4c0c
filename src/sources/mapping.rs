//! A source's mapping: from a webhook's bytes to what it means and says.

use time::UtcOffset;

use super::{
    body::{BodyForm, NoBody},
    events::{Events, Meaning},
    fault::BodyFault,
    field::Field,
    generic::{self, GenericBody},
    given::{Asked, Given},
    place::{Here, Spot},
    reader::Reader,
    rules::{Outcome, Rules},
    times,
};
use crate::hierarchy::{EventId, Stated};

/// How the webhooks of a source are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    form: BodyForm,
    offset: UtcOffset,
    event_id: Option<Field>,
    events: Option<Events>,
    records: Records,
    /// What every event means where [`Self::events`] are not told apart.
    otherwise: Meaning,
}

/// What a body's records are read by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Records {
    /// The body is our own contract.
    Contract,
    /// The source's rules, if it has any.
    Rules(Rules),
}

/// A webhook that was understood.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The sender's name for the event.
    pub event_id: Option<EventId>,
    /// Its type, by the sender's word.
    pub event_type: Option<String>,
    /// What it means.
    pub meaning: Meaning,
    /// What it says; nothing unless it means [`Meaning::Say`] or [`Meaning::Remove`].
    pub statements: Vec<Stated>,
    /// What is odd about it, without its text.
    pub warnings: Vec<String>,
}

/// Why a webhook was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapFault {
    /// The body is not encoded as it should be (400).
    Unreadable(String),
    /// The body does not fit the mapping (422): every place.
    Unfitting(Vec<BodyFault>),
}

impl From<NoBody> for MapFault {
    fn from(fault: NoBody) -> Self {
        match fault {
            NoBody::Unreadable(why) => Self::Unreadable(why),
            NoBody::Unfitting(fault) => Self::Unfitting(vec![fault]),
        }
    }
}

impl Mapping {
    /// Takes the keys of a mapping out of a source's table: `body`, `envelope`, `contract`, `utc_offset`, `event_id`, `events`,
    /// `groups`, `persons`. None where something is wrong, which is noted.
    pub(super) fn read(source: &mut Reader<'_>) -> Option<Self> {
        let noted = source.noted();
        let form = BodyForm::read(source);
        let is_contract = source.flag("contract").unwrap_or(false);
        let offset = read_offset(source);
        let event_id = Field::read(source, "event_id");
        let has_rules = source.has("groups") || source.has("persons");
        let rules = Rules::read(source);
        let records = match is_contract && !has_rules {
            true => Records::Contract,
            false => Records::Rules(rules),
        };
        let events = Events::read(source);
        if let Some(events) = &events {
            records.check(events, source);
        }
        let otherwise = match &records {
            Records::Contract => Meaning::Say,
            Records::Rules(rules) if !rules.is_empty() => Meaning::Say,
            Records::Rules(_) if source.has("snapshot") => Meaning::Reread,
            Records::Rules(_) => Meaning::Ignore,
        };
        let mapping = Self {
            form,
            offset,
            event_id,
            events,
            records,
            otherwise,
        };
        (source.noted() == noted).then_some(mapping)
    }

    /// Reads a webhook; what it says where it says something.
    ///
    /// # Errors
    /// [`MapFault`].
    pub fn map(&self, body: &[u8], given: &Given) -> Result<Mapped, MapFault> {
        let body = self.form.json(body, given)?;
        let here = Here::body(&body, given);
        let (event_type, meaning) = match &self.events {
            Some(events) => events
                .meaning(here)
                .map_err(|fault| MapFault::Unfitting(vec![fault]))?,
            None => (None, self.otherwise),
        };
        let removed = match meaning {
            Meaning::Say => false,
            Meaning::Remove => true,
            Meaning::Reread | Meaning::Ignore => {
                return Ok(Mapped {
                    // What says nothing needs no id: one that is none is no reason to refuse it.
                    event_id: self.event_id(here).ok().flatten(),
                    event_type,
                    meaning,
                    statements: Vec::new(),
                    warnings: Vec::new(),
                });
            }
        };
        let (event_id, statements, warnings) = match &self.records {
            Records::Contract => self.by_contract(here)?,
            Records::Rules(rules) => self.by_rules(rules, here, removed)?,
        };
        Ok(Mapped {
            event_id,
            event_type,
            meaning,
            statements,
            warnings,
        })
    }

    /// Notes what it asks for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        let Self {
            form,
            offset: _,
            event_id,
            events,
            records,
            otherwise: _,
        } = self;
        form.asks(asked);
        event_id.iter().for_each(|field| field.asks(asked));
        events.iter().for_each(|events| events.asks(asked));
        match records {
            Records::Contract => {}
            Records::Rules(rules) => rules.asks(asked),
        }
    }

    fn by_contract(&self, here: Here<'_>) -> Result<Said, MapFault> {
        let GenericBody { id, statements } =
            generic::map(here.body).map_err(MapFault::Unfitting)?;
        let id = match id {
            Some(id) => Some(id),
            None => self
                .event_id(here)
                .map_err(|fault| MapFault::Unfitting(vec![fault]))?,
        };
        Ok((id, statements, Vec::new()))
    }

    fn by_rules(&self, rules: &Rules, here: Here<'_>, removed: bool) -> Result<Said, MapFault> {
        let id = self.event_id(here);
        let Outcome {
            statements,
            faults,
            nameless,
            placeless: _,
        } = rules.statements(here.body, here.given, removed, Some(self.offset));
        // Those of the records are counted already where they are too many.
        let (id, faults) = match id {
            Ok(id) => (id, faults),
            Err(fault) => (None, [vec![fault], faults].concat()),
        };
        if !faults.is_empty() {
            return Err(MapFault::Unfitting(faults));
        }
        let warning = format!("{nameless} groups came by their key alone, without a name");
        let warnings = if nameless > 0 {
            vec![warning]
        } else {
            Vec::new()
        };
        Ok((id, statements, warnings))
    }

    fn event_id(&self, here: Here<'_>) -> Result<Option<EventId>, BodyFault> {
        let Some(field) = &self.event_id else {
            return Ok(None);
        };
        let Some(found) = field.find(here)? else {
            return Ok(None);
        };
        match EventId::new(&found.text) {
            Ok(id) => Ok(Some(id)),
            // What came beside the body is the transport's: such an id helps nobody, and its absence hurts nobody.
            Err(_) if matches!(found.spot, Some(Spot::Beside(_))) => Ok(None),
            Err(fault) => Err(found.fault(field, here, fault.to_string())),
        }
    }
}

type Said = (Option<EventId>, Vec<Stated>, Vec<String>);

impl Records {
    /// Notes meanings that nothing could be made of: such events would be ignored in silence.
    fn check(&self, events: &Events, source: &mut Reader<'_>) {
        let unheard: &[(Meaning, &str)] = match self {
            Self::Rules(rules) if !rules.is_empty() => &[],
            Self::Contract => &[(
                Meaning::Remove,
                "needs rules: by the contract a body says itself what is removed",
            )],
            Self::Rules(_) => &[
                (Meaning::Say, "needs rules in groups or persons"),
                (Meaning::Remove, "needs rules in groups or persons"),
            ],
        };
        for (meaning, reason) in unheard {
            for key in events.keys_of(*meaning) {
                source.problem_at(key, *reason);
            }
        }
    }
}

fn read_offset(source: &mut Reader<'_>) -> UtcOffset {
    let Some(text) = source.text("utc_offset") else {
        return UtcOffset::UTC;
    };
    times::parse_offset(&text).unwrap_or_else(|| {
        source.problem("utc_offset", "must be an offset such as \"+02:00\"");
        UtcOffset::UTC
    })
}

#[cfg(test)]
mod tests;
