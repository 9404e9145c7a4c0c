//! What a measurement comes to: figures, and the promises that were not kept.

use std::collections::BTreeSet;

use serde::Serialize;
use stand_ins::calven::Row;

/// So many of what is wrong in the same way are told; the others are counted.
const MOST_EXAMPLES: usize = 5;

/// Figures, and what was not as promised.
#[derive(Debug, Serialize)]
pub struct Findings<F> {
    /// What was measured.
    pub figures: F,
    /// Each promise that was not kept, in words; none where all is well.
    pub broken: Vec<String>,
}

/// What Calven holds and should not, and the other way round, in words; `None` where it holds just what it should.
pub(crate) fn difference(held: &BTreeSet<Row>, expected: &BTreeSet<Row>) -> Option<String> {
    if held == expected {
        return None;
    }
    Some(format!(
        "of {} rows Calven lacks {}, and beside them it holds {}",
        expected.len(),
        examples(expected.difference(held).map(told)),
        examples(held.difference(expected).map(told)),
    ))
}

/// The first few, and how many there are.
pub(crate) fn examples(all: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = all.into_iter().collect();
    let first: Vec<&str> = all.iter().take(MOST_EXAMPLES).map(String::as_str).collect();
    match all.len() {
        0 => "nothing".to_owned(),
        count if count <= MOST_EXAMPLES => format!("{count}: {}", first.join("; ")),
        count => format!("{count}, among them {}", first.join("; ")),
    }
}

fn told(row: &Row) -> String {
    let Row {
        group,
        group_type,
        parent,
        parent_type: _,
    } = row;
    let parent = parent.as_deref().unwrap_or("nothing");
    format!("{group} [{group_type}] under {parent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(groups: &[&str]) -> BTreeSet<Row> {
        let row = |group: &&str| Row {
            group: (*group).to_owned(),
            group_type: "Team".to_owned(),
            parent: None,
            parent_type: None,
        };
        groups.iter().map(row).collect()
    }

    #[test]
    fn what_is_lacking_and_what_is_too_much_are_told_by_name() {
        assert_eq!(difference(&rows(&["A"]), &rows(&["A"])), None);
        let told = difference(&rows(&["A", "B"]), &rows(&["A", "C"])).unwrap();
        assert!(told.contains("lacks 1: C [Team] under nothing"), "{told}");
        assert!(told.contains("holds 1: B [Team] under nothing"), "{told}");
        let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let told = difference(&rows(&[]), &rows(&many)).unwrap();
        assert!(told.contains("lacks 9, among them 0 [Team]"), "{told}");
    }
}
