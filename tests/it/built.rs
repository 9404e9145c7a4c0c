//! The built function under a Runtime API: how it starts, where it keeps things, and four at once.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use calven_bridge::timestamp::Timestamp;
use serde_json::{Value, json};
use stand_ins::{
    calven::CalvenStandIn,
    lambda_runtime::Invoked,
    s3::S3,
    secrets_manager::{self, SecretsManager},
    sqs::{self, Sqs},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    harness::{Answer, Request, calven_key, read, root, secrets, text_of, upsert},
    processes::{PATIENCE, Process},
};

#[expect(
    clippy::disallowed_methods,
    reason = "the built function reads the machine's clock, and so must who signs for it"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_seconds(i64::try_from(since_epoch.as_secs()).unwrap())
}

pub(crate) async fn calven(secret: &str) -> CalvenStandIn {
    let seconds = || now().seconds();
    CalvenStandIn::start(calven_key(secret), seconds)
        .await
        .unwrap()
}

fn webhook(body: &Value) -> Value {
    let id = body["id"].as_str().unwrap();
    Request::webhook("acme", id, now(), body.to_string().as_bytes()).v2("$default")
}

#[track_caller]
fn answer(invoked: Invoked) -> Answer {
    match invoked {
        Invoked::Response(value) => Answer::of(&value),
        Invoked::Error(error) | Invoked::InitError(error) => panic!("{error}"),
    }
}

fn is_acknowledged(answer: &Answer) -> bool {
    match answer.status {
        200 | 202 => true,
        503 => false,
        status => panic!("{status}: {}", answer.body),
    }
}

#[track_caller]
pub(crate) fn report(invoked: Invoked) -> Value {
    match invoked {
        Invoked::Response(value) => value,
        Invoked::Error(error) | Invoked::InitError(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn every_problem_of_the_configuration_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        folder.path(),
        &[
            ("CALVEN_BASE_URL", "http://api.calven.com"),
            ("CAPILLARY_BASE_URL", "https://eu.api.capillarytech.com"),
            ("STATE_URL", "ftp://state"),
            ("SOURCES_FILE", "nowhere.toml"),
            ("GUARD_MAX_REMOVED_PERCENT", "120"),
            ("DRY_RUN", "perhaps"),
        ],
    )
    .await;
    let (failed, log) = process.ended().await;
    assert!(failed);
    for name in [
        "CALVEN_SECRET_ID",
        "CALVEN_BASE_URL",
        "CAPILLARY_SECRET_ID",
        "STATE_URL",
        "SOURCES_FILE",
        "GUARD_MAX_REMOVED_PERCENT",
        "DRY_RUN",
    ] {
        assert!(log.contains(name), "{name}: {log}");
    }
}

/// A deployment may have no other way out. What goes through it is encrypted to its end, so it sees whom we talk to, and no more.
#[tokio::test]
async fn the_deployments_own_proxy_is_asked_for_a_tunnel_and_sees_the_host_alone() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let way_out = format!("http://{}", proxy.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut connection, _) = proxy.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(connection.read_u8().await.unwrap());
        }
        let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(refusal).await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    let manager = SecretsManager::start().await;
    for (id, secret) in secrets() {
        manager.put(&id, &secret.to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    let url = manager.url();
    let variables = [
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("CALVEN_BASE_URL", "https://calven.invalid"),
        ("CALVEN_SECRET_ID", "calven/api"),
        ("STATE_URL", "file:state.json"),
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("HTTPS_PROXY", way_out.as_str()),
    ];
    let process = Process::start(folder.path(), &variables).await;
    let seed: Value = serde_json::from_str(&read("events/01-seed.json")).unwrap();
    let _held = process.invoke(seed).await;
    let asked = tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap()
        .unwrap();
    assert!(
        asked.starts_with("CONNECT calven.invalid:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
    process.end().await;
}

#[tokio::test]
async fn its_state_is_in_s3_and_its_secrets_in_secrets_manager() {
    let calven = calven("calven/api").await;
    let s3 = S3::start("bridge-state").await;
    let manager = SecretsManager::start().await;
    for (id, secret) in secrets() {
        manager.put(&id, &secret.to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("CALVEN_BASE_URL", calven.url()),
        ("CALVEN_SECRET_ID", "calven/api".to_owned()),
        (
            "STATE_URL",
            "s3://bridge-state/production/state.json".to_owned(),
        ),
        ("AWS_ENDPOINT_URL", manager.url()),
        ("AWS_ENDPOINT_URL_S3", s3.url()),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE".to_owned()),
    ];
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let first = Process::start(folder.path(), &variables).await;
    let seed: Value = serde_json::from_str(&read("events/01-seed.json")).unwrap();
    assert_eq!(report(first.invoke(seed).await)["status"], "published");
    let mut log = first.end().await;

    let second = Process::start(folder.path(), &variables).await;
    let body =
        json!({"id": "evt_1", "changes": [upsert("Legal [Department] < Operations [Division]")]});
    let taken = answer(second.invoke(webhook(&body)).await);
    assert_eq!(taken.word(), (200, "published"), "{}", taken.body);
    assert_eq!(
        report(second.invoke(json!({"action": "reconcile"})).await)["status"],
        "published"
    );
    let Invoked::Error(error) = second.invoke(json!({"what": "is this"})).await else {
        panic!("an unknown event is a failed invocation");
    };
    assert_eq!(error["errorType"], "UnknownEvent");
    let sqs: Value = serde_json::from_str(&read("events/09-sqs-batch.json")).unwrap();
    assert_eq!(
        report(second.invoke(sqs).await),
        json!({"batchItemFailures": []})
    );
    log += &second.end().await;

    assert_eq!(calven.rows().unwrap().len(), 18);
    let state = s3.object("bridge-state", "production/state.json").unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["version"], 4);
    assert!(s3.seen().iter().any(|seen| seen.if_match.is_some()));
    for id in ["calven/api", "hris/acme"] {
        assert!(manager.seen().iter().any(|(seen, _)| seen == id), "{id}");
    }
    let mut hidden: Vec<String> = secrets()
        .values()
        .flat_map(|secret| secret.as_object().unwrap().clone())
        .filter(|(field, _)| field != "auth")
        .map(|(_, value)| value.as_str().unwrap().to_owned())
        .collect();
    // Nor, whatever level is asked for, any body or signature.
    hidden.extend(["test-secret-access-key", "token-1", "Legal", "v1,"].map(str::to_owned));
    for text in hidden {
        assert!(!log.contains(&text), "{text} is in the log");
    }
    assert!(log.contains("\"published\""), "{log}");
}

#[tokio::test]
async fn four_processes_on_one_file_lose_nothing_that_was_acknowledged() {
    const PROCESSES: usize = 4;
    const WEBHOOKS: usize = 50;
    let calven = calven("calven/basic").await;
    let folder = tempfile::tempdir().unwrap();
    let url = calven.url();
    let secrets_file = root().join("examples/sandbox/secrets.json");
    let variables = [
        ("CALVEN_BASE_URL", url.as_str()),
        ("CALVEN_SECRET_ID", "calven/basic"),
        ("SECRETS_FILE", secrets_file.to_str().unwrap()),
        ("STATE_URL", "file:state/bridge.json"),
        ("SEED_REQUIRED", "false"),
        ("AWS_LAMBDA_LOG_LEVEL", "ERROR"),
    ];
    let mut running = tokio::task::JoinSet::new();
    for process in 0..PROCESSES {
        let started = Arc::new(Process::start(folder.path(), &variables).await);
        running.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..WEBHOOKS {
                let row =
                    format!("Team {process}-{number} [Team] < Department {process} [Department]");
                let body =
                    json!({"id": format!("evt_{process}_{number}"), "changes": [upsert(&row)]});
                // As senders do: what was not acknowledged is sent again.
                while !is_acknowledged(&answer(started.invoke(webhook(&body)).await)) {}
                acknowledged.push(row);
            }
            (acknowledged, started)
        });
    }
    let (mut acknowledged, mut processes) = (Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (rows, process) = done.unwrap();
        acknowledged.extend(rows);
        processes.push(process);
    }
    assert_eq!(acknowledged.len(), PROCESSES * WEBHOOKS);
    let last = processes.pop().unwrap();
    assert_eq!(
        report(last.invoke(json!({"action": "reconcile"})).await)["status"],
        "published"
    );
    let held: Vec<String> = calven.rows().unwrap().iter().map(text_of).collect();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|row| !held.contains(row))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    for process in processes {
        if let Ok(process) = Arc::try_unwrap(process) {
            let log = process.end().await;
            assert!(!log.contains("sandbox-basic-secret"), "{log}");
        }
    }
}

#[tokio::test]
async fn it_queues_what_comes_in_and_publishes_what_the_queue_hands_over() {
    let calven = calven("calven/api").await;
    let sqs = Sqs::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secrets_file = root().join("examples/sandbox/secrets.json");
    let (url, service) = (calven.url(), sqs.url());
    let variables = [
        ("CALVEN_BASE_URL", url.as_str()),
        ("CALVEN_SECRET_ID", "calven/api"),
        ("SECRETS_FILE", secrets_file.to_str().unwrap()),
        ("STATE_URL", "file:state.json"),
        ("SEED_REQUIRED", "false"),
        (
            "QUEUE_URL",
            "https://sqs.us-east-1.amazonaws.com/123456789012/calven-bridge",
        ),
        ("AWS_ENDPOINT_URL_SQS", service.as_str()),
        ("AWS_LAMBDA_LOG_LEVEL", "DEBUG"),
    ];
    let process = Process::start(folder.path(), &variables).await;
    for number in 0..3 {
        let row = format!("Team {number} [Team]");
        let body = json!({"id": format!("evt_{number}"), "changes": [upsert(&row)]});
        let taken = answer(process.invoke(webhook(&body)).await);
        assert_eq!(taken.word(), (202, "accepted"), "{}", taken.body);
    }
    assert_eq!(calven.puts().len(), 0);
    let batch = sqs.deliver(10).unwrap();
    sqs.answered(Some(&report(process.invoke(batch).await)));
    assert_eq!((calven.puts().len(), calven.rows().unwrap().len()), (1, 3));
    assert_eq!((sqs.messages().len(), sqs.dead().len()), (0, 0));
    let log = process.end().await;
    for text in [sqs::SECRET_ACCESS_KEY, "AWS4-HMAC", "Team 1"] {
        assert!(!log.contains(text), "{text} is in the log");
    }
}

#[tokio::test]
async fn a_secret_that_does_not_come_is_given_up_before_lambda_s_deadline() {
    let calven = calven("calven/api").await;
    let manager = SecretsManager::start().await;
    manager.fail_stage("AWSCURRENT", secrets_manager::Fault::Hang);
    let folder = tempfile::tempdir().unwrap();
    let (url, service) = (calven.url(), manager.url());
    let variables = [
        ("CALVEN_BASE_URL", url.as_str()),
        ("CALVEN_SECRET_ID", "calven/api"),
        ("STATE_URL", "file:state.json"),
        ("AWS_ENDPOINT_URL", service.as_str()),
    ];
    let process = Process::start(folder.path(), &variables).await;
    let health = Request::new("GET", "/health").v2("$default");
    assert_eq!(answer(process.invoke(health).await).status, 200);
    let body = json!({"id": "evt_1", "changes": [upsert("A [T]")]});
    // Less than the five seconds that a secret may take of itself.
    let invoked = process
        .runtime
        .invoke(webhook(&body), Duration::from_secs(4));
    let given_up = answer(invoked.await);
    assert_eq!(given_up.status, 503, "{}", given_up.body);
    assert!(process.end().await.contains("the time was up"));
}
