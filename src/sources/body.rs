//! From a request's raw bytes to JSON.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::{
    fault::BodyFault,
    form,
    given::{Asked, Given},
    place::wanted,
    reader::{KeyPath, Reader},
    search::json_path,
};

const CONTENT_TYPE: &str = "content-type";

/// No sender nests so deeply; and what is found by a path is told with the way to it.
const MAX_DEPTH: usize = 64;

/// Deeper than this nothing is read at all.
const DEEPEST: usize = 127;

/// How a source's bodies are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyForm {
    encoding: Encoding,
    envelope: Option<(KeyPath, JsonPath)>,
    max_depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Auto,
    Json,
    Form,
}

/// Why a body could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBody {
    /// It is not what it should be encoded in; the text says where, and never quotes it.
    Unreadable(String),
    /// The envelope has not exactly one body in it.
    Unfitting(BodyFault),
}

impl BodyForm {
    /// Takes `body` and `envelope`; what is wrong is noted.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let words = [
            ("auto", Encoding::Auto),
            ("json", Encoding::Json),
            ("form", Encoding::Form),
        ];
        let encoding = reader.one_of("body", &words).unwrap_or(Encoding::Auto);
        let max_depth = match reader.count("max_depth") {
            None => MAX_DEPTH,
            Some(depth) => usize::try_from(depth).unwrap_or(usize::MAX),
        };
        if !(1..=DEEPEST).contains(&max_depth) {
            reader.problem("max_depth", format!("must be from 1 to {DEEPEST}"));
        }
        let key = reader.path("envelope");
        let envelope = reader.text("envelope");
        let envelope = envelope.and_then(|path| json_path(&path, &key, reader));
        Self {
            encoding,
            envelope: envelope.map(|path| (key, path)),
            max_depth,
        }
    }

    /// Notes what it asks for of what comes beside the body: the content type, by which it is known in any case.
    pub(super) fn asks(&self, asked: &mut Asked) {
        asked.headers.insert(CONTENT_TYPE.to_owned());
    }

    /// The body as JSON, out of its envelope.
    ///
    /// # Errors
    /// [`NoBody`].
    pub fn json(&self, body: &[u8], given: &Given) -> Result<Value, NoBody> {
        let json = self.decode(body, given).map_err(NoBody::Unreadable)?;
        let Some((key, path)) = &self.envelope else {
            return Ok(json);
        };
        let selected = path.query(&json).all();
        let [inner] = selected.as_slice() else {
            let detail = format!("must be one value, and there are {}", selected.len());
            let fault = BodyFault::new(wanted(path, &[]), detail).by(key);
            return Err(NoBody::Unfitting(fault));
        };
        match inner {
            Value::String(text) => self
                .parse(text, "the envelope's text")
                .map_err(NoBody::Unreadable),
            inner => Ok((*inner).clone()),
        }
    }

    fn decode(&self, body: &[u8], given: &Given) -> Result<Value, String> {
        if body.is_empty() {
            return Err("the body is empty".to_owned());
        }
        let json = || {
            let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
            self.parse(text, "the body")
        };
        match self.encoding {
            Encoding::Json => json(),
            Encoding::Form => form::parse(body),
            Encoding::Auto => match Declared::by(given) {
                Declared::Json => json(),
                // Some tools declare a form whatever they send; no encoder leaves a brace at a form's start.
                // What is too deep is refused as JSON is: as a form it would be one odd name.
                Declared::Form if opens_as_json(body) && !self.is_too_deep(body) => {
                    json().or_else(|_| form::parse(body))
                }
                Declared::Form if opens_as_json(body) => json(),
                Declared::Form => form::parse(body),
                // JSON that was cut off must not pass for a form with one odd name.
                Declared::Nothing if !opens_as_json(body) && body.contains(&b'=') => {
                    json().or_else(|_| form::parse(body))
                }
                Declared::Nothing => json(),
            },
        }
    }
}

impl BodyForm {
    fn parse(&self, text: &str, what: &str) -> Result<Value, String> {
        if self.is_too_deep(text.as_bytes()) {
            let Self { max_depth, .. } = self;
            return Err(format!("{what} is nested deeper than {max_depth} levels"));
        }
        parse(text, what)
    }

    fn is_too_deep(&self, json: &[u8]) -> bool {
        is_deeper(json, self.max_depth)
    }
}

/// Whether arrays and objects stand in one another more often than this. It is asked before anything is built of them.
fn is_deeper(json: &[u8], than: usize) -> bool {
    let opens = |byte: &&u8| matches!(byte, b'[' | b'{');
    // Most bodies have fewer of them than may stand in one another.
    if json.iter().filter(opens).count() <= than {
        return false;
    }
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match (in_text, *byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth = depth.saturating_add(1);
                if depth > than {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (_, _) => {}
        }
    }
    false
}

/// What the content type says.
enum Declared {
    Json,
    Form,
    Nothing,
}

impl Declared {
    fn by(given: &Given) -> Self {
        let header = given.headers.get(CONTENT_TYPE);
        let media_type = header.and_then(|header| header.split(';').next());
        match media_type
            .map(|text| text.trim().to_ascii_lowercase())
            .as_deref()
        {
            Some("application/x-www-form-urlencoded") => Self::Form,
            None | Some("") => Self::Nothing,
            Some(_) => Self::Json,
        }
    }
}

fn opens_as_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'))
}

fn parse(text: &str, what: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("{what} is not JSON: see line {line}, column {column}")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sources::{form::tests as forms, place::tests::reading};

    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    fn read(toml: &str, content_type: Option<&str>, body: &str) -> Result<Value, NoBody> {
        let (form, problems) = reading(toml, BodyForm::read);
        assert_eq!(problems, [""; 0]);
        let mut given = Given::default();
        let content_type = content_type.map(str::to_owned);
        given
            .headers
            .extend(content_type.map(|text| ("content-type".to_owned(), text)));
        form.json(body.as_bytes(), &given)
    }

    #[track_caller]
    fn check_unreadable(toml: &str, content_type: Option<&str>, body: &str, expected: &str) {
        let expected = NoBody::Unreadable(expected.to_owned());
        assert_eq!(read(toml, content_type, body), Err(expected));
    }

    #[test]
    fn the_content_type_says_how_a_body_is_read() {
        let json = json!({"a": "1"});
        assert_eq!(
            read("", Some("application/json"), r#"{"a":"1"}"#),
            Ok(json.clone())
        );
        assert_eq!(
            read("", Some("application/scim+json"), r#"{"a":"1"}"#),
            Ok(json.clone())
        );
        assert_eq!(read("", Some(FORM), "a=1"), Ok(json.clone()));
        assert_eq!(read("", Some(FORM), r#"{"a":"1"}"#), Ok(json.clone()));
        assert_eq!(read("", None, "a=1"), Ok(json.clone()));
        assert_eq!(read("", None, r#"{"a":"1"}"#), Ok(json.clone()));
        assert_eq!(
            read("body = 'form'", Some("text/plain"), "a=1"),
            Ok(json.clone())
        );
        assert_eq!(read("body = 'json'", Some(FORM), r#"{"a":"1"}"#), Ok(json));
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_before_it_is_read() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read("", None, &deep(64)).is_ok());
        let told = "the body is nested deeper than 64 levels";
        check_unreadable("", None, &deep(65), told);
        check_unreadable("", None, &"[".repeat(100_000), told);
        check_unreadable("", None, &"{\"a\":".repeat(100_000), told);
        check_unreadable("", Some("application/json"), &deep(65), told);
        // A form's content type makes no form of it.
        check_unreadable("", Some(FORM), &deep(65), told);
        check_unreadable("", Some(FORM), &"{\"a\":".repeat(65), told);
        assert_eq!(read("", Some(FORM), "[a]=1"), Ok(json!({"[a]": "1"})));
        assert!(read("max_depth = 127", None, &deep(127)).is_ok());
        let told = "the body is nested deeper than 2 levels";
        check_unreadable("max_depth = 2", None, "[[{}]]", told);
        // Brackets in texts are none, and after a quote that is escaped the text goes on.
        assert!(read("max_depth = 2", None, r#"["[[[\"[[[\\", {"[{[": "]"}]"#).is_ok());
        let inner = json!({"e": deep(65)}).to_string();
        let told = "the envelope's text is nested deeper than 64 levels";
        check_unreadable("envelope = '$.e'", None, &inner, told);
    }

    #[test]
    fn a_depth_that_nothing_could_have_is_a_problem() {
        for depth in ["0", "128"] {
            let (_, problems) = reading(&format!("max_depth = {depth}"), BodyForm::read);
            assert_eq!(problems.len(), 1, "{problems:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_text() {
        check_unreadable("", None, "", "the body is empty");
        let cut = "the body is not JSON: see line 1, column 8";
        check_unreadable("", None, r#"{"a":"=1"#, cut);
        check_unreadable("", Some("application/json"), r#"{"a":"=1"#, cut);
        check_unreadable(
            "",
            None,
            "secret",
            "the body is not JSON: see line 1, column 1",
        );
        check_unreadable(
            "body = 'json'",
            Some(FORM),
            "a=1",
            "the body is not JSON: see line 1, column 1",
        );
        check_unreadable(
            "",
            Some(FORM),
            "a=1&a=2",
            "field 2 of the form contradicts one before it",
        );
        let (form, _) = reading("", BodyForm::read);
        let read = form.json(b"\"\xff\"", &Given::default());
        assert_eq!(
            read,
            Err(NoBody::Unreadable("the body is not UTF-8".to_owned()))
        );
    }

    #[test]
    fn a_body_is_taken_out_of_its_envelope() {
        let toml = "envelope = '$.payload'";
        assert_eq!(
            read(toml, None, r#"{"payload": {"a": 1}}"#),
            Ok(json!({"a": 1}))
        );
        assert_eq!(
            read(toml, None, r#"{"payload": "{\"a\": 1}"}"#),
            Ok(json!({"a": 1}))
        );
        assert_eq!(
            read(toml, Some(FORM), "payload=%7B%22a%22%3A1%7D"),
            Ok(json!({"a": 1}))
        );
        check_unreadable(
            toml,
            None,
            r#"{"payload": "hello"}"#,
            "the envelope's text is not JSON: see line 1, column 1",
        );
        let fault = BodyFault::new("$['payload']", "must be one value, and there are 0")
            .by(&KeyPath::default().key("envelope"));
        assert_eq!(read(toml, None, "{}"), Err(NoBody::Unfitting(fault)));
    }

    #[test]
    fn problems_are_noted() {
        let (_, problems) = reading("body = 'xml'\nenvelope = 'payload'", BodyForm::read);
        assert_eq!(
            problems,
            [
                "body must be one of: auto, json, form",
                "envelope must be a JSONPath, which begins with $"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_all_have_one_meaning(body in prop::collection::vec(any::<u8>(), 0..60), kind in prop::option::of("application/json|application/x-www-form-urlencoded|\\PC{0,9}")) {
            let (form, _) = reading("envelope = '$'", BodyForm::read);
            let mut given = Given::default();
            given.headers.extend(kind.map(|kind| ("content-type".to_owned(), kind)));
            prop_assert_eq!(form.json(&body, &given), form.json(&body, &given));
        }

        #[test]
        fn a_form_is_known_without_its_content_type(json in forms::json_of_texts()) {
            prop_assert_eq!(read("", None, &forms::encode(&json)), Ok(json));
        }
    }
}
