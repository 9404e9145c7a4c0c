//! Events that say no more than that something changed, and events that say nothing: one re-read, or none at all.

use std::time::Duration;

use serde_json::{Value, json};
use stand_ins::hris::HrisStandIn;

use crate::{
    harness::{Answer, NOW, Request, Setup, World, read, time, upsert},
    queue::{record, record_of},
    senders::{KEY, proven, secret_of},
};

const ACME: &str = "sources.acme = { preset = \"generic\", secret_id = \"hris/acme\", signature = { tolerance_seconds = 86400 } }\n";

/// What the API of the source people says, read as a whole.
pub(crate) const TEAMS_OF_PEOPLE: &str = r#"
        [sources.people.snapshot]
        path = "/groups"
        lists = ["$"]
        complete = "groups"
        [sources.people.snapshot.groups.team]
        at = "$"
        name = "$.name"
        type = { value = "Team" }
        no_parent = "top"
"#;

/// The source people: any body has it read again.
fn people(url: &str) -> String {
    format!(
        r#"{ACME}
        [sources.people]
        proof = "bearer"
        secret_id = "own/token"
        base_url = "{url}"
        api_secret_id = "own/token"
        event_id = "$.id"
        {TEAMS_OF_PEOPLE}
        "#
    )
}

fn thin(id: &str) -> Request {
    let body = json!({"id": id}).to_string();
    Request::post("people", body).with("authorization", "Bearer t")
}

async fn world(hris: &HrisStandIn) -> World {
    let setup = Setup::default().sources(&people(&hris.url()));
    let setup = setup.secret("own/token", json!({"token": "t"}));
    setup.start().await.seed(&["Top [Division]"]).await
}

async fn due(world: &World) -> Value {
    world.state().await.unwrap()["due"]["by_source"].clone()
}

/// How often was saved.
async fn saves(world: &World) -> String {
    format!("{:?}", world.store.load().await.unwrap().unwrap().tag)
}

#[tokio::test]
async fn what_cannot_be_read_yet_is_kept_as_due_and_done_once_the_keys_are_there() {
    let hris = HrisStandIn::start().await.unwrap();
    hris.answer(
        "GET /hris/groups",
        read("tests/fixtures/api-answers/kombo-hris-groups.json"),
    );
    hris.require("authorization", "Bearer api");
    let kombo = |more: &str| {
        format!("{ACME}[sources.kombo]\npreset = \"kombo\"\nsecret_id = \"own/kombo\"\n{more}")
    };
    let setup = Setup::default()
        .sources(&kombo(""))
        .secret("own/kombo", secret_of("kombo", KEY))
        .secret("own/api", json!({"token": "api"}));
    let mut world = setup.start().await.seed(&["Top [Division]"]).await;
    let body = read("tests/fixtures/payloads/kombo-data-changed.json");
    let request = proven("kombo", KEY, world.now(), Request::post("kombo", body));
    for _ in 0..2 {
        let answer = world.send(&request).await;
        assert_eq!(answer.word(), (202, "accepted"));
        let reason = answer.body["reason"].as_str().unwrap();
        assert!(reason.contains("not configured to be read"), "{reason}");
        assert_eq!(answer.body["eventId"], "Cbfk5sHtDxrSrJBRjsDtbaN9");
        assert_eq!(due(&world).await["kombo"]["since"], time(NOW).micros());
        world.pass(Duration::from_secs(60));
    }
    assert_eq!(
        world.says(1, upsert("A [Team]")).await.word(),
        (200, "published"),
        "others do not wait for it"
    );
    let report = world.action(json!({"action": "reconcile"})).await;
    assert!(report["warnings"].to_string().contains("kombo"), "{report}");
    assert_eq!(due(&world).await["kombo"]["since"], time(NOW).micros());
    world.configure(&kombo(&format!(
        "api_secret_id = \"own/api\"\nbase_url = \"{}\"\n",
        hris.url()
    )));
    world.says(2, upsert("B [Team]")).await;
    assert_eq!(hris.lines(), ["GET /hris/groups"]);
    assert_eq!(due(&world).await, json!({}));
    let holds = world.holds();
    assert!(
        holds.contains(&"Customer Success [Team] < Go To Market [Department]".to_owned()),
        "{holds:?}"
    );
}

#[tokio::test]
async fn a_source_that_has_no_snapshot_at_all_says_so_and_nothing_is_kept() {
    let text = r#"
        [sources.personio]
        preset = "personio"
        proof = "bearer"
        secret_id = "own/token"
        [sources.own]
        proof = "bearer"
        secret_id = "own/other"
        [sources.own.events]
        type = "$.type"
        [sources.own.events.meaning]
        "*" = "reread"
    "#;
    let setup = Setup::default().sources(text);
    let setup = setup.secret("own/token", json!({"token": "t"}));
    let setup = setup.secret("own/other", json!({"token": "t"}));
    let world = setup.start().await.seed(&["Top [Division]"]).await;
    let before = world.everything().await;
    for (source, body) in [
        ("personio", json!({"event_name": "person.created"})),
        ("own", json!({"type": "any"})),
        ("own", json!({})),
    ] {
        let request = Request::post(source, body.to_string());
        let answer = world.send(&request.with("authorization", "Bearer t")).await;
        assert_eq!(answer.word(), (200, "ignored"));
        let warnings = answer.body["warnings"].as_array().unwrap();
        assert!(
            warnings.len() == 1 && warnings[0].as_str().unwrap().contains("no snapshot"),
            "{warnings:?}"
        );
        assert_eq!(world.everything().await, before);
    }
}

#[tokio::test]
async fn a_dry_run_reads_again_and_plans_and_saves_nothing() {
    let hris = HrisStandIn::start().await.unwrap();
    hris.answer("GET /groups", json!([{"name": "A"}]).to_string());
    let mut world = world(&hris).await;
    world.reconfigure("DRY_RUN", "true");
    let before = world.everything().await;
    let answer = world.send(&thin("1")).await;
    assert_eq!(answer.word(), (200, "planned"));
    assert_eq!(answer.body["saved"], false);
    assert_eq!(answer.body["changes"]["added"][0]["group"], "A");
    assert_eq!(answer.body["eventId"], "1");
    assert_eq!(world.everything().await, before);
    hris.go_down().await;
    world.restart();
    world.leave_little();
    let answer = world.send(&thin("2")).await;
    assert_eq!(answer.word(), (200, "planned"));
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_batch_with_thin_events_reads_once_puts_once_and_saves_once() {
    let hris = HrisStandIn::start().await.unwrap();
    hris.answer("GET /groups", json!([{"name": "A"}]).to_string());
    let world = world(&hris).await;
    let plain = json!({"id": "evt", "changes": [upsert("B [Team]")]});
    let records = [
        record_of(&thin("1").queued("people", world.now())),
        record(&world, "acme", &plain),
        record_of(&thin("2").queued("people", world.now())),
    ];
    let (puts, before) = (world.puts(), saves(&world).await);
    assert!(before.contains("\"1\""), "{before}");
    let answer = world.action(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(hris.lines(), ["GET /groups"]);
    assert_eq!(world.puts(), puts + 1);
    assert!(saves(&world).await.contains("\"2\""));
    world.assert_holds(&["A [Team]", "B [Team]", "Top [Division]"]);
}

#[tokio::test]
async fn a_re_read_that_fails_fails_no_record_and_stays_due() {
    let hris = HrisStandIn::start().await.unwrap();
    hris.answers("GET /groups", "", [(403, String::new())]);
    let mut world = world(&hris).await;
    let plain = json!({"id": "evt", "changes": [upsert("B [Team]")]});
    let records = [
        record_of(&thin("1").queued("people", world.now())),
        record(&world, "acme", &plain),
    ];
    let answer = world.action(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    world.assert_holds(&["B [Team]", "Top [Division]"]);
    assert_eq!(due(&world).await["people"]["since"], time(NOW).micros());
    hris.answer("GET /groups", json!([{"name": "A"}]).to_string());
    world.restart();
    world.says(1, upsert("C [Team]")).await;
    assert_eq!(due(&world).await, json!({}));
    world.assert_holds(&["A [Team]", "B [Team]", "C [Team]", "Top [Division]"]);
}

#[tokio::test]
async fn what_came_before_a_re_read_began_asks_nothing_again() {
    let hris = HrisStandIn::start().await.unwrap();
    hris.answer("GET /groups", json!([{"name": "A"}]).to_string());
    let world = world(&hris).await;
    world.pass(Duration::from_secs(60));
    assert_eq!(world.send(&thin("1")).await.word(), (200, "published"));
    let before = world.everything().await;
    let late = record_of(&thin("0").queued("people", time(NOW)));
    let answer = world.action(json!({"Records": [late]})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(hris.lines().len(), 1);
    assert_eq!(world.everything().await, before);
    world.pass(Duration::from_secs(1));
    let newer = record_of(&thin("2").queued("people", world.now()));
    world.action(json!({"Records": [newer]})).await;
    assert_eq!(hris.lines().len(), 2);
}

const QUIET: &str = r#"
    sources.merge = { preset = "merge", secret_id = "own/merge" }
    sources.okta = { preset = "okta", secret_id = "own/okta" }
    sources.kombo = { preset = "kombo", secret_id = "own/kombo" }
    sources.scim = { preset = "scim", secret_id = "own/scim" }
    sources.bamboohr = { preset = "bamboohr", secret_id = "own/bamboohr" }
    sources.github = { preset = "github", secret_id = "own/github" }
"#;

async fn quiet() -> World {
    let mut setup = Setup::default().sources(QUIET);
    for preset in ["merge", "okta", "kombo", "scim", "bamboohr", "github"] {
        setup = setup.secret(&format!("own/{preset}"), secret_of(preset, KEY));
    }
    setup
        .start()
        .await
        .seed(&["Top [Division]", "A [Team] < Top [Division]"])
        .await
}

/// Bodies that say nothing about the organisation.
fn nothing() -> Vec<(&'static str, Value)> {
    let okta: Value = serde_json::from_str(&read(
        "tests/fixtures/payloads/okta-group.user_membership.add.json",
    ))
    .unwrap();
    vec![
        ("okta", okta),
        ("okta", json!({"data": {"events": []}})),
        ("okta", json!({})),
        (
            "merge",
            json!({"hook": {"event": "Employee.changed"}, "data": {"id": "1"}}),
        ),
        (
            "merge",
            json!({"hook": {"event": "Group.added"}, "data": []}),
        ),
        (
            "merge",
            json!({"hook": {"event": "Group.added"}, "data": null}),
        ),
        ("merge", json!({})),
        ("kombo", json!({"type": "sync-finished", "id": "evt_1"})),
        (
            "kombo",
            json!({"type": "data-changed", "data": {"changed_models": []}}),
        ),
        (
            "scim",
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": []}),
        ),
        ("bamboohr", json!({"employees": []})),
        ("github", json!({"zen": "Design for failure."})),
        ("github", json!(null)),
        ("github", json!("text")),
    ]
}

#[tokio::test]
async fn what_says_nothing_is_ignored_with_a_whole_report_and_nothing_else_happens() {
    let world = quiet().await;
    let before = world.everything().await;
    for (source, body) in nothing() {
        let request = Request::post(source, body.to_string());
        let request = proven(source, KEY, world.now(), request);
        let answer = world.send(&request).await;
        let expected = json!({
            "status": "ignored", "source": source, "eventId": answer.body["eventId"],
            "statements": {"applied": 0, "stale": 0},
            "hierarchy": {"version": 1, "groups": 2, "added": 0, "moved": 0, "renamed": 0, "removed": 0},
            "held": [], "conflicts": [], "warnings": [],
        });
        assert_eq!((answer.status, &answer.body), (200, &expected), "{body}");
        let record = record_of(&request.queued(source, world.now()));
        let taken = world.action(json!({"Records": [record]})).await;
        assert_eq!(taken, json!({"batchItemFailures": []}), "{body}");
        assert_eq!(world.everything().await, before, "{source} {body}");
    }
    let request = Request::post("kombo", json!({"type": "x", "id": "evt_1"}).to_string());
    let request = proven("kombo", KEY, world.now(), request);
    assert_eq!(world.send(&request).await.body["eventId"], "evt_1");
}

#[tokio::test]
async fn an_events_type_is_the_senders_own_text_and_stays_out_of_the_log() {
    let world = quiet().await;
    let odd = format!(
        "Kalliope\n{{\"level\":\"ERROR\"}}\u{1b}[31m{}",
        "x".repeat(5000)
    );
    for (source, body) in [
        ("kombo", json!({"type": odd, "id": "e"})),
        ("merge", json!({"hook": {"event": odd}, "data": {}})),
        ("kombo", json!({"type": {"Kalliope": 1}})),
        (
            "merge",
            json!({"hook": {"event": "Group.added"}, "data": {"type": "Kalliope", "name": {"Kalliope": 1}}}),
        ),
        (
            "okta",
            json!({"data": {"events": [{"eventType": "Kalliope"}]}}),
        ),
    ] {
        let request = Request::post(source, body.to_string());
        let request = proven(source, KEY, world.now(), request);
        let answer: Answer = world.send(&request).await;
        assert!([200, 422].contains(&answer.status), "{}", answer.body);
        let record = record_of(&request.queued(source, world.now()));
        world.action(json!({"Records": [record]})).await;
    }
    assert_eq!(crate::logs::lines_with("Kalliope"), [""; 0]);
}

#[tokio::test]
async fn a_webhook_that_is_ignored_does_what_others_left_due() {
    let hris = HrisStandIn::start().await.unwrap();
    let line = "GET /hris/groups";
    let good = read("tests/fixtures/api-answers/kombo-hris-groups.json");
    hris.answers(line, "", [(403, String::new()), (200, good)]);
    let text = format!(
        "[sources.kombo]\npreset = \"kombo\"\nsecret_id = \"own/kombo\"\napi_secret_id = \"own/api\"\nbase_url = \"{}\"\n",
        hris.url()
    );
    let setup = Setup::default()
        .sources(&text)
        .secret("own/kombo", secret_of("kombo", KEY))
        .secret("own/api", json!({"token": "api"}));
    let world = setup.start().await.seed(&["Top [Division]"]).await;
    let says = |body: String| proven("kombo", KEY, world.now(), Request::post("kombo", body));
    let body = read("tests/fixtures/payloads/kombo-data-changed.json");
    assert_eq!(world.send(&says(body)).await.word(), (202, "accepted"));
    let other = json!({"id": "evt_1", "type": "integration-created"}).to_string();
    let answer = world.send(&says(other)).await;
    assert_eq!(answer.word(), (200, "ignored"));
    assert_eq!(answer.body["hierarchy"]["version"], 2);
    assert_eq!(due(&world).await, json!({}));
    assert_eq!(world.holds().len(), 3, "{:?}", world.holds());
}
