//! Form-encoded bodies as JSON: `data[key][0]=x` is `{"data": {"key": ["x"]}}`.
//!
//! <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>; the brackets are the usage of PHP and Rails. What does not
//! fit together is refused: a value that hides another would be lost unseen.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A name with more parts than this is nobody's; the limit keeps what recurses shallow.
const MAX_DEPTH: usize = 32;

/// Where something stands while the form is being read.
enum Branch {
    Text(String),
    Named(BTreeMap<String, Branch>),
    /// Made by `[]`.
    Listed(Vec<Branch>),
}

/// Reads a form.
///
/// # Errors
/// What is wrong, with the field's number and without its text.
pub(super) fn parse(body: &[u8]) -> Result<Value, String> {
    if !is_utf8(body) {
        return Err("the form is not UTF-8".to_owned());
    }
    let mut root = BTreeMap::new();
    for (place, (name, value)) in form_urlencoded::parse(body).enumerate() {
        let number = place.saturating_add(1);
        let (head, below) = parts(&name);
        if below.len() >= MAX_DEPTH {
            return Err(format!("field {number} of the form is nested too deeply"));
        }
        put(&mut root, head, &below, value.into_owned())
            .map_err(|()| format!("field {number} of the form contradicts one before it"))?;
    }
    let fields = root.into_iter();
    let fields: Map<String, Value> = fields.map(|(name, branch)| (name, json(branch))).collect();
    Ok(Value::Object(fields))
}

/// Whether what the form says is UTF-8: the decoder would put a replacement character and go on.
fn is_utf8(body: &[u8]) -> bool {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.split_at_checked(2).filter(|_| *first == b'%');
        let decoded = escaped.and_then(|(digits, tail)| Some((hex::decode(digits).ok()?, tail)));
        match decoded {
            Some((decoded, tail)) => {
                bytes.extend(decoded);
                rest = tail;
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// `a[b][]` in its parts; a name whose brackets do not pair is one part.
fn parts(name: &str) -> (&str, Vec<&str>) {
    let whole = (name, Vec::new());
    let Some((head, brackets)) = name.split_once('[') else {
        return whole;
    };
    let Some(inner) = brackets.strip_suffix(']').filter(|_| !head.is_empty()) else {
        return whole;
    };
    let below: Vec<&str> = inner.split("][").collect();
    if below.iter().any(|part| part.contains(['[', ']'])) {
        return whole;
    }
    (head, below)
}

fn put(
    branches: &mut BTreeMap<String, Branch>,
    name: &str,
    below: &[&str],
    value: String,
) -> Result<(), ()> {
    match branches.get_mut(name) {
        None => {
            branches.insert(name.to_owned(), grown(below, value));
            Ok(())
        }
        Some(branch) => match (branch, below) {
            (Branch::Named(branches), [name, below @ ..]) if !name.is_empty() => {
                put(branches, name, below, value)
            }
            (Branch::Listed(items), ["", below @ ..]) => {
                items.push(grown(below, value));
                Ok(())
            }
            (Branch::Text(_) | Branch::Named(_) | Branch::Listed(_), _) => Err(()),
        },
    }
}

fn grown(below: &[&str], value: String) -> Branch {
    match below {
        [] => Branch::Text(value),
        ["", below @ ..] => Branch::Listed(vec![grown(below, value)]),
        [name, below @ ..] => {
            let inner = grown(below, value);
            Branch::Named(BTreeMap::from([((*name).to_owned(), inner)]))
        }
    }
}

fn json(branch: Branch) -> Value {
    match branch {
        Branch::Text(text) => Value::String(text),
        Branch::Listed(items) => items.into_iter().map(json).collect(),
        Branch::Named(mut branches) => {
            let numbers = || (0..branches.len()).map(|number| number.to_string());
            if numbers().all(|number| branches.contains_key(&number)) {
                let items: Vec<String> = numbers().collect();
                let items = items.iter().filter_map(|number| branches.remove(number));
                return items.map(json).collect();
            }
            let fields = branches.into_iter();
            Value::Object(fields.map(|(name, branch)| (name, json(branch))).collect())
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Value) {
        assert_eq!(parse(body.as_bytes()), Ok(expected), "{body}");
    }

    #[track_caller]
    fn check_fault(body: &[u8], expected: &str) {
        assert_eq!(parse(body), Err(expected.to_owned()));
    }

    #[test]
    fn brackets_nest() {
        check(
            "data[key][0]=x&data[key][1]=y&data[Employee+%23]=300&type=updated",
            json!({"data": {"key": ["x", "y"], "Employee #": "300"}, "type": "updated"}),
        );
        check(
            "employees%5B0%5D%5Bid%5D=1&employees%5B0%5D%5Bname%5D=A&employees%5B1%5D%5Bid%5D=2",
            json!({"employees": [{"id": "1", "name": "A"}, {"id": "2"}]}),
        );
    }

    #[test]
    fn empty_brackets_append() {
        check(
            "a[]=1&a[]=2&b[][x]=3&b[][x]=4",
            json!({"a": ["1", "2"], "b": [{"x": "3"}, {"x": "4"}]}),
        );
    }

    #[test]
    fn numbers_that_leave_one_out_are_names() {
        check("a[0]=x&a[2]=y", json!({"a": {"0": "x", "2": "y"}}));
        check("a[01]=x", json!({"a": {"01": "x"}}));
        let eleven: Vec<String> = (0..11).map(|n| format!("a[{n}]={n}")).collect();
        let expected: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        check(&eleven.join("&"), json!({"a": expected}));
    }

    #[test]
    fn values_stay_text_and_odd_names_stay_whole() {
        check(
            r#"payload=%7B%22a%22%3A1%7D&n=7&e="#,
            json!({"payload": r#"{"a":1}"#, "n": "7", "e": ""}),
        );
        check(
            "a[b=1&[c]=2&d]=3&e[f]g=4&h[[i]]=5",
            json!({"a[b": "1", "[c]": "2", "d]": "3", "e[f]g": "4", "h[[i]]": "5"}),
        );
        check("", json!({}));
        check("&&", json!({}));
        check(
            "name=Z%C3%BCrich+B%EF%BF%BD",
            json!({"name": "Zürich B\u{fffd}"}),
        );
    }

    #[test]
    fn what_contradicts_is_refused() {
        let second = "field 2 of the form contradicts one before it";
        for body in [
            "a=1&a=2",
            "a=1&a[b]=2",
            "a[b]=1&a=2",
            "a[]=1&a[0]=2",
            "a[0]=1&a[]=2",
            "a[b]=1&a[b]=1",
        ] {
            check_fault(body.as_bytes(), second);
        }
        check_fault(b"a=%FF", "the form is not UTF-8");
        check_fault(b"a=\xc3&b=\xbc", "the form is not UTF-8");
        let deep = format!("x=1&a{}=1", "[b]".repeat(32));
        check_fault(deep.as_bytes(), "field 2 of the form is nested too deeply");
        assert!(parse(format!("a{}=1", "[b]".repeat(31)).as_bytes()).is_ok());
    }

    /// Writes JSON as a form; `None` where it has what a form cannot say.
    pub(in crate::sources) fn encode(json: &Value) -> String {
        fn fields(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| {
                    let name = if name.is_empty() {
                        key.clone()
                    } else {
                        format!("{name}[{key}]")
                    };
                    fields(&name, value, into);
                }),
                Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| {
                    fields(&format!("{name}[{at}]"), value, into);
                }),
                Value::String(text) => into.push((name.to_owned(), text.clone())),
                Value::Null | Value::Bool(_) | Value::Number(_) => {
                    unreachable!("forms have texts alone")
                }
            }
        }
        let mut pairs = Vec::new();
        fields("", json, &mut pairs);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs).finish()
    }

    /// JSON of texts, lists and maps that are not empty.
    pub(in crate::sources) fn json_of_texts() -> impl Strategy<Value = Value> {
        let name = || "[a-z #.:é]{1,4}";
        let inner = "\\PC{0,6}"
            .prop_map(Value::from)
            .prop_recursive(4, 32, 13, move |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 1..13).prop_map(Value::from),
                    prop::collection::btree_map(name(), inner, 1..4)
                        .prop_map(|map| Value::Object(map.into_iter().collect())),
                ]
            });
        prop::collection::btree_map(name(), inner, 1..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn json_that_is_written_as_a_form_is_read_back(json in json_of_texts()) {
            prop_assert_eq!(parse(encode(&json).as_bytes()), Ok(json));
        }

        #[test]
        fn no_form_panics_and_each_has_one_meaning(body in prop::collection::vec(any::<u8>(), 0..60), near in "([ab]?[\\[\\]01]{0,6}(=[a%]{0,2})?&?){0,8}") {
            prop_assert_eq!(parse(&body), parse(&body));
            prop_assert_eq!(parse(near.as_bytes()), parse(near.as_bytes()));
        }
    }
}
