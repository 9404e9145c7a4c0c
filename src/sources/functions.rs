//! `match` and `search` for JSONPath, RFC 9535 §2.4.6 and §2.4.7: whether a text is, or has in it, what a pattern says.
//!
//! The library's own compile the pattern anew for every value, of any size, and bring all of Unicode's tables: a start of the
//! function and its memory pay for these. A pattern is an I-Regexp, RFC 9485, which knows general categories alone
//! (`\p{Lu}`); `\d`, `\s` and `\w` work too. Matching takes time linear in the text, as `regex` promises, and a pattern that
//! would be large when compiled is none. By the RFC nothing matches what is no pattern; but who mistypes one would never be told,
//! so a path that has one is refused when it is read. So is one that asks a body for a pattern: it could be any.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use regex::{Regex, RegexBuilder};
use serde_json::Value;
use serde_json_path::functions::{LogicalType, ValueType};

/// A compiled pattern has at most so many bytes.
const MAX_COMPILED_BYTES: usize = 1 << 18;

/// So many are kept compiled. A mapping has a handful.
const MAX_KEPT: usize = 64;

/// What was compiled before; none for what is no pattern.
static KEPT: Mutex<Vec<(String, Option<Regex>)>> = Mutex::new(Vec::new());

/// What is wrong with the patterns of a path, if anything is. The path is one that was understood.
pub(super) fn misfit(path: &str) -> Option<&'static str> {
    let mut quote = None;
    let mut is_escaped = false;
    // Of every bracket that is open, how its function uses a pattern, if it takes one.
    let mut open_brackets: Vec<Option<Use>> = Vec::new();
    let mut word = String::new();
    // Whose pattern is to begin, and whose is being read.
    let (mut next, mut reading): (Option<Use>, Option<Use>) = (None, None);
    let mut literal = String::new();
    for c in path.chars() {
        let Some(open) = quote else {
            if let Some(used) = next.filter(|_| !c.is_whitespace()) {
                if !matches!(c, '\'' | '"') {
                    return Some(
                        "must have the pattern itself in match() and search(): one from a body could be any",
                    );
                }
                (next, reading) = (None, Some(used));
            }
            match c {
                '\'' | '"' => quote = Some(c),
                '(' => open_brackets.push(Use::by(&word)),
                '[' => open_brackets.push(None),
                ')' | ']' => drop(open_brackets.pop()),
                ',' => next = open_brackets.last().copied().flatten(),
                _ => {}
            }
            match c.is_alphanumeric() || c == '_' {
                true => word.push(c),
                false => word.clear(),
            }
            continue;
        };
        if c == open && !is_escaped {
            quote = None;
            let literal = mem::take(&mut literal);
            if let Some(used) = reading.take()
                && !used.is_sound(&literal)
            {
                return Some(
                    "must have a pattern in match() and search() that is one by RFC 9485, and has at most 256 KiB when compiled",
                );
            }
            continue;
        }
        literal.push(c);
        is_escaped = c == '\\' && !is_escaped;
    }
    None
}

/// What a text in quotes says: it is escaped as JSON's are, and its own quote is too.
fn unquoted(literal: &str) -> Option<String> {
    let mut json = String::from("\"");
    let mut chars = literal.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => match chars.next()? {
                '\'' => json.push('\''),
                escaped => json.extend(['\\', escaped]),
            },
            c => json.push(c),
        }
    }
    json.push('"');
    serde_json::from_str(&json).ok()
}

/// How a pattern is used.
#[derive(Clone, Copy, Debug)]
enum Use {
    Match,
    Search,
}

impl Use {
    /// How the function of this name uses one, if it takes one.
    fn by(function: &str) -> Option<Self> {
        match function {
            "match" => Some(Self::Match),
            "search" => Some(Self::Search),
            _ => None,
        }
    }

    /// Whether a text in quotes is a pattern: by itself too, since what is put around it must not close its brackets.
    fn is_sound(self, literal: &str) -> bool {
        let pattern = unquoted(literal).filter(|pattern| built(pattern).is_some());
        pattern.is_some_and(|pattern| compiled(self.whole(&pattern)).is_some())
    }

    fn whole(self, pattern: &str) -> String {
        match self {
            Self::Match => format!(r"\A(?:{pattern})\z"),
            Self::Search => format!("(?:{pattern})"),
        }
    }
}

#[serde_json_path::function(name = "match")]
fn match_function(value: ValueType<'_>, pattern: ValueType<'_>) -> LogicalType {
    holds(&value, &pattern, Use::Match)
}

#[serde_json_path::function(name = "search")]
fn search_function(value: ValueType<'_>, pattern: ValueType<'_>) -> LogicalType {
    holds(&value, &pattern, Use::Search)
}

fn holds(value: &ValueType<'_>, pattern: &ValueType<'_>, used: Use) -> LogicalType {
    // What stands in the path is a value; what is found in a body is a node.
    match (value.as_value(), pattern) {
        (Some(Value::String(text)), ValueType::Value(Value::String(pattern))) => {
            compiled(used.whole(pattern))
                .is_some_and(|regex| regex.is_match(text))
                .into()
        }
        _ => LogicalType::False,
    }
}

fn built(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .crlf(true)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .ok()
}

fn compiled(pattern: String) -> Option<Regex> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, regex)) = kept.iter().find(|(known, _)| *known == pattern) {
        return regex.clone();
    }
    let regex = built(&pattern);
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
    fn a_pattern_in_a_path_is_one_as_it_stands_there() {
        let told = |filter: &str| {
            let path = format!("$[?{filter}]");
            assert!(JsonPath::parse(&path).is_ok(), "{path}");
            misfit(&path)
        };
        for sound in [
            "match(@, 'D[0-9]+')",
            r"search(@.a, '\\p{Lu}\\d')",
            r"match(@, '\'\u005b\u005d]')",
            r#"match(@, "\"'(a)")"#,
            r#"match(@, '"')"#,
            "match('(', 'a')",
            "match(value(@['(', 'a']), 'a') || @.b == '('",
            "@ == 'match(@, (' && search(@, 'a')",
            r"search(@, '\\\\')",
        ] {
            assert_eq!(told(sound), None, "{sound}");
        }
        for refused in [
            "match(@, '(')",
            "search(@, ')a(')",
            r"search(@, '\u005b')",
            r"match(@, '\\')",
            "search(@.a, 'a') && match( @.b , \"[\" )",
            r"search(@, '[\\p{L}]{900}{900}|a')",
        ] {
            let reason = "must have a pattern in match() and search() that is one by RFC 9485, and has at most 256 KiB when compiled";
            assert_eq!(told(refused), Some(reason), "{refused}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for number in 0..100 {
            assert!(compiled(format!("(?:bounded{number})")).is_some());
        }
        assert!(KEPT.lock().unwrap().len() <= MAX_KEPT);
    }
}
