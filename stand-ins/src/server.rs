//! A server on 127.0.0.1 whose connections can break, which can be down for a while, and whose [`Traffic`] can be watched.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

use crate::traffic::{Stage, Traffic};

/// So many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A running [`Router`]; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    router: Router,
    traffic: Traffic,
    address: SocketAddr,
    running: Mutex<Option<Running>>,
    /// Keeps the port while nobody listens on it, so that no other test's server gets it.
    kept: Mutex<Option<TcpSocket>>,
}

#[derive(Debug)]
struct Running {
    task: JoinHandle<io::Result<()>>,
    connections: Connections,
}

type Connections = Arc<Mutex<Vec<Connection>>>;

impl Server {
    /// Serves `router` on the given port; 0 takes a free one.
    ///
    /// # Errors
    /// Where the port is taken.
    pub async fn start(port: u16, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let traffic = Traffic::default();
        let router = traffic.over(router);
        let running = Running::serve(listener, router.clone(), traffic.clone());
        Ok(Self {
            router,
            traffic,
            address,
            running: Mutex::new(Some(running)),
            kept: Mutex::new(None),
        })
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes over it.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Closes the listener and every connection: whoever connects from now on is refused.
    pub async fn go_down(&self) {
        let running = locked(&self.running).take();
        if let Some(running) = running {
            let task = running.stop();
            // Only once the task has ended is the listener closed; that it was aborted is no news.
            let _ended = task.await;
            *locked(&self.kept) = keep(self.address).ok();
        }
    }

    /// Serves again on the same port; does nothing where it is up already.
    ///
    /// # Errors
    /// Where somebody else has taken the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        if locked(&self.running).is_some() {
            return Ok(());
        }
        let kept = locked(&self.kept).take();
        let listener = match kept {
            Some(socket) => socket.listen(BACKLOG)?,
            None => TcpListener::bind(self.address).await?,
        };
        let running = Running::serve(listener, self.router.clone(), self.traffic.clone());
        *locked(&self.running) = Some(running);
        Ok(())
    }
}

/// Takes a port and does not listen: who connects is refused.
fn keep(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = locked(&self.running).take() {
            running.stop();
        }
    }
}

impl Running {
    fn serve(listener: TcpListener, router: Router, traffic: Traffic) -> Self {
        let connections = Connections::default();
        let listener = BreakableListener {
            listener,
            connections: Arc::clone(&connections),
            traffic,
        };
        let service = router.into_make_service_with_connect_info::<Connection>();
        let task = tokio::spawn(async move { axum::serve(listener, service).await });
        Self { task, connections }
    }

    fn stop(self) -> JoinHandle<io::Result<()>> {
        self.task.abort();
        for connection in locked(&self.connections).drain(..) {
            connection.break_now();
        }
        self.task
    }
}

/// A handle on the connection that a request came over; take it as `ConnectInfo<Connection>`.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    /// None once it is broken.
    stream: Option<TcpStream>,
    /// How many more bytes get through to the client.
    bytes_left: Option<usize>,
    reader: Option<Waker>,
    stage: Stage,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self(Arc::new(Mutex::new(Line {
            stream: Some(stream),
            bytes_left: None,
            reader: None,
            stage: Stage::default(),
        })))
    }

    /// Breaks the connection once so many more bytes have been sent to the client; 0: the client never
    /// sees an answer.
    pub fn break_after(&self, bytes: usize) {
        locked(&self.0).bytes_left = Some(bytes);
    }

    /// Takes the connection away from the server, which takes it for broken; `None` where it is broken.
    pub(crate) fn take_over(&self) -> Option<TcpStream> {
        let mut line = locked(&self.0);
        let stream = line.stream.take();
        if let Some(reader) = line.reader.take() {
            reader.wake();
        }
        stream
    }

    /// Looks at what is under way on it, or changes it.
    pub(crate) fn stage<R>(&self, change: impl FnOnce(&mut Stage) -> R) -> R {
        change(&mut locked(&self.0).stage)
    }

    fn break_now(&self) {
        self.take_over();
    }

    fn is_open(&self) -> bool {
        locked(&self.0).stream.is_some()
    }
}

impl Connected<IncomingStream<'_, BreakableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, BreakableListener>) -> Self {
        stream.io().0.clone()
    }
}

#[derive(Debug)]
struct BreakableListener {
    listener: TcpListener,
    connections: Connections,
    traffic: Traffic,
}

impl Listener for BreakableListener {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BreakableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let connection = Connection::new(stream);
        self.traffic.connected();
        let mut connections = locked(&self.connections);
        connections.retain(Connection::is_open);
        connections.push(connection.clone());
        drop(connections);
        (BreakableStream(connection), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The server's end of a [`Connection`]; when the server drops it, the connection is closed.
struct BreakableStream(Connection);

impl Drop for BreakableStream {
    fn drop(&mut self) {
        self.0.break_now();
    }
}

impl AsyncRead for BreakableStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = locked(&self.0.0);
        line.reader = Some(cx.waker().clone());
        let had = buffer.filled().len();
        let read = match line.stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        };
        if buffer.filled().len() > had {
            line.stage.read();
        }
        read
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut line = locked(&self.0.0);
        let allowed = line.bytes_left.unwrap_or(usize::MAX).min(bytes.len());
        if allowed == 0 && !bytes.is_empty() {
            line.stream = None;
        }
        let Some(stream) = line.stream.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let now = Instant::now();
        let written = Pin::new(stream).poll_write(cx, bytes.get(..allowed).unwrap_or(bytes));
        if let Poll::Ready(Ok(written)) = &written {
            if let Some(left) = line.bytes_left.as_mut() {
                *left = left.saturating_sub(*written);
            }
            line.stage.wrote(now);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match locked(&self.0.0).stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match locked(&self.0.0).stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// A test that panicked while it held the lock has failed already; the others go on.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
