//! What is in memory is what is stored, whoever else saves and whatever goes wrong.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use stand_ins::{calven::Endpoint, fault::Fault};

use super::*;
use crate::{
    bridge::{
        Change, ThinEvent,
        tests::{Scene, apply, within},
    },
    hierarchy::SourceName,
    report::Status,
    state::HandshakeToken,
    store::{BoxFuture, FileStore, MemoryStore, StateStore, StoreError, Swap},
    tally::Tally,
    timestamp::Timestamp,
};

/// What becomes of a call that does not go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is not even tried.
    Fails,
    /// It is tried, and an error is told.
    Untold,
    /// It is tried, and told as lost.
    ToldLost,
}

/// A home that notes what it is asked, and whose next calls go as they are told to.
#[derive(Debug, Default)]
struct Watched {
    inner: MemoryStore,
    asked: Mutex<Vec<&'static str>>,
    loads: Mutex<VecDeque<Fate>>,
    swaps: Mutex<VecDeque<Fate>>,
}

impl Watched {
    fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }

    /// What it was asked since the last time.
    fn asked(&self) -> Vec<&'static str> {
        mem::take(&mut *self.asked.lock().unwrap())
    }

    fn fail_next(&self, calls: &Mutex<VecDeque<Fate>>, fate: Fate) {
        calls.lock().unwrap().push_back(fate);
    }

    async fn stored(&self) -> Option<Current> {
        let Loaded { bytes, tag } = self.inner.load().await.unwrap()?;
        Some((State::decode(&bytes).unwrap(), Some(tag)))
    }
}

fn failure() -> StoreError {
    StoreError::Unavailable {
        home: "test".to_owned(),
        reason: "as told".to_owned(),
    }
}

impl StateStore for Watched {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.note("all");
        match self.loads.lock().unwrap().pop_front() {
            Some(_) => Box::pin(async { Err(failure()) }),
            None => self.inner.load(),
        }
    }

    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        let fate = self.loads.lock().unwrap().pop_front();
        Box::pin(async move {
            let since = self.inner.load_since(seen).await?;
            self.note(match &since {
                Since::Unchanged => "nothing new",
                Since::Changed(_) => "something new",
            });
            match fate {
                Some(_) => Err(failure()),
                None => Ok(since),
            }
        })
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        self.note("swap");
        let fate = self.swaps.lock().unwrap().pop_front();
        Box::pin(async move {
            if fate == Some(Fate::Fails) {
                return Err(failure());
            }
            let swap = self.inner.swap(bytes, expected).await;
            match fate {
                Some(Fate::Untold) => Err(failure()),
                Some(Fate::ToldLost) => Ok(Swap::Lost),
                Some(Fate::Fails) | None => swap,
            }
        })
    }
}

/// Bridges on one watched home.
struct Warm {
    scene: Scene,
    home: Arc<Watched>,
}

impl Warm {
    async fn new() -> Self {
        let (scene, home) = (Scene::new().await, Arc::default());
        Self { scene, home }
    }

    fn bridge(&self) -> Bridge {
        let home = Arc::clone(&self.home) as _;
        self.scene.bridge_on(home, &["people"], false)
    }

    async fn says(&self, bridge: &Bridge, name: &str) -> Status {
        self.scene.pass(1);
        self.scene.says(bridge, name).await.status
    }
}

/// What a bridge has kept.
fn kept(bridge: &Bridge) -> Option<Current> {
    match &*bridge.known.kept.try_lock().unwrap() {
        Kept::Stored(state, tag) => Some((state.clone(), Some(tag.clone()))),
        Kept::Nothing => None,
        Kept::Ahead(_) => panic!("what was loaded ahead outlives its invocation"),
    }
}

#[tokio::test]
async fn a_warm_instance_asks_whether_anything_is_new_and_reads_nothing() {
    let warm = Warm::new().await;
    let bridge = warm.bridge();
    assert_eq!(warm.says(&bridge, "a").await, Status::Published);
    assert_eq!(warm.home.asked(), ["all", "swap"]);
    assert_eq!(kept(&bridge), warm.home.stored().await);
    assert_eq!(warm.says(&bridge, "b").await, Status::Published);
    assert_eq!(warm.home.asked(), ["nothing new", "swap"]);
    // A duplicate saves nothing, and keeps what it found.
    let duplicate = [warm.scene.delivery("b")];
    for _ in 0..2 {
        let report = apply(&bridge, &duplicate, &[], 20_000).await;
        assert_eq!(report.status, Status::Unchanged);
        assert_eq!(warm.home.asked(), ["nothing new"]);
        assert_eq!(kept(&bridge), warm.home.stored().await);
    }
    // Who only looks keeps it too.
    bridge.foresee(within(20_000), |_| ()).await.unwrap();
    let version = |state: &State| state.version;
    bridge.look(within(20_000), version).await.unwrap();
    let token = HandshakeToken::new("t", Timestamp::from_seconds(1)).unwrap();
    let people = SourceName::new("people");
    for is_kept in [true, false] {
        let handed = bridge.keep_handshake(&people, &token, within(20_000));
        assert_eq!(handed.await.unwrap(), is_kept);
    }
    let asked = warm.home.asked();
    assert_eq!(asked.iter().filter(|what| **what == "swap").count(), 1);
    assert!(!asked.contains(&"all"), "{asked:?}");
    assert_eq!(kept(&bridge), warm.home.stored().await);
}

#[tokio::test]
async fn what_another_instance_saved_is_seen() {
    let warm = Warm::new().await;
    let (one, other) = (warm.bridge(), warm.bridge());
    warm.says(&one, "a").await;
    warm.says(&other, "b").await;
    warm.home.asked();
    warm.says(&one, "c").await;
    assert_eq!(warm.home.asked(), ["something new", "swap"]);
    assert_eq!(warm.scene.holds(), ["a", "b", "c"]);
    assert_eq!(kept(&one), warm.home.stored().await);
}

#[tokio::test]
async fn after_a_swap_that_was_not_won_all_is_read_again() {
    for fate in [Fate::Fails, Fate::Untold, Fate::ToldLost] {
        let warm = Warm::new().await;
        let bridge = warm.bridge();
        warm.says(&bridge, "a").await;
        warm.home.asked();
        warm.home.fail_next(&warm.home.swaps, fate);
        warm.says(&bridge, "b").await;
        assert_eq!(
            warm.home.asked(),
            ["nothing new", "swap", "all", "swap"],
            "{fate:?}"
        );
        assert_eq!(warm.scene.holds(), ["a", "b"]);
        assert_eq!(kept(&bridge), warm.home.stored().await);
    }
}

#[tokio::test]
async fn what_could_not_be_saved_is_not_kept() {
    let warm = Warm::new().await;
    let bridge = warm.bridge();
    warm.says(&bridge, "a").await;
    for _ in 0..3 {
        warm.home.fail_next(&warm.home.swaps, Fate::Fails);
    }
    let delivery = [warm.scene.delivery("b")];
    let change = Change::Deliveries {
        deliveries: &delivery,
        rereads: &[],
        proven: &[],
        queued: false,
    };
    assert!(
        bridge
            .apply(&change, within(20_000), &mut Tally::default())
            .await
            .is_err()
    );
    assert_eq!(kept(&bridge), None);
    assert_eq!(warm.says(&bridge, "c").await, Status::Published);
    assert_eq!(warm.scene.holds(), ["a", "c"]);
}

#[tokio::test]
async fn a_load_that_fails_forgets_nothing() {
    let warm = Warm::new().await;
    let bridge = warm.bridge();
    warm.says(&bridge, "a").await;
    let before = kept(&bridge);
    warm.home.fail_next(&warm.home.loads, Fate::Fails);
    assert!(bridge.foresee(within(20_000), |_| ()).await.is_err());
    assert_eq!(kept(&bridge), before);
    warm.home.asked();
    warm.says(&bridge, "b").await;
    assert_eq!(warm.home.asked(), ["nothing new", "swap"]);
}

#[tokio::test]
async fn a_first_load_that_fails_is_not_tried_twice() {
    let warm = Warm::new().await;
    let bridge = warm.bridge();
    warm.home.fail_next(&warm.home.loads, Fate::Fails);
    let change = Change::Reconcile { proven: &[] };
    assert!(
        bridge
            .apply(&change, within(20_000), &mut Tally::default())
            .await
            .is_err()
    );
    assert_eq!(warm.home.asked(), ["all"]);
    assert_eq!(warm.says(&bridge, "a").await, Status::Published);
}

#[tokio::test]
async fn what_was_loaded_ahead_for_nothing_is_asked_for_again() {
    let warm = Warm::new().await;
    warm.says(&warm.bridge(), "a").await;
    let bridge = warm.bridge();
    warm.home.asked();
    // Whoever it was proved nothing.
    let refused = async {
        while bridge.known.kept.try_lock().is_err() || warm.home.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    bridge.with_a_head_start(within(20_000), refused).await;
    assert_eq!(kept(&bridge), warm.home.stored().await);
    warm.says(&warm.bridge(), "b").await;
    warm.home.asked();
    warm.says(&bridge, "c").await;
    assert_eq!(warm.home.asked(), ["something new", "swap"]);
    assert_eq!(warm.scene.holds(), ["a", "b", "c"]);
}

#[tokio::test]
async fn what_was_loaded_ahead_for_who_is_gone_is_asked_for_again() {
    let warm = Warm::new().await;
    warm.says(&warm.bridge(), "a").await;
    let bridge = warm.bridge();
    let never = std::future::pending::<()>();
    let cut = bridge.with_a_head_start(within(20_000), never);
    let cut = tokio::time::timeout(std::time::Duration::from_millis(50), cut);
    assert!(cut.await.is_err());
    assert_eq!(kept(&bridge), warm.home.stored().await);
}

#[tokio::test]
async fn a_state_that_is_deleted_or_restored_behind_our_back_is_seen() {
    let scene = Scene::new().await;
    let path = scene.folder.path().join("state.json");
    let home = FileStore::new(path.clone(), std::time::Duration::from_secs(5));
    let bridge = scene.bridge_on(Arc::new(home), &[], false);
    scene.says(&bridge, "a").await;
    let older = std::fs::read(&path).unwrap();
    scene.pass(1);
    scene.says(&bridge, "b").await;
    std::fs::write(&path, older).unwrap();
    scene.pass(1);
    scene.says(&bridge, "c").await;
    assert_eq!(scene.holds(), ["a", "c"]);
    std::fs::remove_file(&path).unwrap();
    scene.pass(1);
    scene.says(&bridge, "d").await;
    assert_eq!(scene.holds(), ["d"]);
}

#[tokio::test]
async fn of_many_at_once_in_one_process_nothing_is_lost() {
    let warm = Warm::new().await;
    let bridge = warm.bridge();
    let names: Vec<String> = (0..8).map(|number| format!("g{number}")).collect();
    let all = names.iter().map(|name| warm.says(&bridge, name));
    futures_util::future::join_all(all).await;
    assert_eq!(warm.scene.holds(), names);
}

/// Whatever happens to two instances, in whatever order: what is kept under the stored tag is what is stored.
#[tokio::test]
async fn what_is_kept_is_what_is_stored() {
    let mut hits = 0;
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let warm = Warm::new().await;
        let mut bridges = [warm.bridge(), warm.bridge()];
        for _ in 0..25 {
            if rng.u32(0..4) == 0 {
                let fate = [Fate::Fails, Fate::Untold, Fate::ToldLost][rng.usize(0..3)];
                warm.home.fail_next(&warm.home.swaps, fate);
            }
            match rng.u32(0..12) {
                0 => warm.home.fail_next(&warm.home.loads, Fate::Fails),
                1 => {
                    let fault = [Fault::Status(400), Fault::ResetAfterApplying];
                    let fault = fault[rng.usize(0..2)].clone();
                    warm.scene.calven.fail_next(Endpoint::Put, fault);
                }
                2 => bridges[rng.usize(0..2)] = warm.bridge(),
                3 => warm.scene.pass(100),
                _ => {}
            }
            let bridge = &bridges[rng.usize(0..2)];
            let deliveries = [warm.scene.delivery(["a", "b", "c", "d"][rng.usize(0..4)])];
            let event = [ThinEvent {
                source: SourceName::new("people"),
                received: deliveries[0].received,
                event_id: None,
            }];
            let change = match rng.u32(0..6) {
                0 => Change::Reconcile { proven: &[] },
                1 => Change::Rollback(rng.u64(0..4)),
                kind => Change::Deliveries {
                    deliveries: &deliveries,
                    // Nobody answers for it, so that it stays due.
                    rereads: if kind == 2 { &event } else { &[] },
                    proven: &[],
                    queued: false,
                },
            };
            let _refused_or_not = bridge
                .apply(&change, within(20_000), &mut Tally::default())
                .await;
            let stored = warm.home.stored().await;
            for bridge in &bridges {
                // Else what is stored would be told as older.
                let newest = stored.as_ref().map_or(0, |(state, _)| state.version);
                assert!(bridge.known.version() <= newest, "seed {seed}");
                if let (Some((kept, tag)), Some((state, newest))) = (kept(bridge), &stored)
                    && tag == *newest
                {
                    assert_eq!(kept, *state, "seed {seed}");
                    hits += 1;
                }
            }
        }
    }
    assert!(hits > 100, "{hits}");
}
