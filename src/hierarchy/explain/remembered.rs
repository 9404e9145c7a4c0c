//! One statement as it is remembered, by key or by name.

use super::super::{
    records::{NamedSaying, Ref, Stamp},
    table::{GroupId, KeyId},
    view::View,
};
use crate::timestamp::Timestamp;

/// A statement as it is remembered.
pub(super) struct Remembered {
    pub(super) subject: Ref,
    pub(super) name: Option<GroupId>,
    pub(super) what: NamedSaying,
    pub(super) at: Stamp,
    pub(super) received: Timestamp,
}

/// What is remembered of a group by its key.
pub(super) fn by_key(view: &View<'_>, key: KeyId) -> impl Iterator<Item = Remembered> {
    let record = view.ledger.ids.get(key);
    let placed = record.and_then(|record| record.placed);
    let exists = record.and_then(|record| record.exists);
    let gone = record.and_then(|record| record.gone);
    let saying = move |what, at, received| Remembered {
        subject: Ref::Key(key),
        name: None,
        what,
        at,
        received,
    };
    // Who places a group says that it exists.
    let exists = exists.filter(|exists| placed.is_none_or(|placed| placed.at != exists.at));
    let exists = exists.map(|said| saying(NamedSaying::Exists(None), said.at, said.received));
    let placed =
        placed.map(|said| saying(NamedSaying::Exists(Some(said.what)), said.at, said.received));
    let gone = gone.map(|said| saying(NamedSaying::Gone, said.at, said.received));
    exists.into_iter().chain(placed).chain(gone)
}
