//! What goes over a server, for who measures: when each request began and ended, and a latency that the network would have.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
};

use crate::server::{Connection, locked};

/// A server's traffic. Nothing is noted until it is [watched](Self::watch).
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    is_watched: bool,
    latency: Duration,
    connections: usize,
    round_trips: Vec<RoundTrip>,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct RoundTrip {
    /// The request's method.
    pub method: String,
    /// Its path, without a query.
    pub path: String,
    /// How long its body is, as far as that is told beforehand.
    pub bytes: u64,
    /// When its first byte came.
    pub began: Instant,
    /// What it was answered; `None` while it is not.
    pub end: Option<End>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When the first byte of its answer went out.
    pub answered: Instant,
    /// When the last one did.
    pub complete: Instant,
    /// The answer's status.
    pub status: u16,
    /// How long its body is, as far as that is told beforehand.
    pub bytes: u64,
}

/// What is under way on one connection, so that a request's time is that of its bytes: what a server makes of them is not the time of
/// who asks.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// Nothing.
    #[default]
    Idle,
    /// The first bytes of a request have come.
    Arrived(Instant),
    /// The request is being answered.
    UnderWay,
    /// Its answer is ready, and not a byte of it has gone out.
    Ready(Traffic, usize),
    /// Its answer goes out.
    GoingOut(Traffic, usize),
}

impl Stage {
    /// Bytes have come.
    pub(crate) fn read(&mut self) {
        if let Self::Idle | Self::GoingOut(..) = self {
            *self = Self::Arrived(Instant::now());
        }
    }

    /// Bytes went out then. Whoever waits for them may run before the system lets us go on, so it is not for us to look at the clock now.
    pub(crate) fn wrote(&mut self, then: Instant) {
        *self = match std::mem::take(self) {
            Self::Ready(traffic, number) => {
                traffic.goes_out(number, |end| (end.answered, end.complete) = (then, then));
                Self::GoingOut(traffic, number)
            }
            Self::GoingOut(traffic, number) => {
                traffic.goes_out(number, |end| end.complete = then);
                Self::GoingOut(traffic, number)
            }
            other => other,
        };
    }

    /// A request is to be answered; when its first bytes came.
    fn begins(&mut self) -> Instant {
        match std::mem::replace(self, Self::UnderWay) {
            Self::Arrived(at) => at,
            _ => Instant::now(),
        }
    }
}

impl Traffic {
    /// Notes every request from now on, and holds each answer back for so long, as a network would.
    pub fn watch(&self, latency: Duration) {
        let mut noted = locked(&self.0);
        (noted.is_watched, noted.latency) = (true, latency);
    }

    /// The requests that have begun since then, in order of their heads' arrival.
    pub fn since(&self, then: Instant) -> Vec<RoundTrip> {
        let noted = locked(&self.0);
        let since = noted.round_trips.iter();
        since.filter(|trip| trip.began >= then).cloned().collect()
    }

    /// The request that began last.
    pub fn last(&self) -> Option<RoundTrip> {
        locked(&self.0).round_trips.last().cloned()
    }

    /// How many connections were made since it is watched.
    pub fn connections(&self) -> usize {
        locked(&self.0).connections
    }

    /// Notes what goes through this router.
    pub(crate) fn over(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), pass))
    }

    /// Notes a connection.
    pub(crate) fn connected(&self) {
        let mut noted = locked(&self.0);
        noted.connections += usize::from(noted.is_watched);
    }

    /// Notes that a request has begun; its number, and how long its answer is to be held back.
    fn begins(&self, request: &Request, began: Instant) -> Option<(usize, Duration)> {
        let mut noted = locked(&self.0);
        if !noted.is_watched {
            return None;
        }
        noted.round_trips.push(RoundTrip {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            bytes: bytes(request.body()),
            began,
            end: None,
        });
        Some((noted.round_trips.len() - 1, noted.latency))
    }

    /// Notes that a request is answered.
    fn ends(&self, number: usize, answer: &Response) {
        let mut noted = locked(&self.0);
        let now = Instant::now();
        if let Some(trip) = noted.round_trips.get_mut(number) {
            trip.end = Some(End {
                answered: now,
                complete: now,
                status: answer.status().as_u16(),
                bytes: bytes(answer.body()),
            });
        }
    }

    /// Notes that bytes of an answer have gone out.
    fn goes_out(&self, number: usize, note: impl FnOnce(&mut End)) {
        let mut noted = locked(&self.0);
        let trip = noted.round_trips.get_mut(number);
        trip.and_then(|trip| trip.end.as_mut()).map(note);
    }
}

fn bytes(body: &Body) -> u64 {
    body.size_hint().exact().unwrap_or(0)
}

async fn pass(
    State(traffic): State<Traffic>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let began = connection.stage(Stage::begins);
    let Some((number, latency)) = traffic.begins(&request, began) else {
        let answer = next.run(request).await;
        connection.stage(|stage| *stage = Stage::Idle);
        return answer;
    };
    let answer = next.run(request).await;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    traffic.ends(number, &answer);
    connection.stage(|stage| *stage = Stage::Ready(traffic, number));
    answer
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;
    use crate::server::Server;

    #[tokio::test]
    async fn what_is_watched_is_noted_with_its_latency() {
        // Only one can be the process's; each of them is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let router = Router::new().route("/a", get(async || "a"));
        let server = Server::start(0, router).await.unwrap();
        let client = reqwest::Client::new();
        let ask = async |path| {
            let answer = client.get(format!("{}{path}", server.url())).send().await;
            answer.unwrap().status().as_u16()
        };
        let began = Instant::now();
        assert_eq!(ask("/a").await, 200);
        let traffic = server.traffic();
        assert_eq!(traffic.since(began).len(), 0, "not watched");

        let latency = Duration::from_millis(20);
        traffic.watch(latency);
        assert_eq!((ask("/a?b=c").await, ask("/d").await), (200, 404));
        let noted = traffic.since(began);
        let told: Vec<_> = noted
            .iter()
            .map(|trip| (trip.path.as_str(), trip.end.unwrap().status))
            .collect();
        assert_eq!(told, [("/a", 200), ("/d", 404)]);
        for trip in &noted {
            let end = trip.end.unwrap();
            assert!(end.answered - trip.began >= latency, "{trip:?}");
            assert!(end.complete >= end.answered, "{trip:?}");
        }
        assert_eq!(traffic.since(noted[1].began).len(), 1);
        assert_eq!(traffic.last().unwrap().path, "/d");
        assert_eq!(traffic.connections(), 0, "the one that was there already");
    }
}
