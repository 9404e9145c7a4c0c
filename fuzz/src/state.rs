//! The state's document: any bytes are refused, or are a state that reads back as it is written and can be worked with.
//!
//! An input: a document as it is; or, where it begins with none, which of the known documents, and which of its values are to be
//! others: a place, a kind and what it is.

use std::{collections::BTreeMap, sync::OnceLock};

use calven_bridge::{
    hierarchy::{
        Delivery, Group, GroupRef, Ledger, Merged, Name, Parent, Projection, Relationship, Rules,
        SeedRows, SourceName, Stated, Statement, explain::Explanation, statement::group,
    },
    state::{HISTORY, State},
    timestamp::Timestamp,
};
use serde_json::Value;

use crate::{
    input::Input,
    measure::{Bound, linear},
    rules,
};

/// What is read, and what it is written as.
const BOUND: Bound = Bound {
    bytes: 256 * 1024,
    bytes_a_byte: 8 * 1024,
    times: 4 * 1024,
    times_a_line: 2 * 1024,
};

/// Reads a document, and works with what comes of it.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    match data.first() {
        Some(b'{') => read(data),
        Some(_) => read(edited(Input::new(data)).to_string().as_bytes()),
        None => read(b""),
    }
}

fn read(document: &[u8]) {
    let state = linear("a state", document.len(), BOUND, || State::decode(document));
    let state = match state {
        Err(error) => {
            assert!(error.to_string().contains("nothing was changed"));
            return;
        }
        Ok(state) => state,
    };
    let written = linear("a state to write", document.len(), BOUND, || {
        state.encode().unwrap()
    });
    let again = State::decode(&written).expect("what is written can be read");
    assert_eq!(again, state, "a state reads back as it was written");
    // What stands in a document in the order of the names' numbers in memory is numbered by the document once it is read.
    let settled = again.encode().unwrap();
    let again = State::decode(&settled).expect("what is written can be read");
    assert_eq!(again, state, "a state reads back as it was written");
    assert_eq!(again.encode().unwrap(), settled, "and is written as it was");
    for published in state.publishable() {
        rules::body(&published.hierarchy().to_json().unwrap());
    }
    for entry in state.history.iter().take(HISTORY) {
        if let Some(published) = state.version_published(entry.version) {
            rules::body(&published.hierarchy().to_json().unwrap());
        }
    }
    linear(
        "a state to work with",
        document.len(),
        BOUND_OF_WORK,
        || work(state),
    );
}

/// A few projections, each of which is published and written.
const BOUND_OF_WORK: Bound = Bound {
    bytes: 1024 * 1024,
    bytes_a_byte: 64 * 1024,
    times: 64 * 1024,
    times_a_line: 16 * 1024,
};

/// A delivery more, projected, explained, pruned and projected again.
fn work(mut state: State) {
    let names = [
        "manual",
        "capillary",
        "acme",
        "people",
        "workday",
        "names",
        "ids",
        "mixed",
    ];
    let rules = Rules {
        priorities: names.map(|name| (SourceName::new(name), 0)).into(),
        attach_roots: true,
    };
    let published = state.published.clone();
    let project = |ledger: &Ledger| {
        let projection = Projection::of(ledger, published.as_ref(), &rules, &Merged::default());
        rules::body(&projection.hierarchy.to_json().unwrap());
        projection
    };
    let before = project(&state.ledger);
    let plan = before.plan(published.as_ref());
    assert_eq!(plan, before.plan(published.as_ref()));
    if let Some((group, _)) = before.hierarchy.rows().next() {
        let told = Explanation::of(&state.ledger, published.as_ref(), &rules, group);
        assert!(told.is_ok(), "what is projected can be explained");
    }
    let at = Timestamp::from_seconds(1_767_693_601);
    let merged = state.ledger.merge(&Delivery {
        source: SourceName::new("acme"),
        event_id: Name::new("evt").ok(),
        received: at,
        attempted: at,
        statements: vec![Stated {
            at: Some(at),
            statement: Statement::Exists {
                group: GroupRef::Named(group("New", "Team").unwrap()),
                parent: Parent::Under(GroupRef::Named(group("A", "Department").unwrap())),
            },
        }],
    });
    project(&state.ledger);
    let _changed = merged.changed;
    state
        .ledger
        .prune(at, &state.published.iter().collect::<Vec<_>>());
    project(&state.ledger);
    let row = |group: &Group, parent: Option<&Group>| Relationship {
        group: group.clone(),
        parent: parent.cloned(),
    };
    let rows = before
        .hierarchy
        .rows()
        .map(|(group, parent)| row(group, parent));
    let rows = SeedRows::new(rows.collect()).expect("a hierarchy is a seed");
    state.ledger.merge_seed(&rows, Some(at), at);
    project(&state.ledger);
    let written = state.encode().unwrap();
    assert_eq!(State::decode(&written).unwrap(), state);
}

/// The known documents, one of each format.
fn documents() -> &'static [Value] {
    static DOCUMENTS: OnceLock<Vec<Value>> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let texts = crate::seeds::states();
        texts
            .iter()
            .map(|text| serde_json::from_slice(text).unwrap())
            .collect()
    })
}

/// A known document with some values changed.
fn edited(mut input: Input<'_>) -> Value {
    let documents = documents();
    let mut document = documents[input.below(documents.len())].clone();
    let leaves = count(&document);
    for _ in 0..16 {
        if input.is_empty() {
            break;
        }
        let place = (usize::from(input.byte()) << 8 | usize::from(input.byte())) % leaves;
        let (kind, what) = (input.byte(), i64::from(input.byte()));
        let mut at = place;
        if let Some(leaf) = leaf(&mut document, &mut at) {
            change(leaf, kind, what);
        }
    }
    document
}

fn change(leaf: &mut Value, kind: u8, what: i64) {
    let old = leaf.as_i64().unwrap_or(0);
    *leaf = match kind % 10 {
        0 => Value::from(what),
        1 => Value::from(-what),
        2 => Value::from(old.saturating_add(what)),
        3 => Value::from(old.saturating_sub(what)),
        4 => Value::Null,
        5 => Value::from(i64::MAX - what),
        6 => Value::from(char::from(u8::try_from(what).unwrap_or_default()).to_string()),
        7 => Value::Array(vec![leaf.take()]),
        8 => Value::Bool(what & 1 == 0),
        _ => Value::Object(
            BTreeMap::from([("x".to_owned(), leaf.take())])
                .into_iter()
                .collect(),
        ),
    };
}

/// How many values there are that hold no others, at least one.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>().max(1),
        Value::Object(fields) => fields.values().map(count).sum::<usize>().max(1),
        _ => 1,
    }
}

/// The value at a place, counted as above.
fn leaf<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    let is_empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => true,
    };
    if is_empty(value) {
        if *place == 0 {
            return Some(value);
        }
        *place -= 1;
        return None;
    }
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| leaf(item, place)),
        Value::Object(fields) => fields.values_mut().find_map(|field| leaf(field, place)),
        _ => None,
    }
}
