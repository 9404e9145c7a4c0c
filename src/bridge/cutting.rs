//! How much of what there is to tell an answer tells.
//!
//! Lambda returns 6 MiB, and fails an invocation whose answer has more, though all is saved by then. Who sends may see to it that there is a
//! great deal, in names of a kilobyte.

use std::io;

use serde::Serialize;

use super::Change;
use crate::{
    hierarchy::Conflict,
    report::{HeldEntry, Untold},
};

/// So many entries of each list are told.
const MOST_TOLD: usize = 1_000;

/// And no more of it than has so many bytes as JSON: 1 MiB of all three. Lambda's answer has the body as a text, in which a byte may
/// become two.
const MOST_HELD_BYTES: usize = 512 * 1024;
const MOST_CONFLICT_BYTES: usize = 256 * 1024;
const MOST_WARNING_BYTES: usize = 256 * 1024;

/// Of one cycle so many bytes, so that others are told too.
const MOST_CYCLE_BYTES: usize = 128 * 1024;

/// Leaves out what is too much to tell, from the end; a warning says how much that is. `plan` shows all.
pub(super) fn cut(
    change: &Change<'_>,
    held: &mut Vec<HeldEntry>,
    conflicts: &mut Vec<Conflict>,
    warnings: &mut Vec<String>,
) -> Untold {
    match change {
        Change::Look => return Untold::default(),
        Change::Deliveries { .. }
        | Change::Seed { .. }
        | Change::Reconcile { .. }
        | Change::Approve(_)
        | Change::Rollback(_) => {}
    }
    for entry in held.iter_mut().take(MOST_TOLD) {
        match entry {
            HeldEntry::Statement(held) => held.shorten(MOST_CYCLE_BYTES),
            HeldEntry::Plan(_) => {}
        }
    }
    let untold = Untold {
        held: cut_one(held, MOST_HELD_BYTES),
        conflicts: cut_one(conflicts, MOST_CONFLICT_BYTES),
        warnings: cut_one(warnings, MOST_WARNING_BYTES),
    };
    warnings.extend(untold.notes());
    untold
}

/// Says how many of the list are left out.
fn cut_one<T: Serialize>(told: &mut Vec<T>, most_bytes: usize) -> usize {
    let mut left = Left(most_bytes);
    let fits = told.iter().take(MOST_TOLD);
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
        let untold = cut_one(&mut told, most_bytes);
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
