//! What every HTTP client of ours has in common: connections, base URLs, bounded answers, and what a
//! failure says about whether the request arrived.
//!
//! No text made here holds a URL's query, a header or a body: any of them may be a secret.

use std::{error::Error, fmt, net::IpAddr, path::Path, str::FromStr, sync::Arc, time::Duration};

use reqwest::{
    Request, RequestBuilder, Response, Url,
    header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING},
    redirect::Policy,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    store::BoxFuture,
    tls::{self, TlsError},
};

/// The name that we go by in logs of others.
pub(crate) const USER_AGENT: &str = concat!("calven-bridge/", env!("CARGO_PKG_VERSION"));

/// A host that does not pick up within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than load balancers keep idle connections (60 seconds with AWS), so that we seldom write
/// into one that was closed meanwhile.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client's own refusal.
    #[error("the HTTP client could not be made: {0}")]
    Unusable(#[from] reqwest::Error),
}

/// The network's client, which all share. It follows no redirects: they would carry credentials elsewhere.
///
/// # Errors
/// [`ClientError`].
pub fn client() -> Result<reqwest::Client, ClientError> {
    client_over(tls::compiled_in()?)
}

/// The same, trusting the certificates of a PEM file and no others.
///
/// # Errors
/// [`ClientError`], as where there is no such file.
pub fn client_trusting(certificates: &Path) -> Result<reqwest::Client, ClientError> {
    client_over(tls::of_file(certificates)?)
}

fn client_over(tls: rustls::ClientConfig) -> Result<reqwest::Client, ClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build()?)
}

/// What carries a request to whom it is for, and the answer back, in the network's stead.
pub type Exchange =
    dyn Fn(Request) -> BoxFuture<'static, Result<Response, SendFailure>> + Send + Sync;

/// What sends requests: over the network, or, where time and failures are to be played, by an exchange.
#[derive(Clone)]
pub struct Client {
    network: reqwest::Client,
    exchange: Option<Arc<Exchange>>,
}

impl From<reqwest::Client> for Client {
    fn from(network: reqwest::Client) -> Self {
        let exchange = None;
        Self { network, exchange }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client that sends nothing over the network: `network` only writes the requests.
    pub fn by_exchange(network: reqwest::Client, exchange: Arc<Exchange>) -> Self {
        let exchange = Some(exchange);
        Self { network, exchange }
    }

    /// The network's own client, for those who sign and send by themselves.
    pub(crate) fn network(&self) -> &reqwest::Client {
        &self.network
    }

    /// Begins a request.
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.network.get(url)
    }

    /// Begins a request.
    pub fn post(&self, url: Url) -> RequestBuilder {
        self.network.post(url)
    }

    /// Begins a request.
    pub fn put(&self, url: Url) -> RequestBuilder {
        self.network.put(url)
    }

    /// Sends a request and waits for the head of the answer, up to `until`.
    ///
    /// # Errors
    /// [`SendFailure`]; whatever the answer's status is, it is no error here.
    pub async fn send(
        &self,
        request: RequestBuilder,
        until: Instant,
    ) -> Result<Response, SendFailure> {
        if Instant::now() >= until {
            return Err(SendFailure::NeverSent("no time was left".to_owned()));
        }
        let sent = match &self.exchange {
            None => timeout_at(until, request.send())
                .await
                .map(|sent| sent.map_err(|error| send_failure(&error))),
            Some(exchange) => {
                let request = request.build().map_err(|_| SendFailure::Unsendable)?;
                timeout_at(until, exchange(request)).await
            }
        };
        // It may still have been connecting; that cannot be told, and the other error would be worse.
        sent.unwrap_or_else(|_| Err(SendFailure::Unanswered("timed out".to_owned())))
    }
}

fn send_failure(error: &reqwest::Error) -> SendFailure {
    if error.is_builder() {
        SendFailure::Unsendable
    } else if error.is_connect() {
        SendFailure::NeverSent(root_cause(error))
    } else {
        SendFailure::Unanswered(root_cause(error))
    }
}

/// Where an API is: scheme, host, port and a path prefix.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why a text is no base URL; the text itself is not quoted, since it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBaseUrl {
    /// Not an absolute URL with a host.
    #[error("is not a URL such as https://api.example.com")]
    NotAUrl,
    /// Credentials would cross the network in clear.
    #[error("must begin with https:// (http:// is for this machine's own hosts only)")]
    NotHttps,
    /// User name or password.
    #[error("must not hold a user name or password; those belong into a secret")]
    Userinfo,
    /// `?…` or `#…`.
    #[error("must not hold a query or a fragment")]
    QueryOrFragment,
}

impl BaseUrl {
    /// Reads a base URL; https only, but for loopback hosts.
    ///
    /// # Errors
    /// [`BadBaseUrl`] names what it must not be.
    pub fn parse(text: &str) -> Result<Self, BadBaseUrl> {
        let url = Url::parse(text.trim()).map_err(|_| BadBaseUrl::NotAUrl)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadBaseUrl::NotAUrl);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(BadBaseUrl::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadBaseUrl::Userinfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadBaseUrl::QueryOrFragment);
        }
        Ok(Self(url))
    }

    /// The URL as it was given, without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The URL of `path` (which begins with a slash) below this base, whose own path stays in front.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        url
    }
}

impl FromStr for BaseUrl {
    type Err = BadBaseUrl;

    fn from_str(text: &str) -> Result<Self, BadBaseUrl> {
        Self::parse(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.0)
    }
}

/// `localhost`, names below it (RFC 6761 §6.3), 127.0.0.0/8 and `::1`.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_end_matches('.');
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// A header's value that is kept out of logs; `None` where the text cannot stand in a header.
pub fn sensitive_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The name of a header that a source's configuration or secret may add to a request; `None` where it is
/// no name, or one that says where a request goes and how long it is.
pub fn added_header(text: &str) -> Option<HeaderName> {
    let name = HeaderName::try_from(text).ok()?;
    let is_the_transport_s = [HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING].contains(&name);
    (!is_the_transport_s).then_some(name)
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// It cannot be put into HTTP: a credential that cannot stand in a header.
    #[error("the request cannot be written as HTTP")]
    Unsendable,
    /// It was never sent: there was no connection, or no time.
    #[error("no connection: {0}")]
    NeverSent(String),
    /// It may have arrived and taken effect, but no complete answer came.
    #[error("no complete answer: {0}")]
    Unanswered(String),
}

/// Why the body of an answer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFailure {
    /// More than we take.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// How much we take.
        limit_bytes: usize,
    },
    /// It ended before it was complete, or did not end in time.
    #[error("the answer is cut off: {0}")]
    CutOff(String),
}

/// Reads the whole body of an answer, up to `limit_bytes` and up to `until`.
///
/// # Errors
/// [`BodyFailure`]; nothing of an incomplete body is handed out.
pub async fn read_body(
    mut response: Response,
    limit_bytes: usize,
    until: Instant,
) -> Result<Vec<u8>, BodyFailure> {
    let mut body = Vec::new();
    loop {
        let chunk = match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(body),
            Ok(Err(error)) => return Err(BodyFailure::CutOff(root_cause(&error))),
            Err(_) => return Err(BodyFailure::CutOff("timed out".to_owned())),
        };
        if body.len().saturating_add(chunk.len()) > limit_bytes {
            return Err(BodyFailure::TooLarge { limit_bytes });
        }
        body.extend_from_slice(&chunk);
    }
}

/// The innermost cause: what the system or the other side said, without the URL that reqwest adds.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest::Error>() {
        return "the connection failed".to_owned();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn a_base_url_keeps_its_path_prefix() {
        let check = |base: &str, expected: &str| {
            assert_eq!(
                BaseUrl::parse(base).unwrap().at("/v1/auth").as_str(),
                expected,
                "{base}"
            );
        };
        check("https://api.calven.com", "https://api.calven.com/v1/auth");
        check("https://api.calven.com/", "https://api.calven.com/v1/auth");
        check(
            " https://proxy.example/calven/ ",
            "https://proxy.example/calven/v1/auth",
        );
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/auth");
        check("http://localhost:8080", "http://localhost:8080/v1/auth");
        check("http://[::1]:8080", "http://[::1]:8080/v1/auth");
    }

    #[test]
    fn a_base_url_that_would_leak_or_mislead_is_refused() {
        let check = |base: &str, expected| {
            assert_eq!(BaseUrl::parse(base), Err(expected), "{base}");
        };
        check("", BadBaseUrl::NotAUrl);
        check("api.calven.com", BadBaseUrl::NotAUrl);
        check("http://api.calven.com", BadBaseUrl::NotHttps);
        check("http://localhost.example.com", BadBaseUrl::NotHttps);
        check("http://127.0.0.1.example.com", BadBaseUrl::NotHttps);
        check("ftp://api.calven.com", BadBaseUrl::NotHttps);
        check("https://user:pass@api.calven.com", BadBaseUrl::Userinfo);
        check("https://api.calven.com/?a=b", BadBaseUrl::QueryOrFragment);
        check("https://api.calven.com/#top", BadBaseUrl::QueryOrFragment);
    }

    #[test]
    fn a_header_made_of_a_secret_is_kept_out_of_logs() {
        let header = sensitive_header("Bearer abc").unwrap();
        assert!(!format!("{header:?}").contains("abc"));
        assert_eq!(sensitive_header("two\nlines"), None);
    }

    async fn get(url: impl AsRef<str>, until: Instant) -> Result<Response, SendFailure> {
        let client = Client::from(client().unwrap());
        let request = client.get(Url::parse(url.as_ref()).unwrap());
        client.send(request, until).await
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test]
    async fn a_refused_connection_says_that_nothing_was_sent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/?key=secret", listener.local_addr().unwrap());
        drop(listener);
        let failure = get(url, soon()).await.unwrap_err();
        assert!(matches!(&failure, SendFailure::NeverSent(_)), "{failure}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }

    #[tokio::test]
    async fn a_connection_that_closes_without_an_answer_says_that_it_may_have_arrived() {
        let url = answer_once(b"").await;
        let failure = get(url, soon()).await.unwrap_err();
        assert!(matches!(&failure, SendFailure::Unanswered(_)), "{failure}");
    }

    #[tokio::test]
    async fn nothing_is_sent_after_the_time_is_up() {
        let url = answer_once(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        let failure = get(url, Instant::now()).await.unwrap_err();
        assert!(matches!(&failure, SendFailure::NeverSent(_)), "{failure}");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_like_any_other() {
        let url =
            answer_once(b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\n\r\n")
                .await;
        let response = get(url, soon()).await.unwrap();
        assert_eq!(response.status(), 302);
    }

    #[tokio::test]
    async fn nobody_is_called_to_whom_a_redirect_points() {
        let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let there = elsewhere.local_addr().unwrap();
        for status in [301, 302, 303, 307, 308] {
            let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: http://{there}/\r\n\r\n");
            let url = answer_once(Box::leak(answer.into_boxed_str()).as_bytes()).await;
            let client = Client::from(client().unwrap());
            let request = client.put(Url::parse(&url).unwrap()).bearer_auth("secret");
            let response = client.send(request, soon()).await.unwrap();
            assert_eq!(response.status(), status);
        }
        let called = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
        assert!(called.is_err());
    }

    async fn body_of(answer: &'static [u8], limit_bytes: usize) -> Result<Vec<u8>, BodyFailure> {
        let url = answer_once(answer).await;
        let response = get(url, soon()).await.unwrap();
        read_body(response, limit_bytes, soon()).await
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(body_of(answer, 5).await, Ok(b"hello".to_vec()));
        assert_eq!(
            body_of(answer, 4).await,
            Err(BodyFailure::TooLarge { limit_bytes: 4 })
        );
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_an_error_and_not_a_shorter_body() {
        let failure = body_of(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", 100)
            .await
            .unwrap_err();
        assert!(matches!(&failure, BodyFailure::CutOff(_)), "{failure}");
    }

    /// Takes one request and answers with these bytes, HTTP or not, which no stand-in can.
    async fn answer_once(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await.unwrap();
            stream.write_all(answer).await.unwrap();
        });
        url
    }
}
