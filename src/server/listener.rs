//! Listening: accepts connections, serves them, and on shutdown lets those that are there finish.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::first_bytes::FirstBytes;
use super::layer::HttpService;

/// Time for the first bytes of a connection, and then for the headers of a request, to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
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
/// Connections of one listener at a time; those beyond wait in the system's queue until one ends.
const MAX_CONNECTIONS: usize = 10_000;
/// Pause after an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `service` on `listener` until `shutdown` is cancelled: then nothing new is accepted, and the requests that
/// were are answered. Returns when all connections have ended.
pub async fn serve(listener: TcpListener, service: impl HttpService, shutdown: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            // The semaphore is never closed: without a place there is nothing to accept.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { std::future::pending().await };
            listener.accept().await.map(|(stream, _)| (stream, place))
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
        let service = service
            .clone()
            .map_request(|request: http::Request<hyper::body::Incoming>| request.map(tonic::body::Body::new));
        let stream = TokioIo::new(FirstBytes::within(HEADER_TIMEOUT, stream));
        let connection = builder.serve_connection(stream, TowerToHyperService::new(service));
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
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
