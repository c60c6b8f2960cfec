//! Accepts connections, serves them, and on shutdown lets their requests finish.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Version;
use http_body::Body as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::server::admission::LogSampling;
use crate::server::connection::io_timeouts::IoTimeouts;
use crate::server::connection::requests_in_flight::RequestsInFlight;
use crate::server::connection::unsent_responses::UnsentResponses;
use crate::server::connection::{BareErrors, FrameBudget, Networks, Peer, UnreadBody};
use crate::server::middleware::{HttpService, run};
use crate::server::tls::ListenerTls;

/// The timeout of a connection's first bytes, and of the headers of an HTTP/1 request from their first byte to their last.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// The idle timeout of an HTTP/1 connection. Load balancers usually keep idle connections for 60 seconds; a server that
/// closes first races with the next request.
const NEXT_REQUEST_TIMEOUT: Duration = Duration::from_secs(75);
/// The idle timeout of an HTTP/2 connection, which then gets GOAWAY: answered PINGs alone do not keep it open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// The timeout of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that reads nothing of a response is disconnected after this.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// The interval of keep-alive PINGs on an idle HTTP/2 connection.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// TCP keep-alive detects a half-open connection after two minutes, over any protocol: an idle event stream would hold a
/// permit of its client.
const TCP_KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(Duration::from_secs(15)).with_retries(4);
/// The flow-control windows of HTTP/2: large, so that a file of megabytes does not wait for WINDOW_UPDATEs.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The largest header list of an HTTP/2 request: the longest accepted token, and room for the rest. Beyond it, hyper
/// responds with a bare 431, without a gRPC status.
const MAX_HEADERS: u32 = 64 << 10;
/// Concurrent requests of one HTTP/2 connection.
const MAX_STREAMS: u32 = 250;
/// The shortest time between two log lines about the connection limit.
const LOG_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failed accept, such as without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A socket and how to serve it.
pub struct Listener {
    /// The bound socket.
    pub socket: TcpListener,
    /// The server certificate; `None` is plain text.
    pub tls: Option<Arc<ListenerTls>>,
    /// The connection limit, handshakes included. Connections beyond it wait in the accept queue of the system.
    pub max_connections: u32,
    /// Proxies whose `x-forwarded-for` is trusted.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// Plain text, with a low connection limit.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None, max_connections: 1_000, trusted_proxies: Vec::new() }
    }
}

/// Serves `service` on `listener` until `shutdown` is cancelled; then accepts nothing more and lets requests in flight
/// finish. Returns when all connections have ended.
pub async fn serve(listener: impl Into<Listener>, service: impl HttpService, shutdown: CancellationToken) {
    let Listener { socket, tls, max_connections, trusted_proxies } = listener.into();
    let builder = Arc::new(builder());
    let limit = ConnectionLimit::new(&socket, max_connections);
    let networks = Arc::new(Networks::new(max_connections, trusted_proxies));
    let connections = TaskTracker::new();
    loop {
        let accepted = async {
            let permit = limit.acquire().await;
            socket.accept().await.map(|(stream, address)| (stream, address.ip(), permit))
        };
        let (stream, address, permit) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Ok(network_permit) = networks.connect(address) else {
            limit.log_rejected();
            continue;
        };
        // Responses are written as a whole; Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TCP_KEEPALIVE);
        let (builder, service) = (Arc::clone(&builder), service.clone());
        let (tls, shutdown, networks) = (tls.clone(), shutdown.clone(), Arc::clone(&networks));
        connections.spawn(async move {
            let _permits = (permit, network_permit);
            let delay = networks.delay_after_flood(Peer::of(address), Instant::now());
            if let Some(delay) = delay
                && shutdown.run_until_cancelled(tokio::time::sleep(delay)).await.is_none()
            {
                return;
            }
            let stream = match tls {
                None => Either::Left(stream),
                // There is no request yet: a shutdown need not wait.
                Some(tls) => match shutdown.run_until_cancelled(handshake(&tls, stream)).await.flatten() {
                    Some(stream) => Either::Right(stream),
                    None => return,
                },
            };
            let connection = Connection { address, networks, after_flood: delay.is_some() };
            serve_connection(&builder, stream, connection, service, &shutdown).await;
        });
    }
    drop(socket);
    connections.close();
    connections.wait().await;
}

/// The connection limit of a listener.
struct ConnectionLimit {
    /// The port of the listener, for the log.
    port: Option<u16>,
    permits: Arc<Semaphore>,
    last_logged: Mutex<Option<Instant>>,
    rejected: LogSampling,
}

impl ConnectionLimit {
    fn new(socket: &TcpListener, max: u32) -> Self {
        let permits = Arc::new(Semaphore::new(usize::try_from(max).unwrap_or(Semaphore::MAX_PERMITS)));
        Self {
            port: socket.local_addr().ok().map(|address| address.port()),
            permits,
            last_logged: Mutex::default(),
            rejected: LogSampling::new(1),
        }
    }

    /// The next free permit.
    async fn acquire(&self) -> OwnedSemaphorePermit {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return permit;
        }
        self.log_exhausted();
        match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Logs a connection that was closed because its network has too many.
    fn log_rejected(&self) {
        let sampled = self.rejected.sample(Instant::now());
        if sampled.write {
            let connections = sampled.left_out.unwrap_or_default() + 1;
            tracing::warn!(port = self.port, connections, "connections closed: one network has more than its share");
        }
    }

    fn log_exhausted(&self) {
        let mut last_logged = self.last_logged.lock().unwrap_or_else(PoisonError::into_inner);
        if last_logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *last_logged = Some(Instant::now());
            tracing::warn!(port = self.port, "connection limit reached: further connections wait");
        }
    }
}

/// The origin of a connection.
struct Connection {
    address: IpAddr,
    networks: Arc<Networks>,
    /// Whether the network has a recent flood of frames.
    after_flood: bool,
}

/// Serves the requests of one connection until it ends.
async fn serve_connection(
    builder: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    service: impl HttpService,
    shutdown: &CancellationToken,
) {
    let Connection { address, networks, after_flood } = connection;
    let (requests, unsent) = (RequestsInFlight::new(), UnsentResponses::default());
    let flooded = CancellationToken::new();
    let stream = FrameBudget::new(stream, after_flood, flooded.clone());
    let stream = BareErrors::new(IoTimeouts::new(HEADERS_TIMEOUT, WRITE_TIMEOUT, requests.clone(), stream));
    let (counted, tracked) = (requests.clone(), unsent.clone());
    let callers = Arc::clone(&networks);
    let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (in_flight, tracked) = (counted.start(), tracked.clone());
        let mut request = request.map(tonic::body::Body::new);
        let caller = callers.caller(address, request.headers());
        request.extensions_mut().insert(caller);
        // HTTP/2 resets a stream that is not read, and no other.
        let needs_no_read = request.version() >= Version::HTTP_2 || request.body().is_end_stream();
        let unread = (!needs_no_read).then(|| {
            let body = std::mem::replace(request.body_mut(), tonic::body::Body::empty());
            let unread = UnreadBody::new(body, request.headers());
            *request.body_mut() = unread.body();
            unread
        });
        let response = run(request, service.clone());
        async move {
            let mut response = response.await;
            if let Some(unread) = unread {
                unread.finish(&mut response, in_flight.another());
            }
            Ok::<_, Infallible>(in_flight.until_sent(tracked.track(response)))
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let graceful = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = requests.idle_for(IDLE_TIMEOUT) => {}
        }
    };
    let slow_reader = async {
        unsent.overdue().await;
        tracing::debug!("connection closed: the client does not read its responses");
    };
    let mut slow_reader = pin!(slow_reader);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = &mut slow_reader => return,
        () = graceful => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = slow_reader => return,
            }
        }
    };
    if flooded.is_cancelled() {
        networks.record_flood(Peer::of(address), Instant::now());
    }
    if let Err(error) = ended {
        tracing::debug!(%error, "connection error");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(NEXT_REQUEST_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS);
    builder
}

async fn handshake(tls: &ListenerTls, stream: TcpStream) -> Option<Box<TlsStream<TcpStream>>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => return Some(Box::new(stream)),
        // Scanners cause these all the time.
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake timed out"),
    }
    None
}

/// A service for [`serve`] from an async function.
pub fn service_fn<F, R>(handle: F) -> impl HttpService
where
    F: Fn(crate::server::HttpRequest) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = crate::server::HttpResponse> + Send,
{
    tower::service_fn(move |request| {
        let handle = handle.clone();
        async move { Ok::<_, Infallible>(handle(request).await) }
    })
}
