//! In which form an action is answered.

use serde_json::Value;

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For programs.
    #[default]
    Json,
    /// As a terminal would show it.
    Text,
    /// A flowchart.
    Mermaid,
    /// One page that needs nothing else.
    Html,
}

impl Format {
    /// Every one, with its word.
    const ALL: [(&'static str, Self); 4] = [
        ("json", Self::Json),
        ("text", Self::Text),
        ("mermaid", Self::Mermaid),
        ("html", Self::Html),
    ];

    /// Reads the field `format` of an action that can be answered in these.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(
        given: Option<&Value>,
        action: &str,
        possible: &[Self],
    ) -> Result<Self, String> {
        let Some(given) = given.filter(|given| !given.is_null()) else {
            return Ok(Self::default());
        };
        let known = Self::ALL
            .iter()
            .filter(|(_, format)| possible.contains(format));
        let found = known
            .clone()
            .find(|(word, _)| given.as_str() == Some(*word));
        found.map(|(_, format)| *format).ok_or_else(|| {
            let words: Vec<&str> = known.map(|(word, _)| *word).collect();
            format!(
                "format of the action {action} must be one of: {}",
                words.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(given: Option<Value>, possible: &[Format], expected: Result<Format, &str>) {
        let read = Format::read(given.as_ref(), "plan", possible);
        assert_eq!(read, expected.map_err(str::to_owned));
    }

    #[test]
    fn json_is_what_is_answered_unless_something_else_is_asked_for() {
        let both = [Format::Json, Format::Text];
        check(None, &both, Ok(Format::Json));
        check(Some(Value::Null), &both, Ok(Format::Json));
        check(Some(json!("json")), &both, Ok(Format::Json));
        check(Some(json!("text")), &both, Ok(Format::Text));
        let pictures = [Format::Html, Format::Mermaid];
        check(Some(json!("html")), &pictures, Ok(Format::Html));
        check(Some(json!("mermaid")), &pictures, Ok(Format::Mermaid));
    }

    #[test]
    fn a_format_that_an_action_does_not_have_is_refused_with_those_that_it_has() {
        let both = "format of the action plan must be one of: json, text";
        check(Some(json!("pdf")), &[Format::Json, Format::Text], Err(both));
        check(Some(json!(1)), &[Format::Json, Format::Text], Err(both));
        check(
            Some(json!("html")),
            &[Format::Json, Format::Text],
            Err(both),
        );
        let json_alone = "format of the action plan must be one of: json";
        check(Some(json!("text")), &[Format::Json], Err(json_alone));
    }
}
