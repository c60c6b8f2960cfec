//! The body of a request, in one piece.

use std::error::Error;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError};
use tonic::Status;

use super::BoxError;
use crate::error::{ErrorReason, details, invalid, with_reason};

/// As much is set aside on a caller's mere word; a longer body grows as it arrives.
const MAX_PROMISED: usize = 16 * 1024 * 1024;

/// Reads a JSON body whole.
///
/// A body that arrives in one piece is not copied. How long it may be, and how long it may take, is for the layers
/// around to say. Where there is none, its media type does not matter.
pub(super) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
{
    let accepted = check_type(headers);
    // A body that is known to be there is refused before it is read.
    if promised(headers) > 0 {
        accepted.clone()?;
    }
    let mut body = pin!(body);
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.is_empty() {
            continue;
        }
        accepted.clone()?;
        match first.take() {
            None if joined.is_empty() => first = Some(data),
            None => joined.extend_from_slice(&data),
            Some(earlier) => {
                joined.reserve(promised(headers).max(earlier.len() + data.len()));
                joined.extend_from_slice(&earlier);
                joined.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| joined.freeze()))
}

fn promised(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse::<usize>().ok()).unwrap_or_default().min(MAX_PROMISED)
}

fn check_type(headers: &HeaderMap) -> Result<(), Status> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(with_reason(ErrorReason::UnsupportedMediaType));
    }
    Ok(())
}

/// Why a body did not arrive: a layer's own status, or the caller's fault.
pub(super) fn broken(error: BoxError) -> Status {
    let mut next: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(error) = next {
        if let Some(status) = error.downcast_ref::<Status>().filter(|status| details(status).is_some()) {
            return status.clone();
        }
        if error.is::<LengthLimitError>() {
            return with_reason(ErrorReason::PayloadTooLarge);
        }
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return with_reason(ErrorReason::RequestTimeout);
        }
        // What an I/O error wraps is not its source: its source is the wrapped error's source.
        let wrapped = io.and_then(std::io::Error::get_ref).map(|error| error as &(dyn Error + 'static));
        next = wrapped.or_else(|| error.source());
    }
    invalid("custom", "The body is incomplete")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn json_headers() -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static("application/json"))])
    }

    fn chunks<E>(chunks: Vec<Result<&'static str, E>>) -> impl Body<Data = Bytes, Error = E> + Send
    where
        E: Send,
    {
        let frames = chunks.into_iter().map(|chunk| chunk.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
        StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()))
    }

    async fn failure<E: Into<BoxError> + Send>(error: E) -> ErrorReason {
        let error = read(&json_headers(), chunks(vec![Ok("{"), Err(error)])).await.expect_err("a broken body");
        details(&error).expect("details").reason
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let sent = Bytes::from(vec![b'x'; 1024]);
        let got = read(&json_headers(), Full::new(sent.clone())).await.expect("a body");
        assert_eq!(got.as_ptr(), sent.as_ptr());
    }

    #[tokio::test]
    async fn pieces_are_joined() {
        let body = chunks::<Infallible>(vec![Ok("{"), Ok("\"a\":1"), Ok("}")]);
        assert_eq!(read(&json_headers(), body).await.expect("a body"), "{\"a\":1}");
        assert_eq!(read(&json_headers(), chunks::<Infallible>(vec![])).await.expect("a body"), "");
    }

    #[tokio::test]
    async fn a_layers_status_is_the_answer() {
        assert_eq!(failure(with_reason(ErrorReason::PayloadTooLarge)).await, ErrorReason::PayloadTooLarge);
        assert_eq!(
            failure(std::io::Error::other(with_reason(ErrorReason::Unavailable))).await,
            ErrorReason::Unavailable
        );
    }

    #[tokio::test]
    async fn a_body_cut_short_is_the_callers_fault() {
        assert_eq!(failure(Status::unknown("connection lost")).await, ErrorReason::InvalidRequest);
        assert_eq!(failure(std::io::Error::from(std::io::ErrorKind::TimedOut)).await, ErrorReason::RequestTimeout);
    }

    #[tokio::test]
    async fn a_body_that_need_not_be_there_needs_a_media_type_once_it_is() {
        let empty = chunks::<Infallible>(vec![Ok(""), Ok("")]);
        assert_eq!(read(&HeaderMap::new(), empty).await.expect("no body"), "");
        let some = chunks::<Infallible>(vec![Ok(""), Ok("{}")]);
        let refused = read(&HeaderMap::new(), some).await.expect_err("no media type");
        assert_eq!(details(&refused).expect("details").reason, ErrorReason::UnsupportedMediaType);
        let some = chunks::<Infallible>(vec![Ok("{}")]);
        assert_eq!(read(&json_headers(), some).await.expect("a body"), "{}");
    }

    #[test]
    fn only_json_is_read() {
        let with = |media_type: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
            check_type(&headers).is_ok()
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"x\""] {
            assert!(with(good), "{good}");
        }
        for bad in
            ["", "text/plain", "application/merge-patch+json", "application/jsonl", "application/x-www-form-urlencoded"]
        {
            assert!(!with(bad), "{bad}");
        }
        assert!(check_type(&HeaderMap::new()).is_err());
    }
}
