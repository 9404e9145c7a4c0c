//! What must come out of a plain history, in a few lines that know nothing of the function's: one source, names that
//! never change, and parents that always stand above their children.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::calven::{Group, Rows};

/// The newest that was said of each group: when, whether it lives, and where it was placed last.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    lives: BTreeMap<Group, ((i64, usize), bool)>,
    placed: BTreeMap<Group, ((i64, usize), Option<Group>)>,
}

impl Plain {
    /// What a body says: changes, or a seed's rows.
    pub(crate) fn says(&mut self, body: &Value) {
        let at = body["occurredAt"].as_str().unwrap();
        let at = calven_bridge::timestamp::Timestamp::parse_rfc3339(at)
            .unwrap()
            .micros();
        let said = body["changes"]
            .as_array()
            .or(body["groupRelationships"].as_array())
            .unwrap();
        for (place, change) in said.iter().enumerate() {
            let text = |key: &str| change[key].as_str().map(str::to_owned);
            let group = (text("groupType").unwrap(), text("group").unwrap());
            let lives = change["op"] != "remove";
            let when = (at, place);
            let known = self.lives.entry(group.clone()).or_insert((when, lives));
            *known = (*known).max((when, lives));
            if lives {
                let parent = text("parentType").zip(text("parent"));
                let known = self
                    .placed
                    .entry(group)
                    .or_insert_with(|| (when, parent.clone()));
                if known.0 <= when {
                    *known = (when, parent);
                }
            }
        }
    }

    /// The rows: who lives, and whom the living name as their parent.
    pub(crate) fn rows(&self) -> Rows {
        let mut pending: Vec<Group> = self
            .lives
            .iter()
            .filter(|(_, (_, lives))| *lives)
            .map(|(group, _)| group.clone())
            .collect();
        let mut rows = Rows::new();
        while let Some(group) = pending.pop() {
            let parent = self
                .placed
                .get(&group)
                .and_then(|(_, parent)| parent.clone());
            pending.extend(parent.clone().filter(|parent| !rows.contains_key(parent)));
            rows.insert(group, parent);
        }
        rows
    }
}
