//! Since when a group is published as it is.

use super::State;
use crate::{hierarchy::Group, timestamp::Timestamp};

/// Since which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// This one, published then.
    Version(u64, Timestamp),
    /// One that is no longer remembered: the oldest that is has it.
    Before(u64, Timestamp),
}

impl State {
    /// Since which version a group that is published is so, by this name and under this parent; `None` where no version
    /// is remembered.
    pub fn published_since(&self, group: &Group) -> Option<Since> {
        let made = self.history.iter().find(|entry| entry.undo.concerns(group));
        match made {
            Some(entry) => Some(Since::Version(entry.version, entry.time)),
            None => {
                let oldest = self.history.last()?;
                Some(Since::Before(oldest.version, oldest.time))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::{
        Ledger, Merged, Projection, Published, Relationship, Rules, Salt, SeedRows,
        statement::group,
    };

    fn team(name: &str) -> Group {
        group(name, "Team").unwrap()
    }

    fn published(rows: &[(&str, Option<&str>)]) -> Published {
        let rows = rows.iter().map(|(name, parent)| Relationship {
            group: team(name),
            parent: parent.map(team),
        });
        let rows = SeedRows::new(rows.collect()).unwrap();
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        ledger.merge_seed(&rows, None, Timestamp::from_seconds(1));
        Projection::of(&ledger, None, &Rules::default(), &Merged::default()).as_published()
    }

    #[test]
    fn a_group_is_so_since_the_version_that_added_or_moved_it_last() {
        let mut state = State::new(Salt::new([1; 32]));
        assert_eq!(state.published_since(&team("a")), None);
        let versions: [&[(&str, Option<&str>)]; 4] = [
            &[("a", None), ("b", None)],
            &[("a", None), ("b", Some("a"))],
            &[("a", None), ("b", Some("a")), ("c", None)],
            &[("a", None), ("b", Some("a")), ("c", Some("b"))],
        ];
        for (seconds, rows) in (10..).zip(versions) {
            let time = Timestamp::from_seconds(seconds);
            state.publish_at_once(published(rows), "test", time);
        }
        let since = |name| state.published_since(&team(name));
        assert_eq!(
            since("a"),
            Some(Since::Version(1, Timestamp::from_seconds(10)))
        );
        assert_eq!(
            since("b"),
            Some(Since::Version(2, Timestamp::from_seconds(11)))
        );
        assert_eq!(
            since("c"),
            Some(Since::Version(4, Timestamp::from_seconds(13)))
        );
        let mut forgotten = state.clone();
        forgotten.history.truncate(1);
        let before = Since::Before(4, Timestamp::from_seconds(13));
        assert_eq!(forgotten.published_since(&team("a")), Some(before));
    }
}
