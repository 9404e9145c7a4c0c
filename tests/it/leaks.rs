//! No secret, proof, body or person is told: not in a panic, and of persons nowhere. What leaks on purpose is for the search
//! of all outputs, `ci/search_logs.py`, to find out.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::{
    invocation::log_places_of_panics,
    store::{BoxFuture, Loaded, MemoryStore, StateStore, StoreError, Swap, Tag},
};
use serde_json::{Value, json};
use stand_ins::{
    canaries::{Kind, note},
    hris::HrisStandIn,
};

use crate::{
    harness::{Request, Setup, World, upsert},
    logs,
    queue::record_of,
    senders::{KEY, proven, secret_of},
};

/// A home that runs into what nobody has thought of, once.
#[derive(Debug, Default)]
struct Unforeseen {
    home: MemoryStore,
    is_over: AtomicBool,
}

impl StateStore for Unforeseen {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        assert!(
            self.is_over.swap(true, Ordering::SeqCst),
            "nobody had thought of Xanthippe"
        );
        self.home.load()
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        self.home.swap(bytes, expected)
    }
}

#[tokio::test]
async fn a_panic_fails_its_invocation_alone_and_without_its_words() {
    let body = json!({"id": "evt_1", "changes": [upsert("A [T]")]});
    let store = || Arc::new(Unforeseen::default());
    let world = Setup::default().unseeded().store(store()).start().await;
    let (kind, message) = world.refused(json!({"action": "plan"})).await;
    assert_eq!(kind, "Panicked");
    assert!(!message.contains("Xanthippe"), "{message}");
    assert_eq!(
        world.webhook("acme", &body).await.word(),
        (200, "published")
    );

    let world = Setup::default().unseeded().store(store()).start().await;
    let webhook = world.signed("acme", &body).v2("$default");
    assert_eq!(world.refused(webhook.clone()).await.0, "Panicked");
    assert!(world.invoke(webhook).await.is_ok());
    world.assert_holds(&["A [T]"]);

    let world = Setup::default().unseeded().store(store()).start().await;
    let batch = json!({"Records": [crate::queue::record(&world, "acme", &body)]});
    assert_eq!(world.refused(batch.clone()).await.0, "Panicked");
    assert!(world.invoke(batch).await.is_ok());
    world.assert_holds(&["A [T]"]);
}

#[tokio::test]
async fn a_panic_in_telling_of_an_invocation_fails_it_without_its_words() {
    let world = Setup::default().unseeded().start().await;
    world.break_metrics();
    // Of a first invocation there is always something to measure.
    let (kind, message) = world.refused(json!({"of": "Xanthippe"})).await;
    assert_eq!(kind, "Panicked");
    assert_eq!(message, "the function panicked; the log says where");
    let body = json!({"id": "evt_1", "changes": [upsert("A [T]")]});
    let webhook = world.signed("acme", &body).v2("$default");
    assert_eq!(world.refused(webhook).await.0, "Panicked");
}

#[test]
#[ignore = "it panics on purpose, in a process of its own: the test below starts that"]
fn what_panics_on_purpose() {
    logs::keep();
    log_places_of_panics();
    let words = "Xanthippe's number";
    let _number: u32 = words.parse().expect(words);
}

#[test]
fn a_panic_is_logged_by_its_place_and_without_its_words() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["leaks::what_panics_on_purpose", "--exact", "--ignored"])
        .args(["--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8([child.stdout, child.stderr].concat()).unwrap();
    assert!(!child.status.success(), "{output}");
    assert!(output.contains("the function panicked"), "{output}");
    assert!(output.contains(file!()), "{output}");
    assert!(!output.contains("Xanthippe"), "{output}");
}

/// One canary of every kind, each in another way of writing, in the function's own log.
#[test]
#[ignore = "it leaks on purpose: .ci/run runs it, and its search must find all of it"]
fn what_leaks_on_purpose() {
    logs::keep();
    let canary = |kind, text: &str| {
        note(kind, text);
        text.to_owned()
    };
    let secret = canary(Kind::Secret, "planted-canary-of-a-secret");
    let basic = STANDARD.encode(format!("user:{secret}"));
    let handshake = hex::encode(canary(Kind::Handshake, "planted-canary-of-a-handshake"));
    let proof = canary(Kind::Proof, "cGxhbnRlZC1jYW5hcnktb2YtYS1wcm9vZg==");
    let person = canary(Kind::Person, "planted canary of a person");
    let person: String = form_urlencoded::byte_serialize(person.as_bytes()).collect();
    let body = canary(Kind::Body, "planted canary of a body");
    tracing::debug!(basic, handshake, proof, person, body, "leaked on purpose");
}

/// A sender of persons, and what it says of one whose id, name and address are these.
struct Sender {
    preset: &'static str,
    body: fn(&str) -> Value,
}

const SENDERS: [Sender; 3] = [
    Sender {
        preset: "bamboohr",
        body: |person| {
            json!({"employees": [{"id": person, "action": "Updated", "timestamp": "2026-01-10T11:00:00Z",
            "fields": {"Division": {"value": "Europe"}, "Department": {"value": "Sales"},
                "firstName": {"value": person}, "workEmail": {"value": format!("{person}@example.com")}}}]})
        },
    },
    Sender {
        preset: "peopleforce",
        body: |person| {
            json!({"action": "employee_update", "data": {"id": person, "first_name": person, "email": format!("{person}@example.com"),
            "department": {"id": 1, "name": "Sales"}, "division": {"id": 2, "name": "Europe"}}})
        },
    },
    Sender {
        preset: "scim",
        body: |person| {
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": person, "userName": format!("{person}@example.com"),
            "name": {"familyName": person}, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
                {"division": "Europe", "department": "Sales"}})
        },
    },
];

/// This sender's request, of a source that is named like its preset.
fn request(preset: &str, world: &World, body: &Value) -> Request {
    let request = Request::post(preset, body.to_string());
    proven(preset, KEY, world.now(), request)
}

#[tokio::test]
async fn of_persons_nothing_is_logged_measured_answered_or_kept() {
    let hris = HrisStandIn::start().await.unwrap();
    let mut sources = String::new();
    let mut setup = Setup::default().unseeded();
    for Sender { preset, .. } in SENDERS {
        sources +=
            &format!("[sources.{preset}]\npreset = \"{preset}\"\nsecret_id = \"hris/{preset}\"\n");
        setup = setup.secret(&format!("hris/{preset}"), secret_of(preset, KEY));
    }
    // Read again, and with a person in an answer that does not fit.
    sources += "[sources.hibob]\npreset = \"hibob\"\nsecret_id = \"hris/hibob\"\napi_secret_id = \"hris/scim\"\n";
    sources += &format!("base_url = \"{}\"\n", hris.url());
    let person = "canary-person-in-an-api";
    let sound = json!({"employees": [{"id": person, "displayName": person, "work": {"department": "Support"}},
        {"id": {"of": person}, "work": {"department": "Support"}}]});
    let answers = [
        sound.to_string(),
        format!("{{\"employees\": \"{person}\"}}"),
        format!("<{person}>"),
    ];
    let body = r#"{"fields":["root.id","work.department"],"humanReadable":"REPLACE","showInactive":false}"#;
    hris.answers(
        "POST /people/search",
        body,
        answers.map(|answer| (200, answer)),
    );

    let ((), lines) = logs::of(async {
        let world = setup.sources(&sources).start().await;
        let mut told = String::new();
        for Sender { preset, body, .. } in SENDERS {
            let person = format!("canary-person-of-{preset}");
            let sound = body(&person);
            let text = sound.to_string();
            // Sound, again, by a wrong proof, cut off, with the id where none can be, and by the queue.
            let genuine = request(preset, &world, &sound);
            let mut broken = sound.clone();
            broken["employees"] = json!([person]);
            broken["data"] = json!({"id": {"of": person}});
            broken["id"] = json!([person]);
            let mut cut_off = genuine.clone();
            cut_off.body.truncate(text.len() - 3);
            let unsigned = genuine
                .clone()
                .with("authorization", "Bearer none")
                .with("x-bamboohr-signature", "00");
            for request in [
                &genuine,
                &genuine,
                &unsigned,
                &cut_off,
                &request(preset, &world, &broken),
            ] {
                let answer = world.send(request).await;
                told += &format!("{} {:?}", answer.body, answer.headers);
            }
            assert_eq!(world.send(&genuine).await.status, 200);
            for request in [&genuine, &request(preset, &world, &broken), &cut_off] {
                let queued = request.queued(preset, world.now());
                let answered = world.action(json!({"Records": [record_of(&queued)]})).await;
                told += &answered.to_string();
            }
        }
        for _ in 0..3 {
            told += &format!("{:?}", world.invoke(json!({"action": "reconcile"})).await);
            world.pass(std::time::Duration::from_secs(600));
        }
        let explain = json!({"action": "explain", "group": "Sales", "groupType": "Department"});
        for action in [
            explain,
            json!({"action": "plan"}),
            json!({"action": "export"}),
            json!({"action": "history"}),
        ] {
            told += &world.action(action).await.to_string();
        }
        let holds = world.holds();
        assert!(
            holds.contains(&"Sales [Department] < Europe [Division]".to_owned()),
            "{holds:?}"
        );
        assert!(
            holds.contains(&"Support [Department]".to_owned()),
            "{holds:?}"
        );
        told += &world.state().await.unwrap().to_string();
        told += &world
            .measured()
            .iter()
            .map(Value::to_string)
            .collect::<String>();
        assert!(!told.contains("canary-person"), "{told}");
    })
    .await;
    let log = lines.iter().map(Value::to_string).collect::<String>();
    assert!(
        log.contains("a request was refused") && log.contains("a source could not be read again"),
        "{log}"
    );
    assert!(!log.contains("canary-person"), "{log}");
    let all = logs::lines_with("canary-person");
    assert!(all.is_empty(), "{all:?}");
}
