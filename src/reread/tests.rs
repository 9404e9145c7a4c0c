//! The client against a stand-in that answers what was scripted and refuses everything else.

use std::{sync::atomic::AtomicI64, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};
use stand_ins::{
    fault::Fault as StandInFault,
    hris::{HrisStandIn, Request},
};
use tempfile::TempDir;

use super::*;
use crate::{
    hierarchy::{GroupRef, Scope, Statement},
    http,
    secrets::SecretsHome,
};

const BEARER: &str = r#"{"token":"s3cret","headers":{"X-Integration-Id":"acme:hr"}}"#;

const START: i64 = 1_795_341_600;

const CURSOR: &str = r#"
    path = "/hris/groups"
    query = { limit = "2" }
    headers = { Api-Version = "2026-01-01" }
    lists = ["$.groups"]
    expect = [ { at = "$.status", is = ["success"] } ]
    complete = "groups"
    pages = { cursor = "$.next", parameter = "cursor" }
    groups.all = { at = "$.groups", key = "$.id", name = "$.name", type = { value = "Team" }, parent_key = "$.parent" }
"#;

/// A client with one secret, the API that it asks, and the clock of the client.
struct Scene {
    rereader: Rereader,
    api: HrisStandIn,
    folder: TempDir,
    now: Arc<AtomicI64>,
}

impl Scene {
    async fn new(secret: &str, snapshot: &str) -> Self {
        let api = HrisStandIn::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(START));
        let clock = {
            let now = Arc::clone(&now);
            Clock::new(move || Timestamp::from_seconds(now.load(Ordering::SeqCst)))
        };
        let home = SecretsHome::File(folder.path().join("secrets.json"));
        let age = Duration::from_secs(1_000_000);
        let secrets = Arc::new(Secrets::new(home, age, clock.clone()));
        let rereader = Rereader::new(
            SourceName::new("people"),
            http::client().unwrap().into(),
            BaseUrl::parse(&format!("{}/v1/", api.url())).unwrap(),
            secrets,
            "people-api".to_owned(),
            Snapshot::of_toml(snapshot),
            clock,
        );
        let scene = Self {
            rereader: rereader.with_retry_policy(RetryPolicy {
                first: Duration::from_millis(1),
                cap: Duration::from_millis(2),
                attempt: Duration::from_secs(20),
            }),
            api,
            folder,
            now,
        };
        scene.write_secret(secret);
        scene
    }

    async fn paged() -> Self {
        Self::new(BEARER, CURSOR).await
    }

    fn write_secret(&self, secret: &str) {
        let file = format!(r#"{{"people-api":{secret}}}"#);
        std::fs::write(self.folder.path().join("secrets.json"), file).unwrap();
    }

    async fn read(&self) -> Result<Reread, RereadError> {
        self.read_within(Duration::from_secs(20)).await
    }

    async fn read_within(&self, time: Duration) -> Result<Reread, RereadError> {
        self.rereader.read(Instant::now() + time).await
    }

    /// The pages' answers, from the first one on, by the cursors `1`, `2`, …
    fn pages(&self, pages: impl IntoIterator<Item = Value>) {
        for (index, page) in pages.into_iter().enumerate() {
            let cursor = match index {
                0 => String::new(),
                index => format!("&cursor={index}"),
            };
            let line = format!("GET /v1/hris/groups?limit=2{cursor}");
            self.api.answer(&line, page.to_string());
        }
    }

    async fn refused(&self) -> (String, &'static str) {
        let error = self.read().await.unwrap_err();
        (error.to_string(), error.cause())
    }
}

fn page(groups: &[&str], next: impl Into<Value>) -> Value {
    let groups: Vec<Value> = groups
        .iter()
        .map(|id| json!({"id": id, "name": format!("Group {id}")}))
        .collect();
    json!({"status": "success", "groups": groups, "next": next.into()})
}

/// `*` where all is said, and the keys, in order; every statement must be as of `at`.
fn said(reread: &Reread) -> String {
    let mut said = Vec::new();
    for Stated { at, statement } in &reread.statements {
        assert_eq!(*at, Some(reread.at));
        said.push(match statement {
            Statement::Complete(Scope::Groups) => "*".to_owned(),
            Statement::Exists {
                group: GroupRef::Keyed { key, .. },
                ..
            } => key.as_str().to_owned(),
            other => panic!("{other:?}"),
        });
    }
    said.join(" ")
}

#[tokio::test]
async fn two_pages_are_one_snapshot_as_of_the_first_request() {
    let scene = Scene::paged().await;
    scene.pages([page(&["a", "b"], "1"), page(&["c"], Value::Null)]);
    scene.api.hold_back(1);
    let read = async {
        scene.api.arrived().await;
        // The second page is sent later.
        scene.now.fetch_add(60, Ordering::SeqCst);
        scene.api.let_through();
    };
    let (reread, ()) = tokio::join!(scene.read(), read);
    let reread = reread.unwrap();
    assert_eq!(reread.at, Timestamp::from_seconds(START));
    assert_eq!(said(&reread), "* a b c");
    assert!(reread.finished);
    assert_eq!(reread.warnings, Vec::<String>::new());
    assert_eq!(scene.api.unexpected(), Vec::<String>::new());
}

#[tokio::test]
async fn a_get_is_sent_byte_for_byte_as_configured() {
    let scene = Scene::paged().await;
    scene.pages([page(&[], "a&b=c/../d#e?f")]);
    let second = "GET /v1/hris/groups?limit=2&cursor=a%26b%3Dc%2F..%2Fd%23e%3Ff";
    let last = page(&["a"], Value::Null).to_string();
    scene.api.answer(second, last);
    scene.read().await.unwrap();
    let requests = scene.api.requests();
    let lines: Vec<&str> = requests
        .iter()
        .map(|request| request.line.as_str())
        .collect();
    assert_eq!(lines, ["GET /v1/hris/groups?limit=2", second]);
    let host = scene.api.url().replace("http://", "");
    for Request { headers, body, .. } in &requests {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("accept", "application/json"),
            ("api-version", "2026-01-01"),
            ("authorization", "Bearer s3cret"),
            ("host", host.as_str()),
            (
                "user-agent",
                concat!("calven-bridge/", env!("CARGO_PKG_VERSION")),
            ),
            ("x-integration-id", "acme:hr"),
        ];
        assert_eq!((headers.as_slice(), body.as_str()), (&expected[..], ""));
    }
}

#[tokio::test]
async fn a_post_has_its_cursor_in_its_body() {
    let snapshot = r#"
        path = "/search"
        method = "POST"
        body = { fields = ["id"] }
        pages = { cursor = "$.next", parameter = "after", in_body = true }
        groups.all = { at = "$.groups", key = "$.id", name = "$.name", type = { value = "Team" } }
    "#;
    let scene = Scene::new(r#"{"username":"u","password":"p"}"#, snapshot).await;
    scene.api.require("authorization", "Basic dTpw");
    scene.api.require("content-type", "application/json");
    let line = "POST /v1/search";
    let answers = [
        (r#"{"fields":["id"]}"#, page(&["a"], 7)),
        (r#"{"after":7,"fields":["id"]}"#, page(&["b"], Value::Null)),
    ];
    for (body, answer) in answers {
        scene.api.answers(line, body, [(200, answer.to_string())]);
    }
    let reread = scene.read().await.unwrap();
    assert_eq!(said(&reread), "a b", "complete of nothing");
    assert_eq!(scene.api.unexpected(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_is_final_and_says_which_page() {
    for (status, told) in [
        (400, "page 1: the request was refused with status 400"),
        (403, "page 1: the request was refused with status 403"),
        (404, "page 1: the request was refused with status 404"),
        (301, "page 1: the request was refused with status 301"),
        (302, "page 1: the request was refused with status 302"),
        (307, "page 1: the request was refused with status 307"),
    ] {
        let scene = Scene::paged().await;
        scene.api.fail_next(StandInFault::Status(status));
        let expected = (told.to_owned(), "its API refused");
        assert_eq!(scene.refused().await, expected);
        assert_eq!(scene.api.lines().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_rotated_secret_is_fetched_once() {
    let scene = Scene::paged().await;
    scene.pages([page(&["a"], Value::Null)]);
    scene.api.require("authorization", "Bearer s3cret");
    scene.read().await.unwrap();
    scene.api.require("authorization", "Bearer r0tated");
    let expected = "page 1: the request was refused with status 401";
    assert_eq!(scene.refused().await.0, expected, "the same secret again");
    // Who has just asked for it in vain does not ask again so soon.
    scene.now.fetch_add(60, Ordering::SeqCst);
    scene.write_secret(&BEARER.replace("s3cret", "r0tated"));
    assert_eq!(said(&scene.read().await.unwrap()), "* a");
    let before = scene.api.lines().len();
    scene.read().await.unwrap();
    assert_eq!(scene.api.lines().len(), before + 1);
}

#[tokio::test]
async fn an_unusable_secret_is_never_sent() {
    let scene = Scene::new(r#"{"headers":{"Host":"elsewhere.example"}}"#, CURSOR).await;
    let (told, cause) = scene.refused().await;
    assert!(
        told.contains("people-api") && !told.contains("elsewhere"),
        "{told}"
    );
    assert_eq!(cause, "its API's secret cannot be had or is of no use");
    assert_eq!(scene.api.requests(), []);
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    let scene = Scene::paged().await;
    scene.pages([page(&["a"], "1"), page(&["b"], Value::Null)]);
    for fault in [
        StandInFault::Status(503),
        StandInFault::StatusRetryAfter(429, "0".to_owned()),
        StandInFault::Reset,
        StandInFault::CutOff(90),
    ] {
        scene.api.fail_next(fault);
    }
    assert_eq!(said(&scene.read().await.unwrap()), "* a b");
}

#[tokio::test]
async fn nobody_is_waited_for_past_the_deadline() {
    let scene = Scene::paged().await;
    scene.pages([page(&["a"], "1"), page(&["b"], Value::Null)]);
    scene.api.fail_next(StandInFault::Hang);
    let began = Instant::now();
    let error = scene.read_within(Duration::from_millis(300)).await;
    assert_eq!(error.unwrap_err().cause(), "its API did not answer in time");
    assert!(began.elapsed() < Duration::from_secs(5));
    let hour = StandInFault::StatusRetryAfter(503, "3600".to_owned());
    scene.api.fail_next(hour);
    assert_eq!(scene.refused().await.1, "its API is not available");
    scene.api.go_down().await;
    let error = scene.read_within(Duration::from_millis(300)).await;
    assert_eq!(error.unwrap_err().cause(), "its API could not be reached");
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_says_nothing() {
    let cut_off = r#"{"status":"success","groups":["#;
    let error = json!({"status": "error", "groups": []}).to_string();
    let no_list = json!({"status": "success", "groups": null}).to_string();
    for (body, told) in [
        ("<html>", "page 1: the answer is no JSON (line 1, column 1)"),
        (cut_off, "page 1: the answer is no JSON (line 1, column 30)"),
        (
            &error,
            "page 1: the answer is not as snapshot.expect wants it",
        ),
        (
            &no_list,
            "page 1: the answer does not have exactly one array at snapshot.lists[0]",
        ),
    ] {
        let scene = Scene::paged().await;
        scene.api.fail_next(StandInFault::Garbage(body.to_owned()));
        let expected = (told.to_owned(), "its API's answer cannot be used");
        assert_eq!(scene.refused().await, expected);
    }
}

#[tokio::test]
async fn where_the_second_page_does_not_come_nothing_was_read() {
    let scene = Scene::paged().await;
    scene.pages([page(&["a"], "1")]);
    let (told, _) = scene.refused().await;
    assert_eq!(told, "page 2: the request was refused with status 404");
    let failed = json!({"status": "error"});
    scene.pages([page(&["a"], "1"), failed]);
    let (told, _) = scene.refused().await;
    assert_eq!(
        told,
        "page 2: the answer is not as snapshot.expect wants it"
    );
}

#[track_caller]
fn check_not_complete(reread: &Reread, keys: &str, why: &str) {
    assert_eq!(said(reread), keys);
    assert!(!reread.finished);
    assert_eq!(
        reread.warnings,
        [format!("the re-read is not complete: {why}")]
    );
}

#[tokio::test]
async fn a_page_that_comes_again_ends_it_without_an_end() {
    let scene = Scene::paged().await;
    // The same cursor, on pages that differ.
    scene.pages([page(&["a"], "1"), page(&["b"], "1")]);
    let reread = scene.read().await.unwrap();
    check_not_complete(&reread, "a b", "a page came again");
    // The same page, by cursors that differ.
    scene.pages([page(&["a"], "1"), page(&["b"], "2"), page(&["b"], "2")]);
    let reread = scene.read().await.unwrap();
    check_not_complete(&reread, "a b", "a page came again");
    assert_eq!(scene.api.lines().len(), 2 + 3);
}

#[tokio::test]
async fn an_api_that_minds_no_page_number_is_not_read_for_ever() {
    let snapshot = r#"
        path = "/hris/groups"
        lists = ["$.groups"]
        complete = "groups"
        pages = { number = "page" }
        groups.all = { at = "$.groups", key = "$.id", name = "$.name", type = { value = "Team" } }
    "#;
    let scene = Scene::new(BEARER, snapshot).await;
    for number in 1..5 {
        let line = format!("GET /v1/hris/groups?page={number}");
        scene
            .api
            .answer(&line, page(&["a"], Value::Null).to_string());
    }
    let reread = scene.read().await.unwrap();
    check_not_complete(&reread, "a", "a page came again");
    assert_eq!(scene.api.lines().len(), 2);
}

#[tokio::test]
async fn too_many_pages_end_it_without_an_end() {
    let scene = Scene::new(BEARER, &format!("max_pages = 2\n{CURSOR}")).await;
    scene.pages([
        page(&["a"], "1"),
        page(&["b"], "2"),
        page(&["c"], Value::Null),
    ]);
    let reread = scene.read().await.unwrap();
    check_not_complete(&reread, "a b", "there are more pages than max_pages");
    assert_eq!(scene.api.lines().len(), 2);
    scene.pages([page(&["a"], "1"), page(&["b"], Value::Null)]);
    assert_eq!(said(&scene.read().await.unwrap()), "* a b");
}

#[tokio::test]
async fn a_page_that_is_too_large_cannot_be_used() {
    let scene = Scene::paged().await;
    let body = format!(
        "{}{}",
        " ".repeat(PAGE_LIMIT_BYTES),
        page(&["a"], Value::Null)
    );
    scene.api.answer("GET /v1/hris/groups?limit=2", body);
    assert_eq!(scene.refused().await.1, "its API's answer cannot be used");
}

#[tokio::test]
async fn an_answer_without_groups_ends_none() {
    let scene = Scene::paged().await;
    scene.pages([page(&[], Value::Null)]);
    let reread = scene.read().await.unwrap();
    assert_eq!(said(&reread), "");
    assert!(reread.finished, "asking again would not mend it");
    let told = "there is no group in the answer: none counts as gone";
    assert_eq!(reread.warnings, [told]);
}

#[tokio::test]
async fn who_is_there_and_of_whom_nothing_is_said_does_not_count_as_gone() {
    let snapshot = r#"
        path = "/people"
        lists = ["$.people"]
        complete = "persons"
        persons.all = { at = "$.people", id = "$.id", chain = [{ name = "$.team", type = { value = "Team" } }] }
    "#;
    let scene = Scene::new(BEARER, snapshot).await;
    for (second, expected) in [(json!({"id": 2, "team": null}), 3), (json!({"id": 2}), 1)] {
        let answer = json!({"people": [{"id": 1, "team": "A"}, second]});
        scene.api.answer("GET /v1/people", answer.to_string());
        let reread = scene.read().await.unwrap();
        assert_eq!(reread.statements.len(), expected, "{reread:?}");
        let mut said = reread.statements.iter();
        let is_complete = said.any(|said| matches!(said.statement, Statement::Complete(_)));
        assert_eq!(is_complete, expected == 3);
        assert_eq!(reread.warnings.is_empty(), is_complete, "{reread:?}");
    }
}

#[tokio::test]
async fn a_record_with_a_fault_is_left_out_and_the_rest_is_not_complete() {
    let scene = Scene::paged().await;
    let mut first = page(&["a", "b"], Value::Null);
    first["groups"][0]["name"] = json!(["s3cret"]);
    scene.pages([first]);
    let reread = scene.read().await.unwrap();
    assert_eq!(said(&reread), "b");
    assert!(reread.finished, "asking again would not mend it");
    let [warning] = reread.warnings.as_slice() else {
        panic!("{:?}", reread.warnings);
    };
    assert!(
        warning.starts_with("a record was left out: page 1: $['groups'][0]['name'] "),
        "{warning}"
    );
    assert!(!warning.contains("s3cret"), "{warning}");
}

#[tokio::test]
async fn a_cursor_s_place_that_is_nowhere_makes_no_answer_complete() {
    let mistyped = CURSOR.replace("$.next", "$.nxt");
    let scene = Scene::new(BEARER, &mistyped).await;
    scene.pages([page(&["a"], "1")]);
    let reread = scene.read().await.unwrap();
    assert!(reread.finished);
    let is_complete = |reread: &Reread| {
        let first = reread.statements.first().map(|said| &said.statement);
        matches!(first, Some(Statement::Complete(_)))
    };
    assert!(!is_complete(&reread));
    assert!(
        reread.warnings[0].starts_with("no page has anything at pages.cursor"),
        "{:?}",
        reread.warnings
    );
    let allowed = mistyped.replace("parameter =", "may_be_absent = true, parameter =");
    let scene = Scene::new(BEARER, &allowed).await;
    scene.pages([page(&["a"], "1")]);
    assert!(is_complete(&scene.read().await.unwrap()));
}
