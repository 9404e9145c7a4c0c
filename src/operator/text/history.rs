//! The text of what was published.

use super::{Commands, blocks, counted, freshness};
use crate::{
    hierarchy::plan::Counts,
    operator::{HistoryAnswer, HistoryRow},
    timestamp::Timestamp,
};

pub(super) fn lines(answer: &HistoryAnswer, commands: &Commands, now: Timestamp) -> Vec<String> {
    let HistoryAnswer {
        history,
        freshness: fresh,
    } = answer;
    let cells: Vec<[String; 5]> = history.iter().map(cells).collect();
    let width = |column: usize| {
        let lengths = cells
            .iter()
            .filter_map(|row| Some(row.get(column)?.chars().count()));
        lengths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let rows = cells.iter().map(|row| {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    let rows: Vec<String> = rows.collect();
    let rows = match rows.is_empty() {
        true => vec!["Nothing has been published yet.".to_owned()],
        false => rows,
    };
    let back = before_the_last_change(history).map(|before| {
        let action = format!("{{\"action\":\"rollback\",\"version\":{}}}", before.version);
        vec![format!(
            "To go back to version {}: {}",
            before.version,
            commands.invoke(&action)
        )]
    });
    blocks(vec![rows, freshness(fresh, now), back.unwrap_or_default()])
}

/// The newest version before the last one that changed anything: what was sent once more since is that one still.
fn before_the_last_change(history: &[HistoryRow]) -> Option<&HistoryRow> {
    let last = history.iter().position(|row| row.changed)?;
    history.get(last + 1)
}

fn cells(row: &HistoryRow) -> [String; 5] {
    let HistoryRow {
        version,
        time,
        cause,
        groups,
        counts,
        changed: _,
    } = row;
    let Counts {
        added,
        moved,
        renamed,
        removed,
    } = *counts;
    let kinds = [
        (added, "added"),
        (moved, "moved"),
        (renamed, "renamed"),
        (removed, "removed"),
    ];
    let kinds = kinds.iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<String> = kinds
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    let kinds = match kinds.is_empty() {
        true => "no change".to_owned(),
        false => kinds.join(", "),
    };
    let groups = counted(*groups, "group");
    [
        format!("version {version}"),
        time.clone(),
        cause.clone(),
        groups,
        kinds,
    ]
}
