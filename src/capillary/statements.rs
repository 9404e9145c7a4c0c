//! Capillary's organisations as statements of the source `capillary`.

use std::collections::BTreeMap;

use super::{Org, Organizations};
use crate::hierarchy::{
    Delivery, Group, GroupRef, GroupType, Key, Ledger, Merged, Name, NameFault, Parent, Scope,
    SourceName, Stated, Statement,
};

/// What an org is called in Calven's terms.
#[derive(Clone, Debug)]
pub struct OrgTypes {
    /// The group type of an org whose own type has none.
    pub default: GroupType,
    /// The group type for each `orgType` that has one of its own.
    pub by_org_type: BTreeMap<String, GroupType>,
}

impl OrgTypes {
    fn of(&self, org: &Org) -> GroupType {
        let own = org
            .org_type
            .as_ref()
            .and_then(|org_type| self.by_org_type.get(org_type));
        own.unwrap_or(&self.default).clone()
    }
}

/// Merges an answer into the ledger, as of when its request was sent. A complete answer is a
/// snapshot; one that leaves organisations out by its nature removes nothing.
pub fn merge(ledger: &mut Ledger, organizations: &Organizations, types: &OrgTypes) -> Merged {
    let Organizations {
        base,
        connected,
        complete,
        warnings,
        asked_at,
    } = organizations;
    let source = SourceName::capillary();
    let mut statements = Vec::new();
    let mut faults = Vec::new();
    for org in std::iter::once(base).chain(connected) {
        match statement(org, types) {
            Ok(statement) => statements.push(statement),
            Err(fault) => faults.push(format!("organisation {}: its name {fault}", org.id)),
        }
    }
    if *complete && faults.is_empty() {
        statements.insert(0, Statement::Complete(Scope::Groups));
    }
    let statements = statements
        .into_iter()
        .map(|statement| Stated {
            at: Some(*asked_at),
            statement,
        })
        .collect();
    let mut merged = ledger.merge(&Delivery {
        source: source.clone(),
        event_id: None,
        received: *asked_at,
        attempted: *asked_at,
        statements,
    });
    ledger.note_read(&source, *asked_at);
    if let Ok(key) = key(base.id) {
        ledger.note_base(&source, *asked_at, key);
    }
    let reported = warnings
        .iter()
        .chain(&faults)
        .map(|warning| format!("capillary: {warning}"));
    merged.warnings.extend(reported);
    merged
}

fn statement(org: &Org, types: &OrgTypes) -> Result<Statement, NameFault> {
    let named = Some(Group::new(Name::new(&org.name)?, types.of(org)));
    let group = GroupRef::Keyed {
        key: key(org.id)?,
        named,
    };
    if !org.active {
        return Ok(Statement::Gone { group });
    }
    let parent = match org.parent_id {
        Some(parent) => Parent::Under(GroupRef::Keyed {
            key: key(parent)?,
            named: None,
        }),
        None => Parent::Top,
    };
    Ok(Statement::Exists { group, parent })
}

fn key(id: i64) -> Result<Key, NameFault> {
    Key::new(&id.to_string())
}
