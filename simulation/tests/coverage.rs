//! What is promised to be simulated does happen.

use std::collections::BTreeSet;

use simulation::{History, run};

/// What the steps of a history say when it happens.
const HAPPENINGS: [&str; 18] = [
    "killed",
    "throttled",
    "shock",
    "late: true",
    "Reset",
    "NoConnection",
    "CutOff",
    "told: Nothing",
    "unavailable",
    "swap lost",
    "swap is not tried",
    "unsure: true",
    "is queued",
    "Batch([",
    "answered Some(503)",
    "\"batchItemFailures\":[{",
    "the dead-letter queue is redriven",
    "all that was said is played again",
];

#[test]
fn three_hundred_histories_have_all_that_can_go_wrong() {
    let mut missing: BTreeSet<&str> = HAPPENINGS.into();
    for seed in 2_000_000..2_000_300 {
        let lines = run(&History::of_seed(seed), None, true).lines;
        missing.retain(|wanted| !lines.iter().any(|line| line.contains(wanted)));
    }
    assert!(missing.is_empty(), "never: {missing:?}");
}
