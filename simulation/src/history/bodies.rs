//! What senders and operators say.

use serde_json::{Value, json};

use super::{BEGINNING, Post, choose, rfc3339, steps::Maker};
use crate::proof::{BAMBOO, KOMBO};

impl Maker<'_> {
    pub(super) fn plain_post(&mut self, said_ms: i64) -> Post {
        self.events += 1;
        let changes: Vec<Value> = (0..self.rng.usize(1..4))
            .map(|_| {
                let (group, kind, above) = self.plain_group();
                match self.rng.u32(0..10) {
                    0..7 => {
                        let parent =
                            (above.is_some() && self.rng.u32(0..8) > 0).then(|| above.unwrap());
                        upsert(&group, kind, parent.as_ref().map(|(p, t)| (p.as_str(), *t)))
                    }
                    _ => json!({"op": "remove", "group": group, "groupType": kind}),
                }
            })
            .collect();
        // To the millisecond, and one event a millisecond, so that nothing is said twice at one time.
        let said_ms = said_ms * 64 + i64::try_from(self.events % 64).unwrap();
        let said_us = said_ms * 1_000 / 64;
        let at = calven_bridge::timestamp::Timestamp::from_micros(BEGINNING * 1_000_000 + said_us);
        let body = json!({"id": format!("evt_{}", self.events), "occurredAt": at.to_string(), "changes": changes});
        self.event("acme", body, Some(said_us / 1_000))
    }

    /// A group and one of those that may stand above it.
    fn plain_group(&mut self) -> (String, &'static str, Option<(String, &'static str)>) {
        let n = self.rng.u32(0..5);
        match self.rng.u32(0..6) {
            0 => (format!("V{}", n % 3), "Division", None),
            1..3 => {
                let above = format!("V{}", self.rng.u32(0..3));
                (format!("E{n}"), "Department", Some((above, "Division")))
            }
            _ => {
                let above = format!("E{}", self.rng.u32(0..5));
                (format!("T{n}"), "Team", Some((above, "Department")))
            }
        }
    }

    fn group(&mut self) -> (&'static str, &'static str) {
        let name = choose(self.rng, &["A", "B", "C", "D", "E"]);
        (name, choose(self.rng, &["Department", "Division"]))
    }

    pub(super) fn names(&mut self, said_ms: i64) -> Post {
        self.events += 1;
        let changes: Vec<Value> = (0..self.rng.usize(1..4))
            .map(|_| {
                let (group, kind) = self.group();
                match self.rng.u32(0..12) {
                    0..8 => {
                        let parent = (self.rng.u32(0..5) > 0).then(|| self.group());
                        upsert(group, kind, parent)
                    }
                    8..11 => json!({"op": "remove", "group": group, "groupType": kind}),
                    _ => {
                        let (to, _) = self.group();
                        json!({"op": "rename", "group": group, "groupType": kind, "to": to})
                    }
                }
            })
            .collect();
        self.generic("acme", said_ms, changes)
    }

    pub(super) fn keys(&mut self, said_ms: i64) -> Post {
        self.events += 1;
        let mut changes: Vec<Value> = (0..self.rng.usize(1..3))
            .map(|_| {
                let (group, kind) = self.group();
                let key = self.rng.u32(1..5).to_string();
                match self.rng.u32(0..12) {
                    0..8 => {
                        let mut change = upsert(group, kind, None);
                        change["key"] = json!(key);
                        if self.rng.u32(0..4) > 0 {
                            change["parentKey"] = json!(self.rng.u32(1..5).to_string());
                        }
                        change
                    }
                    8..10 => json!({"op": "remove", "key": key}),
                    _ => {
                        let (to, _) = self.group();
                        json!({"op": "rename", "group": group, "groupType": kind, "key": key, "to": to})
                    }
                }
            })
            .collect();
        let marker = (self.rng.u32(0..2) == 0).then(|| format!("M{}", self.events));
        changes.extend(marker.iter().map(|marker| upsert(marker, "Marker", None)));
        let post = self.generic("beta", said_ms, changes);
        Post { marker, ..post }
    }

    fn generic(&mut self, source: &'static str, said_ms: i64, changes: Vec<Value>) -> Post {
        let mut body = json!({"id": format!("evt_{}", self.events), "changes": changes});
        let is_timed = self.rng.u32(0..4) > 0;
        // Seldom ahead of all clocks.
        let said_ms = if self.rng.u32(0..40) == 0 {
            said_ms + 3_600_000
        } else {
            said_ms
        };
        if is_timed {
            body["occurredAt"] = json!(rfc3339(said_ms));
        }
        self.event(source, body, is_timed.then_some(said_ms))
    }

    pub(super) fn snapshot(&mut self, now_ms: i64) -> Post {
        self.events += 1;
        let rows: Vec<Value> = (0..self.rng.usize(1..5))
            .map(|_| {
                let (group, kind) = self.group();
                let parent = self.rng.bool().then(|| self.group());
                row(group, kind, parent)
            })
            .collect();
        let said_ms = now_ms - self.rng.i64(0..10_000);
        let body = json!({"id": format!("evt_{}", self.events), "occurredAt": rfc3339(said_ms), "groupRelationships": rows});
        self.event("acme", body, Some(said_ms))
    }

    pub(super) fn persons(&mut self, said_ms: i64) -> Post {
        self.events += 1;
        let seconds = said_ms.div_euclid(1_000);
        let employees: Vec<Value> = (0..self.rng.usize(1..3))
            .map(|_| {
                let id = format!("p{}", self.rng.u32(0..6));
                let left = self.rng.u32(0..5) == 0;
                let mut fields = json!({});
                if !left {
                    fields["Division"] = json!(choose(self.rng, &["P", "Q", "A"]));
                    if self.rng.u32(0..4) > 0 {
                        fields["Department"] = json!(choose(self.rng, &["R", "S", "B"]));
                    }
                }
                json!({"id": id, "action": if left { "Deleted" } else { "Updated" },
                    "timestamp": rfc3339(seconds * 1_000).replace('Z', "+0000"), "changedFields": [], "fields": fields})
            })
            .collect();
        self.event(
            BAMBOO,
            json!({"employees": employees}),
            Some(seconds * 1_000),
        )
    }

    pub(super) fn thin(&mut self) -> Post {
        self.events += 1;
        let body = json!({"id": format!("evt_{}", self.events), "type": "data-changed",
            "data": {"changed_models": [{"name": "hris_teams"}]}});
        self.event(KOMBO, body, None)
    }

    /// A complete set, as of so long after the beginning.
    pub(super) fn seed(&mut self, at_ms: i64) -> Value {
        let mut groups: Vec<(String, &'static str)> = Vec::new();
        let mut rows = Vec::new();
        if self.setup.plain {
            for n in 0..self.rng.u32(0..4) {
                groups.push((format!("E{n}"), "Department"));
                let above = self.rng.bool().then_some(("V0", "Division"));
                rows.push(row(&format!("E{n}"), "Department", above));
            }
            rows.push(row("V0", "Division", None));
            for n in 0..self.rng.u32(0..5) {
                let above = groups.get(self.rng.usize(0..4));
                rows.push(row(
                    &format!("T{n}"),
                    "Team",
                    above.map(|(p, t)| (p.as_str(), *t)),
                ));
            }
        } else {
            for name in ["A", "B", "C", "D"] {
                if self.rng.u32(0..3) > 0 {
                    let kind = choose(self.rng, &["Department", "Division"]);
                    let above =
                        (!groups.is_empty() && self.rng.bool()).then(|| choose(self.rng, &groups));
                    rows.push(row(
                        name,
                        kind,
                        above.as_ref().map(|(p, t)| (p.as_str(), *t)),
                    ));
                    groups.push((name.to_owned(), kind));
                }
            }
        }
        let mut event = json!({"action": "seed", "groupRelationships": rows});
        if self.setup.plain || self.rng.bool() {
            event["occurredAt"] = json!(rfc3339(at_ms));
        }
        event
    }
}

fn row(group: &str, kind: &str, parent: Option<(&str, &str)>) -> Value {
    let (parent, parent_type) = parent.unzip();
    json!({"group": group, "groupType": kind, "parent": parent, "parentType": parent_type})
}

fn upsert(group: &str, kind: &str, parent: Option<(&str, &str)>) -> Value {
    let mut change = row(group, kind, parent);
    change["op"] = json!("upsert");
    change
}
