//! Listening: accepts connections, serves them, and on shutdown lets those that are there finish.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::delivery::Deliveries;
use super::layer::HttpService;
use super::patience::{Patience, Pause};
use super::shed::NoHurry;
use super::tls::DoorTls;

/// Time for the first bytes of a connection to arrive.
const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the headers of the next HTTP/1 request to arrive whole, the quiet before them included. Balancers keep
/// connections for 60 seconds as a rule, and one that we close first may be just about to carry a request.
const NEXT_REQUEST_TIMEOUT: Duration = Duration::from_secs(75);
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
    let places = Arc::new(Semaphore::new(usize::try_from(max_connections).unwrap_or(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            // The semaphore is never closed: without a place there is nothing to accept.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { std::future::pending().await };
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
        let pause = Pause::default();
        let deliveries = Deliveries::default();
        let (asked, sent) = (pause.clone(), deliveries.clone());
        let service = service
            .clone()
            .map_request(|request: http::Request<hyper::body::Incoming>| request.map(tonic::body::Body::new))
            .map_response(move |mut response: super::HttpResponse| {
                if let Some(NoHurry(time)) = response.extensions_mut().remove() {
                    asked.take(time);
                }
                sent.watch(response)
            });
        let (builder, watcher) = (Arc::clone(&builder), graceful.watcher());
        let (tls, shutdown) = (tls.clone(), shutdown.clone());
        tokio::spawn(async move {
            let _place = place;
            let stream = match tls {
                None => Either::Left(stream),
                // Nothing was asked yet: a stop need not wait.
                Some(tls) => match shutdown.run_until_cancelled(shake_hands(&tls, stream)).await.flatten() {
                    Some(stream) => Either::Right(stream),
                    None => return,
                },
            };
            let stream = TokioIo::new(Patience::new(FIRST_BYTES_TIMEOUT, WRITE_TIMEOUT, pause, stream));
            let connection = builder.serve_connection(stream, TowerToHyperService::new(service));
            tokio::select! {
                ended = watcher.watch(connection.into_owned()) => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                },
                () = deliveries.overdue() => tracing::debug!("a connection is given up: answers are not taken"),
            }
        });
    }
    drop(socket);
    graceful.shutdown().await;
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
