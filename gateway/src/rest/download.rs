//! Answers that are bytes: a file, or a part of one, as it is read.

use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::Status;
use tonic::body::Body;

use super::{headers, respond};
use crate::error::rest_response;
use crate::method::Method;

/// What the bytes of an answer are. A response extension, from the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// The media type.
    pub media_type: &'static str,
    /// The name under which a browser saves it.
    pub file_name: String,
    /// The bytes of the whole.
    pub size: u64,
    /// Which of them the answer has; none: all.
    pub part: Option<Range<u64>>,
}

/// The response to a call whose answer is a stream of bytes.
///
/// The first bytes are waited for: an error before them is the answer. A later error aborts the response, which ends before
/// the length that was announced.
pub(super) async fn download<R, T>(
    method: &Method,
    content: fn(R) -> Bytes,
    answer: tonic::Response<T>,
) -> Response<Body>
where
    R: Send + 'static,
    T: Stream<Item = Result<R, Status>> + Send + 'static,
{
    let (metadata, stream, mut extensions) = answer.into_parts();
    let mut stream = Box::pin(stream);
    let first = match stream.next().await {
        Some(Err(status)) => return rest_response(&status),
        first => first,
    };
    let rest = futures_util::stream::iter(first).chain(stream);
    let bytes = rest.map(move |item| item.map(|message| Frame::data(content(message))));
    let bytes: Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Status>> + Send>> = Box::pin(bytes);
    let (mut headers, _) = headers::outgoing(metadata);
    respond::common(method, &mut headers);
    let mut response = Response::new(Body::new(StreamBody::new(bytes)));
    *response.status_mut() = StatusCode::from_u16(method.success_code).unwrap_or_default();
    match extensions.remove::<FileInfo>() {
        Some(info) => {
            if info.part.is_some() {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            }
            describe(&info, &mut headers);
        }
        None => drop(headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))),
    }
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    response
}

/// The headers of a file: never shown by a browser in place of a page.
fn describe(info: &FileInfo, headers: &mut HeaderMap) {
    let FileInfo { media_type, file_name, size, part } = info;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let length = part.as_ref().map_or(*size, |part| part.end - part.start);
    headers.insert(header::CONTENT_LENGTH, length.into());
    let disposition = format!("attachment; filename=\"{}\"", safe_name(file_name));
    let range = part.as_ref().map(|part| format!("bytes {}-{}/{size}", part.start, part.end - 1));
    for (name, text) in [(header::CONTENT_DISPOSITION, Some(disposition)), (header::CONTENT_RANGE, range)] {
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
}

/// A name without what a system or a header may take for something else.
fn safe_name(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&letter);
    let name: String = name.chars().take(128).map(|letter| if plain(letter) { letter } else { '_' }).collect();
    match name.trim_start_matches('.') {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_nothing_but_plain_letters() {
        for (name, expected) in [
            ("front.jpg", "front.jpg"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a\"; filename=\"b.exe", "a___filename__b.exe"),
            ("frënt\r\n.jpg", "fr_nt__.jpg"),
            ("...", "file"),
            ("", "file"),
        ] {
            assert_eq!(safe_name(name), expected, "{name}");
        }
    }
}
