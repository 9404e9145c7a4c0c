//! What is saved, and what of it is looked at.

use calven_bridge::{
    hierarchy::{Group as Named, Hierarchy},
    state::{Hold, State},
};

use crate::calven::{Group, Rows};

/// What is saved; the default is what is there before the first save.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// What was published.
    pub(crate) rows: Option<Rows>,
    pub(crate) version: u64,
    pub(crate) unsure: bool,
    pub(crate) seeded: bool,
    /// After a rollback.
    pub(crate) held_back: bool,
    /// All of it.
    pub(crate) state: Option<State>,
}

impl Saved {
    pub(crate) fn of(state: State) -> Self {
        let published = state.published.as_ref();
        Self {
            rows: published.map(|published| rows_of(&published.hierarchy())),
            version: state.version,
            unsure: state.unsure,
            seeded: state.ledger.is_seeded(),
            held_back: state.hold != Hold::No,
            state: Some(state),
        }
    }
}

/// A hierarchy as Calven shows it.
pub(crate) fn rows_of(hierarchy: &Hierarchy) -> Rows {
    let text = |group: &Named| -> Group {
        let Named { group_type, name } = group;
        (group_type.as_str().to_owned(), name.as_str().to_owned())
    };
    let rows = hierarchy.rows();
    rows.map(|(group, parent)| (text(group), parent.map(text)))
        .collect()
}
