//! A seed is a history, exactly.

use simulation::{Bug, History, run, shrink};

#[test]
fn the_same_seed_gives_the_same_history_step_by_step() {
    for seed in 1..13 {
        let history = History::of_seed(seed);
        let (first, again) = (run(&history, None, true), run(&history, None, true));
        for (first, again) in first.lines.iter().zip(&again.lines) {
            assert_eq!(first, again, "seed {seed}");
        }
        assert_eq!(first.hash, again.hash, "seed {seed}");
        assert!(
            first.violation.is_none(),
            "seed {seed}: {:?}",
            first.violation
        );
    }
    let hash = |seed| run(&History::of_seed(seed), None, false).hash;
    assert_ne!(hash(1), hash(2));
}

#[test]
fn a_trace_that_is_not_kept_has_the_same_hash() {
    let history = History::of_seed(5);
    assert_eq!(
        run(&history, None, false).hash,
        run(&history, None, true).hash
    );
}

#[test]
fn failing_histories_shrink_to_few_steps_that_fail_in_the_same_way() {
    let bug = Some(Bug::NoCompareAndSwap);
    let promise = |history: &History| {
        let violation = run(history, bug, false).violation;
        violation.map(|violation| violation.promise)
    };
    let failing = (1..)
        .map(History::of_seed)
        .filter(|history| promise(history).is_some());
    let mut lengths = Vec::new();
    for history in failing.take(5) {
        let short = shrink(&history, bug);
        assert_eq!(promise(&short), promise(&history));
        let numbers: Vec<u64> = short.steps.iter().map(|step| step.number).collect();
        assert_eq!(promise(&history.only(&numbers)), promise(&short));
        lengths.push(numbers.len());
    }
    lengths.sort_unstable();
    assert!(lengths[2] <= 4 && lengths[4] <= 8, "steps: {lengths:?}");
}
