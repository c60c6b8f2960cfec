//! Answers that are streams: newline-delimited JSON, or server-sent events.

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::Status;
use tonic::body::Body;

use super::{headers, respond as unary};
use crate::error::{error_json, rest_response};
use crate::method::Method;

/// How the items of a stream are told apart.
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
    fn item(self, json: &[u8]) -> Bytes {
        match self {
            Self::Lines => [json, b"\n"].concat().into(),
            Self::Events => [b"data: ", json, b"\n\n"].concat().into(),
        }
    }

    fn error(self, status: &Status) -> Bytes {
        let json = error_json(status);
        match self {
            Self::Lines => self.item(&json),
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

/// The response to a call whose answer is a stream.
///
/// The first item is awaited, so that an error before it is the answer. A later one is the last record.
pub(super) async fn respond<R, T>(
    method: &'static Method,
    write: fn(&R) -> Vec<u8>,
    format: Format,
    answer: tonic::Response<T>,
) -> Response<Body>
where
    R: Send + 'static,
    T: Stream<Item = Result<R, Status>> + Send + 'static,
{
    let (metadata, stream, extensions) = answer.into_parts();
    let mut stream: Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>> = Box::pin(stream);
    let first = match stream.next().await {
        Some(Err(status)) => return rest_response(&status),
        Some(Ok(message)) => Some(Ok(message)),
        None => None,
    };
    let items = futures_util::stream::iter(first).chain(stream);
    let records = items.scan(false, move |failed, item| {
        let record = match item {
            _ if *failed => None,
            Ok(message) => Some(format.item(&write(&message))),
            Err(status) => {
                *failed = true;
                Some(format.error(&status))
            }
        };
        std::future::ready(record)
    });
    let frames = records.map(|record| Ok::<_, Status>(Frame::data(record)));
    let (mut headers, _) = headers::outgoing(metadata);
    unary::common(method, &mut headers);
    headers.insert(header::CONTENT_TYPE, format.media_type());
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    *response.status_mut() = http::StatusCode::from_u16(method.success_code).unwrap_or_default();
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sent_to_whoever_prefers_them() {
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
