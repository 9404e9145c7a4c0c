//! Remote answers: whatever Calven, Capillary, a source's API and the queue answer, all that is sent is valid, it ends in time, an
//! answer that is none removes nothing, and once they answer well again all is as it should be.
//!
//! An input: what function it is and what it does; then what the remotes answer, one after the other: a status, headers and a
//! body, the latter two ended by [`END`](crate::input::END).

use serde_json::json;

use crate::{
    input::Input,
    measure::{Bound, linear},
    senders::{self, KEY},
    world::{self, Came, Sent, Setup, Told, World},
};

/// What a remote may answer; none: nothing at all.
const STATUSES: [Option<u16>; 16] = [
    Some(200),
    Some(200),
    Some(200),
    Some(200),
    Some(204),
    Some(201),
    Some(301),
    Some(400),
    Some(401),
    Some(403),
    Some(404),
    Some(409),
    Some(429),
    Some(500),
    Some(503),
    None,
];

/// No input has more answers.
const ANSWERS: usize = 24;

/// The function, seven invocations and what is made of the answers.
const BOUND: Bound = Bound {
    bytes: 32 * 1024 * 1024,
    bytes_a_byte: 48 * 1024,
    times: 128 * 1024,
    times_a_line: 8 * 1024,
};

/// No invocation asks more often: with attempts, pages and the same again for a state that was lost.
const MOST_REQUESTS: usize = 200;

/// Plays one input.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    world::warm();
    linear("answers", data.len(), BOUND, || play(Input::new(data)));
}

fn play(mut input: Input<'_>) {
    let bits = input.byte();
    let setup = Setup {
        queued: bits & 0x10 != 0,
        enriched: bits & 0x20 == 0,
        seed_required: true,
        dry_run: false,
    };
    let mut told = Vec::new();
    while !input.is_empty() && told.len() < ANSWERS {
        let status = STATUSES[input.below(STATUSES.len())];
        let headers = input.text();
        let headers = headers.lines().filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let headers = headers.collect();
        let body = input.part().to_vec();
        told.push(Told {
            status,
            headers,
            body,
        });
    }
    let mut world = World::new(setup);
    let seed = json!({"action": "seed", "groupRelationships": [
        {"group": "A", "groupType": "Department", "parent": null, "parentType": null},
        {"group": "B", "groupType": "Department", "parent": "A", "parentType": "Department"}]});
    if bits & 0x40 != 0 {
        // The first answers are to the first questions of all.
        world.tell(told.clone());
        let _answered = world.invoke(seed.clone());
        world.wait(1);
    }
    world.tell([]);
    let seeded = world.invoke(seed);
    seeded.answer.expect("a seed is taken when all is well");
    world.wait(1);
    world
        .invoke(json!({"action": "reconcile"}))
        .answer
        .expect("and so is a reconcile");
    let before = world.published();
    world.wait(901);
    world.tell(told.clone());
    let came = match bits % 4 {
        0 => world.invoke(json!({"action": "reconcile"})),
        1 => posted(&mut world, "thin", "kombo", THIN),
        2 => posted(&mut world, "acme", "generic", SMALL),
        _ => world.invoke(json!({"action": "check"})),
    };
    assert!(
        came.sent.len() <= MOST_REQUESTS,
        "{} requests",
        came.sent.len()
    );
    if bits % 4 == 3 {
        assert!(came.swaps == 0 && !came.sent.iter().any(|sent| matches!(sent, Sent::Put(_))));
    }
    if !came.told_groups {
        let after = world.published();
        let gone = before.keys().find(|group| !after.contains_key(*group));
        assert_eq!(gone, None, "an answer that is none removes a group");
    }
    // All is well again.
    world.tell([]);
    world.wait(901);
    let reconciled = world.invoke(json!({"action": "reconcile"}));
    let answer = reconciled.answer.expect("all is well");
    let status = answer["status"].as_str().expect("a status");
    assert!(
        ["published", "unchanged", "held"].contains(&status),
        "{answer}"
    );
    assert!(
        reconciled.taken > 0,
        "a reconcile PUTs in any case: {answer}"
    );
    let state = world.state().expect("a state");
    assert!(!state.unsure, "Calven holds what is published");
    assert_eq!(state.due.iter().count(), 0, "all was read again");
}

/// A webhook that says that something changed.
const THIN: &str =
    r#"{"id": "k", "type": "data-changed", "data": {"changed_models": [{"name": "hris_groups"}]}}"#;

/// A webhook that adds a group.
const SMALL: &str = r#"{"id": "e", "changes": [{"group": "C", "groupType": "Team", "parent": "B", "parentType": "Department"}]}"#;

fn posted(world: &mut World, source: &str, preset: &str, body: &str) -> Came {
    let headers = senders::headers(preset, KEY, world.now(), body.as_bytes());
    world.invoke(json!({
        "httpMethod": "POST", "path": format!("/webhooks/{source}"), "headers": headers, "body": body,
        "isBase64Encoded": false, "queryStringParameters": {},
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/1"}}
    }))
}
