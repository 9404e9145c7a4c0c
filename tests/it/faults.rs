//! Every fault of every remote, and what comes of it: the table of docs/faults.md is made of what is seen here.
//!
//! One webhook comes while one remote goes wrong in one way, at each of its requests. Then the remote is well again,
//! and the next invocations put everything right. The bridge is the real one, with the real clients for S3 and Secrets
//! Manager; what takes seconds in Lambda takes fractions of them here.
//!
//! Where a row has changed for good, `UPDATE_DOCS=1 cargo test --test it faults::` writes it anew.

mod cell;
mod remote;
mod table;
mod wrong;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

pub(crate) use self::table::is_to_be_written;
use self::{
    cell::Cell,
    remote::Remote,
    table::{Row, is_told, table, tell},
    wrong::ALL,
};

/// So that not all want the machine at once, which others may be using too.
const BETWEEN_BEGINNINGS: Duration = Duration::from_millis(60);

/// A machine that is too busy makes a slow remote of any; what is told wrong is wrong each time.
const LOOKS: usize = 3;

#[expect(
    clippy::print_stdout,
    reason = "who reads the log shall see that a first look was not enough"
)]
async fn every_fault_of(remote: Remote) {
    let http = calven_bridge::http::client().unwrap();
    let mut seen = String::new();
    for look in 1..=LOOKS {
        seen = table(&rows(remote, &http).await);
        if is_told(remote.marker(), &seen) {
            return;
        }
        println!("look {look} at {remote:?} differs from the table");
    }
    tell(remote.marker(), &seen);
}

async fn rows(remote: Remote, http: &reqwest::Client) -> Vec<Row> {
    // One after the other: what is under way is in a hurry.
    let mut cells = Vec::new();
    for named in &ALL {
        cells.push(Cell::new(remote, named, http).await);
    }
    // The last is the one with the huge body, which keeps the machine busy.
    let huge = cells.pop().unwrap();
    let rows = cells.into_iter().zip(0..).map(async |(cell, place)| {
        sleep(BETWEEN_BEGINNINGS * place).await;
        cell.row().await
    });
    let mut rows = join_all(rows).await;
    rows.push(huge.row().await);
    rows
}

#[tokio::test]
async fn without_secrets_manager_nothing_can_be_verified_and_the_sender_comes_again() {
    every_fault_of(Remote::Secrets).await;
}

#[tokio::test]
async fn without_secrets_manager_stale_secrets_do() {
    every_fault_of(Remote::SecretsAgain).await;
}

#[tokio::test]
async fn what_cannot_be_loaded_is_not_acknowledged() {
    every_fault_of(Remote::Loading).await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_again_is_not_acknowledged_either() {
    every_fault_of(Remote::LoadingAgain).await;
}

#[tokio::test]
async fn what_cannot_be_saved_is_not_acknowledged() {
    every_fault_of(Remote::Saving).await;
}

#[tokio::test]
async fn what_calven_does_not_take_is_kept() {
    every_fault_of(Remote::Calven).await;
}

#[tokio::test]
async fn without_a_token_for_calven_what_was_said_is_kept() {
    every_fault_of(Remote::CalvenToken).await;
}

#[tokio::test]
async fn capillary_never_keeps_a_webhook_from_being_published() {
    every_fault_of(Remote::Capillary).await;
}

#[tokio::test]
async fn a_source_that_cannot_be_read_again_stays_due() {
    every_fault_of(Remote::Source).await;
}

#[tokio::test]
async fn what_the_queue_does_not_take_is_published_at_once() {
    every_fault_of(Remote::Queue).await;
}
