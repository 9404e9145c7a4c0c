//! What a webhook's round trips cost whoever makes them: each event tells which, and this makes them, with bodies that say nothing, and answers.
//!
//! It asks the Runtime API as it asks everybody, by the function's HTTP client. So there is nothing in it but requests, their answers, and
//! what the machine takes to wake who waits for one. The event is all that it reads, of that the round trips alone.

use std::error::Error;

use bytes::Bytes;
use futures_util::future::try_join_all;
use reqwest::{Client, Method, Response, redirect::Policy};
use serde::Deserialize;

/// An event. What else it holds makes it as large as a webhook's, and is not kept.
#[derive(Deserialize)]
struct Event {
    /// One after the other; those of a round at once.
    rounds: Vec<Vec<RoundTrip>>,
}

#[derive(Deserialize)]
struct RoundTrip {
    method: String,
    url: String,
    /// The size of the body.
    bytes: usize,
    /// What it is answered.
    status: u16,
}

const ANSWER: &[u8] = br#"{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{}","isBase64Encoded":false}"#;

/// Ends where anything is not as it was told: then nothing was measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let invocation = format!("http://{}/2018-06-01/runtime/invocation", runtime_api()?);
    let client = Client::builder().redirect(Policy::none()).build()?;
    // All bodies are parts of it.
    let mut filler = Bytes::new();
    loop {
        let next = client.get(format!("{invocation}/next")).send().await?;
        let next = next.error_for_status()?;
        let id = next.headers().get("lambda-runtime-aws-request-id");
        let id = id.ok_or("an event without an id")?.to_str()?.to_owned();
        let Event { rounds } = serde_json::from_slice(&next.bytes().await?)?;
        for round in rounds {
            let largest = round.iter().map(|trip| trip.bytes).max();
            let largest = largest.unwrap_or_default();
            if filler.len() < largest {
                filler = vec![b' '; largest * 2].into();
            }
            try_join_all(round.iter().map(|trip| make(&client, trip, &filler))).await?;
        }
        let answered = client.post(format!("{invocation}/{id}/response"));
        whole(answered.body(ANSWER).send().await?.error_for_status()?).await?;
    }
}

async fn make(client: &Client, trip: &RoundTrip, filler: &Bytes) -> Result<(), Box<dyn Error>> {
    let mut request = client.request(Method::from_bytes(trip.method.as_bytes())?, &trip.url);
    if trip.bytes > 0 {
        request = request.body(filler.slice(..trip.bytes));
    }
    let answer = request.send().await?;
    if answer.status() != trip.status {
        return Err(format!("answered {}, and not {}", answer.status(), trip.status).into());
    }
    whole(answer).await
}

/// Reads an answer to its end.
async fn whole(mut answer: Response) -> Result<(), Box<dyn Error>> {
    while answer.chunk().await?.is_some() {}
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
fn runtime_api() -> Result<String, Box<dyn Error>> {
    Ok(std::env::var("AWS_LAMBDA_RUNTIME_API")?)
}
