//! The client against a strict stand-in, which checks the signature.

use stand_ins::{
    fault::Fault,
    sqs::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, Sqs},
};

use super::*;
use crate::{http, timestamp::Timestamp};

/// Nobody waits longer in these tests.
const PATIENCE: Duration = Duration::from_millis(700);

fn open(url: &str, variables: &[(&str, &str)]) -> Result<Queue, QueueError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let clock = Clock::fixed(Timestamp::from_seconds(1_795_341_600));
    let policy = RetryPolicy {
        first: Duration::from_millis(1),
        cap: Duration::from_millis(1),
        attempt: Duration::from_secs(20),
    };
    let queue = Queue::open(
        &url.parse().unwrap(),
        &http::client().unwrap().into(),
        &variable,
        clock,
    )?;
    Ok(queue.with_retry_policy(policy))
}

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
    ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
];

async fn scene() -> (Sqs, Queue) {
    let sqs = Sqs::start().await.unwrap();
    let [id, secret] = KEYS;
    let variables = [id, secret, ("AWS_REGION", "us-east-1")];
    let queue = open(&sqs.queue_url(), &variables).unwrap();
    (sqs, queue)
}

async fn send(queue: &Queue, message: &str) -> Result<(), QueueError> {
    queue.send(message, Instant::now() + PATIENCE).await
}

#[track_caller]
fn check_failure(result: Result<(), QueueError>, is_transient: bool, reason: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.is_transient(), is_transient, "{error}");
    assert!(error.to_string().ends_with(reason), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_message_is_sent_signed() {
    let (sqs, queue) = scene().await;
    assert_eq!(send(&queue, "{\"a\": \"ä\"}").await, Ok(()));
    assert_eq!(sqs.messages(), ["{\"a\": \"ä\"}"]);
}

#[tokio::test]
async fn the_address_names_the_region_and_a_variable_another_endpoint() {
    let sqs = Sqs::start().await.unwrap();
    let url = sqs.url();
    let [id, secret] = KEYS;
    let address = "https://sqs.us-east-1.amazonaws.com/123456789012/calven-bridge";
    for endpoint in [
        ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    ] {
        let nowhere = "http://127.0.0.1:9";
        let variables = [
            id,
            secret,
            ("AWS_REGION", "eu-west-1"),
            (endpoint.0, &url),
            (endpoint.1, nowhere),
        ];
        let queue = open(address, &variables).unwrap();
        assert_eq!(send(&queue, "m").await, Ok(()), "{endpoint:?}");
    }
    assert_eq!(sqs.messages().len(), 2);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let (sqs, queue) = scene().await;
    sqs.fail_next(Fault::Status(500));
    sqs.fail_next(Fault::StatusRetryAfter(429, "0".to_owned()));
    sqs.fail_next(Fault::Reset);
    sqs.fail_next(Fault::CutOff(60));
    assert_eq!(send(&queue, "m").await, Ok(()));
    // The one whose answer was cut off is there too.
    assert_eq!(sqs.messages(), ["m", "m"]);
    sqs.refuse_next(400, "com.amazonaws.sqs#RequestThrottled");
    sqs.refuse_next(403, "com.amazonaws.sqs#ThrottlingException");
    assert_eq!(send(&queue, "m").await, Ok(()));
    assert_eq!(sqs.messages().len(), 3);
}

#[tokio::test]
async fn what_must_be_mended_is_not_tried_again() {
    let (sqs, queue) = scene().await;
    for (status, code, told) in [
        (
            403,
            "com.amazonaws.sqs#AccessDeniedException",
            "AccessDeniedException",
        ),
        (
            400,
            "AWS.SimpleQueueService.NonExistentQueue",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
    ] {
        sqs.refuse_next(status, code);
        let told = format!("answered {status} ({told})");
        check_failure(send(&queue, "s3cret").await, false, &told);
    }
    sqs.refuse_next(400, "no <code> s3cret");
    check_failure(send(&queue, "s3cret").await, false, "answered 400");
    assert_eq!(sqs.requests(), 3);
}

#[tokio::test]
async fn what_does_not_answer_is_given_up_in_time() {
    let (sqs, queue) = scene().await;
    sqs.fail_next(Fault::Hang);
    let began = Instant::now();
    let sent = queue
        .send("s3cret", began + Duration::from_millis(100))
        .await;
    check_failure(sent, true, "no complete answer: timed out");
    sqs.fail_next(Fault::StatusRetryAfter(503, "3600".to_owned()));
    check_failure(send(&queue, "m").await, true, "answered 503");
    assert!(
        began.elapsed() < PATIENCE,
        "it waited where it had no time to"
    );
    sqs.go_down().await;
    let sent = queue
        .send("m", Instant::now() + Duration::from_millis(100))
        .await;
    assert!(sent.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_success_that_is_none_is_a_failure() {
    let (sqs, queue) = scene().await;
    sqs.fail_next(Fault::Garbage("<html>s3cret".to_owned()));
    check_failure(
        send(&queue, "m").await,
        false,
        "it answers success, and not as SQS does",
    );
    let other = r#"{"MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e", "MessageId": "1"}"#;
    sqs.fail_next(Fault::Garbage(other.to_owned()));
    // It is sent again, and then it is there.
    assert_eq!(send(&queue, "m").await, Ok(()));
}

#[tokio::test]
async fn a_success_without_an_end_is_not_asked_for_again() {
    let (sqs, queue) = scene().await;
    sqs.fail_always(Fault::Endless);
    check_failure(
        send(&queue, "m").await,
        false,
        "the answer is larger than 65536 bytes",
    );
    assert_eq!(sqs.mend().times, 1);
}

#[tokio::test]
async fn the_largest_message_is_sent_and_a_larger_one_is_not() {
    let (sqs, queue) = scene().await;
    let largest = "m".repeat(LARGEST_MESSAGE_BYTES);
    let far = Instant::now() + Duration::from_secs(20);
    assert_eq!(queue.send(&largest, far).await, Ok(()));
    let larger = "ä".repeat(LARGEST_MESSAGE_BYTES / 2 + 1);
    let bytes = LARGEST_MESSAGE_BYTES + 2;
    assert_eq!(
        queue.send(&larger, far).await,
        Err(QueueError::TooLarge { bytes })
    );
    let taken = sqs.messages();
    assert!(taken.iter().all(|message| message.len() == largest.len()));
}

#[test]
fn what_does_not_fit_together_is_told_at_the_start() {
    let [id, secret] = KEYS;
    let region = ("AWS_REGION", "us-east-1");
    for (variables, reason) in [
        (vec![id, secret], "AWS_REGION is not set"),
        (vec![secret, region], "Missing AccessKeyId"),
        (
            vec![
                id,
                secret,
                region,
                ("AWS_ENDPOINT_URL_SQS", "http://sqs.example.com"),
            ],
            "AWS_ENDPOINT_URL_SQS must begin with https://",
        ),
    ] {
        let error = open("https://queues.example.com/123456789012/q", &variables).unwrap_err();
        let told = error.to_string().contains(reason);
        assert!(told, "{error}");
    }
    let queue = open("https://sqs.us-east-1.amazonaws.com/123456789012/q", &KEYS).unwrap();
    assert!(!format!("{queue:?}").contains(SECRET_ACCESS_KEY));
}
