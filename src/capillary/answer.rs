//! What Capillary's answer says, and whether it says all.
//!
//! Its own samples show keys that are null here and absent there, padded texts, an older key for the
//! siblings, and parents that are not in the answer. What cannot be read is an error and never an empty
//! answer; what may have been left out makes the answer incomplete, and then nobody is gone for not
//! being in it.

use std::collections::HashSet;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::error::Category;

use super::UnusableAnswer;
use crate::timestamp::Timestamp;

/// "-1 indicates no parent organization."
const NO_PARENT: i64 = -1;

/// The organisations of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organizations {
    /// The one whose credential asked.
    pub base: Org,
    /// The others, in the answer's order; ids are unique among all.
    pub connected: Vec<Org>,
    /// Whether one that is not here is gone. False where the answer leaves some out by its nature, names
    /// a parent that it does not contain, comes with warnings, or where we had to skip one.
    pub complete: bool,
    /// What was odd, in our words.
    pub warnings: Vec<String>,
    /// When the request was sent that was answered so.
    pub asked_at: Timestamp,
}

/// One organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Capillary's id; unique.
    pub id: i64,
    /// Trimmed, not empty, without control characters; not unique.
    pub name: String,
    /// `None` at the top. May name an org that is not in the answer.
    pub parent_id: Option<i64>,
    /// An org that is not counts as gone; where it is not said, it is.
    pub active: bool,
    /// `STANDARD_ORG`, `SUPER_ORG`, `CHILD_ORG`, or what else Capillary comes up with.
    pub org_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    base_organization: Entry,
    #[serde(default)]
    connected_organizations: Option<Vec<Entry>>,
    /// What older answers call it.
    #[serde(default)]
    sibling_organizations: Option<Vec<Entry>>,
    #[serde(default)]
    warnings: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: i64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    parent_id: Option<i64>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(default)]
    org_type: Option<String>,
}

/// Reads the body of an answer to a question with this `fetchSiblings`.
pub(super) fn read(
    body: &[u8],
    fetch_siblings: bool,
    asked_at: Timestamp,
) -> Result<Organizations, UnusableAnswer> {
    let Answer {
        base_organization,
        connected_organizations,
        sibling_organizations,
        warnings: theirs,
    } = serde_json::from_slice(body).map_err(|error| unusable(&error))?;

    let base = org(base_organization).map_err(|_| UnusableAnswer::NamelessBase)?;
    let mut warnings = Vec::new();
    let mut connected = Vec::new();
    let mut ids = HashSet::from([base.id]);
    let entries = connected_organizations
        .into_iter()
        .chain(sibling_organizations)
        .flatten();
    for entry in entries {
        if ids.contains(&entry.id) {
            continue;
        }
        match org(entry) {
            Ok(org) => {
                ids.insert(org.id);
                connected.push(org);
            }
            Err(Nameless { id }) => warnings.push(format!(
                "organization {id} was skipped: its name is empty or holds control characters"
            )),
        }
    }
    for Org { id, parent_id, .. } in std::iter::once(&base).chain(&connected) {
        if let Some(parent_id) = parent_id.filter(|parent| !ids.contains(parent)) {
            warnings.push(format!(
                "organization {id} is under {parent_id}, which is not in the answer"
            ));
        }
    }
    let theirs = theirs.map_or(0, |theirs| theirs.len());
    if theirs > 0 {
        warnings.push(format!(
            "the answer came with warnings of Capillary's own: {theirs}"
        ));
    }
    // "If set to false and the request is made from a child org, the API will retrieve only the details
    // of the child org and its parent org."
    let siblings_left_out = !fetch_siblings && base.parent_id.is_some();
    let complete = warnings.is_empty() && !siblings_left_out;
    Ok(Organizations {
        base,
        connected,
        complete,
        warnings,
        asked_at,
    })
}

/// An entry that cannot be a group.
struct Nameless {
    id: i64,
}

fn org(entry: Entry) -> Result<Org, Nameless> {
    let Entry {
        id,
        name,
        parent_id,
        active,
        org_type,
    } = entry;
    let name = name.as_deref().unwrap_or("").trim().to_owned();
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Nameless { id });
    }
    let org_type = org_type
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned);
    Ok(Org {
        id,
        name,
        parent_id: parent_id.filter(|parent| *parent != NO_PARENT),
        active: active.unwrap_or(true),
        org_type,
    })
}

/// Where the fault is, but not serde's own text: that quotes the body.
fn unusable(error: &serde_json::Error) -> UnusableAnswer {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => UnusableAnswer::CutOff { line },
        Category::Syntax | Category::Io => UnusableAnswer::NotJson { line, column },
        Category::Data => UnusableAnswer::NotAsDocumented { line, column },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(body: &str, fetch_siblings: bool) -> Result<Organizations, UnusableAnswer> {
        read(body.as_bytes(), fetch_siblings, Timestamp::from_seconds(1))
    }

    /// One line an org (`!`: not active), the base first; then the warnings.
    fn rendered(organizations: &Organizations) -> String {
        let Organizations {
            base,
            connected,
            complete,
            warnings,
            asked_at: _,
        } = organizations;
        let mut lines = Vec::new();
        for Org {
            id,
            name,
            parent_id,
            active,
            org_type,
        } in std::iter::once(base).chain(connected)
        {
            let mark = if *active { "" } else { "!" };
            let parent = parent_id.map_or("top".to_owned(), |id| id.to_string());
            lines.push(format!(
                "{mark}{id} {name} <{parent} {}",
                org_type.as_deref().unwrap_or("-")
            ));
        }
        lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.push(if *complete { "complete" } else { "incomplete" }.to_owned());
        lines.join("\n")
    }

    fn check(body: &str, fetch_siblings: bool, expected: &[&str]) {
        let organizations = read_text(body, fetch_siblings).unwrap();
        assert_eq!(rendered(&organizations), expected.join("\n"));
    }

    // The samples of Capillary's own page, as they stand there.
    const CHILD_WITH_SIBLINGS: &str =
        include_str!("../../tests/fixtures/capillary/child-with-siblings.json");
    const CHILD_WITHOUT_SIBLINGS: &str =
        include_str!("../../tests/fixtures/capillary/child-without-siblings.json");
    const SUPER_ORG_WITH_CUSTOM_FIELDS: &str =
        include_str!("../../tests/fixtures/capillary/super-org-with-custom-fields.json");
    const SUPER_ORG_WITH_ONE_CHILD: &str =
        include_str!("../../tests/fixtures/capillary/super-org-with-one-child.json");
    const STANDARD_ORG_CUT_OFF: &str =
        include_str!("../../tests/fixtures/capillary/standard-org-cut-off.json");

    #[test]
    fn a_child_with_siblings_sees_all() {
        check(
            CHILD_WITH_SIBLINGS,
            true,
            &[
                "3 Child-One-Org <2 CHILD_ORG",
                "4 Child-Two-Org <2 CHILD_ORG",
                "2 Parent-One-Org <top SUPER_ORG",
                "complete",
            ],
        );
    }

    #[test]
    fn a_child_without_siblings_does_not_see_all() {
        check(
            CHILD_WITHOUT_SIBLINGS,
            false,
            &[
                "3 Child-One-Org <2 CHILD_ORG",
                "2 Parent-One-Org <top SUPER_ORG",
                "incomplete",
            ],
        );
    }

    #[test]
    fn a_parent_sees_its_children_whether_siblings_are_asked_for_or_not() {
        for fetch_siblings in [true, false] {
            check(
                SUPER_ORG_WITH_CUSTOM_FIELDS,
                fetch_siblings,
                &[
                    "50398 connectedOrgChild1 <top SUPER_ORG",
                    "50399 connectedOrgChildOne <50398 CHILD_ORG",
                    "complete",
                ],
            );
            check(
                SUPER_ORG_WITH_ONE_CHILD,
                fetch_siblings,
                &[
                    "51956 connectedOrgChildOne <top SUPER_ORG",
                    "51957 connectedOrgChildTwo <51956 CHILD_ORG",
                    "complete",
                ],
            );
        }
    }

    #[test]
    fn a_cut_off_answer_says_so_and_quotes_nothing() {
        let error = read_text(STANDARD_ORG_CUT_OFF, true).unwrap_err();
        assert_eq!(error, UnusableAnswer::CutOff { line: 28 });
        assert_eq!(
            error.to_string(),
            "is cut off: its JSON ends too soon, in line 28"
        );
    }

    #[test]
    fn a_standard_org_stands_alone() {
        let mended = format!("{STANDARD_ORG_CUT_OFF}}}");
        check(
            &mended,
            false,
            &["1115 Nightly_ApiAuto <top STANDARD_ORG", "complete"],
        );
    }

    #[test]
    fn null_absent_padded_and_unknown_keys_make_no_difference() {
        check(
            r#"{"baseOrganization":{"id":1,"name":" A ","new":{}},"connectedOrganizations":null}"#,
            true,
            &["1 A <top -", "complete"],
        );
        check(
            r#"{"baseOrganization":{"id":1,"name":"A","parentId":null,"active":null,"orgType":" "},
                "warnings":null,"more":[1]}"#,
            true,
            &["1 A <top -", "complete"],
        );
    }

    #[test]
    fn older_answers_list_siblings_apart() {
        check(
            r#"{"baseOrganization":{"id":2,"name":"A","parentId":1},
                "connectedOrganizations":[{"id":1,"name":"Top","parentId":-1}],
                "siblingOrganizations":[{"id":3,"name":"B","parentId":1,"active":false}]}"#,
            true,
            &["2 A <1 -", "1 Top <top -", "!3 B <1 -", "complete"],
        );
    }

    #[test]
    fn of_one_id_the_first_entry_counts() {
        check(
            r#"{"baseOrganization":{"id":1,"name":"A"},
                "connectedOrganizations":[{"id":1,"name":"A again"},{"id":2,"name":"B","parentId":1}],
                "siblingOrganizations":[{"id":2,"name":"B again"}]}"#,
            true,
            &["1 A <top -", "2 B <1 -", "complete"],
        );
    }

    #[test]
    fn a_parent_that_is_not_in_the_answer_makes_it_incomplete() {
        check(
            r#"{"baseOrganization":{"id":1,"name":"A"},
                "connectedOrganizations":[{"id":2,"name":"B","parentId":9}]}"#,
            true,
            &[
                "1 A <top -",
                "2 B <9 -",
                "warning: organization 2 is under 9, which is not in the answer",
                "incomplete",
            ],
        );
    }

    #[test]
    fn warnings_of_capillarys_own_make_it_incomplete() {
        check(
            r#"{"baseOrganization":{"id":1,"name":"A"},"warnings":[{"code":7},"x"]}"#,
            true,
            &[
                "1 A <top -",
                "warning: the answer came with warnings of Capillary's own: 2",
                "incomplete",
            ],
        );
    }

    #[test]
    fn an_org_without_a_usable_name_is_skipped_and_makes_it_incomplete() {
        for name in [r#""""#, r#""  ""#, r#""a\nb""#, "null"] {
            let body = format!(
                r#"{{"baseOrganization":{{"id":1,"name":"A"}},"connectedOrganizations":[{{"id":2,"name":{name}}}]}}"#
            );
            let skipped = "warning: organization 2 was skipped: its name is empty or holds control characters";
            check(&body, true, &["1 A <top -", skipped, "incomplete"]);
        }
    }

    #[test]
    fn an_unusable_answer_is_an_error_that_quotes_nothing() {
        let check = |body: &str, expected: &str| {
            assert_eq!(
                read_text(body, true).unwrap_err().to_string(),
                expected,
                "{body}"
            );
        };
        check("", "is cut off: its JSON ends too soon, in line 1");
        check("<html>", "is no JSON (line 1, column 1)");
        check(
            "{}",
            "is JSON, but not of the documented form (line 1, column 2)",
        );
        check(
            r#"{"baseOrganization":{"id":"x","name":"A"}}"#,
            "is JSON, but not of the documented form (line 1, column 29)",
        );
        check(
            r#"{"baseOrganization":{"id":1,"name":" "}}"#,
            "names no base organization",
        );
    }
}
