//! How much of what there is to tell an answer tells.
//!
//! Lambda returns 6 MiB, and fails an invocation whose answer has more, though all is saved by then. Who sends may see to it that there is a
//! great deal, in names of a kilobyte.

use std::io;

use serde::Serialize;

use super::Change;
use crate::{
    hierarchy::Conflict,
    report::{HeldEntry, PlanView, Report, Untold},
};

/// So many entries of each list are told.
const MOST_TOLD: usize = 1_000;

/// How many bytes of each list are told, as JSON.
struct Most {
    entries: usize,
    held: usize,
    /// Of one cycle, so that others are told too.
    cycle: usize,
    conflicts: usize,
    warnings: usize,
    /// Of a plan, and all that is beside it.
    all: usize,
}

impl Most {
    /// 1 MiB of all three lists: Lambda's answer has the body as a text, in which a byte may become two. A plan comes with it in a dry
    /// run alone.
    const BRIEFLY: Self = Self {
        entries: MOST_TOLD,
        held: 512 * KIB,
        cycle: 128 * KIB,
        conflicts: 256 * KIB,
        warnings: 256 * KIB,
        all: 2_048 * KIB,
    };

    /// To operators who look: all that Lambda returns, and less only than it would take to hold much more in memory.
    const WHOLE: Self = Self {
        entries: usize::MAX,
        held: 2_048 * KIB,
        cycle: 2_048 * KIB,
        conflicts: 1_024 * KIB,
        warnings: 512 * KIB,
        all: 5_632 * KIB,
    };

    const fn of(change: &Change<'_>) -> Self {
        match change {
            Change::Look => Self::WHOLE,
            Change::Deliveries { .. }
            | Change::Seed { .. }
            | Change::Reconcile { .. }
            | Change::Approve(_)
            | Change::Rollback(_) => Self::BRIEFLY,
        }
    }
}

const KIB: usize = 1024;

/// Leaves out what is too much to tell, from the end; a warning says how much that is. `plan` tells far more.
pub(super) fn cut(
    change: &Change<'_>,
    held: &mut Vec<HeldEntry>,
    conflicts: &mut Vec<Conflict>,
    warnings: &mut Vec<String>,
) -> Untold {
    let most = Most::of(change);
    for entry in held.iter_mut().take(most.entries) {
        match entry {
            HeldEntry::Statement(held) => held.shorten(most.cycle),
            HeldEntry::Plan(_) => {}
        }
    }
    let untold = Untold {
        held: cut_one(held, most.entries, most.held),
        conflicts: cut_one(conflicts, most.entries, most.conflicts),
        warnings: cut_one(warnings, most.entries, most.warnings),
        changes: 0,
    };
    warnings.extend(untold.notes());
    untold
}

/// Shows a plan, as far as what else is told leaves room for it.
pub(super) fn show(change: &Change<'_>, report: &mut Report, mut view: PlanView) {
    let most = Most::of(change).all;
    let mut left = Left(most);
    let lists = (&report.held, &report.conflicts, &report.warnings);
    // The lists were cut to much less.
    let left = match serde_json::to_writer(&mut left, &lists) {
        Ok(()) => left.0,
        Err(_) => 0,
    };
    let changes = view.plan.shorten(left);
    let untold = Untold {
        changes,
        ..Untold::default()
    };
    report.warnings.extend(untold.notes());
    report.untold.changes = changes;
    report.plan = Some(view);
}

/// Says how many of the list are left out.
fn cut_one<T: Serialize>(told: &mut Vec<T>, most: usize, most_bytes: usize) -> usize {
    let mut left = Left(most_bytes);
    let fits = told.iter().take(most);
    let fits = fits.take_while(|entry| serde_json::to_writer(&mut left, entry).is_ok());
    let fits = fits.count();
    let untold = told.len().saturating_sub(fits);
    told.truncate(fits);
    untold
}

/// Takes so many bytes, and keeps none.
struct Left(usize);

impl io::Write for Left {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[usize], most_bytes: usize, expected: usize) {
        let mut told: Vec<String> = entries.iter().map(|length| "x".repeat(*length)).collect();
        let untold = cut_one(&mut told, MOST_TOLD, most_bytes);
        assert_eq!((told.len(), told.len() + untold), (expected, entries.len()));
    }

    #[test]
    fn a_list_is_cut_by_its_entries_and_by_its_bytes() {
        check(&[], 10, 0);
        check(&[8, 8], 20, 2);
        check(&[8, 9], 20, 1);
        check(&[19, 1], 20, 0);
        check(&vec![1; 1_000], 10_000, 1_000);
        check(&vec![1; 1_001], 10_000, 1_000);
    }
}
