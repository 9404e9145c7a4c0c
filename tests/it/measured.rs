//! The built function's start, and what it does under load and under fire, in short: `measure` does all of it at length.

use std::path::{Path, PathBuf};

use measure::{
    findings::Findings,
    kills::{self, Kills},
    soak::{self, Soak},
    start::{Bounds, Start},
};

use crate::harness::read;

/// Calven's secret, its token, and one more: all else is asked for at the same time.
const MOST_IN_TURN: f64 = 3.0;

fn function() -> PathBuf {
    env!("CARGO_BIN_EXE_calven-bridge").into()
}

/// Printed, for whoever searches the output of all tests.
#[expect(clippy::print_stdout, reason = "the log is meant to be searched")]
fn show(log: &Path) {
    println!("{}", std::fs::read_to_string(log).unwrap());
}

#[tokio::test]
async fn what_was_acknowledged_outlives_the_instances_that_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let kills = Kills {
        function: function(),
        state: None,
        endpoint: None,
        webhooks: 40,
        instances: 2,
        least_kills: 3,
        seed: 7,
        log: Some(log.clone()),
    };
    let Findings { figures, broken } = kills.run().await.unwrap();
    show(&log);
    assert_eq!(broken, Vec::<String>::new());
    let kills::Figures {
        attempts,
        acknowledged,
        put_off,
        unanswered,
        kills,
        kills_at_work,
        ..
    } = figures;
    assert_eq!(attempts, acknowledged + put_off + unanswered);
    assert!(unanswered <= kills && kills_at_work <= kills, "{figures}");
}

/// Many webhooks to one process, at once or by a queue.
async fn soaked(webhooks: usize, queue: bool) -> soak::Figures {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let soak = Soak {
        function: function(),
        invocations: webhooks,
        warm_after: webhooks / 2,
        // What so few say of memory is not much.
        growth_limit: 100,
        instances: 1,
        queue,
        batch_size: 40,
        snapshot_every: 50,
        seed: 7,
        log: Some(log.clone()),
    };
    let Findings { figures, broken } = soak.run().await.unwrap();
    show(&log);
    assert_eq!(broken, Vec::<String>::new());
    figures
}

#[tokio::test]
async fn many_webhooks_come_to_what_they_say_at_once_and_by_a_queue() {
    let at_once = soaked(60, false).await;
    assert_eq!((at_once.acknowledged, at_once.batches), (60, 0));
    assert!(at_once.puts > 30, "{at_once}");
    let queued = soaked(200, true).await;
    assert_eq!(
        (queued.acknowledged, queued.batches, queued.puts),
        (200, 6, 6)
    );
}

/// The function against itself: how long it takes here says nothing, so only what time does not change is looked at.
#[tokio::test]
async fn init_asks_nobody_and_the_table_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let start = Start {
        without_model: true,
        function: Some(function()),
        smallest: Some(function()),
        bare: Some(function()),
        profile: "dev".to_owned(),
        bounds: Bounds::Goal,
        starts: 2,
        starts_at_a_share: 0,
        webhooks: 5,
        batches: 1,
        batch_size: 20,
        groups: 100,
        latency_ms: 20,
        seed: 7,
        log: Some(log.clone()),
    };
    let figures = start.run().await.unwrap().figures;
    show(&log);
    let lines = &figures.table.lines;
    let unmeasured = lines.iter().filter(|line| line.figure.is_none());
    let unmeasured: Vec<&str> = unmeasured.map(|line| line.what).collect();
    assert_eq!(unmeasured, ["init at 128 MB"], "{figures}");
    assert_eq!(lines.iter().filter(|line| line.limit.is_some()).count(), 11);
    let figure = |what| figures.table.line(what).unwrap().figure.unwrap();
    assert_eq!(figure("connections made by init"), 0.0, "{figures}");
    let in_turn = figure("round trips before the PUT");
    assert!((1.0..=MOST_IN_TURN).contains(&in_turn), "{figures}");
}

#[test]
fn the_largest_batch_is_the_template_s() {
    let expected = format!("\n      BatchSize: {}\n", soak::LARGEST_BATCH);
    assert!(read("template.yaml").contains(&expected));
}
