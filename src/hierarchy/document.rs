//! What is remembered as it is kept in a state: short, since it is written with every webhook.
//!
//! Every text and every time stands in it once, and is referred to by its number. The texts are
//! sorted, so reading sorts nothing, and what nothing refers to any more is not written.

mod reading;
mod writing;

use serde::Deserialize;
use smallvec::SmallVec;

use super::{
    ledger::{Ledger, Salt},
    name::{GroupType, Key, Name},
    published::{Published, Undo},
    statement::{EventId, SourceName},
};
use crate::timestamp::Timestamp;

/// Everything of the model that a state remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// What the sources said.
    pub ledger: Ledger,
    /// What was published, or is to be.
    pub published: Vec<Published>,
    /// What leads back from one publication to the one before.
    pub undos: Vec<Undo>,
}

/// A document that refers to what is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refers to what is not in it")]
pub struct Dangling;

/// A group's number in the document.
type GroupNumber = u32;
/// A key's number in the document.
type KeyNumber = u32;
/// A source's number in the document.
type SourceNumber = u32;
/// A time's number in the document.
type TimeNumber = u32;
/// A group by name: its number; one by key: minus the key's number, less one.
type RefNumber = i64;
/// When something was said: the time, and the place within the delivery.
type StampNumber = (TimeNumber, u32);
/// A group's parent: none is the top.
type PlacementNumber = Option<RefNumber>;
/// When something was said, what, and when it was received.
type SaidNumber<T> = (StampNumber, T, TimeNumber);
/// By what a published group is found again: the source, what it said, and when; without a source
/// the seed's name.
type AnchorNumber = (Option<SourceNumber>, RefNumber, StampNumber);
/// A published group's parent, and by what it is found again.
type UndoneRow = (Option<GroupNumber>, Option<AnchorNumber>);

/// What is mostly one.
type Few<T> = SmallVec<[T; 1]>;

/// The document, as it is read; in the order in which it is written, but for the times, which come last.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    texts: Texts,
    times: Vec<Timestamp>,
    ledger: LedgerDocument,
    published: Vec<Vec<PublishedNumber>>,
    undos: Vec<Vec<(GroupNumber, Option<UndoneRow>)>>,
}

impl Document {
    /// Reads it from JSON.
    ///
    /// # Errors
    /// Where it is no such document.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// One published row: the group, its parent's place among the rows, by what it is found again.
type PublishedNumber = (GroupNumber, Option<u32>, Option<AnchorNumber>);

/// Every text, once.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    /// Groups, those of one type together.
    groups: Vec<(GroupType, Vec<Name>)>,
    keys: Vec<Key>,
    sources: Vec<SourceName>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerDocument {
    salt: Salt,
    seed: Option<SeedNumber>,
    /// When seeds held a name, but for those that only the newest seed holds.
    seeded: Vec<(GroupNumber, Few<TimeNumber>)>,
    sources: Vec<SourceDocument>,
}

/// A seed's time and rows.
type SeedNumber = (TimeNumber, Vec<(GroupNumber, Option<GroupNumber>)>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceDocument {
    source: SourceNumber,
    ids: Vec<IdNumber>,
    names: Vec<NameNumber>,
    persons: Vec<PersonNumber>,
    snapshots: Vec<(ScopeNumber, TimeNumber, TimeNumber)>,
    events: Vec<(EventId, TimeNumber, TimeNumber)>,
    read: Option<TimeNumber>,
    base: Option<(TimeNumber, KeyNumber)>,
}

/// A key; the names it bore; that it exists, where it was placed, that it is gone.
type IdNumber = (
    KeyNumber,
    Few<SaidNumber<GroupNumber>>,
    Option<SaidNumber<()>>,
    Option<SaidNumber<PlacementNumber>>,
    Option<SaidNumber<()>>,
);

/// A name, and what was said of it.
type NameNumber = (GroupNumber, Few<SaidNumber<SayingNumber>>);

/// A person; where the record places them; that they have left.
type PersonNumber = (
    String,
    Option<SaidNumber<Vec<RefNumber>>>,
    Option<SaidNumber<()>>,
);

/// What was said of a name: one of the kinds below, and the group that it names.
type SayingNumber = (u8, Option<RefNumber>);

const GONE: u8 = 0;
const EXISTS: u8 = 1;
const AT_THE_TOP: u8 = 2;
const UNDER: u8 = 3;
const MEMBER: u8 = 4;
const RENAMED: u8 = 5;

/// What a snapshot was complete of: one of the kinds below, or a group's children.
type ScopeNumber = (u8, Option<RefNumber>);

const GROUPS: u8 = 0;
const PERSONS: u8 = 1;
const CHILDREN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::{
        Delivery, GroupRef, Merged, Parent, Projection, Rules, Stated, Statement, statement::group,
    };

    fn said(source: &str, statements: Vec<Statement>) -> Delivery {
        let at = Timestamp::from_seconds(10);
        let statements = statements.into_iter().map(|statement| Stated {
            at: Some(at),
            statement,
        });
        Delivery {
            source: SourceName::new(source),
            event_id: None,
            received: at,
            attempted: at,
            statements: statements.collect(),
        }
    }

    fn under(name: &str, parent: &str) -> Statement {
        let named = |name| GroupRef::Named(group(name, "Team").unwrap());
        Statement::Exists {
            group: named(name),
            parent: Parent::Under(named(parent)),
        }
    }

    fn remembered() -> Remembered {
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        ledger.merge(&said("hr", vec![under("b", "a"), under("c", "a")]));
        let rules = Rules {
            priorities: [(SourceName::new("hr"), 0)].into(),
            attach_roots: false,
        };
        let published = Projection::of(&ledger, None, &rules, &Merged::default()).as_published();
        let undos = vec![published.undo_to(&Published::default())];
        let published = vec![published];
        Remembered {
            ledger,
            published,
            undos,
        }
    }

    fn json(remembered: &Remembered) -> String {
        let Remembered {
            ledger,
            published,
            undos,
        } = remembered;
        let published: Vec<&Published> = published.iter().collect();
        let undos: Vec<&Undo> = undos.iter().collect();
        let mut bytes = Vec::new();
        Document::write(ledger, &published, &undos, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let remembered = remembered();
        let document: Document = serde_json::from_str(&json(&remembered)).unwrap();
        assert_eq!(document.remembered().unwrap(), remembered);
    }

    #[test]
    fn what_nothing_refers_to_is_not_written() {
        let mut remembered = remembered();
        let gone = GroupRef::Named(group("unheard of", "Team").unwrap());
        let gone = said("hr", vec![Statement::Gone { group: gone }]);
        remembered.ledger.merge(&gone);
        assert!(json(&remembered).contains("unheard of"));
        assert!(remembered.ledger.prune(Timestamp::from_seconds(11), &[]));
        assert!(!json(&remembered).contains("unheard of"));
    }

    #[test]
    fn a_text_stands_in_it_once() {
        assert_eq!(json(&remembered()).matches(r#""b""#).count(), 1);
    }

    #[test]
    fn a_number_of_nothing_is_refused() {
        let text = json(&remembered());
        // A group, a place among the rows, a time, and a kind of saying that there is not.
        for (is, is_not) in [
            ("[[1,[[[0,0],[3,0],0]]]", "[[7,[[[0,0],[3,0],0]]]"),
            ("[[1,[[[0,0],[3,0],0]]]", "[[1,[[[0,0],[3,7],0]]]"),
            ("[[1,[[[0,0],[3,0],0]]]", "[[1,[[[0,0],[3,-1],0]]]"),
            ("[[1,[[[0,0],[3,0],0]]]", "[[1,[[[7,0],[3,0],0]]]"),
            ("[[1,[[[0,0],[3,0],0]]]", "[[1,[[[0,0],[9,0],0]]]"),
            ("[[1,[[[0,0],[3,0],0]]]", "[[1,[[[0,0],[3,null],0]]]"),
        ] {
            assert!(text.contains(is), "{text}");
            let document: Document = serde_json::from_str(&text.replacen(is, is_not, 1)).unwrap();
            assert_eq!(document.remembered(), Err(Dangling), "{is_not}");
        }
    }
}
