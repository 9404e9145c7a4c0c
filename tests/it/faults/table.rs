//! The tables of docs/faults.md.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use crate::harness::{read, root};

const FILE: &str = "docs/faults.md";
const END: &str = "<!-- end -->";

/// What came of one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) fault: &'static str,
    pub(super) answered: String,
    pub(super) kept: String,
    pub(super) asked: &'static str,
    pub(super) logged: Vec<String>,
    pub(super) heals: &'static str,
}

/// The tests run side by side, and may write the same file.
static FILE_IS_IN_USE: Mutex<()> = Mutex::new(());

/// Whether the file has this table at this marker.
pub(super) fn is_told(marker: &str, seen: &str) -> bool {
    let _mine = FILE_IS_IN_USE
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    around(marker).1 == seen
}

/// Puts the table into the file, if that is what whoever runs the tests wants.
///
/// # Panics
/// Where it is not.
pub(super) fn tell(marker: &str, seen: &str) {
    let _mine = FILE_IS_IN_USE
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let (before, _, after) = around(marker);
    assert!(
        is_to_be_written(),
        "{FILE} tells something else of {marker}. This was seen:\n{seen}"
    );
    fs::write(root().join(FILE), format!("{before}{seen}{after}")).unwrap();
}

/// What the file has before the table, the table, and what it has after it.
fn around(marker: &str) -> (String, String, String) {
    let file = read(FILE);
    let begin = format!("<!-- {marker}: seen by tests/it/faults.rs -->\n");
    let (before, rest) = file.split_once(&begin).expect("the file has this marker");
    let (told, after) = rest.split_once(END).unwrap();
    (
        format!("{before}{begin}"),
        told.to_owned(),
        format!("{END}{after}"),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is for who runs the tests, and nothing of the function hangs on it"
)]
pub(crate) fn is_to_be_written() -> bool {
    std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1")
}

/// Faults of which the same came stand in one row.
pub(super) fn table(rows: &[Row]) -> String {
    let mut merged: Vec<(Vec<&str>, &Row)> = Vec::new();
    for row in rows {
        let same = |other: &Row| {
            Row {
                fault: "",
                ..other.clone()
            } == Row {
                fault: "",
                ..row.clone()
            }
        };
        match merged.iter_mut().find(|(_, other)| same(other)) {
            Some((faults, _)) => faults.push(row.fault),
            None => merged.push((vec![row.fault], row)),
        }
    }
    let mut text =
        "| what goes wrong | the sender gets | kept | asked | logged | put right by |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|\n");
    for (faults, row) in merged {
        let Row {
            fault: _,
            answered,
            kept,
            asked,
            logged,
            heals,
        } = row;
        let faults = faults.join(", ");
        let logged = match logged.is_empty() {
            true => "nothing".to_owned(),
            false => logged.join("<br>"),
        };
        text.push_str(&format!(
            "| {faults} | {answered} | {kept} | {asked} | {logged} | {heals} |\n"
        ));
    }
    text
}
