//! What an event means: whether its records are read, mean removal, or the source is to be asked again.

use super::{
    condition::Condition,
    fault::BodyFault,
    field::Field,
    given::Asked,
    place::Here,
    reader::{KeyPath, Reader},
};

/// What an event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Its records are as they say.
    Say,
    /// Its records are gone.
    Remove,
    /// Something has changed: the source is read again.
    Reread,
    /// It is about something else.
    Ignore,
}

/// Which events mean what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    event_type: Option<Field>,
    meanings: Vec<(Pattern, Meaning)>,
    when: Vec<(Pattern, Vec<Condition>)>,
    key: KeyPath,
}

/// A type of events, or the beginning of some.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    is_prefix: bool,
}

impl Pattern {
    /// Reads `exact` or `prefix*`; what is wrong is noted.
    fn parse(pattern: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = pattern.strip_suffix('*');
        let is_prefix = text.is_some();
        let text = text.unwrap_or(pattern);
        if text.contains('*') {
            reader.problem(pattern, "may have * at its end alone");
            return None;
        }
        Some(Self {
            text: text.to_owned(),
            is_prefix,
        })
    }

    /// How well it fits: the longer the better, and the exact one best.
    fn fits(&self, event_type: &str) -> Option<(usize, bool)> {
        let Self { text, is_prefix } = self;
        let fits = match is_prefix {
            true => event_type.starts_with(text.as_str()),
            false => event_type == text,
        };
        fits.then_some((text.len(), !is_prefix))
    }
}

/// What stands by the pattern that fits best.
fn fitting<'a, T>(patterns: &'a [(Pattern, T)], event_type: &str) -> Option<&'a T> {
    let fitting = patterns
        .iter()
        .filter_map(|(pattern, what)| Some((pattern.fits(event_type)?, what)));
    fitting.max_by_key(|(rank, _)| *rank).map(|(_, what)| what)
}

impl Events {
    /// Takes `events`, if it is there; what is wrong is noted.
    pub(super) fn read(source: &mut Reader<'_>) -> Option<Self> {
        let key = source.path("events");
        let mut reader = source.child("events")?;
        let event_type = Field::read(&mut reader, "type");
        if !reader.has("meaning") {
            reader.problem("meaning", "is missing: all events would be ignored");
        }
        let words = [
            ("say", Meaning::Say),
            ("remove", Meaning::Remove),
            ("reread", Meaning::Reread),
            ("ignore", Meaning::Ignore),
        ];
        let mut meanings = Vec::new();
        if let Some(mut table) = reader.child("meaning") {
            for name in table.keys() {
                let pattern = Pattern::parse(&name, &mut table);
                let meaning = table.one_of(&name, &words);
                meanings.extend(pattern.zip(meaning));
            }
        }
        let mut when = Vec::new();
        if let Some(mut table) = reader.child("when") {
            for name in table.keys() {
                let pattern = Pattern::parse(&name, &mut table);
                let conditions = Condition::read_all(&mut table, &name);
                when.extend(pattern.map(|pattern| (pattern, conditions)));
            }
        }
        reader.finish();
        Some(Self {
            event_type,
            meanings,
            when,
            key,
        })
    }

    /// Notes what they ask for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        let Self {
            event_type,
            meanings: _,
            when,
            key: _,
        } = self;
        event_type.iter().for_each(|field| field.asks(asked));
        let conditions = when.iter().flat_map(|(_, conditions)| conditions);
        conditions.for_each(|condition| condition.asks(asked));
    }

    /// Where the meanings that want a mapping stand, by word.
    pub(super) fn keys_of(&self, wanted: Meaning) -> impl Iterator<Item = KeyPath> {
        let meanings = self.meanings.iter();
        let wanting = meanings.filter(move |(_, meaning)| *meaning == wanted);
        wanting.map(|(Pattern { text, is_prefix }, _)| {
            let star = if *is_prefix { "*" } else { "" };
            self.key.key("meaning").key(&format!("{text}{star}"))
        })
    }

    /// The event's type, and what it means.
    ///
    /// # Errors
    /// [`BodyFault`] where the type is an object or array.
    pub fn meaning(&self, here: Here<'_>) -> Result<(Option<String>, Meaning), BodyFault> {
        let event_type = match &self.event_type {
            Some(field) => field.find(here)?.map(|found| found.text),
            None => None,
        };
        let name = event_type.as_deref().unwrap_or_default();
        let meaning = fitting(&self.meanings, name).copied();
        let counts = fitting(&self.when, name)
            .is_none_or(|conditions| conditions.iter().all(|condition| condition.holds(here)));
        let meaning = meaning.filter(|_| counts).unwrap_or(Meaning::Ignore);
        Ok((event_type, meaning))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sources::{given::Given, place::tests::reading};

    const TOML: &str = r#"
        [events]
        type = ["$.type", "header:X-Event"]
        [events.meaning]
        "Group.*" = "say"
        "Group.deleted*" = "remove"
        "Group.deleted" = "ignore"
        "data-changed" = "reread"
        "" = "say"
        "*" = "ignore"
        "Other*" = "reread"
        "Other" = "say"
        [events.when]
        "data-*" = [{ at = "$.models[*].name", starts_with = "hris_" }]
        "Group.x" = [{ at = "$.a" }, { at = "$.b" }]
    "#;

    #[track_caller]
    fn check(body: Value, expected: (Option<&str>, Meaning)) {
        let (events, problems) = reading(TOML, Events::read);
        assert_eq!(problems, [""; 0]);
        let given = Given::default();
        let (event_type, meaning) = events.unwrap().meaning(Here::body(&body, &given)).unwrap();
        assert_eq!((event_type.as_deref(), meaning), expected, "{body}");
    }

    #[test]
    fn the_longest_pattern_wins_and_the_exact_one_over_all() {
        check(
            json!({"type": "Group.changed"}),
            (Some("Group.changed"), Meaning::Say),
        );
        check(
            json!({"type": "Group.deleted.now"}),
            (Some("Group.deleted.now"), Meaning::Remove),
        );
        check(
            json!({"type": "Group.deleted"}),
            (Some("Group.deleted"), Meaning::Ignore),
        );
        check(json!({"type": "Other"}), (Some("Other"), Meaning::Say));
        check(json!({"type": "Others"}), (Some("Others"), Meaning::Reread));
        check(
            json!({"type": "group.changed"}),
            (Some("group.changed"), Meaning::Ignore),
        );
    }

    #[test]
    fn no_type_is_a_type_of_its_own() {
        check(json!({}), (None, Meaning::Say));
        check(json!({"type": " "}), (None, Meaning::Say));
    }

    #[test]
    fn an_event_counts_only_if_all_its_conditions_hold() {
        let hris = json!({"type": "data-changed", "models": [{"name": "ats_jobs"}, {"name": "hris_teams"}]});
        check(hris, (Some("data-changed"), Meaning::Reread));
        let other = json!({"type": "data-changed", "models": [{"name": "ats_jobs"}]});
        check(other, (Some("data-changed"), Meaning::Ignore));
        check(
            json!({"type": "Group.x", "a": 1}),
            (Some("Group.x"), Meaning::Ignore),
        );
        check(
            json!({"type": "Group.x", "a": 1, "b": 1}),
            (Some("Group.x"), Meaning::Say),
        );
    }

    #[test]
    fn a_type_may_stand_in_a_header_and_must_be_a_value() {
        let (events, _) = reading(TOML, Events::read);
        let events = events.unwrap();
        let given = Given {
            headers: [("x-event".to_owned(), "data-changed".to_owned())].into(),
            query: Default::default(),
        };
        let body = json!({"models": [{"name": "hris_x"}]});
        let meaning = events.meaning(Here::body(&body, &given)).unwrap();
        assert_eq!(meaning, (Some("data-changed".to_owned()), Meaning::Reread));
        let (events, _) = reading(
            "[events]\ntype = '$.type'\nmeaning = { '*' = 'say' }",
            Events::read,
        );
        let body = json!({"type": {}});
        let fault = events
            .unwrap()
            .meaning(Here::body(&body, &given))
            .unwrap_err();
        assert_eq!(
            fault.to_string(),
            "$['type'] must be a text, a number, true or false (by events.type)"
        );
    }

    #[test]
    fn all_problems_are_noted() {
        let toml = r#"
            [events]
            typ = "$.type"
            [events.meaning]
            "a*b" = "say"
            b = "upsert"
            [events.when]
            b = { at = "$.a" }
            c = [{ at = "$.a", equals = 1 }, 7]
        "#;
        let (_, problems) = reading(toml, Events::read);
        assert_eq!(
            problems,
            [
                "events.meaning.\"a*b\" may have * at its end alone",
                "events.meaning.b must be one of: say, remove, reread, ignore",
                "events.when.b must be an array of conditions such as [{ at = \"$.type\", is = [\"x\"] }]",
                "events.when.c[0].equals is not known",
                "events.when.c[1] must be a table",
                "events.typ is not known",
            ]
        );
        let (_, problems) = reading("events = {}", Events::read);
        assert_eq!(
            problems,
            ["events.meaning is missing: all events would be ignored"]
        );
    }
}
