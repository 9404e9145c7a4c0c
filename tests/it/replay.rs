//! What was captured and is sent again changes nothing, no source speaks for another, and nothing is decided twice.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use calven_bridge::{
    sources::{config::Sources, presets},
    store::{BoxFuture, Loaded, MemoryStore, StateStore, StoreError, Swap, Tag},
};
use serde_json::{Value, json};

use crate::{
    harness::{Request, Setup, World, hmac_hex, read, remove, upsert},
    logs,
    queue::record_of,
    senders::{KEY, proven, secret_of},
};

/// What somebody does who sends a captured delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// Nothing: it is as of the time that it carries or signs.
    Nothing,
    /// Nothing, but for those that only ask: then the source is read again.
    NothingOrQuestion,
    /// The source is read again.
    Question,
    /// It is said anew, as of now.
    Anew,
    /// What the keys make of it that its user writes.
    Yours,
}

impl Again {
    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::NothingOrQuestion => "nothing; where it only asks, a re-read",
            Self::Question => "a re-read",
            Self::Anew => "**it is said anew**, as of now",
            Self::Yours => "what your keys make of it: `time` makes it nothing",
        }
    }
}

fn keys(preset: &str) -> toml::Table {
    read(&format!("src/sources/presets/{preset}.toml"))
        .parse()
        .unwrap()
}

/// How long a signature of a preset's sender is good, in seconds.
fn tolerance(preset: &str) -> Option<i64> {
    let keys = keys(preset);
    let signature = keys.get("signature")?;
    signature.get("timestamp_header")?;
    Some(signature["tolerance_seconds"].as_integer().unwrap())
}

fn again(preset: &str) -> Again {
    let keys = keys(preset);
    let tables = |key| {
        keys.get(key)
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
    };
    let mut rules: Vec<bool> = tables("groups")
        .chain(tables("persons"))
        .map(|(_, rule)| rule.get("time").is_some())
        .collect();
    if keys.get("contract").is_some() {
        // Its `occurredAt` may be left out.
        rules.push(false);
    }
    let meanings = tables("events").filter(|(key, _)| *key == "meaning");
    let mut meanings = meanings.flat_map(|(_, meanings)| meanings.as_table().unwrap().values());
    let asks = meanings.any(|meaning| meaning.as_str() == Some("reread"));
    let is_timed = tolerance(preset).is_some() || rules.iter().all(|has_time| *has_time);
    match (rules.is_empty(), is_timed, asks) {
        (true, _, true) => Again::Question,
        (true, _, false) => Again::Yours,
        (false, true, true) => Again::NothingOrQuestion,
        (false, true, false) => Again::Nothing,
        (false, false, _) => Again::Anew,
    }
}

/// Whether nothing that a preset's sender says is said anew by who sends it again.
pub(crate) fn is_harmless(preset: &str) -> bool {
    matches!(again(preset), Again::Nothing | Again::NothingOrQuestion)
}

#[test]
fn the_docs_tell_of_every_preset_what_a_replay_does() {
    let rows = presets::names().map(|preset| {
        let time = match tolerance(preset) {
            Some(seconds) => format!("yes, {seconds} s"),
            None => "no".to_owned(),
        };
        format!("| `{preset}` | {time} | {} |\n", again(preset).words())
    });
    let head = "| preset | signs a time, and how long it is good | who sends it again does |\n|---|---|---|\n";
    let table = head.to_owned() + &rows.collect::<String>();
    assert!(
        read("docs/security.md").contains(&table),
        "docs/security.md lacks:\n{table}"
    );
}

/// A world with one source, named like its preset.
async fn with(preset: &str) -> World {
    let sources =
        format!("[sources.{preset}]\npreset = \"{preset}\"\nsecret_id = \"own/{preset}\"\n");
    let setup = Setup::default().unseeded().sources(&sources);
    let setup = setup.secret(&format!("own/{preset}"), secret_of(preset, KEY));
    setup.start().await
}

fn body_of(preset: &str) -> Value {
    let file = match preset {
        "generic" => "generic-changes.json",
        "bamboohr" => "bamboohr-employee_with_fields.updated.json",
        "finch" => "finch-company.updated.json",
        "remote" => "remote-employment_company_structure_node.updated.json",
        preset => panic!("{preset} signs a time: which body is one of its sender's?"),
    };
    serde_json::from_str(&read(&format!("tests/fixtures/payloads/{file}"))).unwrap()
}

#[tokio::test]
async fn what_signs_its_time_changes_nothing_when_sent_again_and_is_refused_outside_of_its_tolerance()
 {
    let mut tried = 0;
    for preset in presets::names() {
        let Some(seconds) = tolerance(preset) else {
            continue;
        };
        tried += 1;
        let tolerance = Duration::from_secs(seconds.unsigned_abs());
        let mut world = with(preset).await;
        let sent = Request::post(preset, body_of(preset).to_string());
        let captured = proven(preset, KEY, world.now(), sent);
        let signed_at = world.now();
        let first = world.send(&captured).await;
        assert!(
            [200, 202].contains(&first.status),
            "{preset}: {}",
            first.body
        );
        let before = (world.holds(), world.puts());
        for passed in [Duration::ZERO, Duration::from_secs(1), tolerance] {
            world.travel(signed_at.plus(passed));
            for _ in 0..2 {
                let again = world.send(&captured).await;
                assert!(
                    [200, 202].contains(&again.status),
                    "{preset}: {}",
                    again.body
                );
                assert_eq!((world.holds(), world.puts()), before, "{preset}");
                world.restart();
            }
        }
        let before = world.everything().await;
        let ahead = Duration::from_secs(301);
        for now in [
            signed_at.plus(tolerance + Duration::from_secs(1)),
            signed_at.plus(Duration::from_secs(86_400 * 365)),
            signed_at.minus(ahead),
        ] {
            world.travel(now);
            assert_eq!(world.send(&captured).await.status, 401, "{preset}");
            assert_eq!(world.everything().await, before, "{preset}");
        }
    }
    assert_eq!(tried, 4, "these presets sign a time");
}

#[tokio::test]
async fn what_was_undone_since_stays_undone_when_its_delivery_is_sent_again() {
    let mut world = Setup::default().unseeded().start().await;
    let sets_up = world.signed(
        "acme",
        &json!({"id": "evt_1", "changes": [upsert("A [T]")]}),
    );
    let queued = record_of(&sets_up.queued("acme", world.now()));
    assert_eq!(world.send(&sets_up).await.word(), (200, "published"));
    world.pass(Duration::from_secs(60));
    let removal = json!({"id": "evt_2", "changes": [remove("A [T]"), upsert("B [T]")]});
    assert_eq!(
        world.webhook("acme", &removal).await.word(),
        (200, "published")
    );
    world.pass(Duration::from_secs(60));
    let before = world.everything().await;
    for _ in 0..2 {
        let again = world.send(&sets_up).await;
        assert_eq!(again.word(), (200, "unchanged"), "{}", again.body);
        assert_eq!(again.body["statements"], json!({"applied": 0, "stale": 1}));
        let batch = json!({"Records": [queued, queued]});
        let answered = world.action(batch).await;
        assert_eq!(answered, json!({"batchItemFailures": []}));
        assert_eq!(world.everything().await, before);
        world.restart();
    }
}

/// Signs a time and no id, and gives neither an id nor a time of its own: nothing that has been seen is known again.
const TIMED_ALONE: &str = r#"
[sources.own]
secret_id = "own/timed"
proof = "signature"

[sources.own.signature]
header = "X-Signature"
hash = "sha256"
encoding = "hex"
signed = "{timestamp}.{body}"
key = "utf-8"
timestamp_header = "X-Time"
timestamp_unit = "s"
tolerance_seconds = 300

[sources.own.groups.team]
at = "$.teams[*]"
name = "$.name"
type = { value = "Team" }
no_parent = "top"
removed = [{ at = "$.gone" }]
"#;

#[tokio::test]
async fn a_signed_time_is_enough_where_nothing_tells_that_a_delivery_was_seen() {
    let mut world = Setup::default()
        .unseeded()
        .sources(TIMED_ALONE)
        .secret("own/timed", json!({"signingSecret": KEY}))
        .start()
        .await;
    let signed = |world: &World, body: &str| {
        let seconds = world.now().seconds();
        Request::post("own", body)
            .with("X-Time", &seconds.to_string())
            .with("X-Signature", &hmac_hex(KEY, &format!("{seconds}.{body}")))
    };
    let captured = signed(
        &world,
        r#"{"teams": [{"name": "Here"}, {"name": "There", "gone": true}]}"#,
    );
    assert_eq!(world.send(&captured).await.status, 200);
    world.pass(Duration::from_secs(1));
    let newer = signed(
        &world,
        r#"{"teams": [{"name": "Here", "gone": true}, {"name": "There"}]}"#,
    );
    assert_eq!(world.send(&newer).await.status, 200);
    world.pass(Duration::from_secs(200));
    for delivery in [&captured, &newer, &captured] {
        assert_eq!(world.send(delivery).await.word(), (200, "unchanged"));
        world.assert_holds(&["There [Team]"]);
        world.restart();
    }
    // The time is part of what is signed.
    let later = world.now().seconds().to_string();
    assert_eq!(
        world.send(&captured.with("X-Time", &later)).await.status,
        401
    );
}

#[tokio::test]
async fn what_is_signed_for_one_source_is_refused_at_another() {
    let world = World::seeded(&["A [T]"]).await;
    let captured = world.signed(
        "acme",
        &json!({"id": "evt_1", "changes": [remove("A [T]")]}),
    );
    let before = world.everything().await;
    let elsewhere = Request {
        path: "/webhooks/workday".to_owned(),
        ..captured.clone()
    };
    assert_eq!(world.send(&elsewhere).await.status, 401);
    assert_eq!(world.everything().await, before);
    assert_eq!(world.send(&captured).await.status, 200);
}

#[test]
fn two_sources_that_share_a_secret_are_told() {
    let file = |second: &str| {
        let source =
            |name, id| format!("[sources.{name}]\npreset = \"generic\"\nsecret_id = \"{id}\"\n");
        Sources::parse(&(source("acme", "hris/acme") + &source("workday", second))).unwrap()
    };
    assert_eq!(file("hris/workday").sharing_a_secret(), []);
    let sources = file("hris/acme");
    let sharing = sources.sharing_a_secret();
    let names: Vec<_> = sharing
        .iter()
        .map(|(name, other)| (name.as_str(), other.as_str()))
        .collect();
    assert_eq!(names, [("workday", "acme")]);
}

#[tokio::test]
async fn what_one_source_claims_another_does_not_remove() {
    let world = World::seeded(&["Top [T]"]).await;
    world.says(1, upsert("A [T] < Top [T]")).await;
    let held = world.holds();
    let removal = json!({"id": "evt_1", "changes": [remove("A [T]"), remove("Top [T]")]});
    let snapshot = json!({"id": "evt_2", "groupRelationships": []});
    for body in [removal, snapshot] {
        world.pass(Duration::from_secs(60));
        assert_eq!(world.webhook("workday", &body).await.status, 200);
        assert!(world.holds().contains(&"A [T] < Top [T]".to_owned()));
    }
    assert_eq!(world.holds(), held);
}

/// A world in which the removal of ten groups waits for approval.
async fn with_a_pending_removal() -> (World, Value) {
    let rows: Vec<String> = (0..12).map(|n| format!("Team {n} [T]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let world = Setup::default().start().await.seed(&rows).await;
    let gone: Vec<Value> = rows.iter().take(10).map(|row| remove(row)).collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_1", "changes": gone}))
        .await;
    assert_eq!(answer.held(), ["guard"], "{}", answer.body);
    let plan = world.action(json!({"action": "plan"})).await;
    let approval = json!({"action": "approve", "digest": plan["digest"]});
    (world, approval)
}

#[tokio::test]
async fn many_approvals_at_once_publish_the_one_plan_and_none_is_good_afterwards() {
    let (world, approval) = with_a_pending_removal().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (function, event, context) = (world.another(), approval.clone(), world.context());
        running.spawn(async move { function.handle(event, context).await });
    }
    let mut published = 0;
    while let Some(answered) = running.join_next().await {
        match answered.unwrap() {
            Ok(report) if report["status"] == "published" => published += 1,
            Ok(report) => panic!("{report}"),
            Err(failure) => assert_eq!(failure.error_type(), "Refused", "{failure}"),
        }
    }
    // Who has sent the plan before another's was saved has published it as well, and it is one change.
    assert!(published > 0);
    let history = world.action(json!({"action": "history"})).await;
    let entries = history["history"].as_array().unwrap();
    let removals = entries
        .iter()
        .filter(|entry| entry["counts"]["removed"] != 0);
    assert_eq!(removals.count(), 1, "{history}");
    world.assert_holds(&["Team 10 [T]", "Team 11 [T]"]);
    let before = world.everything().await;
    assert_eq!(world.refused(approval.clone()).await.0, "Refused");
    assert_eq!(world.everything().await, before);

    // Nor is it good for another plan.
    let back: Vec<Value> = (0..10).map(|n| upsert(&format!("Team {n} [T]"))).collect();
    world.pass(Duration::from_secs(60));
    world
        .webhook("acme", &json!({"id": "evt_2", "changes": back}))
        .await;
    world.pass(Duration::from_secs(60));
    let others: Vec<Value> = (1..12).map(|n| remove(&format!("Team {n} [T]"))).collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_3", "changes": others}))
        .await;
    assert_eq!(answer.held(), ["guard"], "{}", answer.body);
    let before = world.everything().await;
    assert_eq!(world.refused(approval).await.0, "Refused");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn while_a_rollback_waits_for_approval_nothing_that_is_sent_again_is_published() {
    let world = World::seeded(&["A [T]"]).await;
    let captured = world.signed(
        "acme",
        &json!({"id": "evt_1", "changes": [upsert("B [T]")]}),
    );
    assert_eq!(world.send(&captured).await.word(), (200, "published"));
    world
        .action(json!({"action": "rollback", "version": 1}))
        .await;
    world.assert_holds(&["A [T]"]);
    let state = world.state().await.unwrap();
    assert_eq!(
        state["version"], 3,
        "what is old is published under a new number"
    );
    let again = world.send(&captured).await;
    assert_eq!(again.status, 202, "{}", again.body);
    world.action(json!({"action": "reconcile"})).await;
    world.assert_holds(&["A [T]"]);
}

/// Every version that was told as older, and what it was older than.
fn told_as_older(lines: &[Value]) -> Vec<(u64, u64)> {
    let fields = lines.iter().map(|line| &line["fields"]);
    let told =
        fields.filter(|fields| fields["message"] == "the state is older than the one before it");
    let version = |fields: &Value, name| fields[name].as_u64().unwrap();
    told.map(|fields| (version(fields, "version"), version(fields, "newer_version")))
        .collect()
}

#[tokio::test]
async fn an_older_state_that_somebody_puts_back_is_told_by_who_has_seen_the_newer() {
    let world = Arc::new(World::seeded(&["A [T]"]).await);
    let older = world.store.load().await.unwrap().unwrap().bytes;
    let captured = world.signed(
        "acme",
        &json!({"id": "evt_1", "changes": [upsert("B [T]")]}),
    );
    world.send(&captured).await;
    let newer = world.store.load().await.unwrap().unwrap();
    let put_back = world.store.swap(older, Some(newer.tag)).await;
    assert!(matches!(put_back, Ok(Swap::Won(_))));
    let (plan, lines) = logs::of(world.action(json!({"action": "plan"}))).await;
    assert_eq!(told_as_older(&lines), [(1, 2)]);
    // It bears its own number, and not that of what it replaced.
    assert_eq!(plan["hierarchy"]["version"], 1);
    assert_eq!(world.state().await.unwrap()["version"], 1);
    // What was said since then is known again once it is said again: a sender that was told to, or the source that is read.
    assert_eq!(world.send(&captured).await.word(), (200, "published"));
    world.assert_holds(&["A [T]", "B [T]"]);
}

/// What happens at the next swap, just before it.
#[derive(Debug)]
enum Meddling {
    /// Somebody puts this in place of what is there.
    Puts(Vec<u8>),
    /// The store fails, for good.
    Fails,
}

/// A home whose next swap is meddled with.
#[derive(Debug, Default)]
struct Meddled {
    inner: MemoryStore,
    next: Mutex<Option<Meddling>>,
}

impl Meddled {
    fn at_the_next_swap(&self, meddling: Meddling) {
        *self.next.lock().unwrap() = Some(meddling);
    }
}

impl StateStore for Meddled {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.inner.load()
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        let meddling = self.next.lock().unwrap().take();
        Box::pin(async move {
            match meddling {
                None => {}
                Some(Meddling::Puts(other)) => put(&self.inner, other).await,
                Some(Meddling::Fails) => {
                    return Err(StoreError::Unusable {
                        home: "test".to_owned(),
                        reason: "as told".to_owned(),
                    });
                }
            }
            self.inner.swap(bytes, expected).await
        })
    }
}

/// Puts a document in place of what is stored, as who may write to the bucket can.
async fn put(store: &dyn StateStore, bytes: Vec<u8>) {
    let there = store.load().await.unwrap().unwrap();
    let swap = store.swap(bytes, Some(there.tag)).await;
    assert!(matches!(swap, Ok(Swap::Won(_))));
}

/// A world of two versions in such a home, and the document of the first.
async fn meddled_with() -> (World, Arc<Meddled>, Vec<u8>) {
    let home = Arc::new(Meddled::default());
    let setup = Setup::default().store(Arc::clone(&home) as _);
    let world = setup.start().await.seed(&["A [T]"]).await;
    let older = home.load().await.unwrap().unwrap().bytes;
    let answer = world.says(1, upsert("B [T]")).await;
    assert_eq!(answer.word(), (200, "published"));
    (world, home, older)
}

#[tokio::test]
async fn an_older_state_that_is_put_back_while_a_newer_is_published_is_told() {
    let (world, home, older) = meddled_with().await;
    home.at_the_next_swap(Meddling::Puts(older));
    let (answer, lines) = logs::of(world.says(2, upsert("C [T]"))).await;
    assert_eq!(answer.word(), (200, "published"));
    // What was never saved is no version that was known.
    assert_eq!(told_as_older(&lines), [(1, 2)]);
    world.assert_holds(&["A [T]", "C [T]"]);
    // It is told once: from then on it is what everybody goes on from.
    let (answer, lines) = logs::of(world.says(3, upsert("D [T]"))).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(told_as_older(&lines), []);

    // What another instance has saved meanwhile is newer, and nothing to tell.
    let before = home.load().await.unwrap().unwrap().bytes;
    world.says(4, upsert("E [T]")).await;
    let newer = home.load().await.unwrap().unwrap().bytes;
    put(&*home, before).await;
    let (_, lines) = logs::of(world.says(5, upsert("F [T]"))).await;
    assert_eq!(told_as_older(&lines), [(3, 4)]);
    home.at_the_next_swap(Meddling::Puts(newer));
    let (answer, lines) = logs::of(world.says(6, upsert("G [T]"))).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(told_as_older(&lines), []);
}

#[tokio::test]
async fn an_older_state_that_is_put_back_after_a_failure_is_told() {
    for is_damaged in [false, true] {
        let (world, home, older) = meddled_with().await;
        if is_damaged {
            put(&*home, older[..older.len() / 2].to_vec()).await;
        } else {
            home.at_the_next_swap(Meddling::Fails);
        }
        let (answer, lines) = logs::of(world.says(2, upsert("C [T]"))).await;
        assert_eq!(answer.status / 100, 5, "{}", answer.body);
        assert_eq!(told_as_older(&lines), []);
        put(&*home, older).await;
        let (answer, lines) = logs::of(world.says(3, upsert("D [T]"))).await;
        assert_eq!(answer.word(), (200, "published"));
        assert_eq!(told_as_older(&lines), [(1, 2)], "damaged: {is_damaged}");
        world.assert_holds(&["A [T]", "D [T]"]);
    }
}

#[tokio::test]
async fn who_puts_a_message_into_the_queue_speaks_for_a_configured_source_and_for_nobody_else() {
    let world = World::seeded(&["A [T]"]).await;
    let before = world.everything().await;
    let said = json!({"id": "evt_1", "changes": [upsert("B [T]")]}).to_string();
    for source in ["manual", "capillary", "nobody", "", "../acme"] {
        let message = Request::post("acme", &said).queued(source, world.now());
        let record = record_of(&message);
        let answered = world.action(json!({"Records": [record]})).await;
        let failed = json!([{"itemIdentifier": record["messageId"]}]);
        assert_eq!(answered["batchItemFailures"], failed, "{source}");
    }
    assert_eq!(world.everything().await, before);
    // An action in a message is none.
    let action = record_of(&json!({"action": "seed", "groupRelationships": []}).to_string());
    let answered = world.action(json!({"Records": [action]})).await;
    assert_eq!(answered["batchItemFailures"].as_array().unwrap().len(), 1);
    // IAM alone keeps others from this.
    let message = Request::post("acme", &said).queued("acme", world.now());
    world
        .action(json!({"Records": [record_of(&message)]}))
        .await;
    world.assert_holds(&["A [T]", "B [T]"]);
}
