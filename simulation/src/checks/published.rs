//! What must hold of what Calven holds once nothing is pending.

use std::collections::BTreeSet;

use super::shown;
use crate::{attempts::Attempt, calven::Rows, plain::Plain, world::World};

/// All that must be in it is.
pub(super) fn check_published(world: &mut World, held: &Rows) {
    check_markers(world, held);
    check_thin(world, held);
    // Where tombstones run out nobody remembers where a group last was.
    if world.setup.plain && !world.setup.forgets() {
        check_plain(world, held);
    }
}

fn check_markers(world: &mut World, held: &Rows) {
    let markers: Vec<String> = world
        .attempts
        .iter()
        .filter(|attempt| attempt.acknowledged)
        .filter_map(|attempt| attempt.marker.clone())
        .filter(|marker| !held.contains_key(&("Marker".to_owned(), marker.clone())))
        .collect();
    for marker in markers {
        world.violated(
            "what was acknowledged reaches Calven",
            format!("{marker} does not"),
        );
    }
}

fn check_thin(world: &mut World, held: &Rows) {
    let thin: Rows = held
        .iter()
        .filter(|((_, name), _)| name.starts_with('K'))
        .map(|(group, parent)| (group.clone(), parent.clone()))
        .collect();
    let expected = world.api.rows();
    if thin != expected {
        let detail = format!("{} and not {}", shown(Some(&thin)), shown(Some(&expected)));
        world.violated("after a reconcile the thin source is as its API", detail);
    }
}

/// What a plain history leads to is known by a model of a few lines, where it is certain what was said.
fn check_plain(world: &mut World, held: &Rows) {
    let is_said = |attempt: &&Attempt| attempt.acknowledged;
    let said = world.attempts.iter().filter(is_said);
    let said: BTreeSet<&str> = said.map(|attempt| attempt.id.as_str()).collect();
    let is_certain = |attempt: &Attempt| attempt.is_timed && said.contains(attempt.id.as_str());
    let are_seeds_certain =
        world.seeds.is_empty() || world.seeds.iter().any(|seed| seed.acknowledged);
    if !(world.attempts.iter().all(is_certain) && are_seeds_certain) {
        return;
    }
    let mut plain = Plain::default();
    for seed in &world.seeds {
        plain.says(&seed.event);
    }
    for attempt in &world.attempts {
        plain.says(&serde_json::from_str(&attempt.body).unwrap());
    }
    let expected = plain.rows();
    if expected != *held {
        let detail = format!("{} and not {}", shown(Some(held)), shown(Some(&expected)));
        world.violated("what was said comes out", detail);
    }
}
