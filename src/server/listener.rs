//! Listening: accepts connections, serves them, and on shutdown lets those that are there finish.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

use super::activity::Activity;
use super::delivery::Deliveries;
use super::layer::{HttpService, pass};
use super::patience::Patience;
use super::tls::DoorTls;

/// Time for the first bytes of a connection to arrive, and for the headers of an HTTP/1 request from their first byte
/// to their last.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// An HTTP/1 connection may be quiet for so long before its next request. Balancers keep connections for 60 seconds as a
/// rule, and one that we close first may be just about to carry a request.
const NEXT_REQUEST_TIMEOUT: Duration = Duration::from_secs(75);
/// An HTTP/2 connection that has had no request for so long is told to end: answering signs of life alone keeps no place.
/// By GOAWAY its client knows which requests are answered, and makes a new connection for the next.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A reader that takes nothing of what is sent to it is given up after this, as one that has vanished is.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// A quiet HTTP/2 connection is asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// A quiet connection whose other end has vanished without a word is given up after two minutes, whatever it speaks:
/// a stream of events without events holds a place of its client's.
const PROBES: TcpKeepalive =
    TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(Duration::from_secs(15)).with_retries(4);
/// How much of one HTTP/2 stream may be under way: a file of megabytes should not wait for permissions.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The headers of one HTTP/2 request, all together: the longest token that is looked at, and room for the rest. What is
/// longer gets a bare 431, without a gRPC status.
const MAX_HEADERS: u32 = 64 << 10;
/// Requests of one HTTP/2 connection at a time.
const MAX_STREAMS: u32 = 250;
/// The log tells at most so often that all connections are taken.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Pause after an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a service listens, and for whom.
pub struct Listener {
    /// The port.
    pub socket: TcpListener,
    /// Who we are to those that connect; `None` is plain text.
    pub tls: Option<Arc<DoorTls>>,
    /// Connections at a time, those that shake hands included; those beyond wait in the system's queue until one ends.
    pub max_connections: u32,
}

/// In plain text, for a few.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None, max_connections: 1_000 }
    }
}

/// Serves `service` on `listener` until `shutdown` is cancelled: then nothing new is accepted, and the requests that
/// were are answered. Returns when all connections have ended.
pub async fn serve(listener: impl Into<Listener>, service: impl HttpService, shutdown: CancellationToken) {
    let Listener { socket, tls, max_connections } = listener.into();
    let builder = Arc::new(builder());
    let places = Places::new(&socket, max_connections);
    let connections = TaskTracker::new();
    loop {
        let accepted = async {
            let place = places.take().await;
            socket.accept().await.map(|(stream, _)| (stream, place))
        };
        let (stream, place) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // Answers are written whole; waiting for more to send along would only delay them.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&PROBES);
        let (builder, service) = (Arc::clone(&builder), service.clone());
        let (tls, shutdown) = (tls.clone(), shutdown.clone());
        connections.spawn(async move {
            let _place = place;
            let stream = match tls {
                None => Either::Left(stream),
                // Nothing was asked yet: a stop need not wait.
                Some(tls) => match shutdown.run_until_cancelled(shake_hands(&tls, stream)).await.flatten() {
                    Some(stream) => Either::Right(stream),
                    None => return,
                },
            };
            converse(&builder, stream, service, &shutdown).await;
        });
    }
    drop(socket);
    connections.close();
    connections.wait().await;
}

/// The places of connections.
struct Places {
    /// Where the door is; tells it in the log.
    port: Option<u16>,
    free: Arc<Semaphore>,
    told: Mutex<Option<Instant>>,
}

impl Places {
    fn new(socket: &TcpListener, max: u32) -> Self {
        let free = Arc::new(Semaphore::new(usize::try_from(max).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { port: socket.local_addr().ok().map(|address| address.port()), free, told: Mutex::default() }
    }

    /// A place, as soon as there is one.
    async fn take(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return place;
        }
        self.tell();
        match Arc::clone(&self.free).acquire_owned().await {
            Ok(place) => place,
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(port = self.port, "all connections are taken: further ones wait until one ends");
        }
    }
}

/// Answers the requests of one connection until it ends.
async fn converse(
    builder: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: impl HttpService,
    shutdown: &CancellationToken,
) {
    let (activity, deliveries) = (Activity::new(), Deliveries::default());
    let stream = Patience::new(HEADERS_TIMEOUT, WRITE_TIMEOUT, activity.clone(), stream);
    let (requests, sent) = (activity.clone(), deliveries.clone());
    let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (open, sent) = (requests.begin(), sent.clone());
        let answered = pass(request.map(tonic::body::Body::new), service.clone());
        async move { Ok::<_, Infallible>(open.until_sent(sent.watch(answered.await))) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let asked_to_end = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = activity.quiet_for(IDLE_TIMEOUT) => {}
        }
    };
    let given_up = async {
        deliveries.overdue().await;
        tracing::debug!("a connection is given up: answers are not taken");
    };
    let mut given_up = pin!(given_up);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = &mut given_up => return,
        () = asked_to_end => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = given_up => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
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

async fn shake_hands(tls: &DoorTls, stream: TcpStream) -> Option<Box<TlsStream<TcpStream>>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => return Some(Box::new(stream)),
        // Whoever is refused, and every scanner: no news to an operator.
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
    None
}

/// A service of the kind that [`serve`] takes, from an async function.
pub fn service_fn<F, R>(answer: F) -> impl HttpService
where
    F: Fn(super::HttpRequest) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = super::HttpResponse> + Send,
{
    tower::service_fn(move |request| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer(request).await) }
    })
}
