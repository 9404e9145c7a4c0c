//! Re-reading and handshakes: bridges on one state, against stand-ins for Calven and for the sources' APIs.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use stand_ins::{
    calven::{self, CalvenStandIn, Credentials},
    fault::Fault,
    hris::HrisStandIn,
};
use tempfile::TempDir;

use super::*;
use crate::{
    hierarchy::{
        Delivery, GroupRef, Parent, Relationship, SeedRows, SourceName, Stated, Statement,
        statement::group,
    },
    http::{self, BaseUrl},
    report::{HeldEntry, Status},
    retry::RetryPolicy,
    secrets::{Secrets, SecretsHome},
    sources::snapshot::Snapshot,
    state::HandshakeToken,
    store::{BoxFuture, Loaded, MemoryStore, Swap, Tag},
    timestamp::Timestamp,
};

const START: i64 = 1_795_341_600;

const SNAPSHOT: &str = r#"
    path = "/groups"
    lists = ["$.groups"]
    complete = "groups"
    max_pages = 3
    pages = { cursor = "$.next", parameter = "cursor" }
    groups.all = { at = "$.groups", key = "$.id", name = "$.name", type = { value = "Team" }, parent_key = "$.parent", no_parent = "top" }
"#;

const SECRETS: &str = r#"{
    "calven": {"auth": "basic", "apiKey": "k", "apiSecret": "s"},
    "api": {"token": "t"}
}"#;

/// Calven, two sources with an API each, a third that only says things, and the state.
pub(super) struct Scene {
    pub(super) calven: CalvenStandIn,
    people: HrisStandIn,
    payroll: HrisStandIn,
    store: Arc<MemoryStore>,
    pub(super) folder: TempDir,
    now: Arc<AtomicI64>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secrets.json"), SECRETS).unwrap();
        let (api_key, api_secret) = ("k".to_owned(), "s".to_owned());
        let key = Credentials::Basic {
            api_key,
            api_secret,
        };
        let scene = Self {
            calven: CalvenStandIn::start(key, || START).await.unwrap(),
            people: HrisStandIn::start().await.unwrap(),
            payroll: HrisStandIn::start().await.unwrap(),
            store: Arc::default(),
            folder,
            now: Arc::new(AtomicI64::new(START)),
        };
        for api in [&scene.people, &scene.payroll] {
            api.require("authorization", "Bearer t");
        }
        scene
    }

    /// One more process, which knows nothing but the state.
    fn bridge(&self) -> Bridge {
        self.bridge_on(Arc::clone(&self.store) as _, &["people", "payroll"], false)
    }

    pub(super) fn bridge_on(
        &self,
        store: Arc<dyn StateStore>,
        readable: &[&str],
        dry_run: bool,
    ) -> Bridge {
        let clock = {
            let now = Arc::clone(&self.now);
            Clock::new(move || Timestamp::from_seconds(now.load(Ordering::SeqCst)))
        };
        let home = SecretsHome::File(self.folder.path().join("secrets.json"));
        let secrets = Arc::new(Secrets::new(home, Duration::from_secs(300), clock.clone()));
        let http = http::Client::from(http::client().unwrap());
        let retry = RetryPolicy {
            first: Duration::from_millis(1),
            cap: Duration::from_millis(2),
            attempt: Duration::from_secs(20),
        };
        let calven = Calven::new(
            http.clone(),
            BaseUrl::parse(&self.calven.url()).unwrap(),
            Arc::clone(&secrets),
            "calven".to_owned(),
            clock.clone(),
        );
        let rereaders = readable.iter().map(|name| {
            let api = if *name == "people" {
                &self.people
            } else {
                &self.payroll
            };
            let rereader = Rereader::new(
                SourceName::new(name),
                http.clone(),
                BaseUrl::parse(&api.url()).unwrap(),
                Arc::clone(&secrets),
                "api".to_owned(),
                Snapshot::of_toml(SNAPSHOT),
                clock.clone(),
            );
            rereader.with_retry_policy(retry)
        });
        let names = ["people", "payroll", "acme"].map(SourceName::new);
        let policy = Policy {
            rules: Rules {
                priorities: names.into_iter().map(|name| (name, 0)).collect(),
                attach_roots: false,
            },
            guard: Guard {
                max_removed_percent: 100,
                max_removed_groups: 1_000,
                max_moved_percent: 100,
                max_moved_groups: 1_000,
            },
            seed_required: false,
            tombstone_age: Duration::from_secs(1_000_000),
            max_state_bytes: usize::MAX,
            dry_run,
        };
        let calven = calven.with_retry_policy(retry);
        let salt = Salt::new([7; 32]);
        Bridge::new(
            store,
            calven,
            None,
            rereaders.collect(),
            policy,
            clock,
            salt,
        )
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.now.load(Ordering::SeqCst))
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A thin event of now.
    fn event(&self, source: &str) -> ThinEvent {
        ThinEvent {
            source: SourceName::new(source),
            received: self.now(),
            event_id: None,
        }
    }

    async fn thin(&self, bridge: &Bridge, source: &str) -> Report {
        apply(bridge, &[], &[self.event(source)], 20_000).await
    }

    /// A webhook of a source that is not read.
    pub(super) async fn says(&self, bridge: &Bridge, name: &str) -> Report {
        apply(bridge, &[self.delivery(name)], &[], 20_000).await
    }

    pub(super) fn delivery(&self, name: &str) -> Delivery {
        let statement = Statement::Exists {
            group: GroupRef::Named(group(name, "Team").unwrap()),
            parent: Parent::Top,
        };
        Delivery {
            source: SourceName::new("acme"),
            event_id: None,
            received: self.now(),
            attempted: self.now(),
            statements: vec![Stated {
                at: None,
                statement,
            }],
        }
    }

    async fn state(&self) -> State {
        let loaded = self.store.load().await.unwrap();
        loaded.map_or_else(
            || State::new(Salt::new([7; 32])),
            |loaded| State::decode(&loaded.bytes).unwrap(),
        )
    }

    /// The sources that are due.
    async fn due(&self) -> Vec<String> {
        let state = self.state().await;
        state
            .due
            .iter()
            .map(|(source, _)| source.to_string())
            .collect()
    }

    pub(super) fn holds(&self) -> Vec<String> {
        let rows = self.calven.rows().unwrap_or_default();
        let mut names: Vec<String> = rows
            .into_iter()
            .map(|calven::Row { group, parent, .. }| match parent {
                Some(parent) => format!("{group} < {parent}"),
                None => group,
            })
            .collect();
        names.sort();
        names
    }
}

pub(super) async fn apply(
    bridge: &Bridge,
    deliveries: &[Delivery],
    rereads: &[ThinEvent],
    left_ms: u64,
) -> Report {
    let change = Change::Deliveries {
        deliveries,
        rereads,
        proven: &[],
        queued: false,
    };
    bridge
        .apply(&change, within(left_ms), &mut Tally::default())
        .await
        .unwrap()
}

async fn reconcile(bridge: &Bridge) -> Report {
    let change = Change::Reconcile { proven: &[] };
    bridge
        .apply(&change, within(20_000), &mut Tally::default())
        .await
        .unwrap()
}

pub(super) fn within(milliseconds: u64) -> Deadlines {
    Deadlines::before(Instant::now() + Duration::from_millis(milliseconds))
}

/// The API has these groups, `"b < a"` under another, on one page.
fn has(api: &HrisStandIn, groups: &[&str]) {
    page(api, "", groups, Value::Null);
}

fn page(api: &HrisStandIn, query: &str, groups: &[&str], next: Value) {
    let groups: Vec<Value> = groups
        .iter()
        .map(|group| match group.split_once(" < ") {
            Some((group, parent)) => json!({"id": group, "name": group, "parent": parent}),
            None => json!({"id": group, "name": group}),
        })
        .collect();
    let body = json!({"groups": groups, "next": next});
    api.answer(&format!("GET /groups{query}"), body.to_string());
}

fn reads(api: &HrisStandIn) -> usize {
    api.lines().len()
}

#[tokio::test]
async fn a_thin_event_reads_its_source_again_and_publishes() {
    let scene = Scene::new().await;
    has(&scene.people, &["a", "b < a"]);
    let bridge = scene.bridge();
    let report = scene.thin(&bridge, "people").await;
    assert_eq!((report.status, report.reason), (Status::Published, None));
    assert_eq!(report.source.as_deref(), Some("people"));
    assert_eq!((report.statements.applied, report.statements.stale), (2, 0));
    assert_eq!(scene.holds(), ["a", "b < a"]);
    assert_eq!((reads(&scene.people), reads(&scene.payroll)), (1, 0));
    let state = scene.state().await;
    assert_eq!(state.history[0].cause, "webhook people");
    // Read again, the same: nothing to send, and what is gone there is gone here.
    scene.pass(1);
    assert_eq!(
        scene.thin(&bridge, "people").await.status,
        Status::Unchanged
    );
    has(&scene.people, &["a"]);
    scene.pass(1);
    assert_eq!(
        scene.thin(&bridge, "people").await.status,
        Status::Published
    );
    assert_eq!(scene.holds(), ["a"]);
    assert_eq!(scene.due().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_held_of_a_re_read_is_told_to_the_sender() {
    let scene = Scene::new().await;
    has(&scene.people, &["a", "b < nobody"]);
    let report = scene.thin(&scene.bridge(), "people").await;
    assert_eq!(report.held.len(), 1, "{report:?}");
    assert!(matches!(report.held[0], HeldEntry::Statement(_)));
    // Another's re-read is none of its business.
    has(&scene.payroll, &["c < nobody"]);
    let mut state = scene.state().await;
    state.due.add(&SourceName::new("payroll"), scene.now());
    let loaded = scene.store.load().await.unwrap().unwrap();
    let swap = scene.store.swap(state.encode().unwrap(), Some(loaded.tag));
    assert!(matches!(swap.await, Ok(Swap::Won(_))));
    let report = scene.says(&scene.bridge(), "x").await;
    assert_eq!(
        (report.held.len(), report.statements.applied),
        (0, 1),
        "{report:?}"
    );
    assert_eq!(reads(&scene.payroll), 1);
}

#[tokio::test]
async fn an_event_that_a_saved_re_read_covers_is_unchanged_and_asks_nobody() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    let early = scene.event("people");
    scene.pass(6);
    let bridge = scene.bridge();
    scene.thin(&bridge, "people").await;
    let before = scene.state().await;
    let report = apply(&bridge, &[], std::slice::from_ref(&early), 20_000).await;
    assert_eq!((report.status, report.reason), (Status::Unchanged, None));
    assert_eq!(scene.state().await, before);
    assert_eq!(reads(&scene.people), 1);
    // At about the same moment, by another machine's clock, it may have come a little later.
    let mut same = scene.event("people");
    same.received = same.received.minus(Duration::from_secs(5));
    apply(&bridge, &[], &[same, early], 20_000).await;
    assert_eq!(reads(&scene.people), 2);
}

#[tokio::test]
async fn what_only_a_state_covers_that_was_replaced_by_an_older_one_is_read_again() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    let bridge = scene.bridge();
    scene.says(&bridge, "a").await;
    let older = scene.store.load().await.unwrap().unwrap().bytes;
    let early = scene.event("people");
    scene.pass(6);
    scene.thin(&bridge, "people").await;
    assert_eq!(reads(&scene.people), 1);
    // An operator restores the state, and the instance still has the newer one in memory.
    let newer = scene.store.load().await.unwrap().unwrap();
    let swap = scene.store.swap(older, Some(newer.tag)).await.unwrap();
    assert!(matches!(swap, Swap::Won(_)));
    apply(&bridge, &[], &[early], 20_000).await;
    assert_eq!(reads(&scene.people), 2);
}

#[tokio::test]
async fn events_that_come_during_a_re_read_share_the_next_one() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    scene.people.hold_back(1);
    let bridge = scene.bridge();
    let others = async {
        scene.people.arrived().await;
        // What changed since is in the next re-read alone.
        scene.pass(1);
        has(&scene.people, &["b"]);
        let let_through = async { scene.people.let_through() };
        let (second, third, ()) = tokio::join!(
            scene.thin(&bridge, "people"),
            scene.thin(&bridge, "people"),
            let_through
        );
        (second, third)
    };
    let (first, (second, third)) = tokio::join!(scene.thin(&bridge, "people"), others);
    for report in [first, second, third] {
        assert_ne!(report.status, Status::Accepted, "{report:?}");
    }
    assert_eq!(reads(&scene.people), 2);
    assert_eq!(scene.holds(), ["b"]);
    assert_eq!(scene.due().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_event_during_the_re_read_of_another_process_is_not_covered_by_it() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    scene.people.hold_back(1);
    let other = async {
        scene.people.arrived().await;
        // This one's own re-read fails, so that it is due.
        scene.people.fail_next(Fault::Status(400));
        let report = scene.thin(&scene.bridge(), "people").await;
        assert_eq!(report.status, Status::Accepted);
        scene.people.arrived().await;
        scene.people.let_through();
    };
    let bridge = scene.bridge();
    let (report, ()) = tokio::join!(scene.thin(&bridge, "people"), other);
    assert_eq!(report.status, Status::Published);
    assert_eq!(scene.due().await, ["people"]);
    // The same where something was due already, and was seen.
    scene.people.hold_back(1);
    let other = async {
        scene.people.arrived().await;
        scene.people.fail_next(Fault::Status(400));
        scene.thin(&scene.bridge(), "people").await;
        scene.people.let_through();
    };
    tokio::join!(scene.thin(&bridge, "people"), other);
    assert_eq!(scene.due().await, ["people"]);
    scene.says(&bridge, "x").await;
    assert_eq!(scene.due().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_failed_stays_due_and_the_next_webhook_of_any_source_does_it() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    scene.people.fail_next(Fault::Status(403));
    let bridge = scene.bridge();
    let report = scene.thin(&bridge, "people").await;
    let reason =
        "people could not be read again, its API refused; the next webhook or the schedule does it";
    assert_eq!(
        (report.status, report.reason.as_deref()),
        (Status::Accepted, Some(reason))
    );
    assert_eq!(scene.due().await, ["people"]);
    let since = scene.state().await.due.of(&SourceName::new("people"));
    assert_eq!(since.unwrap().since, scene.now());
    assert_eq!(scene.says(&bridge, "x").await.status, Status::Published);
    assert_eq!(scene.holds(), ["a", "x"]);
    assert_eq!(scene.due().await, Vec::<String>::new());
    assert_eq!(reads(&scene.people), 2);
}

#[tokio::test]
async fn a_source_that_keeps_failing_slows_down_no_other_s_webhooks() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    let bridge = scene.bridge();
    scene.people.fail_next(Fault::Status(403));
    scene.thin(&bridge, "people").await;
    scene.people.fail_next(Fault::Status(403));
    let report = scene.says(&bridge, "x").await;
    assert_eq!(report.status, Status::Published);
    let warning = "people: could not be read again, its API refused; what is known of it stands";
    assert_eq!(report.warnings, [warning]);
    // Twice is enough for now, and that it is not asked is no news.
    let report = scene.says(&bridge, "y").await;
    assert_eq!(
        (report.status, report.warnings.len()),
        (Status::Published, 0)
    );
    assert_eq!(reads(&scene.people), 2);
    // Its own event asks all the same.
    scene.people.fail_next(Fault::Status(403));
    let report = scene.thin(&bridge, "people").await;
    assert_eq!(report.status, Status::Accepted);
    assert_eq!(reads(&scene.people), 3);
    tokio::time::pause();
    tokio::time::advance(PAUSE_IS_OVER).await;
    tokio::time::resume();
    assert_eq!(scene.says(&bridge, "z").await.status, Status::Published);
    assert_eq!(scene.holds(), ["a", "x", "y", "z"]);
    assert_eq!(scene.due().await, Vec::<String>::new());
}

const PAUSE_IS_OVER: Duration = Duration::from_secs(31);

#[tokio::test]
async fn the_schedule_and_a_seed_do_what_is_due_without_a_pause() {
    for by_seed in [false, true] {
        let scene = Scene::new().await;
        has(&scene.people, &["a"]);
        has(&scene.payroll, &["b"]);
        scene.people.fail_next(Fault::Status(403));
        let bridge = scene.bridge();
        scene.thin(&bridge, "people").await;
        if by_seed {
            let rows = vec![Relationship {
                group: group("s", "Team").unwrap(),
                parent: None,
            }];
            let change = Change::Seed {
                rows: &SeedRows::new(rows).unwrap(),
                occurred_at: None,
                received: scene.now(),
            };
            bridge
                .apply(&change, within(20_000), &mut Tally::default())
                .await
                .unwrap();
            assert_eq!(scene.holds(), ["a", "s"]);
        } else {
            assert_eq!(reconcile(&bridge).await.status, Status::Published);
            assert_eq!(scene.holds(), ["a", "b"], "a reconcile reads every source");
        }
        assert_eq!(scene.due().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn who_looks_approves_or_goes_back_reads_nothing() {
    let scene = Scene::new().await;
    scene.people.fail_next(Fault::Status(403));
    scene.thin(&scene.bridge(), "people").await;
    let bridge = scene.bridge();
    bridge.foresee(within(20_000), |_| ()).await.unwrap();
    let digest = crate::hierarchy::Digest::from_text("x");
    for change in [Change::Approve(digest), Change::Rollback(1)] {
        bridge
            .apply(&change, within(20_000), &mut Tally::default())
            .await
            .unwrap_err();
    }
    assert_eq!(reads(&scene.people), 1);
    assert_eq!(scene.due().await, ["people"]);
}

#[tokio::test]
async fn a_reconcile_puts_though_a_source_fails_and_says_which() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    has(&scene.payroll, &["b"]);
    let bridge = scene.bridge();
    reconcile(&bridge).await;
    scene.people.fail_next(Fault::Garbage("<html>".to_owned()));
    has(&scene.payroll, &["c"]);
    scene.pass(1);
    let report = reconcile(&bridge).await;
    assert_eq!(report.status, Status::Published);
    let warning = "people: could not be read again, its API's answer cannot be used; what is known of it stands";
    assert_eq!(report.warnings, [warning]);
    assert_eq!(scene.holds(), ["a", "c"]);
    assert_eq!(
        scene.due().await,
        Vec::<String>::new(),
        "the schedule comes again"
    );
}

#[tokio::test]
async fn what_was_not_read_to_its_end_removes_nothing_and_stays_due() {
    let scene = Scene::new().await;
    has(&scene.people, &["a", "b"]);
    scene.thin(&scene.bridge(), "people").await;
    scene.pass(1);
    page(&scene.people, "", &["c"], json!("1"));
    page(&scene.people, "?cursor=1", &["d"], json!("1"));
    let report = scene.thin(&scene.bridge(), "people").await;
    assert_eq!(report.status, Status::Accepted, "though there was a PUT");
    assert_eq!(
        report.warnings,
        ["people: the re-read is not complete: a page came again"]
    );
    assert_eq!(scene.holds(), ["a", "b", "c", "d"]);
    assert_eq!(scene.due().await, ["people"]);
    // Where the second page fails nothing of the first counts.
    page(&scene.people, "", &["e"], json!("2"));
    let report = scene.thin(&scene.bridge(), "people").await;
    assert_eq!(report.status, Status::Accepted);
    assert_eq!(scene.holds(), ["a", "b", "c", "d"]);
    scene.pass(1);
    has(&scene.people, &["a"]);
    scene.says(&scene.bridge(), "x").await;
    assert_eq!(scene.holds(), ["a", "x"]);
}

#[tokio::test]
async fn a_record_with_a_fault_removes_nothing_and_is_not_asked_for_again() {
    let scene = Scene::new().await;
    has(&scene.people, &["a", "b"]);
    let bridge = scene.bridge();
    scene.thin(&bridge, "people").await;
    scene.pass(1);
    let body = json!({"groups": [{"id": "a", "name": "a"}, {"id": "b", "name": {}}], "next": null});
    scene.people.answer("GET /groups", body.to_string());
    let report = scene.thin(&bridge, "people").await;
    assert_eq!(report.status, Status::Unchanged);
    assert_eq!(report.warnings.len(), 1, "{report:?}");
    assert_eq!(scene.holds(), ["a", "b"]);
    assert_eq!(scene.due().await, Vec::<String>::new());
}

#[tokio::test]
async fn sources_are_read_at_the_same_time() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    has(&scene.payroll, &["b"]);
    scene.people.hold_back(1);
    scene.payroll.hold_back(1);
    let bridge = scene.bridge();
    let both = async {
        tokio::join!(scene.people.arrived(), scene.payroll.arrived());
        scene.people.let_through();
        scene.payroll.let_through();
    };
    let (report, ()) = tokio::join!(reconcile(&bridge), both);
    assert_eq!(report.statements.applied, 2);
    assert_eq!(scene.holds(), ["a", "b"]);
}

#[tokio::test]
async fn a_batch_reads_each_source_once() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    has(&scene.payroll, &["b"]);
    let events = ["people", "payroll", "people"].map(|source| scene.event(source));
    let change = Change::Deliveries {
        deliveries: &[scene.delivery("x")],
        rereads: &events,
        proven: &[],
        queued: true,
    };
    let report = scene
        .bridge()
        .apply(&change, within(20_000), &mut Tally::default())
        .await
        .unwrap();
    assert_eq!((report.status, report.source), (Status::Published, None));
    assert_eq!((reads(&scene.people), reads(&scene.payroll)), (1, 1));
    assert_eq!((scene.holds().len(), scene.calven.puts().len()), (3, 1));
}

#[tokio::test]
async fn a_source_that_hangs_takes_half_of_the_time_and_the_rest_is_published() {
    let scene = Scene::new().await;
    scene.people.hold_back(1);
    let (said, event) = ([scene.delivery("x")], [scene.event("people")]);
    let report = apply(&scene.bridge(), &said, &event, 2_000).await;
    assert_eq!(report.status, Status::Accepted);
    assert!(report.reason.unwrap().contains("did not answer in time"));
    assert_eq!(scene.holds(), ["x"], "though it waits for the other part");
    assert_eq!(scene.due().await, ["people"]);
}

#[tokio::test]
async fn while_calven_is_down_too_both_reasons_are_told() {
    let scene = Scene::new().await;
    scene.people.fail_next(Fault::Status(403));
    scene.calven.go_down().await;
    let (said, event) = ([scene.delivery("x")], [scene.event("people")]);
    let report = apply(&scene.bridge(), &said, &event, 1_000).await;
    let reason = report.reason.unwrap();
    assert!(
        reason.contains("Calven") && reason.contains("people"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_is_due_of_a_source_that_cannot_be_read_is_kept_and_reported() {
    let scene = Scene::new().await;
    has(&scene.payroll, &["b"]);
    let only_payroll = scene.bridge_on(Arc::clone(&scene.store) as _, &["payroll"], false);
    let report = scene.thin(&only_payroll, "people").await;
    assert_eq!(report.status, Status::Accepted);
    let report = scene.says(&only_payroll, "x").await;
    assert_eq!(report.warnings, Vec::<String>::new());
    let report = reconcile(&only_payroll).await;
    let [warning] = report.warnings.as_slice() else {
        panic!("{:?}", report.warnings);
    };
    assert!(
        warning.starts_with("people: is to be read again since 2026-"),
        "{warning}"
    );
    assert_eq!(scene.due().await, ["people"]);
}

/// A home that loads what another has, and saves nothing.
#[derive(Debug)]
struct Killed(Arc<MemoryStore>);

impl StateStore for Killed {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.0.load()
    }

    fn swap(&self, _: Vec<u8>, _: Option<Tag>) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(async {
            Err(StoreError::Unusable {
                home: "test".to_owned(),
                reason: "killed".to_owned(),
            })
        })
    }
}

#[tokio::test]
async fn what_was_due_is_due_still_where_who_did_it_is_killed_before_the_save() {
    let scene = Scene::new().await;
    has(&scene.people, &["a"]);
    scene.people.fail_next(Fault::Status(403));
    scene.thin(&scene.bridge(), "people").await;
    let before = scene.state().await;
    let killed = Arc::new(Killed(Arc::clone(&scene.store)));
    let killed = scene.bridge_on(killed, &["people"], false);
    let change = Change::Reconcile { proven: &[] };
    killed
        .apply(&change, within(20_000), &mut Tally::default())
        .await
        .unwrap_err();
    assert_eq!(
        (scene.state().await, reads(&scene.people)),
        (before.clone(), 2)
    );
    // Or in the middle of it.
    scene.people.hold_back(1);
    let bridge = scene.bridge();
    tokio::select! {
        _ = scene.thin(&bridge, "people") => panic!("it is held back"),
        () = async { for _ in 0..3 { scene.people.arrived().await } } => {}
    }
    assert_eq!(scene.state().await, before);
    // Who dies holding a lock leaves it to the next one.
    scene.people.let_through();
    assert_eq!(
        scene.thin(&bridge, "people").await.status,
        Status::Published
    );
    assert_eq!(scene.due().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dry_run_notes_nothing_as_due() {
    let scene = Scene::new().await;
    scene.people.fail_next(Fault::Status(403));
    let dry = scene.bridge_on(Arc::clone(&scene.store) as _, &["people"], true);
    let report = scene.thin(&dry, "people").await;
    assert_eq!((report.status, report.reason), (Status::Planned, None));
    assert_eq!(scene.due().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_handshake_is_kept_until_it_is_fetched_once() {
    let scene = Scene::new().await;
    let gusto = SourceName::new("gusto");
    let token = |text: &str, seconds| {
        HandshakeToken::new(text, Timestamp::from_seconds(START + seconds)).unwrap()
    };
    let bridge = scene.bridge();
    let keep = async |token: &HandshakeToken| {
        let kept = bridge.keep_handshake(&gusto, token, within(20_000));
        kept.await.unwrap();
    };
    keep(&token("new", 1)).await;
    keep(&token("old", 0)).await;
    let dry = scene.bridge_on(Arc::clone(&scene.store) as _, &[], true);
    for bridge in [&dry, &bridge] {
        let taken = bridge.take_handshake(&gusto, within(20_000)).await.unwrap();
        assert_eq!(taken.unwrap().expose(), "new");
    }
    let taken = bridge.take_handshake(&gusto, within(20_000)).await.unwrap();
    assert_eq!(taken, None);
    // Of many who fetch it at once one gets it.
    keep(&token("again", 2)).await;
    let others = [scene.bridge(), scene.bridge(), scene.bridge()];
    let taken = futures_util::future::join_all(
        others
            .iter()
            .map(|other| other.take_handshake(&gusto, within(20_000))),
    );
    let taken = taken.await.into_iter().filter_map(Result::unwrap).count();
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn a_source_that_proves_itself_needs_no_handshake_any_more() {
    let scene = Scene::new().await;
    let proven = [SourceName::new("gusto")];
    let bridge = scene.bridge();
    let by_webhook = Change::Deliveries {
        deliveries: &[],
        rereads: &[],
        proven: &proven,
        queued: false,
    };
    for change in [by_webhook, Change::Reconcile { proven: &proven }] {
        for name in ["gusto", "other"] {
            let token = HandshakeToken::new("t", scene.now()).unwrap();
            let name = SourceName::new(name);
            let kept = bridge.keep_handshake(&name, &token, within(20_000));
            kept.await.unwrap();
        }
        bridge
            .apply(&change, within(20_000), &mut Tally::default())
            .await
            .unwrap();
        let state = scene.state().await;
        assert_eq!(
            state.handshakes.keys().collect::<Vec<_>>(),
            [&SourceName::new("other")]
        );
    }
}

#[tokio::test]
async fn news_of_a_sources_own_api_needs_no_room_and_what_is_known_does_not_fail_with_it() {
    let scene = Scene::new().await;
    let mut bridge = scene.bridge();
    scene.says(&bridge, "x").await;
    bridge.policy.max_state_bytes = 10;
    has(&scene.people, &["a"]);
    scene.pass(1);
    let (known, event) = (scene.delivery("x"), scene.event("people"));
    let known = Delivery {
        received: known.received.minus(Duration::from_secs(1)),
        attempted: known.attempted.minus(Duration::from_secs(1)),
        ..known
    };
    let report = apply(&bridge, &[known], std::slice::from_ref(&event), 20_000).await;
    assert_eq!(report.status, Status::Published);
    assert_eq!(scene.holds(), ["a", "x"]);
    let new = [scene.delivery("y")];
    let change = Change::Deliveries {
        deliveries: &new,
        rereads: &[],
        proven: &[],
        queued: true,
    };
    let mut tally = Tally::default();
    let refused = bridge.apply(&change, within(20_000), &mut tally).await;
    assert!(matches!(refused, Err(BridgeError::Full(Full { new, .. })) if new == [0]));
}
