//! Writing the document: first what is referred to is found and numbered, then all is written in numbers, as it is gone through.
//!
//! Nothing is put together before it is written: of a large company that would fill more memory than what is remembered, and
//! reach it more slowly.

mod json;
mod numbers;
mod rows;
mod used;

use self::{
    json::Json,
    numbers::{Numbered, Numbers},
    rows::Writer,
    used::{Used, UsedPublished, UsedUndo},
};
use super::{Dangling, Document};
use crate::hierarchy::{
    ledger::Ledger,
    name::GroupType,
    published::{Published, Undo},
    records::SourceLedger,
    table::{GroupId, KeyId},
};

impl Document {
    /// Writes what is remembered as JSON, behind what is there.
    ///
    /// # Errors
    /// Where it would refer to what is not in it: better nothing is saved than another group's name. What was written by then is
    /// of no use.
    pub fn write(
        ledger: &Ledger,
        published: &[&Published],
        undos: &[&Undo],
        behind: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        let mut used = Used::new(ledger);
        used.ledger(ledger);
        let published: Vec<UsedPublished<'_>> =
            published.iter().map(|one| used.published(one)).collect();
        let undos: Vec<UsedUndo<'_>> = undos.iter().map(|one| used.undo(one)).collect();
        let (numbers, Numbered { groups, keys }) = Numbers::of(&used);
        let rows = Rows::of(ledger, &published, &undos);
        let mut json = Json::behind(behind);
        json.make_room(rows.bytes() + BYTES_A_TEXT * (groups.len() + keys.len()));
        json.begin_object();
        json.field("texts");
        json.begin_object();
        json.field("groups");
        write_groups(&mut json, &groups, &used);
        json.field("keys");
        write_keys(&mut json, &keys, &used);
        json.field("sources");
        json.begin_list();
        numbers.sources().for_each(|source| json.value(source));
        json.end_list();
        json.end_object();
        let mut writer = Writer::new(json, numbers, &used);
        writer.ledger(ledger);
        writer.all_published(&published);
        writer.undos(&undos);
        let (mut json, numbers) = writer.end();
        json.field("times");
        json.begin_list();
        numbers.times().for_each(|time| json.value(&time));
        json.end_list();
        json.end_object();
        json.end()?;
        match numbers.dangles() {
            true => Err(serde::ser::Error::custom(Dangling)),
            false => Ok(()),
        }
    }
}

/// How long a text is, and how long rows are, as a rule. What is longer is written as well.
const BYTES_A_TEXT: usize = 32;
const BYTES_AN_ID: usize = 80;
const BYTES_A_ROW: usize = 40;

/// How many rows there are, of those that may be many.
#[derive(Clone, Copy, Debug, Default)]
struct Rows {
    ids: usize,
    others: usize,
}

impl Rows {
    fn of(ledger: &Ledger, published: &[UsedPublished<'_>], undos: &[UsedUndo<'_>]) -> Self {
        let sources = ledger.sources.values();
        let others_of = |one: &SourceLedger| one.names.len() + one.persons.len() + one.events.len();
        let said: usize = sources.clone().map(others_of).sum();
        let seeded = ledger.seeded.len();
        let published: usize = published.iter().map(|one| one.groups.len()).sum();
        let undone: usize = undos.iter().map(|one| one.groups.len()).sum();
        Self {
            ids: sources.map(|one| one.ids.len()).sum(),
            others: said + seeded + published + undone,
        }
    }

    const fn bytes(self) -> usize {
        BYTES_AN_ID * self.ids + BYTES_A_ROW * self.others
    }
}

/// Groups, those of one type together.
fn write_groups(json: &mut Json<'_>, groups: &[GroupId], used: &Used<'_>) {
    let mut of: Option<&GroupType> = None;
    json.begin_list();
    for id in groups {
        let group = used.names.group(*id);
        if of != Some(&group.group_type) {
            if of.is_some() {
                json.end_list();
                json.end_list();
            }
            json.begin_list();
            json.value(&group.group_type);
            json.begin_list();
            of = Some(&group.group_type);
        }
        json.value(&group.name);
    }
    if of.is_some() {
        json.end_list();
        json.end_list();
    }
    json.end_list();
}

fn write_keys(json: &mut Json<'_>, keys: &[KeyId], used: &Used<'_>) {
    json.begin_list();
    let texts = keys.iter().filter_map(|id| used.key_text(*id));
    texts.for_each(|key| json.value(key));
    json.end_list();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hierarchy::{
            Delivery, GroupRef, Key, Parent, Salt, SourceName, Stated, Statement, records::Ref,
            statement::group,
        },
        timestamp::Timestamp,
    };

    #[test]
    fn keys_stand_in_the_order_of_the_names_that_they_bore_last() {
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        let at = Timestamp::from_seconds;
        let named = |key: &str, name: Option<&str>, seconds: i64| Stated {
            at: Some(at(seconds)),
            statement: Statement::Exists {
                group: GroupRef::Keyed {
                    key: Key::new(key).unwrap(),
                    named: name.map(|name| group(name, "Team").unwrap()),
                },
                parent: Parent::Top,
            },
        };
        let statements = vec![
            named("nameless", None, 1),
            named("b", Some("last"), 1),
            named("renamed", Some("zero"), 1),
            named("a", Some("last"), 1),
            named("renamed", Some("first"), 2),
            named("c", Some("later"), 1),
        ];
        ledger.merge(&Delivery {
            source: SourceName::new("hr"),
            event_id: None,
            received: at(3),
            attempted: at(3),
            statements,
        });
        let mut bytes = Vec::new();
        Document::write(&ledger, &[], &[], &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let keys = r#""keys":["renamed","a","b","c","nameless"]"#;
        assert!(text.contains(keys), "{text}");
    }

    #[test]
    fn what_was_not_found_before_is_not_written_as_something_else() {
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        let unmarked = ledger.table.group_id(&group("a", "Team").unwrap());
        let used = Used::new(&ledger);
        let (numbers, _) = Numbers::of(&used);
        assert!(!numbers.dangles());
        let mut bytes = Vec::new();
        let mut writer = Writer::new(Json::behind(&mut bytes), numbers, &used);
        writer.reference(Ref::Name(unmarked));
        let (_, numbers) = writer.end();
        assert!(numbers.dangles());
    }
}
