//! Places: where in a webhook a value stands, and how a place is told.
//!
//! Bodies are searched by JSONPath, <https://www.rfc-editor.org/rfc/rfc9535>; what was found carries its normalized path from the
//! body's root, so that a fault can name it.

use std::{borrow::Cow, fmt, fmt::Write as _};

use serde_json::Value;
use serde_json_path::{JsonPath, PathElement};

use super::{
    given::{Asked, Given},
    reader::{KeyPath, Reader},
    search::{Search, is_singular, located},
};

/// Names and paths are the sender's text in part, so they are shown only so far: a thousand faults must fit into one answer.
const NAME_SHOWN: usize = 100;
const PATH_SHOWN: usize = 400;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the record, or in the body where there is no record.
    Record(Search),
    /// In the whole body.
    Body(Search),
    /// In a header, by its name in lower case.
    Header(String),
    /// In a parameter of the query.
    Query(String),
}

/// What is being read: a record, where it stands, and what it came with.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// The record; the body where there is none.
    pub record: &'a Value,
    /// Where the record stands in the body.
    pub at: &'a [PathElement<'a>],
    /// The whole body.
    pub body: &'a Value,
    /// What came beside it.
    pub given: &'a Given,
}

/// A place as it was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Spot<'a> {
    /// In the body, from its root.
    Body(Vec<PathElement<'a>>),
    /// Somewhere in a record, where it is looked for once that is to be told.
    Within {
        /// Where the record stands, from the body's root.
        at: &'a [PathElement<'a>],
        /// The record.
        record: &'a Value,
        /// The value itself, of the record.
        value: &'a Value,
    },
    /// In a header or the query, as the place is written.
    Beside(String),
}

/// A value that was found, and where.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// The value; a text where it came beside the body.
    pub value: Cow<'a, Value>,
    /// Where.
    pub spot: Spot<'a>,
}

impl<'a> Here<'a> {
    /// The body as its own record.
    pub fn body(body: &'a Value, given: &'a Given) -> Self {
        Self {
            record: body,
            at: &[],
            body,
            given,
        }
    }
}

/// How a JSONPath is told that selects nothing below `at`: normalized as far as it names one place.
pub(super) fn wanted(path: &JsonPath, at: &[PathElement<'_>]) -> String {
    // The library writes a descendant with one dot too many.
    let path = path.to_string().replace("...", "..");
    let mut rest = path.strip_prefix('$').unwrap_or_default();
    let mut text = shown(at);
    loop {
        let bracket = rest
            .strip_prefix("['")
            .and_then(|name| name.split_once("']"));
        if let Some((name, after)) = bracket.filter(|(name, _)| !name.contains('\'')) {
            push_name(&mut text, name);
            rest = after;
            continue;
        }
        let name = rest
            .strip_prefix('.')
            .filter(|name| !name.starts_with(['.', '*', '[']));
        let Some(name) = name else {
            text.push_str(rest);
            return text;
        };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, after) = name.split_at_checked(end).unwrap_or((name, ""));
        push_name(&mut text, name);
        rest = after;
    }
}

impl Place {
    /// Reads a place as it is written in `sources.toml`; what is wrong is noted.
    pub(super) fn parse(text: &str, key: &KeyPath, sink: &mut Reader<'_>) -> Option<Self> {
        if text.starts_with('$') {
            return Search::parse(text, key, sink).map(Self::Record);
        }
        if let Some(path) = text.strip_prefix("body:") {
            let search = Search::parse(path, key, sink)?;
            // What is read once a body may search it.
            if sink.is_of_each_record() && !is_singular(path) {
                let reason = "must name one value, without \"..\", \"*\", filters, slices and commas: it is searched for every record";
                sink.problem_at(key.clone(), reason);
                return None;
            }
            return Some(Self::Body(search));
        }
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        if let Some(name) = text.strip_prefix("header:").filter(|name| is_name(name)) {
            return Some(Self::Header(name.to_ascii_lowercase()));
        }
        if let Some(name) = text.strip_prefix("query:").filter(|name| is_name(name)) {
            return Some(Self::Query(name.to_owned()));
        }
        let reason = "must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
                      a constant is { value = \"…\" }";
        sink.problem_at(key.clone(), reason);
        None
    }

    /// All that stands there.
    pub fn nodes<'a>(&self, here: Here<'a>) -> Vec<Node<'a>> {
        let in_body = |(value, spot)| Node {
            value: Cow::Borrowed(value),
            spot,
        };
        let beside = |text: &String| Node {
            value: Cow::Owned(Value::String(text.clone())),
            spot: Spot::Beside(self.to_string()),
        };
        match self {
            Self::Record(path) => {
                let found = path.select(here.record, here.at).into_iter();
                found.map(in_body).collect()
            }
            Self::Body(path) => {
                let found = path.select(here.body, &[]).into_iter();
                found.map(in_body).collect()
            }
            Self::Header(name) => here
                .given
                .headers
                .get(name)
                .map(beside)
                .into_iter()
                .collect(),
            Self::Query(name) => here.given.query.get(name).map(beside).into_iter().collect(),
        }
    }

    /// Notes what it asks for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        match self {
            Self::Record(_) | Self::Body(_) => {}
            Self::Header(name) => {
                asked.headers.insert(name.clone());
            }
            Self::Query(name) => {
                asked.query.insert(name.clone());
            }
        }
    }

    /// Whether it is searched for at any depth of a record.
    pub(super) fn descends(&self) -> bool {
        match self {
            Self::Record(path) | Self::Body(path) => path.descends(),
            Self::Header(_) | Self::Query(_) => false,
        }
    }

    /// How the place is told where nothing stands there.
    pub fn wanted(&self, here: Here<'_>) -> String {
        match self {
            // What is wanted follows behind where the record stands.
            Self::Record(path) => wanted(path.path(), here.at),
            Self::Body(path) => wanted(path.path(), &[]),
            Self::Header(_) | Self::Query(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(path) => write!(f, "{}", path.path()),
            Self::Body(path) => write!(f, "body:{}", path.path()),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
        }
    }
}

impl fmt::Display for Spot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(path) => f.write_str(&shown(path)),
            Self::Within { at, record, value } => {
                let below = located(record, value);
                let path: Vec<PathElement<'_>> = at.iter().cloned().chain(below).collect();
                f.write_str(&shown(&path))
            }
            Self::Beside(place) => f.write_str(place),
        }
    }
}

/// A value as text: a string that is not empty, trimmed; a number, `true` or `false` as JSON has them. All else is no value.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim())
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A normalized path (RFC 9535, 2.7), cut where it is long.
pub(super) fn shown(path: &[PathElement<'_>]) -> String {
    let mut text = String::from("$");
    for element in path {
        if text.len() > PATH_SHOWN {
            text.push('…');
            break;
        }
        match element {
            PathElement::Index(index) => text.push_str(&format!("[{index}]")),
            PathElement::Name(name) => push_name(&mut text, name),
        }
    }
    text
}

fn push_name(text: &mut String, name: &str) {
    text.push_str("['");
    for c in name.chars().take(NAME_SHOWN) {
        match c {
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '\'' => text.push_str("\\'"),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => {
                // Writing into a string does not fail.
                let _written = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    if name.chars().nth(NAME_SHOWN).is_some() {
        text.push('…');
    }
    text.push_str("']");
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use toml::Table;

    use super::*;
    use crate::sources::reader::SourcesProblem;

    /// Reads with a reader of this TOML; what was read, and the problems, unknown keys included.
    pub(in crate::sources) fn reading<T>(
        toml: &str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> (T, Vec<String>) {
        let table: Table = toml.parse().unwrap();
        let mut problems = Vec::new();
        let mut reader = Reader::new(KeyPath::default(), table, &mut problems);
        let found = read(&mut reader);
        reader.finish();
        let problems = problems.iter().map(SourcesProblem::to_string).collect();
        (found, problems)
    }

    /// Any JSON, small; its names and texts are such as mappings ask for.
    pub(in crate::sources) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[ -~]{0,6}|\\PC{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            let name = "id|name|type|parent|data|members|time|\\PC{0,3}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn place(text: &str) -> Place {
        let (place, problems) = reading("", |reader| {
            Place::parse(text, &KeyPath::default().key("at"), reader)
        });
        assert_eq!(problems, [""; 0]);
        place.unwrap()
    }

    #[track_caller]
    fn check_problem(text: &str, expected: &str) {
        let (place, problems) = reading("", |reader| {
            Place::parse(text, &KeyPath::default().key("at"), reader)
        });
        assert_eq!(place, None);
        assert_eq!(problems, [expected]);
    }

    #[track_caller]
    fn check(place_text: &str, expected: &[(Value, &str)]) {
        let body = json!({"id": 7, "data": [{"name": "A", "it's": {"x\\y": 1}}]});
        let given = Given {
            headers: [("x-event".to_owned(), "e".to_owned())].into(),
            query: [("Kind".to_owned(), "k".to_owned())].into(),
        };
        let at = [PathElement::Name("data"), PathElement::Index(0)];
        let here = Here {
            record: &body["data"][0],
            at: &at,
            body: &body,
            given: &given,
        };
        let nodes = place(place_text).nodes(here);
        let found: Vec<(Value, String)> = nodes
            .into_iter()
            .map(|node| (node.value.into_owned(), node.spot.to_string()))
            .collect();
        let expected: Vec<(Value, String)> = expected
            .iter()
            .map(|(value, spot)| (value.clone(), (*spot).to_owned()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_place_in_a_record_is_told_from_the_root_of_the_body() {
        check("$.name", &[(json!("A"), "$['data'][0]['name']")]);
        check("body:$.id", &[(json!(7), "$['id']")]);
        check("$.id", &[]);
        check(
            r#"$["it's"].*"#,
            &[(json!(1), r"$['data'][0]['it\'s']['x\\y']")],
        );
    }

    #[test]
    fn headers_have_no_case_and_parameters_have() {
        check("header:X-Event", &[(json!("e"), "header:x-event")]);
        check("header:x-other", &[]);
        check("query:Kind", &[(json!("k"), "query:Kind")]);
        check("query:kind", &[]);
    }

    #[test]
    fn a_place_where_nothing_stands_is_told_too() {
        let body = json!([{}]);
        let given = Given::default();
        let at = [PathElement::Index(0)];
        let here = Here {
            record: &body[0],
            at: &at,
            body: &body,
            given: &given,
        };
        let wanted = |text: &str| place(text).wanted(here);
        assert_eq!(wanted("$.a['b c'][*]"), "$[0]['a']['b c'][*]");
        assert_eq!(wanted("$"), "$[0]");
        assert_eq!(wanted("$.a..b[?@.c == 'd']"), "$[0]['a']..b[?@['c']=='d']");
        assert_eq!(wanted("$['a','b'].c"), "$[0]['a','b'].c");
        assert_eq!(wanted("body:$.a"), "$['a']");
        assert_eq!(wanted("header:A"), "header:a");
    }

    #[test]
    fn a_bad_path_is_told_by_its_column() {
        check_problem("$.a[", "at is no JSONPath: at column 4, not understood");
        check_problem("$.ä b", "at is no JSONPath: at column 4, not understood");
        check_problem(
            "$.a[?nope(@)]",
            "at is no JSONPath: at column 6, in long-hand segment, function name 'nope' is not defined",
        );
    }

    #[test]
    fn a_path_that_could_cost_too_much_is_refused() {
        for path in [
            "$..*..*",
            "$..a..b",
            "$..[?@..b]",
            "$.a[?@..b]..c",
            "$.a[?$.b == @.c]",
            "$[?@[?@[?@[?@[?@]]]]]",
            "$[0,0,0,0,0][0,0,0,0,0,0]",
        ] {
            let (place, problems) = reading("", |reader| {
                Place::parse(path, &KeyPath::default().key("at"), reader)
            });
            assert_eq!((place, problems.len()), (None, 1), "{path}");
            assert!(problems[0].starts_with("at must not "), "{problems:?}");
        }
        let long = format!("$.{}", "a".repeat(500));
        check_problem(&long, "at must not be longer than 500 bytes");
        for path in [
            "$..a",
            "$.a[?@..b]",
            "$['..','$$','?','a..b'].c",
            "$.a[?@.b == 'it\\'s ..$']",
        ] {
            assert!(matches!(place(path), Place::Record(_)), "{path}");
        }
    }

    #[test]
    fn what_is_asked_of_a_body_for_every_record_is_one_value() {
        let parse = |path: &str, of_each_record: bool| {
            let (text, key) = (format!("body:{path}"), KeyPath::default().key("at"));
            reading("", |reader| {
                if of_each_record {
                    reader.reads_each_record();
                }
                Place::parse(&text, &key, reader)
            })
        };
        for path in [
            "$..a",
            "$.a[*]",
            "$.a.*",
            "$.a[?@.b]",
            "$.a[0:2]",
            "$['a','b']",
            "$['a' , \"b\"]",
            "$[0,1]",
            "$['a\\'','b']",
            "$[\"a']\"][?@.b]",
        ] {
            let (place, problems) = parse(path, true);
            let reason = "at must name one value, without \"..\", \"*\", filters, slices and commas: it is searched for every record";
            assert_eq!((place, problems), (None, vec![reason.to_owned()]), "{path}");
            // What is read once a body may search it.
            let (place, problems) = parse(path, false);
            assert!(
                matches!(place, Some(Place::Body(_))),
                "{path}: {problems:?}"
            );
        }
        for path in [
            "$",
            "$.a.b",
            "$['a b'][0]",
            "$[ \"a\" ] [ -1 ]",
            "$[-1]",
            "$.hook.event",
            "$['a\\',\\'b']",
            "$[\"','\"]",
            "$[\"x']y\"].z",
            "$['a\\\\'].b",
            "$['*']['..'][0]",
        ] {
            let (place, problems) = parse(path, true);
            assert!(
                matches!(place, Some(Place::Body(_))),
                "{path}: {problems:?}"
            );
        }
    }

    #[test]
    fn a_pattern_stands_in_the_path_itself() {
        for path in [
            "$.a[?match(@.b, @.c)]",
            "$.a[?search( @['b'] ,value(@.c))]",
            "$.a[?match('x', @)]",
        ] {
            let reason = "at must have the pattern itself in match() and search(): one from a body could be any";
            check_problem(path, reason);
        }
        for path in [
            "$.a[?match(@.b, 'c')]",
            "$.a[?search(@[\"b,\"] ,\"c\") && length(@.b) > 1]",
            "$.a[?count(@['b','c']) == 1]",
        ] {
            assert!(matches!(place(path), Place::Record(_)), "{path}");
        }
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_told_when_it_is_read() {
        for path in [
            "$.a[?match(@.b, '(')]",
            r"$.a[?search(@.b, '[\\p{L}]{900}{900}|a')]",
            "body:$.a[?search(@.b, \"[\")]",
        ] {
            let reason = "at must have a pattern in match() and search() that is one by RFC 9485, and has at most 256 KiB when compiled";
            check_problem(path, reason);
        }
    }

    #[test]
    fn what_is_no_place_is_told_what_is_one() {
        for text in ["Department", "", "header:", "header:a b", "query:", "@.a"] {
            let expected = "at must be a place: $… (JSONPath in the record), body:$…, header:NAME or query:NAME; \
                            a constant is { value = \"…\" }";
            check_problem(text, expected);
        }
        check_problem("body:a", "at must be a JSONPath, which begins with $");
    }

    #[test]
    fn a_path_is_shown_only_so_far() {
        let long = "x".repeat(5_000);
        let path = vec![PathElement::Name(&long); 100];
        assert!(shown(&path).len() < 600);
        assert_eq!(
            shown(&[PathElement::Name("\u{1}\u{1f}\n")]),
            r"$['\u0001\u001f\n']"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_a_path_panic(text in "\\PC{0,30}", path in r#"\$[\[\].?@*'"a1,:<&!()= -]{0,20}"#, body in any_json()) {
            for text in [text, path] {
                let key = KeyPath::default();
                let (place, problems) = reading("", |reader| Place::parse(&text, &key, reader));
                prop_assert_eq!(place.is_none(), problems.len() == 1);
                if let Some(place) = place {
                    let given = Given::default();
                    let here = Here::body(&body, &given);
                    let spots = |place: &Place| -> Vec<String> {
                        place.nodes(here).iter().map(|node| node.spot.to_string()).collect()
                    };
                    prop_assert_eq!(spots(&place), spots(&place));
                }
            }
        }
    }
}
