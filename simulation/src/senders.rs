//! Who calls the function: senders that try again, repeat themselves and give up; operators; the schedule.

use std::{sync::Arc, time::Duration};

use calven_bridge::{operator::Action, timestamp::Timestamp};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    attempts::{Attempt, SeedAttempt},
    calven::Calven,
    guard::Cuts,
    history::{BEGINNING, Post, Step, What, mixed},
    instances::{Ended, invoke},
    proof,
    sim::Sim,
    world::Kind,
};

/// How far ahead of the function's clock a sender's time may lie.
const AHEAD_MS: i64 = 5 * 60 * 1_000;

/// So many chances has one webhook of a step.
const CHANCES: u64 = 100;

/// Carries out one step.
pub(crate) async fn take(sim: &Arc<Sim>, step: Step) {
    let chance = step.number * 1_000;
    match step.what {
        What::Post(post) => deliver(sim, chance, &post).await,
        What::Burst(posts) => {
            let mut rng = Rng::with_seed(mixed(sim.world().seed, chance));
            let all = posts.into_iter().zip(0..).map(|(post, number)| {
                let (sim, wait_ms) = (Arc::clone(sim), rng.u64(0..300));
                tokio::spawn(async move {
                    sleep(Duration::from_millis(wait_ms)).await;
                    deliver(&sim, chance + number * CHANCES, &post).await;
                })
            });
            for one in all.collect::<Vec<_>>() {
                one.await.expect("a sender does not panic");
            }
        }
        What::Seed { event } => {
            seed(sim, chance, event).await;
        }
        What::Approve { thinks_ms } => {
            if let Some(digest) = plan(sim, chance).await.and_then(|plan| digest_of(&plan)) {
                sleep(Duration::from_millis(thinks_ms)).await;
                approve(sim, chance + 1, digest).await;
            }
        }
        What::Rollback { back } => {
            let version = sim.world().saved.version.saturating_sub(back);
            let event = json!({"action": "rollback", "version": version});
            let _ended = invoke(sim, chance, Kind::Rollback, |_| event).await;
        }
        What::Reconcile => {
            reconcile(sim, chance).await;
        }
        What::RotateKey => {
            let mut world = sim.world();
            let key = world.calven.rotate();
            let secret = Calven::secret(world.setup.credential, key);
            world.secrets.put("calven", secret.to_string());
        }
        What::RotateSecret { source } => {
            let mut world = sim.world();
            let number = world.signing[source] + 1;
            world.signing.insert(source, number);
            world
                .secrets
                .put(&format!("hris/{source}"), proof::secret(source, number));
        }
        What::RevokeTokens => sim.world().calven.revoke_tokens(),
        What::ApiChanges(changes) => {
            let mut world = sim.world();
            changes
                .into_iter()
                .for_each(|change| world.api.change(change));
        }
        What::CalvenGone { for_ms } => {
            sim.world().calven_back = Instant::now() + Duration::from_millis(for_ms);
        }
        What::ApiGone { for_ms } => {
            sim.world().api_back = Instant::now() + Duration::from_millis(for_ms);
        }
        What::StoreGone { for_ms } => {
            sim.world().store_back = Instant::now() + Duration::from_millis(for_ms);
        }
    }
}

/// The schedule, which AWS repeats twice where it failed.
pub(crate) async fn reconcile(sim: &Arc<Sim>, chance: u64) -> bool {
    for attempt in 0..3 {
        let event = json!({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        let ended = invoke(sim, chance + attempt, Kind::Reconcile, |_| event).await;
        if let Ok(Ended::Answered(_)) = ended {
            return true;
        }
        sleep(Duration::from_secs(60)).await;
    }
    false
}

/// A sender posts a webhook until it is taken, and perhaps once more.
async fn deliver(sim: &Arc<Sim>, chance: u64, post: &Post) {
    let taken = post_until_taken(sim, chance, post).await;
    if let Some(again_ms) = post.again_ms.filter(|_| taken) {
        sleep(Duration::from_millis(again_ms)).await;
        post_until_taken(sim, chance + CHANCES / 2, post).await;
    }
}

async fn post_until_taken(sim: &Arc<Sim>, chance: u64, post: &Post) -> bool {
    for attempt in 0..post.attempts {
        let patience = Duration::from_millis(post.patience_ms);
        let answered = timeout(patience, post_once(sim, chance + u64::from(attempt), post)).await;
        if answered == Ok(true) {
            return true;
        }
        sleep(Duration::from_millis(
            post.backoff_ms * u64::from(attempt + 1),
        ))
        .await;
    }
    false
}

/// One attempt; what becomes of it is known even where the sender has hung up.
async fn post_once(sim: &Arc<Sim>, chance: u64, post: &Post) -> bool {
    let index = attempt(sim, post);
    let ended = invoke(sim, chance, Kind::Post(index), |slot| {
        let mut world = sim.world();
        let skew_ms = world.slots[slot].skew_ms;
        let received = world.clock(skew_ms);
        let attempt = &mut world.attempts[index];
        (attempt.received, attempt.is_timed) = (received, is_timed(post, received));
        request(attempt)
    });
    let sim = Arc::clone(sim);
    let answered = tokio::spawn(async move {
        let Ok(Ended::Answered(answer)) = ended.await else {
            return false;
        };
        let taken = matches!(answer["statusCode"].as_u64(), Some(200..300));
        let body: Value = answer["body"]
            .as_str()
            .and_then(|body| serde_json::from_str(body).ok())
            .unwrap_or_default();
        if taken && body["saved"] != false {
            sim.world().acknowledged(index);
        }
        taken
    });
    answered.await.unwrap_or(false)
}

/// Notes an attempt, signed now by the sender's clock.
fn attempt(sim: &Sim, post: &Post) -> usize {
    let mut world = sim.world();
    let seconds = world.clock(post.skew_ms).seconds();
    let received = world.clock(0);
    let number = world.signing[post.source];
    let headers = proof::headers(post.source, number, &post.id, seconds, &post.body);
    world.attempts.push(Attempt {
        source: post.source,
        id: post.id.clone(),
        body: post.body.clone(),
        headers,
        began: Instant::now(),
        received,
        is_timed: is_timed(post, received),
        marker: post.marker.clone(),
        acknowledged: false,
    });
    world.attempts.len() - 1
}

/// Whether all that it says has a time of its own that counts.
fn is_timed(post: &Post, received: Timestamp) -> bool {
    let received_ms = received.micros().div_euclid(1_000) - BEGINNING * 1_000;
    post.newest_ms
        .is_some_and(|newest| newest < received_ms + AHEAD_MS - 1)
}

/// As a Function URL sends it.
fn request(attempt: &Attempt) -> Value {
    let path = format!("/webhooks/{}", attempt.source);
    let headers: Map<String, Value> = attempt
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r", "routeKey": "$default",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.10", "userAgent": "u"},
            "stage": "$default", "time": "10/Jan/2026:12:00:00 +0000", "timeEpoch": 1_768_046_400_000_u64,
        },
        "body": attempt.body, "isBase64Encoded": false,
    })
}

async fn seed(sim: &Arc<Sim>, chance: u64, event: Value) {
    let fields = event.as_object().cloned().unwrap_or_default();
    let Ok(Action::Seed { rows, occurred_at }) = Action::read(&fields) else {
        sim.world().violated("a seed is read", event.to_string());
        return;
    };
    for attempt in 0..3 {
        let index = {
            let mut world = sim.world();
            let received = world.clock(0);
            world.seeds.push(SeedAttempt {
                rows: rows.clone(),
                event: event.clone(),
                occurred_at,
                received,
                acknowledged: false,
            });
            world.seeds.len() - 1
        };
        let ended = invoke(sim, chance + attempt, Kind::Seed(index), |slot| {
            let mut world = sim.world();
            let skew_ms = world.slots[slot].skew_ms;
            world.seeds[index].received = world.clock(skew_ms);
            event.clone()
        });
        if let Ok(Ended::Answered(answer)) = ended.await {
            sim.world().seeds[index].acknowledged = answer["saved"] != false;
            return;
        }
        sleep(Duration::from_secs(20)).await;
    }
}

/// What an operator sees of the pending plan.
pub(crate) async fn plan(sim: &Arc<Sim>, chance: u64) -> Option<Value> {
    let ended = invoke(sim, chance, Kind::Plan, |_| json!({"action": "plan"})).await;
    let Ok(Ended::Answered(plan)) = ended else {
        return None;
    };
    if let Some(digest) = digest_of(&plan) {
        let groups = |kind: &str| {
            let rows = plan["changes"][kind]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
            rows.iter()
                .map(|row| (text(row, "groupType"), text(row, "group")))
                .collect()
        };
        let cuts = Cuts {
            removed: groups("removed"),
            moved: groups("moved"),
        };
        sim.world().plans.insert(digest, cuts);
    }
    Some(plan)
}

pub(crate) fn digest_of(plan: &Value) -> Option<String> {
    plan["digest"].as_str().map(str::to_owned)
}

pub(crate) async fn approve(sim: &Arc<Sim>, chance: u64, digest: String) -> Option<Ended> {
    let event = json!({"action": "approve", "digest": digest});
    invoke(sim, chance, Kind::Approve(digest), |_| event)
        .await
        .ok()
}
