//! A stand-in for whoever takes whatever it is sent: for who measures what a request costs, whatever it says.

use std::io;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::any,
};

use crate::{server::Server, traffic::Traffic};

/// It reads the whole of a request, and looks at nothing but its path.
#[derive(Debug)]
pub struct Anything {
    server: Server,
}

impl Anything {
    /// Starts one.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> io::Result<Self> {
        let router = Router::new()
            .route("/{status}/{bytes}", any(answer))
            .layer(DefaultBodyLimit::disable());
        let server = Server::start(0, router).await?;
        Ok(Self { server })
    }

    /// Who asks there is answered with this status, and a body of so many bytes.
    pub fn url_of(&self, status: u16, bytes: u64) -> String {
        format!("{}/{status}/{bytes}", self.server.url())
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }
}

async fn answer(Path((status, bytes)): Path<(u16, usize)>, _body: Bytes) -> Response {
    match StatusCode::from_u16(status) {
        Ok(status) if bytes == 0 => status.into_response(),
        Ok(status) => (status, vec![b' '; bytes]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn it_answers_as_it_is_asked_to_and_notes_the_sizes_of_both() {
        // Only one can be the process's; each of them is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let anything = Anything::start().await.unwrap();
        anything.traffic().watch(Duration::ZERO);
        let client = reqwest::Client::new();
        let began = Instant::now();
        let get = client.get(anything.url_of(304, 0)).send().await.unwrap();
        assert_eq!(get.status(), 304);
        // More than axum takes by itself.
        let put = client.put(anything.url_of(201, 7));
        let put = put.body(vec![0; 3_000_000]).send().await.unwrap();
        assert_eq!(put.status(), 201);
        assert_eq!(put.bytes().await.unwrap().len(), 7);
        let trips = anything.traffic().since(began);
        let noted: Vec<_> = trips
            .iter()
            .map(|trip| (trip.method.as_str(), trip.bytes, trip.end.unwrap().bytes))
            .collect();
        assert_eq!(noted, [("GET", 0, 0), ("PUT", 3_000_000, 7)]);
        let nonsense = client.get(anything.url_of(1, 0)).send().await.unwrap();
        assert_eq!(nonsense.status(), 400);
    }
}
