//! When something was last received, by what the ledger keeps.

use super::{
    ledger::Ledger,
    records::{IdRecord, PersonRecord, SourceLedger},
    statement::SourceName,
};
use crate::timestamp::Timestamp;

impl Ledger {
    /// The sources that ever said something.
    pub fn sources(&self) -> impl Iterator<Item = &SourceName> {
        self.sources.keys()
    }

    /// The newest receipt of anything that is remembered of a source. Of what is said again unchanged, as of the same
    /// time, the first receipt is kept.
    pub fn last_received(&self, source: &SourceName) -> Option<Timestamp> {
        self.sources.get(source)?.receipts().max()
    }

    /// The newest receipt of an event that is remembered by its id, which no re-read has.
    pub fn last_event(&self, source: &SourceName) -> Option<Timestamp> {
        let events = self.sources.get(source)?.events.values();
        events.map(|first| first.received).max()
    }
}

impl SourceLedger {
    /// Every receipt.
    fn receipts(&self) -> impl Iterator<Item = Timestamp> {
        let ids = self.ids.values().flat_map(|record| {
            let IdRecord {
                names,
                exists,
                placed,
                gone,
            } = record;
            let said = [
                exists.map(|said| said.received),
                placed.map(|said| said.received),
                gone.map(|said| said.received),
            ];
            let names = names.iter().map(|bore| bore.received);
            names.chain(said.into_iter().flatten())
        });
        let names = self.names.values().flat_map(|record| &record.said);
        let persons = self.persons.values().flat_map(|record| {
            let PersonRecord { placed, left } = record;
            let placed = placed.as_ref().map(|said| said.received);
            [placed, left.map(|said| said.received)]
                .into_iter()
                .flatten()
        });
        let snapshots = self.snapshots.values().map(|(_, received)| *received);
        let events = self.events.values().map(|first| first.received);
        ids.chain(names.map(|saying| saying.received))
            .chain(persons)
            .chain(snapshots)
            .chain(events)
    }
}
