//! Which sources are to be read again, since something changed there and no re-read covers it yet.
//!
//! An entry is done with by who began a re-read after it had seen the entry: no clock decides that.
//! So every event that adds to an entry makes another one of it, by a number that never comes again;
//! who saw the older one does not take the newer one away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{hierarchy::SourceName, timestamp::Timestamp};

/// The sources that are to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dues {
    /// How many entries were ever made: the newest one's number.
    made: u64,
    by_source: BTreeMap<SourceName, Due>,
}

/// One source that is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// The receipt of the first event that is not covered yet.
    pub since: Timestamp,
    /// Tells this entry from every other one.
    number: u64,
}

impl Dues {
    /// What is due of a source.
    pub fn of(&self, source: &SourceName) -> Option<Due> {
        self.by_source.get(source).copied()
    }

    /// All that is due.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceName, Due)> {
        self.by_source.iter().map(|(source, due)| (source, *due))
    }

    /// Notes that a source is to be read again, for an event of this receipt. The entry is another
    /// one afterwards.
    pub fn add(&mut self, source: &SourceName, received: Timestamp) {
        self.made += 1;
        let since = self
            .of(source)
            .map_or(received, |due| due.since.min(received));
        let number = self.made;
        self.by_source.insert(source.clone(), Due { since, number });
    }

    /// Takes the entry away that was seen before a re-read of the source began; another one stays.
    /// Says whether it did.
    pub fn done(&mut self, source: &SourceName, seen: Option<Due>) -> bool {
        let fits = seen.is_some() && self.of(source) == seen;
        #[cfg(feature = "planted")]
        let fits = fits || crate::planted::has(crate::planted::Bug::DueIsDoneUnseen);
        if fits {
            self.by_source.remove(source);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_entry_that_was_seen_is_taken_away() {
        let source = SourceName::new("people");
        let mut dues = Dues::default();
        assert!(!dues.done(&source, None));
        dues.add(&source, Timestamp::from_seconds(20));
        let seen = dues.of(&source);
        // The same receipt, or an earlier one: another event all the same.
        for seconds in [20, 10] {
            dues.add(&source, Timestamp::from_seconds(seconds));
            assert!(!dues.done(&source, seen));
        }
        let newer = dues.of(&source);
        assert_eq!(newer.unwrap().since, Timestamp::from_seconds(10));
        assert!(dues.done(&source, newer));
        assert_eq!(dues.of(&source), None);
        dues.add(&source, Timestamp::from_seconds(10));
        assert!(!dues.done(&source, newer), "a number never comes again");
    }
}
