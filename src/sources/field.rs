//! Fields: how one value of a record is found and made.

use std::collections::BTreeMap;

use toml::Value;

use super::{
    fault::BodyFault,
    given::Asked,
    place::{Here, Place, Spot, shown, text},
    reader::{KeyPath, Reader},
};

/// How a value is found: ways that are tried in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    key: KeyPath,
    ways: Vec<Way>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    origin: Origin,
    after: Option<String>,
    lookup: Option<BTreeMap<String, String>>,
    default: Option<String>,
    prefix: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Places(Vec<Place>),
    Constant(String),
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The value, never empty.
    pub text: String,
    /// Where it stands; none of constants and defaults.
    pub spot: Option<Spot<'a>>,
}

impl Field {
    /// Takes the field of this name, if it is there and as it should be; what is wrong is noted.
    pub(super) fn read(reader: &mut Reader<'_>, name: &str) -> Option<Self> {
        let value = reader.value(name)?;
        let key = reader.path(name);
        let alternatives = match value {
            Value::Array(items) if items.is_empty() => {
                reader.problem_at(key, "must not be empty");
                return None;
            }
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                items.map(|(at, item)| (key.index(at), item)).collect()
            }
            one => vec![(key.clone(), one)],
        };
        // All of them are read, so that all problems are told.
        let ways: Vec<Option<Way>> = alternatives
            .into_iter()
            .map(|(key, value)| Way::parse(value, &key, reader))
            .collect();
        let ways = ways.into_iter().collect::<Option<_>>()?;
        Some(Self { key, ways })
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// [`BodyFault`] where the last place that was tried has an object or array: neither a later constant nor a default hides
    /// that the body is not as it was thought to be.
    pub fn find<'a>(&self, here: Here<'a>) -> Result<Option<Found<'a>>, BodyFault> {
        let mut mismatch = None;
        for way in &self.ways {
            let found = match &way.origin {
                Origin::Constant(text) => Some((text.clone(), None)),
                Origin::Places(places) => first(places, here, &mut mismatch),
            };
            let (found, spot) = found.unzip();
            let derived = found.and_then(|found| way.derive(&found));
            let spot = spot.flatten().filter(|_| derived.is_some());
            let Some(text) = derived.or_else(|| way.default.clone()) else {
                continue;
            };
            if let (None, Some(mismatch)) = (&spot, &mismatch) {
                return Err(self.mismatched(mismatch));
            }
            let text = match &way.prefix {
                Some(prefix) => format!("{prefix}{text}"),
                None => text,
            };
            return Ok(Some(Found { text, spot }));
        }
        match mismatch {
            Some(mismatch) => Err(self.mismatched(&mismatch)),
            None => Ok(None),
        }
    }

    fn mismatched(&self, spot: &Spot<'_>) -> BodyFault {
        let detail = "must be a text, a number, true or false";
        BodyFault::new(spot.to_string(), detail).by(&self.key)
    }

    /// The fault of a field that should have a value and has none: at its first place.
    pub fn missing(&self, here: Here<'_>) -> BodyFault {
        let refused = self
            .places()
            .flat_map(|place| place.nodes(here))
            .find(|node| text(&node.value).is_some());
        let fault = match (refused, self.places().next()) {
            (Some(node), _) => {
                let detail = "has a value that the mapping does not know";
                BodyFault::new(node.spot.to_string(), detail)
            }
            (None, Some(place)) => BodyFault::new(place.wanted(here), "has no value"),
            (None, None) => BodyFault::new(shown(here.at), "has no value"),
        };
        fault.by(&self.key)
    }

    /// Notes what it asks for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        self.places().for_each(|place| place.asks(asked));
    }

    /// Whether one of its places is searched for at any depth.
    pub(super) fn descends(&self) -> bool {
        self.places().any(Place::descends)
    }

    /// Whether one of its places is in a record, rather than beside it.
    pub fn asks_record(&self) -> bool {
        self.record_places().next().is_some()
    }

    /// Whether the record has one of its places, if only with `null`.
    pub fn is_in(&self, here: Here<'_>) -> bool {
        self.record_places()
            .any(|place| !place.nodes(here).is_empty())
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.ways.iter().flat_map(|way| match &way.origin {
            Origin::Places(places) => places.as_slice(),
            Origin::Constant(_) => &[],
        })
    }

    fn record_places(&self) -> impl Iterator<Item = &Place> {
        self.places()
            .filter(|place| matches!(place, Place::Record(_)))
    }
}

impl Found<'_> {
    /// The fault of a value that is there, but not as it should be.
    pub(super) fn fault(
        &self,
        field: &Field,
        here: Here<'_>,
        detail: impl Into<String>,
    ) -> BodyFault {
        let path = match &self.spot {
            Some(spot) => spot.to_string(),
            None => shown(here.at),
        };
        BodyFault::new(path, detail).by(&field.key)
    }
}

/// The first value at the first place that has one. `mismatch` is where the last place that was tried has what is no value.
fn first<'a>(
    places: &[Place],
    here: Here<'a>,
    mismatch: &mut Option<Spot<'a>>,
) -> Option<(String, Option<Spot<'a>>)> {
    for place in places {
        *mismatch = None;
        for node in place.nodes(here) {
            if let Some(text) = text(&node.value) {
                *mismatch = None;
                return Some((text, Some(node.spot)));
            }
            if !node.value.is_null() && !node.value.is_string() {
                mismatch.get_or_insert(node.spot);
            }
        }
    }
    None
}

impl Way {
    fn parse(value: Value, key: &KeyPath, sink: &mut Reader<'_>) -> Option<Self> {
        let table = match value {
            Value::String(place) => {
                let place = Place::parse(&place, key, sink)?;
                return Some(Self::of(Origin::Places(vec![place])));
            }
            Value::Table(table) => table,
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                let reason = "must be a place such as \"$.name\", or a table with from or value";
                sink.problem_at(key.clone(), reason);
                return None;
            }
        };
        let mut reader = sink.below(key.clone(), table);
        let noted = reader.noted();
        let origin = Origin::read(&mut reader);
        let after = reader.text("after");
        let lookup = reader.child("lookup").map(|mut lookup| {
            let mut known = BTreeMap::new();
            for name in lookup.keys() {
                if let Some(meaning) = constant(&mut lookup, &name) {
                    known.insert(name, meaning);
                }
            }
            known
        });
        let way = Self {
            origin: origin.unwrap_or(Origin::Places(Vec::new())),
            after,
            lookup,
            default: constant(&mut reader, "default"),
            prefix: reader.text("prefix"),
        };
        let is_sound = reader.noted() == noted;
        reader.finish();
        is_sound.then_some(way)
    }

    fn of(origin: Origin) -> Self {
        Self {
            origin,
            after: None,
            lookup: None,
            default: None,
            prefix: None,
        }
    }

    /// What the mapping makes of a value that was found.
    fn derive(&self, found: &str) -> Option<String> {
        let text = match &self.after {
            Some(after) => found.strip_prefix(after.as_str())?.trim(),
            None => found,
        };
        match &self.lookup {
            Some(lookup) => lookup.get(text).cloned(),
            None => Some(text.to_owned()).filter(|text| !text.is_empty()),
        }
    }
}

impl Origin {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match (reader.has("from"), reader.has("value")) {
            (true, false) => {}
            (false, true) => return constant(reader, "value").map(Self::Constant),
            (true, true) => {
                reader.value("from");
                reader.value("value");
                reader.problem_here("must have from or value, not both: what a value is without others is its default");
                return None;
            }
            (false, false) => {
                reader.problem_here("must have from or value");
                return None;
            }
        }
        let key = reader.path("from");
        let places = match reader.value("from")? {
            Value::String(place) => vec![(key, Value::String(place))],
            Value::Array(places) if !places.is_empty() => {
                let places = places.into_iter().enumerate();
                places.map(|(at, place)| (key.index(at), place)).collect()
            }
            _ => {
                reader.problem("from", "must be a place or an array of places");
                return None;
            }
        };
        let places: Vec<Option<Place>> = places
            .into_iter()
            .map(|(key, place)| match place.as_str() {
                Some(place) => Place::parse(place, &key, reader),
                None => {
                    reader.problem_at(key, "must be a place");
                    None
                }
            })
            .collect();
        places.into_iter().collect::<Option<_>>().map(Self::Places)
    }
}

/// A value that is written in `sources.toml`, as text.
fn constant(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    let value = reader.value(name)?;
    let text = scalar(&value).filter(|text| !text.is_empty());
    if text.is_none() {
        reader.problem(
            name,
            "must be a text that is not empty, a number, true or false",
        );
    }
    text
}

/// A string (trimmed), a number, `true` or `false` of TOML, as the text by which values of JSON are compared.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => serde_json::Number::from_f64(*number).map(|n| n.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sources::{
        given::Given,
        place::tests::{any_json, reading},
    };

    fn field(toml: &str) -> Field {
        let (field, problems) = reading(toml, |reader| Field::read(reader, "name"));
        assert_eq!(problems, [""; 0]);
        field.unwrap()
    }

    #[track_caller]
    fn check(toml: &str, record: Value, expected: Option<&str>) {
        let given = Given::default();
        let found = field(toml).find(Here::body(&record, &given)).unwrap();
        let text = found.map(|found| found.text);
        assert_eq!(text.as_deref(), expected, "{toml} {record}");
    }

    #[track_caller]
    fn check_fault(toml: &str, record: Value, expected: &str) {
        let given = Given::default();
        let fault = field(toml).find(Here::body(&record, &given)).unwrap_err();
        let detail = "must be a text, a number, true or false (by name)";
        assert_eq!(fault.to_string(), format!("{expected} {detail}"));
    }

    #[track_caller]
    fn check_problems(toml: &str, expected: &[&str]) {
        let (field, problems) = reading(toml, |reader| Field::read(reader, "name"));
        assert_eq!(field, None);
        assert_eq!(problems, expected);
    }

    #[test]
    fn the_first_value_is_taken_and_trimmed() {
        let toml = "name = ['$.a', '$.b']";
        check(toml, json!({"a": " A ", "b": "B"}), Some("A"));
        check(toml, json!({"a": " ", "b": 7}), Some("7"));
        check(toml, json!({"a": null, "b": false}), Some("false"));
        check(toml, json!({"a": {}, "b": 1.5}), Some("1.5"));
        check(toml, json!({}), None);
        check(
            "name = '$.a[*].x'",
            json!({"a": [{"x": null}, {"x": {}}, {"x": "X"}]}),
            Some("X"),
        );
    }

    #[test]
    fn an_object_at_the_last_place_is_a_fault() {
        check_fault(
            "name = ['$.a', '$.b']",
            json!({"b": {"secret": 1}}),
            "$['b']",
        );
        check_fault("name = '$.a[*]'", json!({"a": [null, []]}), "$['a'][1]");
        check("name = ['$.a', '$.b']", json!({"a": {}}), None);
    }

    #[test]
    fn neither_a_default_nor_a_constant_hides_a_mismatch() {
        check_fault(
            "name = { from = '$.a', default = 'D' }",
            json!({"a": {}}),
            "$['a']",
        );
        check_fault(
            "name = ['$.a', { value = 'C' }]",
            json!({"a": []}),
            "$['a']",
        );
        check(
            "name = { from = ['$.a', '$.b'], default = 'D' }",
            json!({"a": {}}),
            Some("D"),
        );
    }

    #[test]
    fn after_then_lookup_then_default_then_prefix() {
        let toml = r#"
            [name]
            from = ["$.a", "$.b"]
            after = "/Groups/"
            lookup = { DEPARTMENT = "Department", 7 = "Seven" }
            default = "Team"
            prefix = "type: "
        "#;
        check(
            toml,
            json!({"a": "/Groups/DEPARTMENT"}),
            Some("type: Department"),
        );
        check(toml, json!({"a": "/Groups/7"}), Some("type: Seven"));
        check(toml, json!({"a": "/Groups/OTHER"}), Some("type: Team"));
        check(toml, json!({"a": "DEPARTMENT"}), Some("type: Team"));
        check(toml, json!({}), Some("type: Team"));
        check(
            "name = { from = '$.a', after = '/G/' }",
            json!({"a": "/G/ x"}),
            Some("x"),
        );
        check(
            "name = { from = '$.a', after = '/G/' }",
            json!({"a": "/G/"}),
            None,
        );
        check("name = { from = '$.a', prefix = 'p:' }", json!({}), None);
        check(
            "name = { from = '$.a', lookup = { true = 'T' } }",
            json!({"a": true}),
            Some("T"),
        );
    }

    #[test]
    fn an_alternative_whose_value_is_not_known_gives_way_to_the_next() {
        let toml = "name = [{ from = '$.a', lookup = { x = 'X' } }, '$.b', { value = 'C' }]";
        check(toml, json!({"a": "x", "b": "B"}), Some("X"));
        check(toml, json!({"a": "y", "b": "B"}), Some("B"));
        check(toml, json!({"a": "y"}), Some("C"));
        check(
            "name = { value = 'C', prefix = 'p:' }",
            json!(null),
            Some("p:C"),
        );
    }

    #[test]
    fn a_value_that_is_missing_is_told_at_its_first_place() {
        let given = Given::default();
        let missing = |toml: &str, record: Value| {
            field(toml).missing(Here::body(&record, &given)).to_string()
        };
        assert_eq!(
            missing("name = ['$.a.b', '$.c']", json!({})),
            "$['a']['b'] has no value (by name)"
        );
        let looked_up = "name = { from = ['$.a', '$.b'], lookup = { x = 'X' } }";
        assert_eq!(
            missing(looked_up, json!({"b": "secret"})),
            "$['b'] has a value that the mapping does not know (by name)"
        );
    }

    #[test]
    fn all_problems_are_noted() {
        check_problems(
            "name = ['a', '$.b[', 7, { from = '$.c', colour = 1 }, {}]",
            &[
                "name[0] must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
                 a constant is { value = \"…\" }",
                "name[1] is no JSONPath: at column 4, not understood",
                "name[2] must be a place such as \"$.name\", or a table with from or value",
                "name[3].colour is not known",
                "name[4] must have from or value",
            ],
        );
        check_problems("name = []", &["name must not be empty"]);
        check_problems(
            "name = { from = ['$.a', 7, 'b:'], after = '', lookup = { x = [] }, default = {}, prefix = 1 }",
            &[
                "name.from[1] must be a place",
                "name.from[2] must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
                 a constant is { value = \"…\" }",
                "name.after must be a text that is not empty",
                "name.lookup.x must be a text that is not empty, a number, true or false",
                "name.default must be a text that is not empty, a number, true or false",
                "name.prefix must be a text that is not empty",
            ],
        );
        check_problems(
            "name = { from = '$.a', value = 'x' }",
            &[
                "name must have from or value, not both: what a value is without others is its default",
            ],
        );
        check_problems(
            "name = { from = [] }",
            &["name.from must be a place or an array of places"],
        );
    }

    #[test]
    fn what_is_found_at_any_depth_is_told_where_it_stands() {
        check_fault(
            "name = '$..a'",
            json!({"b": [0, {"a": {"c": 1}}], "d": {"a": null}}),
            "$['b'][1]['a']",
        );
    }

    proptest! {
        #[test]
        fn no_record_makes_a_field_panic_and_each_has_one_value(record in any_json()) {
            let field = field("name = ['$..name', { from = ['$.*', '$.data[*].id'], lookup = { a = 'A' } }, '$']");
            let given = Given::default();
            let here = Here::body(&record, &given);
            let found = field.find(here);
            if let Ok(Some(found)) = &found {
                prop_assert!(!found.text.is_empty());
            }
            prop_assert_eq!(found, field.find(here));
            prop_assert_eq!(field.missing(here), field.missing(here));
        }
    }
}
