//! What came beside a webhook's body.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Headers and query of a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The query's parameters, decoded.
    pub query: BTreeMap<String, String>,
}

/// What of it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// These headers, by their names in lower case.
    pub headers: BTreeSet<String>,
    /// These parameters.
    pub query: BTreeSet<String>,
}

impl Given {
    /// What of it was asked for.
    #[must_use]
    pub fn only(&self, asked: &Asked) -> Self {
        let of = |all: &BTreeMap<String, String>, names: &BTreeSet<String>| {
            let asked = all.iter().filter(|(name, _)| names.contains(*name));
            asked.map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        Self {
            headers: of(&self.headers, &asked.headers),
            query: of(&self.query, &asked.query),
        }
    }

    /// The query, as [`Self::query_of`] reads it.
    pub fn query_text(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.query)
            .finish()
    }

    /// The parameters of an address' query, decoded; of one that comes twice the first.
    pub fn query_of(text: &str) -> BTreeMap<String, String> {
        let mut query = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query.entry(name.into_owned()).or_insert(value.into_owned());
        }
        query
    }
}

impl fmt::Debug for Given {
    /// The names alone: some senders prove themselves by a header's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { headers, query } = self;
        f.debug_struct("Given")
            .field("headers", &headers.keys())
            .field("query", &query.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_its_first_value_counts() {
        let query = Given::query_of("event=Group.changed&a%20b=c+d&event=other&empty");
        let found: Vec<(&str, &str)> = query
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            found,
            [("a b", "c d"), ("empty", ""), ("event", "Group.changed")]
        );
    }

    #[test]
    fn nothing_printed_shows_what_a_header_holds() {
        let pair = |name: &str| BTreeMap::from([(name.to_owned(), "s3cret".to_owned())]);
        let given = Given {
            headers: pair("authorization"),
            query: pair("token"),
        };
        assert_eq!(
            format!("{given:?}"),
            r#"Given { headers: ["authorization"], query: ["token"] }"#
        );
    }
}
