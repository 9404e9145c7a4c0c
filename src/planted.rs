//! Bugs that can be planted into this code, to show that the simulation finds them. Only the simulation's own tests
//! compile this in.

use std::cell::Cell;

use serde_json::Value;

/// One bug in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Who lost the swap after a PUT owes nothing.
    OwedPutNotPaid,
    /// Who cannot pay does not save that.
    UnsureNotSaved,
    /// A reconcile owes nothing.
    ReconcileSkipsItsPut,
    /// A PUT is tried for a minute longer than there is time.
    RetriesPastTheDeadline,
    /// Where a statement is held, what came with it is not kept.
    HeldStatementLost,
    /// A token that was refused is used again.
    StaleTokenKept,
    /// Who lost the swap answers as if it were won.
    LostSwapAcknowledged,
    /// A state that could not be saved is kept in memory as if it were stored.
    UnsavedRemembered,
    /// A PUT that failed counts as taken.
    FailedPutPublished,
    /// Any digest approves whatever is pending.
    AnyDigestApproves,
    /// What the queue did not take is answered as queued.
    UnqueuedAcknowledged,
    /// A batch that could not be saved is taken.
    UnsavedBatchTaken,
    /// A batch that is saved and not published fails.
    SavedBatchFails,
    /// The time of receipt of a queued webhook is the time when it is handed over.
    HandoverIsReceipt,
    /// Any re-read does away with what is due.
    DueIsDoneUnseen,
    /// What comes later counts, whatever its time is.
    ArrivalDecides,
    /// A PUT's rows are in no order.
    RowsInNoOrder,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// From now on there is this bug, in this thread.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is there.
pub fn has(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// The same rows, in no order.
pub fn in_no_order(body: &[u8]) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(rows) = body
        .get_mut("groupRelationships")
        .and_then(Value::as_array_mut)
    {
        fastrand::shuffle(rows);
    }
    body.to_string().into_bytes()
}
