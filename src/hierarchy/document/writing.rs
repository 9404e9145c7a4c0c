//! Writing the document: first what is referred to is found and numbered, then all is put in numbers.

mod numbers;
mod used;

use self::{
    numbers::Numbers,
    used::{Used, UsedPublished, UsedUndo},
};
use super::{Document, Texts};
use crate::hierarchy::{
    ledger::Ledger,
    published::{Published, Undo},
};

impl Document {
    /// What is remembered, as a document.
    pub fn of(ledger: &Ledger, published: &[&Published], undos: &[&Undo]) -> Self {
        let mut used = Used::new(ledger);
        used.ledger(ledger);
        let published: Vec<UsedPublished<'_>> =
            published.iter().map(|one| used.published(one)).collect();
        let undos: Vec<UsedUndo<'_>> = undos.iter().map(|one| used.undo(one)).collect();
        let mut numbers = used.numbers();
        let ledger = numbers.ledger(ledger);
        let published = published.iter().map(|one| numbers.published(one)).collect();
        let undos = undos.iter().map(|one| numbers.undo(one)).collect();
        let Numbers {
            texts,
            sources,
            times,
            dangles,
            ..
        } = numbers;
        Self {
            texts: Texts {
                sources: sources.into_iter().cloned().collect(),
                ..texts
            },
            times: times.into_iter().collect(),
            ledger,
            published,
            undos,
            dangles: dangles.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hierarchy::{Salt, records::Ref, statement::group};

    #[test]
    fn what_was_not_found_before_is_not_written_as_something_else() {
        let mut ledger = Ledger::new(Salt::new([1; 32]));
        let unmarked = ledger.table.group_id(&group("a", "Team").unwrap());
        let numbers = Used::new(&ledger).numbers();
        assert!(!numbers.dangles.get());
        numbers.reference(Ref::Name(unmarked));
        assert!(numbers.dangles.get());
        let mut document = Document::of(&ledger, &[], &[]);
        assert!(document.write_json(&mut Vec::new()).is_ok());
        document.dangles = true;
        assert!(document.write_json(&mut Vec::new()).is_err());
    }
}
