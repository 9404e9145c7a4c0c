//! What somebody may have meant who asks for a group of which nobody has said anything.

use super::{super::name::Group, MOST_NAMED};

/// A group of which nobody has said anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Groups whose names are most like it.
    pub nearest: Vec<Group>,
}

impl Unknown {
    /// The groups whose names are most like one: in another case or of another type, then those that have it in theirs.
    pub(super) fn of<'g>(asked: &Group, known: impl Iterator<Item = &'g Group>) -> Self {
        let folded = asked.name.as_str().to_lowercase();
        let folded_type = asked.group_type.as_str().to_lowercase();
        let rank = |group: &Group| {
            let name = group.name.as_str().to_lowercase();
            if name != folded {
                return (name.contains(&folded) || folded.contains(&name)).then_some(2);
            }
            let same_type = group.group_type.as_str().to_lowercase() == folded_type;
            Some(if same_type { 0 } else { 1 })
        };
        let mut near: Vec<(u8, &Group)> = known.filter_map(|g| Some((rank(g)?, g))).collect();
        near.sort();
        let near = near.into_iter().take(MOST_NAMED);
        Self {
            nearest: near.map(|(_, group)| group.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::statement::group;

    #[track_caller]
    fn check(asked: (&str, &str), expected: &[&str]) {
        let known = [
            ("Marketing", "Division"),
            ("Marketing", "Team"),
            ("marketing", "Department"),
            ("Channel Marketing", "Department"),
            ("Sales", "Division"),
        ];
        let known = known.map(|(name, group_type)| group(name, group_type).unwrap());
        let asked = group(asked.0, asked.1).unwrap();
        let found = Unknown::of(&asked, known.iter()).nearest;
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn another_case_is_nearest_then_another_type_then_a_part_of_the_name() {
        check(
            ("MARKETING", "department"),
            &[
                "Department \"marketing\"",
                "Division \"Marketing\"",
                "Team \"Marketing\"",
                "Department \"Channel Marketing\"",
            ],
        );
        check(("sales", "Team"), &["Division \"Sales\""]);
        check(("Fax", "Team"), &[]);
    }
}
