//! Conditions: what must stand at a place for a record or an event to count.

use toml::Value;

use super::{
    field::scalar,
    given::Asked,
    place::{Here, Place, text},
    reader::{KeyPath, Reader},
};

/// What must stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    at: Place,
    wants: Wants,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wants {
    /// One of these, as texts.
    OneOf(Vec<String>),
    /// A text with this at its start.
    Start(String),
    /// A value that is not false.
    Something,
}

impl Condition {
    /// Takes the conditions of this name, an array; what is wrong is noted.
    pub(super) fn read_all(reader: &mut Reader<'_>, name: &str) -> Vec<Self> {
        let key = reader.path(name);
        match reader.value(name) {
            None => Vec::new(),
            Some(value) => Self::parse_all(value, &key, reader),
        }
    }

    /// As [`Self::read_all`], of a value that was taken already.
    pub(super) fn parse_all(value: Value, key: &KeyPath, sink: &mut Reader<'_>) -> Vec<Self> {
        let Value::Array(items) = value else {
            let reason =
                "must be an array of conditions such as [{ at = \"$.type\", is = [\"x\"] }]";
            sink.problem_at(key.clone(), reason);
            return Vec::new();
        };
        let mut conditions = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let key = key.index(index);
            let Value::Table(table) = item else {
                sink.problem_at(key, "must be a table");
                continue;
            };
            let mut condition = sink.below(key, table);
            conditions.extend(Self::read(&mut condition));
            condition.finish();
        }
        conditions
    }

    /// Notes what it asks for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        let Self { at, wants: _ } = self;
        at.asks(asked);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let key = reader.path("at");
        let at = reader.required_text("at");
        let at = at.and_then(|at| Place::parse(&at, &key, reader));
        let wants = match (reader.has("is"), reader.has("starts_with")) {
            (false, false) => Some(Wants::Something),
            (false, true) => reader.text("starts_with").map(Wants::Start),
            (true, false) => read_values(reader).map(Wants::OneOf),
            (true, true) => {
                reader.value("is");
                reader.value("starts_with");
                reader.problem_here("must have is or starts_with, not both");
                None
            }
        };
        Some(Self {
            at: at?,
            wants: wants?,
        })
    }

    /// Whether its place is searched for at any depth.
    pub(super) fn descends(&self) -> bool {
        self.at.descends()
    }

    /// Whether it holds.
    pub fn holds(&self, here: Here<'_>) -> bool {
        let nodes = self.at.nodes(here);
        let mut values = nodes.iter().map(|node| &*node.value);
        match &self.wants {
            // An empty text is no value, but may be asked for.
            Wants::OneOf(wanted) => values.any(|value| {
                let empty = value.is_string().then(String::new);
                text(value)
                    .or(empty)
                    .is_some_and(|text| wanted.contains(&text))
            }),
            Wants::Start(start) => {
                values.any(|value| text(value).is_some_and(|text| text.starts_with(start.as_str())))
            }
            Wants::Something => values.any(|value| text(value).is_some_and(|text| text != "false")),
        }
    }
}

fn read_values(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    if let Value::Array(values) = reader.value("is")? {
        let values: Option<Vec<String>> = values.iter().map(scalar).collect();
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            return Some(values);
        }
    }
    let reason = "must be an array of texts, numbers, true or false, and not empty";
    reader.problem("is", reason);
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sources::{
        given::Given,
        place::tests::{any_json, reading},
    };

    fn conditions(toml: &str) -> Vec<Condition> {
        let (conditions, problems) = reading(toml, |reader| Condition::read_all(reader, "when"));
        assert_eq!(problems, [""; 0]);
        conditions
    }

    #[track_caller]
    fn check(condition: &str, held: &[serde_json::Value], not_held: &[serde_json::Value]) {
        let condition = &conditions(&format!("when = [{{ {condition} }}]"))[0];
        let given = Given::default();
        for a in held {
            let record = json!({"a": a});
            assert!(condition.holds(Here::body(&record, &given)), "{record}");
        }
        for a in not_held {
            let record = json!({"a": a});
            assert!(!condition.holds(Here::body(&record, &given)), "{record}");
        }
    }

    #[test]
    fn a_value_is_one_of_those_listed_however_it_is_written() {
        check(
            "at = '$.a', is = ['1', true, 1.5, '']",
            &[
                json!("1"),
                json!(1),
                json!(true),
                json!("true"),
                json!(" true "),
                json!(1.5),
                json!(""),
            ],
            &[
                json!(0),
                json!(null),
                json!("TRUE"),
                json!([1]),
                json!({}),
                json!(false),
            ],
        );
        check(
            "at = '$.a[*].x', is = [7]",
            &[json!([{}, {"x": "7"}])],
            &[json!([{"y": 7}]), json!([])],
        );
    }

    #[test]
    fn a_text_begins_as_wanted() {
        check(
            "at = '$.a', starts_with = 'hris_'",
            &[json!("hris_teams"), json!("hris_")],
            &[json!("x_hris_"), json!(null), json!("HRIS_x")],
        );
    }

    #[test]
    fn a_place_alone_wants_a_value_that_is_not_false() {
        check(
            "at = '$.a'",
            &[json!("2026-01-01"), json!(true), json!(0), json!("no")],
            &[
                json!(null),
                json!(false),
                json!("false"),
                json!(" "),
                json!({"b": 1}),
                json!([1]),
            ],
        );
        check("at = '$.b'", &[], &[json!(1)]);
    }

    #[test]
    fn all_problems_are_noted() {
        let toml = "when = [{ is = ['x'] }, { at = 'x', is = [] }, { at = '$', is = [{}] }, \
                    { at = '$', is = ['x'], starts_with = 'y' }, { at = '$', like = 'y' }]";
        let (_, problems) = reading(toml, |reader| Condition::read_all(reader, "when"));
        assert_eq!(
            problems,
            [
                "when[0].at is missing",
                "when[1].at must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
                 a constant is { value = \"…\" }",
                "when[1].is must be an array of texts, numbers, true or false, and not empty",
                "when[2].is must be an array of texts, numbers, true or false, and not empty",
                "when[3] must have is or starts_with, not both",
                "when[4].like is not known",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_record_makes_a_condition_panic(record in any_json()) {
            let given = Given::default();
            for condition in conditions("when = [{ at = '$..*', is = ['a', 1] }, { at = '$.name' }, { at = '$..name', starts_with = 'a' }]") {
                let here = Here::body(&record, &given);
                prop_assert_eq!(condition.holds(here), condition.holds(here));
            }
        }
    }
}
