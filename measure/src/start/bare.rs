//! What a webhook's round trips cost who makes them and does nothing else.
//!
//! Who waits for an answer is woken by it; that, the loopback and the HTTP client take their time, and no function is without them. How long
//! they take is told by a client of its own (`measure/bare`), which makes the round trips that the function made: in the same order, with
//! bodies of the same sizes, to stand-ins that hold their answers back for as long.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use stand_ins::{anything::Anything, traffic::RoundTrip};

use super::trips::rounds;
use crate::{
    instance::{Function, Instance, Observed},
    surroundings::{Remote, Surroundings},
    webhook::Answer,
};

/// The bare client, and whom it talks to.
pub(super) struct Bare {
    function: Function,
    /// One in place of each, so that it has as many connections.
    remotes: Vec<(Remote, Anything)>,
}

impl Bare {
    /// Starts what it talks to, whose answers are held back for so long. It is given the function's variables, and has no use for them: so the
    /// function can stand in its place.
    pub(super) async fn new(
        surroundings: &Surroundings,
        binary: &Path,
        log: Option<&PathBuf>,
        latency: Duration,
    ) -> Result<Self> {
        let mut remotes = Vec::new();
        for remote in Remote::ALL {
            let anything = Anything::start().await?;
            anything.traffic().watch(latency);
            remotes.push((remote, anything));
        }
        Ok(Self {
            function: surroundings.function(binary, log)?,
            remotes,
        })
    }

    /// How it is started.
    pub(super) const fn function(&self) -> &Function {
        &self.function
    }

    /// Has it make such round trips, with an event that has all of this one's, and looks on.
    pub(super) async fn send(
        &self,
        instance: &mut Instance,
        event: Value,
        trips: &[(Remote, RoundTrip)],
    ) -> Result<(Observed, Vec<(Remote, RoundTrip)>)> {
        let observed = instance.observe(self.event(event, trips)?).await?;
        match Answer::of(observed.invoked.clone()) {
            Answer::Acknowledged(_) => {}
            Answer::TryAgain(told) | Answer::Refused(told) => {
                bail!("the bare client failed: {told}")
            }
        }
        let made = self.round_trips(observed.handed_out);
        ensure!(
            made.len() <= trips.len(),
            "the bare client made {} round trips in place of {}",
            made.len(),
            trips.len()
        );
        Ok((observed, made))
    }

    fn event(&self, mut event: Value, trips: &[(Remote, RoundTrip)]) -> Result<Value> {
        let rounds = rounds(trips).into_iter().map(|round| {
            let trips = round.into_iter();
            let trips: Result<Vec<_>> = trips.map(|trip| self.told(trip)).collect();
            trips.map(Value::Array)
        });
        let rounds: Result<Vec<_>> = rounds.collect();
        let event_has = event.as_object_mut().context("an event is an object")?;
        event_has.insert("rounds".to_owned(), Value::Array(rounds?));
        Ok(event)
    }

    fn told(&self, (remote, trip): &(Remote, RoundTrip)) -> Result<Value> {
        let mut remotes = self.remotes.iter();
        let in_its_place = remotes.find(|(known, _)| known == remote);
        let (_, anything) = in_its_place.context("nobody is in its place")?;
        let end = trip.end.context("a round trip that did not end")?;
        Ok(json!({
            "method": trip.method,
            "url": anything.url_of(end.status, end.bytes),
            "bytes": trip.bytes,
            "status": end.status,
        }))
    }

    fn round_trips(&self, since: Instant) -> Vec<(Remote, RoundTrip)> {
        let all = self.remotes.iter().flat_map(|(remote, anything)| {
            let trips = anything.traffic().since(since).into_iter();
            trips.map(|trip| (*remote, trip))
        });
        all.collect()
    }
}
