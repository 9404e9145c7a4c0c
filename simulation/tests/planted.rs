//! The simulation finds bugs: each that is planted, within so many seeds.

#![expect(clippy::print_stdout, reason = "how soon each was found")]

use simulation::{Bug, History, run};

/// The seeds start somewhere else than those of the other tests and of `.ci/run`.
const FIRST: u64 = 1_000_000;

#[track_caller]
fn check(bug: Bug, within: u64) {
    for seed in FIRST..FIRST + within {
        let history = History::of_seed(seed);
        if let Some(violation) = run(&history, Some(bug), false).violation {
            println!(
                "{bug:?}: found after {} seeds: {violation}",
                seed - FIRST + 1
            );
            let sound = run(&history, None, false).violation;
            assert!(sound.is_none(), "{sound:?}");
            return;
        }
    }
    panic!("{bug:?} is not found within {within} seeds");
}

#[test]
fn a_store_without_compare_and_swap_is_found() {
    check(Bug::NoCompareAndSwap, 50);
}

#[test]
fn a_tombstone_that_is_forgotten_is_found() {
    check(Bug::TombstoneForgotten, 50);
}

#[test]
fn a_guard_that_lets_everything_pass_is_found() {
    check(Bug::GuardIgnored, 50);
}

#[cfg(feature = "planted")]
mod in_the_function {
    use calven_bridge::planted::Bug;

    #[track_caller]
    fn check(bug: Bug, within: u64) {
        super::check(simulation::Bug::Planted(bug), within);
    }

    #[test]
    fn a_put_owed_after_a_lost_swap_and_not_paid_is_found() {
        check(Bug::OwedPutNotPaid, 50);
    }

    #[test]
    fn not_saving_unsure_is_found() {
        check(Bug::UnsureNotSaved, 100);
    }

    #[test]
    fn a_reconcile_that_skips_its_put_is_found() {
        check(Bug::ReconcileSkipsItsPut, 50);
    }

    #[test]
    fn trying_past_the_deadline_is_found() {
        check(Bug::RetriesPastTheDeadline, 50);
    }

    #[test]
    fn a_held_statement_that_is_lost_is_found() {
        check(Bug::HeldStatementLost, 50);
    }

    #[test]
    fn a_stale_token_that_is_kept_is_found() {
        check(Bug::StaleTokenKept, 100);
    }

    #[test]
    fn an_answer_after_a_lost_swap_is_found() {
        check(Bug::LostSwapAcknowledged, 50);
    }

    #[test]
    fn a_state_in_memory_that_was_not_saved_is_found() {
        check(Bug::UnsavedRemembered, 100);
    }

    #[test]
    fn a_failed_put_that_counts_as_published_is_found() {
        check(Bug::FailedPutPublished, 50);
    }

    #[test]
    fn an_approval_by_any_digest_is_found() {
        check(Bug::AnyDigestApproves, 300);
    }

    #[test]
    fn an_acknowledgement_of_what_the_queue_did_not_take_is_found() {
        check(Bug::UnqueuedAcknowledged, 50);
    }

    #[test]
    fn a_batch_that_is_taken_though_it_could_not_be_saved_is_found() {
        check(Bug::UnsavedBatchTaken, 50);
    }

    #[test]
    fn a_batch_that_fails_though_it_is_saved_is_found() {
        check(Bug::SavedBatchFails, 50);
    }

    #[test]
    fn a_receipt_that_is_forgotten_in_the_queue_is_found() {
        check(Bug::HandoverIsReceipt, 50);
    }

    #[test]
    fn a_re_read_that_does_away_with_what_it_has_not_seen_is_found() {
        check(Bug::DueIsDoneUnseen, 50);
    }

    #[test]
    fn a_ledger_in_which_the_last_arrival_counts_is_found() {
        check(Bug::ArrivalDecides, 50);
    }

    #[test]
    fn rows_in_no_order_are_found() {
        check(Bug::RowsInNoOrder, 50);
    }
}
