//! Limits the size of a request's body and the time of its response (docs/decisions.md, section 1).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::method::Access;
use tokio::time::Sleep;
use tonic::{Code, Status};

use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::{HttpService, Middleware, run};
use crate::server::protocol::{Call, Protocol};

/// The largest body of a call without credentials: they carry a few texts, and any caller can send them.
const MAX_PUBLIC_BODY: u64 = 64 * 1024;

/// The longest pause between two parts of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time of the whole body of a call without credentials: it fits into a few packets.
const PUBLIC_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The `Retry-After` of a request that timed out in the service, in seconds.
const RETRY_AFTER: u32 = 1;

#[derive(Clone)]
pub(in crate::server) struct Limits<P> {
    pub(in crate::server) protocol: P,
    pub(in crate::server) max_body_bytes: u64,
    pub(in crate::server) timeout: Duration,
}

impl<P: Protocol> Middleware for Limits<P> {
    async fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let method = request.extensions().get::<Call>().and_then(|call| call.method);
        let (max_body_bytes, body_timeout) = match method {
            Some(method) if method.access == Access::Client => (self.max_body_bytes, BodyTimeout::Idle(IDLE_TIMEOUT)),
            _ => (Ord::min(self.max_body_bytes, MAX_PUBLIC_BODY), BodyTimeout::Total(PUBLIC_BODY_TIMEOUT)),
        };
        if content_length(request.headers()).is_some_and(|length| length > max_body_bytes) {
            return self.protocol.error_response(error::with_reason(ErrorReason::PayloadTooLarge));
        }
        let timeout =
            grpc_timeout(request.headers()).map_or(self.timeout, |requested| Ord::min(requested, self.timeout));
        let is_awaited = Arc::new(AtomicBool::new(false));
        let request = request.map(|body| {
            tonic::body::Body::new(LimitedBody {
                body,
                left: max_body_bytes,
                is_awaited: Arc::clone(&is_awaited),
                timeout: body_timeout,
                timer: None,
            })
        });
        match tokio::time::timeout(timeout, run(request, next)).await {
            Ok(response) => response,
            Err(_) if is_awaited.load(Ordering::Relaxed) => {
                self.protocol.error_response(error::with_reason(ErrorReason::RequestTimeout))
            }
            // The service was too slow, not the client: it was not waiting for more of the body.
            Err(_) => {
                self.protocol.error_response(error::status_with_retry(ErrorReason::DeadlineExceeded, RETRY_AFTER))
            }
        }
    }
}

/// The announced size of the body, in bytes.
pub(in crate::server) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The client's deadline (`grpc-timeout`): up to eight digits and a unit.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = (digits.len() <= 8).then(|| digits.parse().ok()).flatten()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The time limit of a body.
#[derive(Clone, Copy, Debug)]
enum BodyTimeout {
    /// Between two parts of it.
    Idle(Duration),
    /// From the first wait for it to its end.
    Total(Duration),
}

/// A body that fails when it is too large or too slow, and records whether the service waits for more of it.
struct LimitedBody {
    body: tonic::body::Body,
    left: u64,
    /// Whether the service waits for more of it.
    is_awaited: Arc<AtomicBool>,
    timeout: BodyTimeout,
    /// `Some` while the service waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.is_awaited.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_pending() && self.timer.is_none() {
            let (BodyTimeout::Idle(time) | BodyTimeout::Total(time)) = self.timeout;
            self.timer = Some(Box::pin(tokio::time::sleep(time)));
        }
        // The total timeout also counts while parts arrive.
        let is_timed = polled.is_pending() || matches!(self.timeout, BodyTimeout::Total(_));
        if is_timed && self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Err(error::with_reason(ErrorReason::RequestTimeout))));
        }
        let frame = match ready!(polled) {
            // tonic takes a reset for the end of the stream, and what has arrived for all there is.
            Some(Err(status)) if status.code() == Code::Cancelled => {
                Some(Err(Status::aborted("The call was cancelled")))
            }
            frame => frame,
        };
        if matches!(self.timeout, BodyTimeout::Idle(_)) {
            self.timer = None;
        }
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(error::with_reason(ErrorReason::PayloadTooLarge)))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn limited(timeout: BodyTimeout, body: impl Body<Data = Bytes, Error = Status> + Send + 'static) -> LimitedBody {
        let body = tonic::body::Body::new(body);
        LimitedBody { body, left: 1_000, is_awaited: Arc::default(), timeout, timer: None }
    }

    fn reason(status: &Status) -> Option<ErrorReason> {
        error::details(status).map(|details| details.reason)
    }

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn an_idle_body_fails() {
        let first = stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(b"{")))]);
        let mut body = limited(BodyTimeout::Idle(SHORT), StreamBody::new(first.chain(stream::pending())));
        body.frame().await.expect("no end").expect("the first bytes");
        let status = body.frame().await.expect("no end").expect_err("nothing follows");
        assert_eq!(reason(&status), Some(ErrorReason::RequestTimeout));
    }

    /// A body of `parts` bytes that come one after the other.
    fn drip(parts: usize) -> impl Body<Data = Bytes, Error = Status> + Send + 'static {
        let bytes = stream::iter(0..parts).then(async |_| {
            tokio::time::sleep(SHORT).await;
            Ok(Frame::data(Bytes::from_static(b" ")))
        });
        StreamBody::new(Box::pin(bytes))
    }

    #[tokio::test]
    async fn a_slow_body_fails_where_its_total_time_is_limited() {
        let mut body = limited(BodyTimeout::Total(20 * SHORT), drip(usize::MAX));
        body.left = u64::MAX;
        let collected = body.collect().await;
        assert_eq!(collected.err().as_ref().and_then(reason), Some(ErrorReason::RequestTimeout));
        let collected = limited(BodyTimeout::Idle(LONG), drip(60)).collect().await.expect("it goes on");
        assert_eq!(collected.to_bytes().len(), 60);
    }

    #[test]
    fn a_grpc_timeout_is_read_with_its_unit() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().expect("a header value"));
            grpc_timeout(&headers)
        };
        assert_eq!(read("100m"), Some(Duration::from_millis(100)));
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("1H"), Some(Duration::from_secs(3_600)));
        assert_eq!(read("123456789S"), None);
        assert_eq!(read("S"), None);
        assert_eq!(read("1x"), None);
    }
}
