//! `match` and `search` for JSONPath, RFC 9535 §2.4.6 and §2.4.7: whether a text is, or has in it, what a pattern says.
//!
//! The library's own compile the pattern anew for every value, of any size, and bring all of Unicode's tables: a start of the
//! function and its memory pay for these. A pattern is an I-Regexp, RFC 9485, which knows general categories alone
//! (`\p{Lu}`); `\d`, `\s` and `\w` work too. Matching takes time linear in the text, as `regex` promises, and a pattern that
//! would be large when compiled is none: nothing matches it, as nothing matches what is no pattern. It stands in the path itself;
//! of one from a body nothing is known, so a path that asks for one is refused.

use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use serde_json::Value;
use serde_json_path::functions::{LogicalType, ValueType};

/// A compiled pattern has at most so many bytes.
const MAX_COMPILED_BYTES: usize = 1 << 18;

/// So many are kept compiled. A mapping has a handful.
const MAX_KEPT: usize = 64;

/// What was compiled before; none for what is no pattern.
static KEPT: Mutex<Vec<(String, Option<Regex>)>> = Mutex::new(Vec::new());

#[serde_json_path::function(name = "match")]
fn match_function(value: ValueType<'_>, pattern: ValueType<'_>) -> LogicalType {
    holds(&value, &pattern, |pattern| format!(r"\A(?:{pattern})\z"))
}

#[serde_json_path::function(name = "search")]
fn search_function(value: ValueType<'_>, pattern: ValueType<'_>) -> LogicalType {
    holds(&value, &pattern, |pattern| format!("(?:{pattern})"))
}

fn holds(
    value: &ValueType<'_>,
    pattern: &ValueType<'_>,
    whole: impl FnOnce(&str) -> String,
) -> LogicalType {
    // What stands in the path is a value; what is found in a body is a node.
    match (value.as_value(), pattern) {
        (Some(Value::String(text)), ValueType::Value(Value::String(pattern))) => {
            compiled(whole(pattern))
                .is_some_and(|regex| regex.is_match(text))
                .into()
        }
        _ => LogicalType::False,
    }
}

fn compiled(pattern: String) -> Option<Regex> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, regex)) = kept.iter().find(|(known, _)| *known == pattern) {
        return regex.clone();
    }
    let regex = RegexBuilder::new(&pattern)
        .crlf(true)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .ok();
    if kept.len() >= MAX_KEPT {
        kept.clear();
    }
    kept.push((pattern, regex.clone()));
    regex
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json_path::JsonPath;

    use super::*;

    fn check(filter: &str, expected: &[&str]) {
        let body = json!(["", "a", "ab", "b\na", "a\r", "Ä1", "7", "٧", {"a": "b"}, 7, null]);
        let path = JsonPath::parse(&format!("$[?{filter}]")).unwrap();
        let found: Vec<_> = path.query(&body).into_iter().map(|v| v.as_str()).collect();
        let expected: Vec<_> = expected.iter().map(|text| Some(*text)).collect();
        assert_eq!(found, expected, "{filter}");
    }

    #[test]
    fn match_is_of_the_whole_text_and_search_of_any_part() {
        check("match(@, 'a')", &["a"]);
        check("search(@, 'a')", &["a", "ab", "b\na", "a\r"]);
        check("match(@, 'a|ab')", &["a", "ab"]);
        check("match(@, '')", &[""]);
        check("search(@, '^a')", &["a", "ab", "a\r"]);
    }

    #[test]
    fn a_dot_is_any_character_but_the_end_of_a_line() {
        check("match(@, 'a.')", &["ab"]);
        check("match(@, 'b.a')", &[]);
        check("match(@, '[ab]..')", &[]);
    }

    #[test]
    fn general_categories_are_known_and_so_are_digits() {
        check(r"match(@, '\\p{Lu}[0-9]')", &["Ä1"]);
        check(r"match(@, '\\d')", &["7", "٧"]);
        check(r"match(@, '\\P{L}+')", &["7", "٧"]);
    }

    #[test]
    fn what_is_no_pattern_or_too_large_or_from_the_body_matches_nothing() {
        check("search(@, '(')", &[]);
        check(r"search(@, '[\\p{L}]{900}{900}|a')", &[]);
        check("search(@, @)", &[]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for number in 0..100 {
            assert!(compiled(format!("(?:bounded{number})")).is_some());
        }
        assert!(KEPT.lock().unwrap().len() <= MAX_KEPT);
    }
}
