//! The Runtime API as a bootstrap sees it.

use std::time::Duration;

use super::{Invoked, LambdaRuntime};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);

fn http() -> reqwest::Client {
    // Only one can be the process's; each of them is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Takes the next invocation: its id and its event.
async fn next(base: &str) -> (String, Value) {
    let request = http().get(format!("{base}/invocation/next"));
    let answer = request.send().await.unwrap();
    let headers = answer.headers().clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert!(header("lambda-runtime-deadline-ms").parse::<u64>().unwrap() > 1_600_000_000_000);
    assert!(header("lambda-runtime-invoked-function-arn").starts_with("arn:aws:lambda:"));
    let event = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (header("lambda-runtime-aws-request-id"), event)
}

async fn post(base: &str, path: &str, body: Value) -> u16 {
    let request = http().post(format!("{base}/{path}"));
    let answer = request.body(body.to_string()).send().await.unwrap();
    answer.status().as_u16()
}

fn base(lambda: &LambdaRuntime) -> String {
    format!("http://{}/2018-06-01/runtime", lambda.address())
}

#[tokio::test]
async fn an_invocation_waits_for_its_bootstrap_and_gets_its_answer() {
    let lambda = LambdaRuntime::start().await;
    let base = base(&lambda);
    let bootstrap = async {
        for outcome in ["response", "error"] {
            let (id, event) = next(&base).await;
            let answer = json!({"got": event});
            let path = format!("invocation/{id}/{outcome}");
            assert_eq!(post(&base, &path, answer.clone()).await, 202);
            assert_eq!(post(&base, &path, answer).await, 400, "answered once");
        }
    };
    let invoking = async {
        let first = lambda.invoke(json!(1), TIMEOUT).await;
        assert_eq!(first, Invoked::Response(json!({"got": 1})));
        let second = lambda.invoke(json!(2), TIMEOUT).await;
        assert_eq!(second, Invoked::Error(json!({"got": 2})));
    };
    tokio::join!(bootstrap, invoking);
}

#[tokio::test]
async fn a_bootstrap_that_cannot_start_fails_what_waits_and_what_comes() {
    let lambda = LambdaRuntime::start().await;
    let base = base(&lambda);
    let problem = json!({"errorType": "Config", "errorMessage": "CALVEN_SECRET_ID must be set"});
    let report = post(&base, "init/error", problem.clone());
    let (waiting, _) = tokio::join!(lambda.invoke(json!(1), TIMEOUT), report);
    assert_eq!(waiting, Invoked::InitError(problem.clone()));
    assert_eq!(
        lambda.invoke(json!(2), TIMEOUT).await,
        Invoked::InitError(problem)
    );
}

#[tokio::test]
async fn an_invocation_that_nobody_answers_times_out_and_is_not_handed_out_later() {
    let lambda = LambdaRuntime::start().await;
    let Invoked::Error(error) = lambda.invoke(json!(1), Duration::from_millis(20)).await else {
        panic!("nobody answered");
    };
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    let base = base(&lambda);
    let bootstrap = async {
        let (id, event) = next(&base).await;
        assert_eq!(event, json!(2));
        post(&base, &format!("invocation/{id}/response"), json!("done")).await
    };
    let (invoked, _) = tokio::join!(lambda.invoke(json!(2), TIMEOUT), bootstrap);
    assert_eq!(invoked, Invoked::Response(json!("done")));
}
