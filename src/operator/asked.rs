//! Reading what is asked for: an action and the form of its answer.

use serde_json::{Map, Value};

use super::{ACTIONS, Action, Format};
use crate::{
    hierarchy::{Digest, Group, Name, SourceName},
    sources::{fault::BodyFault, generic::read_seed},
    timestamp::Timestamp,
};

/// An action, and in which form it is to be answered.
#[derive(Debug)]
pub struct Asked {
    /// What is asked for.
    pub action: Action,
    /// In which form.
    pub format: Format,
}

impl Asked {
    /// Reads both.
    ///
    /// # Errors
    /// [`BadAction`] with every fault: unknown fields are faults too.
    pub fn read(event: &Map<String, Value>) -> Result<Self, BadAction> {
        let action = Action::read(event)?;
        let format = Format::read(event.get("format"), action.name(), action.formats());
        let format = format.map_err(|fault| BadAction(vec![fault]))?;
        Ok(Self { action, format })
    }
}

/// An action that is malformed; every fault.
#[derive(thiserror::Error)]
#[error("{}", told(.0))]
pub struct BadAction(Vec<String>);

/// How many faults an answer tells; the others are counted.
const MOST_FAULTS: usize = 50;

fn told(faults: &[String]) -> String {
    let told: Vec<&str> = faults
        .iter()
        .take(MOST_FAULTS)
        .map(String::as_str)
        .collect();
    match faults.len().saturating_sub(MOST_FAULTS) {
        0 => told.join("; "),
        others => format!("{}; and {others} more", told.join("; ")),
    }
}

impl std::fmt::Debug for BadAction {
    /// Faults may name groups, which are for the operator's eyes and no log's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BadAction({} faults)", self.0.len())
    }
}

impl Action {
    /// Reads an action.
    ///
    /// # Errors
    /// [`BadAction`] with every fault: unknown fields are faults too.
    pub fn read(event: &Map<String, Value>) -> Result<Self, BadAction> {
        let name = event
            .get("action")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut faults = Vec::new();
        let mut only = |known: &[&str]| {
            let is_known =
                |field: &str| ["action", "format"].contains(&field) || known.contains(&field);
            for field in event.keys().filter(|field| !is_known(field)) {
                faults.push(format!("{field} is not a field of the action {name}"));
            }
        };
        let action = match name {
            "seed" => {
                only(&["groupRelationships", "occurredAt"]);
                let rows = event.get("groupRelationships").map(read_seed);
                let at = event.get("occurredAt").filter(|at| !at.is_null());
                let at = at.map(|at| at.as_str().and_then(|at| Timestamp::parse_rfc3339(at).ok()));
                match (rows, at) {
                    (None, _) => Err("groupRelationships is missing".to_owned()),
                    (_, Some(None)) => Err(
                        "occurredAt must be an RFC 3339 time such as 2026-11-22T10:00:00Z"
                            .to_owned(),
                    ),
                    (Some(Err(body_faults)), _) => {
                        faults.extend(body_faults.iter().map(BodyFault::to_string));
                        return Err(BadAction(faults));
                    }
                    (Some(Ok(rows)), at) => Ok(Self::Seed {
                        rows,
                        occurred_at: at.flatten(),
                    }),
                }
            }
            "plan" => {
                only(&[]);
                Ok(Self::Plan)
            }
            "explain" => {
                only(&["group", "groupType"]);
                match (name_at(event, "group"), name_at(event, "groupType")) {
                    (Ok(name), Ok(group_type)) => Ok(Self::Explain(Group::new(name, group_type))),
                    (name, group_type) => {
                        faults.extend([name, group_type].into_iter().filter_map(Result::err));
                        return Err(BadAction(faults));
                    }
                }
            }
            "approve" => {
                only(&["digest"]);
                match event.get("digest").and_then(Value::as_str) {
                    Some(digest) => Ok(Self::Approve(Digest::from_text(digest))),
                    None => Err("digest is missing: the plan shows it".to_owned()),
                }
            }
            "export" => {
                only(&[]);
                Ok(Self::Export)
            }
            "reconcile" => {
                only(&[]);
                Ok(Self::Reconcile)
            }
            "history" => {
                only(&[]);
                Ok(Self::History)
            }
            "rollback" => {
                only(&["version"]);
                match event.get("version").and_then(Value::as_u64) {
                    Some(version) => Ok(Self::Rollback(version)),
                    None => Err(
                        "version is missing, or no whole number: the history shows them".to_owned(),
                    ),
                }
            }
            "check" => {
                only(&[]);
                Ok(Self::Check)
            }
            "handshake" => {
                only(&["source"]);
                match event.get("source").and_then(Value::as_str) {
                    Some(source) => Ok(Self::Handshake(SourceName::new(source))),
                    None => Err("source is missing: the name of one in sources.toml".to_owned()),
                }
            }
            _ => Err(format!("action must be one of: {ACTIONS}")),
        };
        match action {
            Ok(action) if faults.is_empty() => Ok(action),
            Ok(_) => Err(BadAction(faults)),
            Err(fault) => {
                faults.push(fault);
                Err(BadAction(faults))
            }
        }
    }
}

fn name_at(event: &Map<String, Value>, field: &str) -> Result<Name, String> {
    match event.get(field).and_then(Value::as_str) {
        Some(text) => Name::new(text).map_err(|fault| format!("{field} {fault}")),
        None => Err(format!(
            "{field} is missing, or no text: a name, letter by letter"
        )),
    }
}
