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
fn four_thousand_histories_have_all_that_can_go_wrong() {
    let mut missing: BTreeSet<&str> = HAPPENINGS.into();
    // Of a thousand, about one has a message that fails so often that it is redriven.
    for seed in 2_001_500..2_005_500 {
        if missing.is_empty() {
            break;
        }
        let lines = run(&History::of_seed(seed), None, true).lines;
        missing.retain(|wanted| !lines.iter().any(|line| line.contains(wanted)));
    }
    assert!(missing.is_empty(), "never: {missing:?}");
}
