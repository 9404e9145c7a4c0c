//! How the pages of an API's answer are asked for, one after the other.
//!
//! What an answer says of the next page becomes the value of one parameter, in the query or in the body,
//! and nothing else: neither host nor path ever come from an answer.

use serde_json::{Value, json};

use super::{
    place::{Here, Place, text},
    reader::{KeyPath, Reader},
};

/// How one gets from page to page.
#[derive(Clone, Debug)]
pub(super) enum Pages {
    /// There is one.
    One,
    /// The answer has the value for the next page.
    Cursor {
        /// Where.
        at: Place,
        /// The key that says so.
        key: KeyPath,
        /// Whose value it is.
        parameter: Parameter,
        /// Whether an API that has one page alone leaves the place out.
        may_be_absent: bool,
    },
    /// Pages are numbered.
    Number {
        /// The number's parameter.
        parameter: Parameter,
        /// Of the first page.
        first: i64,
    },
    /// A page begins at an item.
    Offset {
        /// The item's parameter.
        parameter: Parameter,
        /// Of the first item.
        first: i64,
    },
}

/// What of a request differs from page to page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Its name: of the query, or a top-level key of the body.
    pub(super) name: String,
    /// Whether it stands in the body.
    pub(super) in_body: bool,
}

/// One page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask(pub(super) Option<Value>);

impl Ask {
    /// Tells one page from another.
    pub(crate) fn text(&self) -> String {
        self.0.as_ref().map(Value::to_string).unwrap_or_default()
    }
}

impl Pages {
    /// Reads `pages`; what is not a way to page is noted, and counts as one page.
    pub(super) fn read(pages: &mut Reader<'_>) -> Self {
        let in_body = pages.flag("in_body").unwrap_or(false);
        let ways = ["cursor", "number", "offset"];
        if ways.iter().filter(|way| pages.has(way)).count() != 1 {
            pages.problem_here("must have exactly one of: cursor, number, offset");
            for key in ways.iter().chain(&["parameter", "first", "may_be_absent"]) {
                pages.value(key);
            }
            return Self::One;
        }
        if pages.has("cursor") {
            let key = pages.path("cursor");
            let at = pages
                .text("cursor")
                .and_then(|text| Place::parse(&text, &key, pages));
            if matches!(at, Some(Place::Header(_) | Place::Query(_))) {
                // It would never have a value, and the first page would be taken for all.
                pages.problem("cursor", "must be a place in the answer's body");
            }
            let name = pages.required_text("parameter");
            let may_be_absent = pages.flag("may_be_absent").unwrap_or(false);
            return match (at, name) {
                (Some(at), Some(name)) => Self::Cursor {
                    at,
                    key,
                    parameter: Parameter { name, in_body },
                    may_be_absent,
                },
                (Some(_), None) | (None, _) => Self::One,
            };
        }
        let is_number = pages.has("number");
        let (way, default) = if is_number {
            ("number", 1)
        } else {
            ("offset", 0)
        };
        let first = pages.integer("first").unwrap_or(default);
        let Some(name) = pages.text(way) else {
            return Self::One;
        };
        let parameter = Parameter { name, in_body };
        if is_number {
            Self::Number { parameter, first }
        } else {
            Self::Offset { parameter, first }
        }
    }

    /// What of a request differs from page to page.
    pub(super) const fn parameter(&self) -> Option<&Parameter> {
        match self {
            Self::One => None,
            Self::Cursor { parameter, .. }
            | Self::Number { parameter, .. }
            | Self::Offset { parameter, .. } => Some(parameter),
        }
    }

    /// Whether the end is told by lists that are empty.
    pub(super) const fn ends_with_an_empty_page(&self) -> bool {
        match self {
            Self::One | Self::Cursor { .. } => false,
            Self::Number { .. } | Self::Offset { .. } => true,
        }
    }

    /// Whether an answer tells if there is another page. A cursor's place that is not there at all may be a mistyped one,
    /// and the first page would be taken for all.
    pub(super) fn is_told(&self, answer: Here<'_>) -> bool {
        match self {
            Self::Cursor {
                at, may_be_absent, ..
            } => *may_be_absent || !at.nodes(answer).is_empty(),
            Self::One | Self::Number { .. } | Self::Offset { .. } => true,
        }
    }

    /// The first page.
    pub(super) fn first(&self) -> Ask {
        Ask(match self {
            Self::One | Self::Cursor { .. } => None,
            Self::Number { first, .. } | Self::Offset { first, .. } => Some(json!(first)),
        })
    }

    /// The page after the one that was answered so, with so many items in its lists; `None` behind the
    /// last one.
    ///
    /// # Errors
    /// The key of a cursor that is an object or array: who takes that for the end would take one page for all.
    pub(super) fn next(
        &self,
        asked: &Ask,
        answer: Here<'_>,
        items: usize,
    ) -> Result<Option<Ask>, KeyPath> {
        let step = match self {
            Self::One => return Ok(None),
            Self::Cursor { at, key, .. } => {
                let mut values = at.nodes(answer).into_iter().map(|node| node.value);
                // As it is, white space and type included: it is theirs.
                let value = values.find(|value| text(value).is_some() || holds_more(value));
                return match value {
                    Some(value) if holds_more(&value) => Err(key.clone()),
                    Some(value) => Ok(Some(Ask(Some(value.into_owned())))),
                    None => Ok(None),
                };
            }
            Self::Number { .. } | Self::Offset { .. } if items == 0 => return Ok(None),
            Self::Number { .. } => 1,
            Self::Offset { .. } => i64::try_from(items).unwrap_or(i64::MAX),
        };
        let at = asked.0.as_ref().and_then(Value::as_i64).unwrap_or(0);
        Ok(Some(Ask(Some(json!(at.saturating_add(step))))))
    }
}

fn holds_more(value: &Value) -> bool {
    value.is_object() || value.is_array()
}
