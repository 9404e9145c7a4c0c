//! With a queue: what is acknowledged lies in it, and what comes of it is what would have come of it at once.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use calven_bridge::{
    state::State,
    store::{BoxFuture, Loaded, MemoryStore, StateStore, StoreError, Swap, Tag},
};
use serde_json::{Value, json};
use stand_ins::{
    fault::Fault,
    hris::HrisStandIn,
    sqs::{self, Sqs},
};

use crate::harness::{Request, Setup, World, remove, secrets, time, upsert};

const TOP: &str = "Top [Division]";

/// With this queue, and little patience for it.
pub(crate) fn with(sqs: &Sqs) -> Setup {
    Setup::default()
        .variable("QUEUE_URL", &sqs.queue_url())
        .variable("AWS_REGION", sqs::REGION)
        .variable("AWS_ACCESS_KEY_ID", sqs::ACCESS_KEY_ID)
        .variable("AWS_SECRET_ACCESS_KEY", sqs::SECRET_ACCESS_KEY)
        .variable("PUBLISH_BUDGET_SECONDS", "2")
}

async fn queued() -> (Sqs, World) {
    let sqs = Sqs::start().await.unwrap();
    let world = with(&sqs).start().await.seed(&[TOP]).await;
    (sqs, world)
}

/// Invokes the function with batches of up to so many until nothing waits; how many there were.
async fn drain(sqs: &Sqs, world: &World, most: usize) -> usize {
    let mut batches = 0;
    while let Some(batch) = sqs.deliver(most) {
        sqs.answered(world.invoke(batch).await.ok().as_ref());
        batches += 1;
    }
    batches
}

fn body(number: usize, change: Value) -> Value {
    json!({"id": format!("evt_{number}"), "changes": [change]})
}

fn team(number: usize) -> Value {
    upsert(&format!("Team {number} [Team] < Top [Division]"))
}

#[tokio::test]
async fn a_webhook_is_acknowledged_in_the_queue_and_published_from_it() {
    let (sqs, world) = queued().await;
    let before = world.everything().await;
    let answer = world.webhook("acme", &body(1, upsert("A [T]"))).await;
    assert_eq!(answer.status, 202);
    let expected = json!({
        "status": "accepted", "reason": "it is queued, and published with the next batch",
        "source": "acme", "eventId": "evt_1", "statements": {"applied": 0, "stale": 0},
        "hierarchy": {"version": 0, "groups": 0, "added": 0, "moved": 0, "renamed": 0, "removed": 0},
        "held": [], "conflicts": [], "warnings": [],
    });
    assert_eq!(answer.body, expected);
    assert_eq!(world.everything().await, before);
    assert_eq!(drain(&sqs, &world, 100).await, 1);
    world.assert_holds(&[TOP, "A [T]"]);
    assert_eq!((sqs.messages().len(), sqs.dead().len()), (0, 0));
}

#[tokio::test]
async fn a_message_holds_what_the_mapping_needs_and_no_secret() {
    let (sqs, world) = queued().await;
    let request = world.signed("acme", &body(1, upsert("A [T]")));
    let (_, signature) = request
        .headers
        .iter()
        .find(|(name, _)| name == "webhook-signature")
        .unwrap()
        .clone();
    let request = request
        .with("authorization", "Bearer s3cret")
        .with("cookie", "session=s3cret")
        .with("x-api-key", "s3cret");
    let mut event = request.v2("$default");
    event["rawQueryString"] = json!("token=s3cret");
    world.invoke(event).await.unwrap();
    let messages = sqs.messages();
    let [message] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    for secret in ["s3cret", signature.trim_start_matches("v1,")] {
        assert!(!message.contains(secret), "{message}");
    }
    let message: Value = serde_json::from_str(message).unwrap();
    let fields: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["body", "headers", "receivedAt", "requestId", "source", "v"]
    );
    let expected = json!({"content-type": "application/json", "webhook-id": "evt_1",
        "webhook-timestamp": world.now().seconds().to_string()});
    assert_eq!(message["headers"], expected);
}

#[tokio::test]
async fn what_is_refused_is_answered_as_without_a_queue() {
    let (sqs, world) = queued().await;
    let good = world.signed("acme", &body(1, upsert("A [T]")));
    let unfit = world.signed("acme", &json!({"id": "2", "changes": [{"op": "jump"}]}));
    let unreadable = Request::webhook("acme", "3", world.now(), b"{");
    let elsewhere = Request::new("POST", "/webhooks/nobody");
    let method = Request::new("PUT", "/webhooks/acme");
    for (request, status) in [
        (good.clone().with("webhook-signature", "v1,AAAA"), 401),
        (good.without("webhook-id"), 401),
        (unreadable, 400),
        (unfit, 422),
        (elsewhere, 404),
        (method, 405),
    ] {
        assert_eq!(world.send(&request).await.status, status);
    }
    assert_eq!(sqs.requests(), 0);
}

/// Everything that a state says but how often and when it was published, and what was.
fn ledger(state: Option<Value>) -> Value {
    let state = State::decode(state.unwrap().to_string().as_bytes()).unwrap();
    json!(state.ledger)
}

#[tokio::test]
async fn the_same_comes_of_it_with_a_queue_in_any_order() {
    let timed = |minute: usize, change: Value| {
        let mut said = body(minute, change);
        said["occurredAt"] = json!(format!("2026-01-10T11:{minute:02}:00Z"));
        said
    };
    // With times of their own and, where only the receipt orders them, without.
    let bodies = [
        timed(1, upsert("A [T] < Top [Division]")),
        timed(3, upsert("B [T] < A [T]")),
        timed(2, remove("B [T]")),
        body(4, upsert("C [T]")),
        body(5, upsert("C [T] < Top [Division]")),
        body(6, upsert("D [T]")),
        body(7, remove("D [T]")),
    ];
    let say = async |world: &World| {
        for body in &bodies {
            world.pass(Duration::from_secs(60));
            let answer = world.webhook("acme", body).await;
            assert!([200, 202].contains(&answer.status), "{}", answer.body);
        }
    };
    let direct = World::seeded(&[TOP]).await;
    say(&direct).await;
    for size in [1, 3, 100] {
        let (sqs, world) = queued().await;
        say(&world).await;
        world.pass(Duration::from_secs(3_600));
        while let Some(batch) = sqs.deliver_newest(size) {
            // At least once, says SQS.
            world.action(batch.clone()).await;
            sqs.answered(Some(&world.action(batch).await));
        }
        assert_eq!(world.holds(), direct.holds(), "{size}");
        assert_eq!(
            ledger(world.state().await),
            ledger(direct.state().await),
            "{size}"
        );
    }
    direct.assert_holds(&[
        TOP,
        "A [T] < Top [Division]",
        "B [T] < A [T]",
        "C [T] < Top [Division]",
    ]);
}

#[tokio::test]
async fn a_thousand_webhooks_are_at_most_twenty_puts() {
    let (sqs, world) = queued().await;
    let before = world.puts();
    for number in 0..1_000 {
        let answer = world.webhook("acme", &body(number, team(number))).await;
        assert_eq!(answer.word(), (202, "accepted"));
    }
    assert_eq!((world.puts(), sqs.messages().len()), (before, 1_000));
    assert_eq!(drain(&sqs, &world, 100).await, 10);
    let puts = world.puts() - before;
    assert!(puts <= 20, "{puts} PUTs");
    assert_eq!(world.holds().len(), 1_001);
    assert!(sqs.dead().is_empty());
    assert_eq!(world.state().await.unwrap()["version"], 11);
}

#[tokio::test]
async fn a_webhook_that_is_too_large_for_the_queue_is_published_in_the_request() {
    let sqs = Sqs::start().await.unwrap();
    // The largest take their time where nothing is optimised.
    let setup = with(&sqs).variable("PUBLISH_BUDGET_SECONDS", "20");
    let world = setup.start().await.seed(&[TOP]).await;
    let padded = |size: usize| {
        let mut text = body(1, upsert("A [T]")).to_string();
        text.push_str(&" ".repeat(size - text.len()));
        Request::webhook("acme", "evt_1", world.now(), text.as_bytes())
    };
    // In base64 four bytes for three, and the rest of the message.
    let answer = world.send(&padded(786_432)).await;
    assert_eq!(answer.word(), (200, "published"));
    assert_eq!(sqs.requests(), 0);
    let answer = world.send(&padded(785_000)).await;
    assert_eq!(answer.word(), (202, "accepted"));
    assert!(!sqs.messages().is_empty());
}

#[tokio::test]
async fn what_the_queue_does_not_take_is_published_in_the_request() {
    let (sqs, world) = queued().await;
    let faults = [
        Fault::Hang,
        Fault::Reset,
        Fault::HangAfterApplying,
        Fault::Status(500),
        Fault::Status(403),
        Fault::StatusRetryAfter(429, "3".to_owned()),
        Fault::CutOff(20),
        Fault::Garbage("<html>".to_owned()),
    ];
    let mut rows = vec![TOP.to_owned()];
    for (number, fault) in faults.into_iter().enumerate() {
        sqs.fail_always(fault.clone());
        let answer = world.webhook("acme", &body(number, team(number))).await;
        let told = format!("{fault:?}: {}", answer.body);
        assert_eq!(answer.word(), (200, "published"), "{told}");
        rows.push(format!("Team {number} [Team] < Top [Division]"));
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        world.assert_holds(&rows);
        sqs.mend();
    }
    for code in ["AccessDeniedException", "RequestThrottled"] {
        sqs.refuse_always(400, &format!("com.amazonaws.sqs#{code}"));
        let refused = body(20, upsert(&format!("{code} [T]")));
        assert_eq!(
            world.webhook("acme", &refused).await.word(),
            (200, "published")
        );
        sqs.mend();
    }
    sqs.go_down().await;
    let answer = world.webhook("acme", &body(30, team(30))).await;
    assert_eq!(answer.word(), (200, "published"));
    sqs.come_back().await.unwrap();
    let answer = world.webhook("acme", &body(31, team(31))).await;
    assert_eq!(answer.word(), (202, "accepted"));
    // What it took and did not say so is there twice, and does no harm.
    drain(&sqs, &world, 100).await;
    assert_eq!(world.holds().len(), rows.len() + 4);
}

/// A home whose next swaps fail, so many.
struct Failing {
    inner: MemoryStore,
    swaps: AtomicUsize,
}

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failing")
    }
}

impl StateStore for Failing {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.inner.load()
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        let left = |left: usize| left.checked_sub(1);
        let fails = self
            .swaps
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
        if fails.is_ok() {
            let (home, reason) = ("test".to_owned(), "it fails".to_owned());
            return Box::pin(async { Err(StoreError::Unusable { home, reason }) });
        }
        self.inner.swap(bytes, expected)
    }
}

#[tokio::test]
async fn where_neither_queue_nor_state_takes_it_the_sender_is_to_send_it_again() {
    let sqs = Sqs::start().await.unwrap();
    let store = Arc::new(Failing {
        inner: MemoryStore::default(),
        swaps: AtomicUsize::new(0),
    });
    let world = with(&sqs).store(store.clone()).start().await;
    let world = world.seed(&[TOP]).await;
    store.swaps.store(1_000, Ordering::SeqCst);
    sqs.go_down().await;
    let answer = world.webhook("acme", &body(1, upsert("A [T]"))).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    // The queue takes webhooks though the state is out of reach, and keeps them until it is not.
    sqs.come_back().await.unwrap();
    let answer = world.webhook("acme", &body(1, upsert("A [T]"))).await;
    assert_eq!(answer.word(), (202, "accepted"));
    for _ in 0..2 {
        let batch = sqs.deliver(10).unwrap();
        sqs.answered(Some(&world.action(batch).await));
        assert_eq!(sqs.messages().len(), 1);
    }
    store.swaps.store(0, Ordering::SeqCst);
    drain(&sqs, &world, 10).await;
    world.assert_holds(&[TOP, "A [T]"]);
    assert!(sqs.dead().is_empty());
}

#[tokio::test]
async fn the_poisoned_alone_end_in_the_dead_letter_queue_and_come_back_from_it() {
    let (sqs, mut world) = queued().await;
    let mut poisoned = vec!["no message".to_owned(), "{}".to_owned()];
    poisoned.iter().for_each(|message| sqs.put(message));
    for number in 0..3 {
        world.webhook("acme", &body(number, team(number))).await;
        let of_workday = body(10 + number, team(10 + number));
        world.webhook("workday", &of_workday).await;
    }
    let of_workday = |message: &&String| message.contains("\"workday\"");
    let messages = sqs.messages();
    poisoned.extend(messages.iter().filter(of_workday).cloned());
    let puts = world.puts();
    // As if the source had been taken out of the file while its webhooks lay in the queue.
    world.reconfigure("SOURCES_FILE", "tests/fixtures/sources/acme-alone.toml");
    assert_eq!(drain(&sqs, &world, 100).await, 5);
    assert_eq!((world.puts() - puts, world.holds().len()), (1, 4));
    let sorted = |mut messages: Vec<String>| {
        messages.sort();
        messages
    };
    assert_eq!(sorted(sqs.dead()), sorted(poisoned.clone()));
    world.reconfigure("SOURCES_FILE", "examples/sandbox/sources.toml");
    sqs.redrive();
    drain(&sqs, &world, 100).await;
    assert_eq!(world.holds().len(), 7);
    assert_eq!(sorted(sqs.dead()), sorted(poisoned[..2].to_vec()));
}

#[tokio::test]
async fn what_may_find_no_room_is_not_acknowledged_by_the_queue() {
    let sqs = Sqs::start().await.unwrap();
    let rows: Vec<String> = (0..100).map(|at| format!("Group {at} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut world = with(&sqs).start().await.seed(&rows).await;
    let bytes = world.state().await.unwrap().to_string().len();
    world.reconfigure("MAX_STATE_BYTES", &(bytes - 1).to_string());
    // Who has not seen the state knows nothing of it, and what was acknowledged is taken from the reserve.
    let answer = world.webhook("acme", &body(1, upsert("A [T]"))).await;
    assert_eq!(answer.word(), (202, "accepted"));
    assert_eq!(drain(&sqs, &world, 100).await, 1);
    assert!(world.holds().contains(&"A [T]".to_owned()));
    // Who has seen it asks it first.
    let answer = world.webhook("acme", &body(2, upsert("B [T]"))).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    world.pass(Duration::from_secs(1));
    let answer = world.webhook("acme", &body(3, remove("A [T]"))).await;
    assert_eq!(answer.word(), (200, "published"), "{}", answer.body);
    assert_eq!((sqs.messages().len(), sqs.dead().len()), (0, 0));
}

#[tokio::test]
async fn a_dry_run_queues_nothing() {
    let (sqs, mut world) = queued().await;
    world.reconfigure("DRY_RUN", "true");
    let answer = world.webhook("acme", &body(1, upsert("A [T]"))).await;
    assert_eq!(answer.word(), (200, "planned"));
    assert_eq!(sqs.requests(), 0);
}

#[tokio::test]
async fn thin_events_are_queued_and_a_batch_of_them_reads_their_source_once() {
    let sqs = Sqs::start().await.unwrap();
    let api = HrisStandIn::start().await.unwrap();
    let groups = json!({"groups": [{"id": 1, "name": "Sales"}]});
    api.answer("GET /groups", groups.to_string());
    let folder = tempfile::tempdir().unwrap();
    let (file, known) = (
        folder.path().join("sources.toml"),
        folder.path().join("s.json"),
    );
    let mut all = secrets();
    all.insert("hris/api".to_owned(), json!({"token": "t"}));
    std::fs::write(&known, json!(all).to_string()).unwrap();
    let sources = format!(
        r#"
        [sources.acme]
        preset = "generic"
        contract = false
        secret_id = "hris/acme"
        api_secret_id = "hris/api"
        base_url = "{}"
        events = {{ type = ["header:X-Kind", "query:kind"], meaning = {{ thin = "reread", "*" = "ignore" }} }}
        [sources.acme.snapshot]
        path = "/groups"
        lists = ["$.groups"]
        complete = "groups"
        groups.all = {{ at = "$.groups", key = "$.id", name = "$.name", type = {{ value = "Team" }}, no_parent = "top" }}
        "#,
        api.url()
    );
    std::fs::write(&file, sources).unwrap();
    let setup = with(&sqs).variable("SOURCES_FILE", file.to_str().unwrap());
    let world = setup.secrets_file(&known).start().await.seed(&[TOP]).await;
    let event = |number: usize| {
        let id = format!("evt_{number}");
        Request::webhook("acme", &id, world.now(), b"{}")
    };
    let ignored = world.send(&event(1).with("x-kind", "other")).await;
    assert_eq!(ignored.word(), (200, "ignored"));
    assert_eq!(sqs.requests(), 0);
    for number in 0..5 {
        let answer = world.send(&event(number).with("x-kind", "thin")).await;
        assert_eq!(answer.word(), (202, "accepted"), "{}", answer.body);
    }
    let mut by_query = event(5).v2("$default");
    by_query["rawQueryString"] = json!("kind=thin&token=s3cret");
    world.invoke(by_query).await.unwrap();
    let last = sqs.messages().pop().unwrap();
    assert!(last.contains(r#""query":"kind=thin""#), "{last}");
    assert_eq!(api.lines(), Vec::<String>::new());
    world.pass(Duration::from_secs(10));
    assert_eq!(drain(&sqs, &world, 10).await, 1);
    assert_eq!(api.lines(), ["GET /groups"]);
    world.assert_holds(&[TOP, "Sales [Team]"]);
}

#[tokio::test]
async fn a_webhook_whose_mapping_asks_for_a_secret_is_not_queued() {
    let sqs = Sqs::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sources.toml");
    for header in ["authorization", "webhook-signature", "Cookie"] {
        let sources = format!(
            "[sources.acme]\npreset = \"generic\"\nsecret_id = \"hris/acme\"\nevent_id = \"header:{header}\"\n"
        );
        std::fs::write(&file, sources).unwrap();
        let setup = with(&sqs).variable("SOURCES_FILE", file.to_str().unwrap());
        let world = setup.start().await.seed(&[TOP]).await;
        let answer = world.webhook("acme", &body(1, upsert("A [T]"))).await;
        assert_eq!(answer.word(), (200, "published"), "{header}");
    }
    assert_eq!(sqs.requests(), 0);
}

#[tokio::test]
async fn the_time_of_receipt_is_kept_to_the_microsecond() {
    let (sqs, world) = queued().await;
    world.pass(Duration::from_micros(123_456));
    world.webhook("acme", &body(1, upsert("A [T]"))).await;
    let message: Value = serde_json::from_str(&sqs.messages()[0]).unwrap();
    let received = message["receivedAt"].as_str().unwrap();
    assert_eq!(time(received), world.now());
}
