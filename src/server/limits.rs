//! How much a request may bring, and how long it may take (decisions, section 1: never a hang).

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
use tonic::Status;

use super::door::{Call, Door};
use super::layer::{HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};

/// The largest request to a call that needs no credentials: they carry a few texts, and anybody can send them.
const MAX_PUBLIC_BODY: u64 = 64 * 1024;

/// A body may be silent for so long, wherever a request may take longer.
const MAX_SILENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Limits<D> {
    pub(super) door: D,
    pub(super) max_body_bytes: u64,
    pub(super) timeout: Duration,
}

impl<D: Door> Wrap for Limits<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let method = request.extensions().get::<Call>().and_then(|call| call.method);
        let max_body_bytes = match method {
            Some(method) if method.access == Access::Client => self.max_body_bytes,
            _ => Ord::min(self.max_body_bytes, MAX_PUBLIC_BODY),
        };
        if content_length(request.headers()).is_some_and(|length| length > max_body_bytes) {
            return self.door.refuse(error::because(ErrorReason::PayloadTooLarge));
        }
        let timeout = grpc_timeout(request.headers()).map_or(self.timeout, |asked| Ord::min(asked, self.timeout));
        let arrived = Arc::new(AtomicBool::new(request.body().is_end_stream()));
        let request = request.map(|body| {
            tonic::body::Body::new(Limited {
                body,
                left: max_body_bytes,
                arrived: Arc::clone(&arrived),
                max_silence: MAX_SILENCE,
                silence: None,
            })
        });
        match tokio::time::timeout(timeout, pass(request, next)).await {
            Ok(response) => response,
            Err(_) if arrived.load(Ordering::Relaxed) => {
                self.door.refuse(error::because(ErrorReason::DeadlineExceeded))
            }
            Err(_) => self.door.refuse(error::because(ErrorReason::RequestTimeout)),
        }
    }
}

/// The size of a body that tells it, in bytes.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The caller's own deadline, as gRPC writes it: up to eight digits and a unit.
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

/// A body that may bring so many bytes, fails when it is silent for too long, and notes when it has arrived whole.
struct Limited {
    body: tonic::body::Body,
    left: u64,
    arrived: Arc<AtomicBool>,
    max_silence: Duration,
    /// Some while more is waited for.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let max_silence = self.max_silence;
            let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(max_silence)));
            ready!(silence.as_mut().poll(cx));
            return Poll::Ready(Some(Err(error::because(ErrorReason::RequestTimeout))));
        };
        self.silence = None;
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(error::because(ErrorReason::PayloadTooLarge)))),
            }
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.arrived.store(true, Ordering::Relaxed);
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
    use super::*;

    #[tokio::test]
    async fn a_body_that_falls_silent_fails() {
        use futures_util::StreamExt as _;
        use http_body_util::BodyExt as _;

        let first = futures_util::stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(b"{")))]);
        let mut body = Limited {
            body: tonic::body::Body::new(http_body_util::StreamBody::new(first.chain(futures_util::stream::pending()))),
            left: 10,
            arrived: Arc::default(),
            max_silence: Duration::from_millis(1),
            silence: None,
        };
        body.frame().await.expect("no end").expect("the first bytes");
        let status = body.frame().await.expect("no end").expect_err("nothing follows");
        assert_eq!(error::details(&status).map(|details| details.reason), Some(ErrorReason::RequestTimeout));
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
