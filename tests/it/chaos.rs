//! Everything fails now and then: what was acknowledged is not lost, and Calven ends with what was saved.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use calven_bridge::{
    state::State,
    store::{BoxFuture, Loaded, MemoryStore, StateStore, StoreError, Swap, Tag},
};
use fastrand::Rng;
use serde_json::{Value, json};
use stand_ins::{calven::Endpoint, fault::Fault};

use crate::harness::{Answer, Setup, World, text_of, upsert};

/// A home that fails now and then, before or after it has done what it was asked.
#[derive(Debug)]
struct Flaky {
    store: MemoryStore,
    random: Mutex<Rng>,
    /// Of a hundred calls so many fail.
    percent: u32,
}

impl Flaky {
    fn fails(&self) -> bool {
        self.random.lock().unwrap().u32(0..100) < self.percent
    }

    fn failure() -> StoreError {
        StoreError::Unavailable {
            home: "test".to_owned(),
            reason: "by chance".to_owned(),
        }
    }
}

impl StateStore for Flaky {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            match self.fails() {
                true => Err(Self::failure()),
                false => self.store.load().await,
            }
        })
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.fails() {
                return Err(Self::failure());
            }
            let swapped = self.store.swap(bytes, expected).await;
            match self.fails() {
                true => Err(Self::failure()),
                false => swapped,
            }
        })
    }
}

fn fault(random: &mut Rng) -> Fault {
    match random.u32(0..20) {
        0..6 => Fault::Status(500),
        6..9 => Fault::StatusRetryAfter(429, "0".to_owned()),
        9..12 => Fault::Reset,
        12..16 => Fault::ResetAfterApplying,
        16 => Fault::Status(400),
        17..19 => Fault::CutOff(5),
        _ => Fault::StatusRetryAfter(503, "60".to_owned()),
    }
}

/// Twenty-four webhooks to three instances, three at a time; some invocations are cut off where
/// `crashes` says so. What was acknowledged.
async fn storm(world: &World, store: &Flaky, random: &mut Rng, crashes: bool) -> Vec<String> {
    let instances: Vec<_> = (0..3).map(|_| Arc::new(world.another())).collect();
    let mut acknowledged = Vec::new();
    for round in 0..8 {
        let mut running = tokio::task::JoinSet::new();
        for (n, function) in instances.iter().enumerate() {
            if random.u32(0..3) == 0 {
                world.calven.fail_next(Endpoint::Put, fault(random));
            }
            if random.u32(0..20) == 0 {
                world.calven.revoke_tokens();
            }
            let row = format!("Team {round}-{n} [Team] < Department {n} [Department]");
            let body = json!({"id": format!("evt_{round}_{n}"), "changes": [upsert(&row)]});
            let event = world.signed("acme", &body).v2("$default");
            let context = world.context();
            let function = Arc::clone(function);
            let patience = match crashes && random.u32(0..4) == 0 {
                true => Duration::from_millis(random.u64(1..40)),
                false => Duration::from_secs(60),
            };
            running.spawn(async move {
                let answering = function.handle(event.clone(), context);
                let answered = tokio::time::timeout(patience, answering).await;
                let answer = answered.ok().map(|answered| Answer::of(&answered.unwrap()));
                (row, answer, event)
            });
        }
        let mut refused = Vec::new();
        while let Some(done) = running.join_next().await {
            match done.unwrap() {
                (row, Some(answer), _) if answer.status < 300 => acknowledged.push(row),
                (row, Some(answer), event) => {
                    assert_eq!(answer.status, 503, "{}", answer.body);
                    refused.push((row, event));
                }
                (_, None, _) => assert!(crashes),
            }
        }
        world.pass(Duration::from_secs(1));
        if crashes {
            continue;
        }
        // Whose save failed to the last may have PUT after the others: that is as a crash, and reconcile mends it.
        let mended = refused.is_empty();
        for (row, event) in refused {
            while Answer::of(&world.invoke(event.clone()).await.unwrap()).status >= 300 {}
            acknowledged.push(row);
        }
        if !mended {
            reconcile(world).await;
        }
        check_what_is_sure(world, store).await;
    }
    acknowledged
}

/// As the schedule does, and AWS again where it failed.
async fn reconcile(world: &World) {
    let event = json!({"action": "reconcile"});
    while world.invoke(event.clone()).await.is_err() {}
}

/// Nobody is at work: Calven holds what is saved as published, unless it is saved that this is not sure.
async fn check_what_is_sure(world: &World, store: &Flaky) {
    let Some(loaded) = store.store.load().await.unwrap() else {
        return;
    };
    let state = State::decode(&loaded.bytes).unwrap();
    if let Some(published) = state.published.filter(|_| !state.unsure) {
        let body = serde_json::to_value(published.hierarchy()).unwrap();
        assert_eq!(world.holds(), rows_of(&body), "though the state is sure");
    }
}

fn rows_of(body: &Value) -> Vec<String> {
    let rows: Vec<_> = serde_json::from_value(body["groupRelationships"].clone()).unwrap();
    let mut rows: Vec<String> = rows.iter().map(text_of).collect();
    rows.sort();
    rows
}

/// Whatever was ordered to go wrong and has not yet: once it has, all is quiet.
async fn calm(world: &World) {
    for n in 0..100 {
        let body =
            json!({"id": format!("calm_{n}"), "changes": [upsert(&format!("Calm {n} [Team]"))]});
        if world.webhook("acme", &body).await.word() == (200, "published") {
            return;
        }
    }
    panic!("it never got quiet");
}

async fn check(world: &World, acknowledged: &[String]) {
    let held = world.holds();
    for row in acknowledged {
        assert!(held.contains(row), "{row} was acknowledged and is lost");
    }
    // The store fails now and then, for operators too.
    let export = loop {
        if let Ok(body) = world.invoke(json!({"action": "export"})).await {
            break rows_of(&body);
        }
    };
    assert_eq!(held, export, "Calven holds what was saved");
}

async fn stormy(seed: u64) -> (World, Arc<Flaky>, Rng) {
    let store = Arc::new(Flaky {
        store: MemoryStore::default(),
        random: Mutex::new(Rng::with_seed(seed)),
        percent: 8,
    });
    let home: Arc<dyn StateStore> = store.clone();
    let mut world = Setup::default().unseeded().store(home).start().await;
    // Plenty: a PUT that is given up and lands later is what only a reconcile mends.
    world.leave(Duration::from_secs(20));
    (world, store, Rng::with_seed(seed + 1_000))
}

#[tokio::test]
async fn without_crashes_calven_ends_with_what_was_saved() {
    for seed in 0..4 {
        let (world, store, mut random) = stormy(seed).await;
        let acknowledged = storm(&world, &store, &mut random, false).await;
        calm(&world).await;
        check(&world, &acknowledged).await;
    }
}

#[tokio::test]
async fn after_crashes_calven_ends_with_what_was_saved_from_the_next_reconcile_on() {
    for seed in 100..104 {
        let (world, store, mut random) = stormy(seed).await;
        let acknowledged = storm(&world, &store, &mut random, true).await;
        // What was cut off may still be on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        calm(&world).await;
        reconcile(&world).await;
        check(&world, &acknowledged).await;
    }
}
