//! Answers that are streams: newline-delimited JSON, or server-sent events.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use super::route::Binding;
use super::{headers, respond as unary};
use crate::error::{error_json, rest_response};

/// How long a stream may be silent. Shorter than what proxies bear, which is rarely less than half a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How the items of a stream are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One line each.
    Lines,
    /// One event each.
    Events,
}

impl Format {
    /// The one that the caller wants; lines where it does not say.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let (lines, events) = (weight(headers, "application/x-ndjson"), weight(headers, "text/event-stream"));
        if events.0 > 0 && events > lines { Self::Events } else { Self::Lines }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        })
    }

    /// JSON has no line breaks of its own.
    /// An id that would break the form is left out.
    fn item(self, id: Option<&str>, json: &[u8]) -> Bytes {
        match (self, id.filter(|id| !id.contains(['\n', '\r', '\0']))) {
            (Self::Lines, _) => [json, b"\n"].concat().into(),
            (Self::Events, None) => [b"data: ", json, b"\n\n"].concat().into(),
            (Self::Events, Some(id)) => [b"id: ", id.as_bytes(), b"\ndata: ", json, b"\n\n"].concat().into(),
        }
    }

    /// What says nothing but that the connection lives: a comment, or an empty line. The form of lines leaves it to each
    /// service to have those, if it says so.
    fn heartbeat(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Lines => b"\n",
            Self::Events => b":\n\n",
        })
    }

    fn error(self, status: &Status) -> Bytes {
        let json = error_json(status);
        match self {
            Self::Lines => self.item(None, &json),
            Self::Events => [b"event: error\ndata: ", json.as_slice(), b"\n\n"].concat().into(),
        }
    }
}

/// How much a caller wants a media type, in thousandths, and how exactly it says so.
fn weight(headers: &HeaderMap, media_type: &str) -> (u32, usize) {
    let kind = media_type.split('/').next().unwrap_or_default();
    let mut best = (0, 0);
    for range in
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let exactness = match name.split_once('/') {
            _ if name == media_type => 3,
            Some((left, "*")) if left == kind => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |text| text.parse::<f32>().ok()).unwrap_or(0.0).clamp(0.0, 1.0);
        if exactness > best.1 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
            let thousandths = (quality * 1000.0) as u32;
            best = (thousandths, exactness);
        }
    }
    best
}

/// The items of an answer.
type Items<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// The response to a call whose answer is a stream.
///
/// An error that is there at once, before any item, is the answer. An item that is still to come is not waited for: who
/// watches wants to know that it does. A later error is the last record.
pub(super) async fn respond<Q, R, T>(
    binding: &Binding<Q, R>,
    format: Format,
    answer: tonic::Response<T>,
) -> Response<Body>
where
    R: Send + 'static,
    T: Stream<Item = Result<R, Status>> + Send + 'static,
{
    let (metadata, stream, extensions) = answer.into_parts();
    let mut stream: Items<R> = Box::pin(stream);
    let first = std::future::poll_fn(|cx| Poll::Ready(stream.as_mut().poll_next(cx))).await;
    let (first, stream) = match first {
        Poll::Ready(Some(Err(status))) => return rest_response(&status),
        Poll::Ready(Some(Ok(message))) => (Some(message), Some(stream)),
        Poll::Ready(None) => (None, None),
        Poll::Pending => (None, Some(stream)),
    };
    let Binding { method, write, event_id, .. } = *binding;
    let records = Records { first, stream, format, write, event_id, silence: Box::pin(sleep(HEARTBEAT)) };
    let frames = records.map(|record| Ok::<_, Status>(Frame::data(record)));
    let (mut headers, _) = headers::outgoing(metadata);
    unary::common(method, &mut headers);
    headers.insert(header::CONTENT_TYPE, format.media_type());
    // For proxies that would collect an answer before they pass it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    *response.status_mut() = http::StatusCode::from_u16(method.success_code).unwrap_or_default();
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    response
}

/// The last record of a stream that ends for a reason that its service does not know; none where the answer is no
/// stream.
#[must_use]
pub fn last_record(headers: &HeaderMap, status: &Status) -> Option<Bytes> {
    let media_type = headers.get(header::CONTENT_TYPE)?;
    let format = [Format::Lines, Format::Events].into_iter().find(|format| format.media_type() == media_type)?;
    Some(format.error(status))
}

/// A stream as the caller gets it. One record is made when the one before is taken, so that a slow reader holds the
/// service up and not the memory.
struct Records<R> {
    first: Option<R>,
    /// None once it has ended.
    stream: Option<Items<R>>,
    format: Format,
    write: fn(&R) -> Vec<u8>,
    event_id: fn(&R) -> Option<String>,
    silence: Pin<Box<Sleep>>,
}

impl<R> Records<R> {
    fn record(&self, message: &R) -> Bytes {
        self.format.item((self.event_id)(message).as_deref(), &(self.write)(message))
    }
}

// What it holds is behind boxes, or is not pinned.
impl<R> Unpin for Records<R> {}

impl<R> Stream for Records<R> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(self.record(&first)));
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let record = match stream.as_mut().poll_next(cx) {
            Poll::Ready(None) => {
                self.stream = None;
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Ok(message))) => self.record(&message),
            Poll::Ready(Some(Err(status))) => {
                self.stream = None;
                self.format.error(&status)
            }
            Poll::Pending => {
                ready!(self.silence.as_mut().poll(cx));
                self.format.heartbeat()
            }
        };
        self.silence.as_mut().reset(Instant::now() + HEARTBEAT);
        Poll::Ready(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sent_to_a_client_that_prefers_them() {
        for (accept, expected) in [
            ("", Format::Lines),
            ("*/*", Format::Lines),
            ("application/json", Format::Lines),
            ("text/event-stream", Format::Events),
            ("text/event-stream, */*", Format::Events),
            ("Text/Event-Stream; q=0.5, application/json", Format::Events),
            ("text/event-stream;q=0.5, application/x-ndjson", Format::Lines),
            ("text/event-stream, application/x-ndjson", Format::Lines),
            ("text/event-stream;q=0", Format::Lines),
            ("text/*, application/*;q=0.1", Format::Events),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(Format::accepted(&headers), expected, "{accept}");
        }
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Lines);
    }
}
