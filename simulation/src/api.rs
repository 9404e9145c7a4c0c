//! The thin source's API: its groups, which change, page by page, as Kombo's API gives them.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::calven::{Group, Rows};

/// So many groups a page.
const PAGE: usize = 2;

/// One change at the source: of the group of this number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// It is there, under the group of a lower number, or at the top.
    Put {
        group: u32,
        name: u32,
        above: Option<u32>,
    },
    /// It is not there any more, unless it is the last one; what was below it is at the top.
    Take { group: u32 },
}

/// What the source has: of each group its name and what is above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Api(BTreeMap<u32, (u32, Option<u32>)>);

pub(crate) fn any_changes(rng: &mut Rng) -> Vec<Change> {
    let any = |_| {
        let group = rng.u32(0..5);
        match rng.u32(0..4) {
            0 => Change::Take { group },
            _ => Change::Put {
                group,
                // Nobody else bears the name: an odd one is what the group was renamed to.
                name: group * 2 + u32::from(rng.u32(0..5) == 0),
                above: (group > 0 && rng.bool()).then(|| rng.u32(0..group)),
            },
        }
    };
    let count = 3;
    (0..count).map(any).collect()
}

impl Api {
    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Put { group, name, above } => {
                let above = above.filter(|above| self.0.contains_key(above));
                self.0.insert(group, (name, above));
            }
            // That there is no group left is not believed: none would count as gone.
            Change::Take { .. } if self.0.len() == 1 => {}
            Change::Take { group } => {
                self.0.remove(&group);
                for (_, above) in self.0.values_mut() {
                    *above = above.filter(|above| *above != group);
                }
            }
        }
    }

    /// What one page answers; the cursor is the number of the first group on it.
    pub(crate) fn page(&self, cursor: Option<u32>) -> Value {
        let mut rest = self.0.range(cursor.unwrap_or(0)..);
        let results: Vec<Value> = rest
            .by_ref()
            .take(PAGE)
            .map(|(group, (name, above))| {
                json!({"id": format!("id-{group}"), "name": format!("K{name}"), "type": "TEAM",
                    "parent_id": above.map(|above| format!("id-{above}")), "remote_deleted_at": null})
            })
            .collect();
        let next = rest.next().map(|(group, _)| group.to_string());
        json!({"status": "success", "data": {"next": next, "results": results}})
    }

    /// The rows that must come of it.
    pub(crate) fn rows(&self) -> Rows {
        let group = |name: u32| -> Group { ("Team".to_owned(), format!("K{name}")) };
        let rows = self.0.values().map(|(name, above)| {
            let above = above.and_then(|above| self.0.get(&above));
            (group(*name), above.map(|(name, _)| group(*name)))
        });
        rows.collect()
    }
}
