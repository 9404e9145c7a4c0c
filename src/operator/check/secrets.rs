//! Secrets: fetched, and looked at by the names of their fields alone.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Finding, remedies};
use crate::secrets::{Secret, Secrets};

/// What to do about a content that is of no use.
const MEND_CONTENT: &str =
    "Mend the secret's content; the README's section Secrets has every shape";

/// One shape of a secret: the word under `auth`, and the fields that go with it.
pub(super) type Shape = (&'static str, &'static [&'static str]);

/// A secret, by what it is called here and where its name stands.
pub(super) struct Wanted<'a> {
    pub(super) what: &'a str,
    pub(super) id: &'a str,
    pub(super) place: &'a str,
}

impl Wanted<'_> {
    /// Fetches it and has `read` make something of it, whose error says what is wrong without quoting anything.
    pub(super) async fn fetch<T>(
        &self,
        secrets: &Secrets,
        read: impl FnOnce(&Secret, &Map<String, Value>) -> Result<T, String>,
    ) -> (Finding, Option<T>) {
        let Self { what, id, place } = *self;
        let secret = match secrets.current(id).await {
            Ok(secret) => secret,
            Err(error) => {
                let remedy = remedies::of_secret(&error, place);
                return (Finding::bad(what, error.to_string(), remedy), None);
            }
        };
        let read = match secret.parse::<Value>(id) {
            Ok(Value::Object(fields)) => read(&secret, &fields),
            Ok(_) => Err("it is JSON, and no JSON object".to_owned()),
            Err(_) => Err("it is no JSON".to_owned()),
        };
        match read {
            Ok(read) => (
                Finding::good(what, format!("{id} is there, and of a known shape")),
                Some(read),
            ),
            Err(fault) => (
                Finding::bad(what, format!("secret {id}: {fault}"), MEND_CONTENT),
                None,
            ),
        }
    }
}

/// Reads a secret that says by `auth` which of these shapes it has.
pub(super) fn read_shape<T: DeserializeOwned>(
    secret: &Secret,
    fields: &Map<String, Value>,
    shapes: &[Shape],
) -> Result<T, String> {
    let mut words: Vec<&str> = shapes.iter().map(|(word, _)| *word).collect();
    words.dedup();
    let words = words.join(", ");
    let auth = match fields.get("auth") {
        None => return Err(format!("auth is missing: it must be one of {words}")),
        Some(auth) => auth.as_str(),
    };
    let of_auth: Vec<&[&str]> = shapes
        .iter()
        .filter(|(word, _)| auth == Some(*word))
        .map(|(_, names)| *names)
        .collect();
    // Of several shapes of one word the one that lacks least.
    let lacking = of_auth.iter().map(|names| lacking(fields, names));
    let lacking = lacking.min_by_key(Vec::len);
    match lacking {
        None => Err(format!("auth must be one of {words}")),
        Some(lacking) if !lacking.is_empty() => Err(lacking.join("; ")),
        Some(_) => secret
            .parse("")
            .map_err(|_| "its shape is not one that is known".to_owned()),
    }
}

fn lacking(fields: &Map<String, Value>, names: &[&str]) -> Vec<String> {
    let fault = |name: &&str| match fields.get(*name) {
        None => Some(format!("{name} is missing")),
        Some(Value::String(text)) if text.trim().is_empty() => Some(format!("{name} is empty")),
        Some(Value::String(_)) => None,
        Some(_) => Some(format!("{name} is no text")),
    };
    names.iter().filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 3] = [("a", &["x", "y"]), ("b", &["x"]), ("b", &["z", "y"])];

    #[track_caller]
    fn check(content: &str, expected: Result<(), &str>) {
        let secret = Secret::of_text(content);
        let fields: Map<String, Value> = serde_json::from_str(content).unwrap();
        let read: Result<Value, String> = read_shape(&secret, &fields, &SHAPES);
        assert_eq!(read.map(|_| ()), expected.map_err(str::to_owned));
    }

    #[test]
    fn what_a_shape_lacks_is_told_by_name_and_never_by_content() {
        check(r#"{"auth":"a","x":"1","y":"2","else":3}"#, Ok(()));
        check(r#"{"auth":"a","x":"secret"}"#, Err("y is missing"));
        check(
            r#"{"auth":"a","x":7,"y":" "}"#,
            Err("x is no text; y is empty"),
        );
        check(
            r#"{"x":"1"}"#,
            Err("auth is missing: it must be one of a, b"),
        );
        check(r#"{"auth":"secret"}"#, Err("auth must be one of a, b"));
        check(r#"{"auth":["a"]}"#, Err("auth must be one of a, b"));
        check(r#"{"auth":"b","y":"1"}"#, Err("x is missing"));
        check(r#"{"auth":"b","z":"1","y":"1"}"#, Ok(()));
    }
}
