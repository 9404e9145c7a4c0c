//! What a change and a snapshot of a large company cost, by the library's own benchmark.

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tokio::process::Command;

use super::{
    goals::{self, Goal},
    table::Table,
};

/// One of the benchmark's lines that are judged.
#[derive(Clone, Debug, Deserialize)]
struct Judged {
    title: String,
    what: String,
    figure: f64,
    against: f64,
}

/// The benchmark's titles, and what they are here; of a line's name this is a part.
const LINES: [(&str, &str, &Goal); 2] = [
    ("a change", "", &goals::CHANGE),
    (
        "a snapshot: merge and projection",
        ", 100000, ",
        &goals::SNAPSHOT,
    ),
];

/// Builds and runs it, and adds the worst of each of its lines.
pub(super) async fn model(table: &mut Table) -> Result<()> {
    // The clone that this tool was built from.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["bench", "--locked", "--bench", "ratios", "--", "--json"])
        .current_dir(&root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    // It ends with 1 where one of its bounds does not hold: that is judged here.
    let ended = cargo.output().await.context("cargo cannot be started")?;
    let told = String::from_utf8(ended.stdout)?;
    add(table, &told).context("the benchmark of the model was not run to its end")
}

fn add(table: &mut Table, told: &str) -> Result<()> {
    let line = told.lines().find(|line| line.starts_with('['));
    let all: Vec<Judged> = serde_json::from_str(line.context("it printed no figures")?)?;
    for (title, part, goal) in LINES {
        let of_title = all.iter().filter(|line| line.title == title);
        let worst = of_title
            .filter(|line| line.what.contains(part))
            .max_by(|a, b| (a.figure / a.against).total_cmp(&(b.figure / b.against)));
        let Judged {
            figure, against, ..
        } = worst.with_context(|| format!("it has no line of {title}"))?;
        table.compare(goal, *figure, *against);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::Bounds;

    #[test]
    fn of_each_title_the_worst_line_counts() {
        let told = concat!(
            "a line of cargo's\n",
            r#"[{"title":"a change","what":"named","figure":3.0,"against":2.0,"most":1.5},"#,
            r#"{"title":"a change","what":"keyed","figure":4.0,"against":2.0,"most":1.5},"#,
            r#"{"title":"a snapshot: merge and projection","what":"named, 1000, first","figure":9.0,"against":1.0,"most":3},"#,
            r#"{"title":"a snapshot: merge and projection","what":"named, 100000, first","figure":5.0,"against":2.0,"most":3}]"#,
            "\n",
        );
        let mut table = Table::new(Bounds::Goal);
        add(&mut table, told).unwrap();
        let ratios: Vec<_> = table.lines.iter().map(|line| line.ratio).collect();
        assert_eq!(ratios, [Some(2.0), Some(2.5)]);
        let holds: Vec<_> = table.lines.iter().map(|line| line.holds).collect();
        assert_eq!(holds, [Some(false), Some(true)]);
        assert!(add(&mut table, "nothing").is_err());
        assert!(add(&mut table, "[]").is_err());
    }
}
