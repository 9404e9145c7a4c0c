//! Answers as no HTTP server writes them: past the server, onto its connection.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    http::{StatusCode, header::CONTENT_LENGTH},
    response::Response,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::sleep};

use super::all_of;
use crate::server::Connection;

/// Between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(100);

/// So large does an endless answer say that it is.
const ENDLESS_BYTES: u64 = 1 << 40;

/// An endless answer comes in such parts.
static PART: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// After so much of it a pause follows each part: who takes all that comes is found out, and the machine is not harmed.
const SWIFT_BYTES: u64 = 24 * 1024 * 1024;
const PAUSE: Duration = Duration::from_millis(2);

/// How an answer ends, or does not.
pub(super) enum Ending {
    /// In the middle of its body; of its head, where it has no body.
    Middle,
    /// After a long time.
    Slow,
    /// Never; the bytes that were taken are counted.
    Never(Arc<AtomicU64>),
}

/// Takes the connection from the server, and writes the answer in the background.
pub(super) async fn write(response: Response, connection: &Connection, ending: Ending) {
    let (mut head, body) = response.into_parts();
    let body = all_of(body).await;
    let length = match ending {
        Ending::Never(_) => {
            if head.status == StatusCode::NO_CONTENT {
                // This one has no body by definition.
                head.status = StatusCode::OK;
            }
            Some(ENDLESS_BYTES)
        }
        Ending::Middle | Ending::Slow => {
            (head.status != StatusCode::NO_CONTENT).then_some(body.len() as u64)
        }
    };
    head.headers.remove(CONTENT_LENGTH);
    if let Some(length) = length {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    let mut text = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    let Some(stream) = connection.take_over() else {
        return;
    };
    // That the client hangs up is what is waited for.
    tokio::spawn(async move {
        let _hung_up = write_on(stream, &text, &body, ending).await;
    });
}

async fn write_on(
    mut stream: TcpStream,
    head: &[u8],
    body: &[u8],
    ending: Ending,
) -> io::Result<()> {
    match ending {
        Ending::Middle if body.is_empty() => {
            stream.write_all(head.split_at(head.len() / 2).0).await
        }
        Ending::Middle => {
            stream.write_all(head).await?;
            stream.write_all(body.split_at(body.len() / 2).0).await
        }
        Ending::Slow => {
            for byte in head.iter().chain(body) {
                stream.write_all(&[*byte]).await?;
                sleep(DRIP).await;
            }
            Ok(())
        }
        Ending::Never(taken) => {
            stream.write_all(head).await?;
            stream.write_all(body).await?;
            loop {
                stream.write_all(&PART).await?;
                let before = taken.fetch_add(PART.len() as u64, Ordering::SeqCst);
                if before > SWIFT_BYTES {
                    sleep(PAUSE).await;
                }
            }
        }
    }
}
