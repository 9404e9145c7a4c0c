//! By what a hierarchy's groups are found again: one anchor a group. A change touches few of them, so the others are shared with
//! those that were published before.

use std::sync::Arc;

use super::{
    plain::PlainRef,
    records::{Ref, Stamp},
    table::Names,
    views::{Anchor, SourceId, Views},
};

/// So many are shared, or made anew, at once.
const PIECE: usize = if cfg!(test) { 2 } else { 128 };

/// By what each group of a hierarchy is found again, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Anchors {
    /// All but the last one have [`PIECE`].
    pieces: Vec<Arc<[Option<Anchor>]>>,
}

/// An anchor by its numbers, as long as the projection lasts that has them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meant {
    Said(SourceId, Ref, Stamp),
    Seeded(Stamp),
}

impl Meant {
    /// In all its words.
    fn told(self, views: &Views<'_>, names: &Names<'_>) -> Option<Anchor> {
        Some(match self {
            Self::Said(source, subject, at) => {
                let subject = match subject {
                    Ref::Key(key) => PlainRef::Key(names.table().key(key).clone()),
                    Ref::Name(name) => PlainRef::Name(names.group(name).clone()),
                };
                Anchor::Said(views.name(source)?.clone(), subject, at)
            }
            Self::Seeded(at) => Anchor::Seeded(at),
        })
    }

    /// Whether that is what it comes to.
    fn is(self, anchor: &Anchor, views: &Views<'_>, names: &Names<'_>) -> bool {
        match (self, anchor) {
            (Self::Seeded(at), Anchor::Seeded(other)) => at == *other,
            (Self::Said(source, subject, at), Anchor::Said(other, said, other_at)) => {
                at == *other_at
                    && views.name(source) == Some(other)
                    && match (subject, said) {
                        (Ref::Key(key), PlainRef::Key(said)) => names.table().key(key) == said,
                        (Ref::Name(name), PlainRef::Name(said)) => names.group(name) == said,
                        (Ref::Key(_), PlainRef::Name(_)) | (Ref::Name(_), PlainRef::Key(_)) => {
                            false
                        }
                    }
            }
            (Self::Seeded(_), Anchor::Said(..)) | (Self::Said(..), Anchor::Seeded(_)) => false,
        }
    }
}

impl Anchors {
    /// These, and as much as possible of what there was before.
    pub(super) fn like(
        before: &Self,
        meant: &[Option<Meant>],
        views: &Views<'_>,
        names: &Names<'_>,
    ) -> Self {
        let mut before = before.pieces.iter();
        let pieces = meant.chunks(PIECE).map(|meant| {
            let is_same = |piece: &&Arc<[Option<Anchor>]>| {
                let mut pairs = meant.iter().zip(piece.iter());
                piece.len() == meant.len()
                    && pairs.all(|(meant, anchor)| match (meant, anchor) {
                        (Some(meant), Some(anchor)) => meant.is(anchor, views, names),
                        (None, None) => true,
                        (Some(_), None) | (None, Some(_)) => false,
                    })
            };
            let told = |meant: &Option<Meant>| meant.and_then(|meant| meant.told(views, names));
            match before.next().filter(is_same) {
                Some(piece) => {
                    #[cfg(test)]
                    assert_eq!(piece.to_vec(), meant.iter().map(told).collect::<Vec<_>>());
                    Arc::clone(piece)
                }
                None => meant.iter().map(told).collect(),
            }
        });
        Self {
            pieces: pieces.collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Option<Anchor>> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// That of the group at a place.
    pub(super) fn get(&self, at: usize) -> Option<&Anchor> {
        self.pieces.get(at / PIECE)?.get(at % PIECE)?.as_ref()
    }
}

impl FromIterator<Option<Anchor>> for Anchors {
    fn from_iter<I: IntoIterator<Item = Option<Anchor>>>(anchors: I) -> Self {
        let mut anchors = anchors.into_iter().peekable();
        let mut pieces = Vec::new();
        while anchors.peek().is_some() {
            pieces.push(anchors.by_ref().take(PIECE).collect());
        }
        Self { pieces }
    }
}
