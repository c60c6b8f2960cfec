//! Replaces the errors that hyper sends for requests that it cannot parse: too many headers, a path that is too long, no
//! HTTP. They have no body and hyper has no hook for them, so they are replaced when they are written. The connection
//! ends with them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use http::StatusCode;
use http_body_util::BodyExt as _;
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::Status;

/// A stream that replaces hyper's HTTP/1 errors by the documented ones.
pub(in crate::server) struct BareErrors<S> {
    stream: S,
    /// The replacement, and how much of it is written.
    replacement: Option<(Vec<u8>, usize)>,
}

impl<S> BareErrors<S> {
    pub(in crate::server) const fn new(stream: S) -> Self {
        Self { stream, replacement: None }
    }
}

/// The replacement of an error of hyper. A response of the service with such a status has a body.
fn replacement_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let (status, reason) = match status {
        b"400" => (StatusCode::BAD_REQUEST, error::invalid("custom", "The request is not valid HTTP/1.1")),
        b"414" => (StatusCode::URI_TOO_LONG, too_large("The path and query are too long")),
        b"431" => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, too_large("The headers are too large or too many")),
        _ => return None,
    };
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?.to_ascii_lowercase();
    if !head.lines().any(|line| line == "content-length: 0") {
        return None;
    }
    // The body is in memory: it is ready at once, and cannot fail.
    let body = error::rest_response(&reason).into_body().collect().now_or_never()?.ok()?.to_bytes();
    let mut response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    response.extend_from_slice(&body);
    Some(response)
}

fn too_large(message: &'static str) -> Status {
    error::status(ErrorReason::PayloadTooLarge, message)
}

impl<S: AsyncRead + Unpin> AsyncRead for BareErrors<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BareErrors<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.replacement.is_none() {
            this.replacement = replacement_of(bytes).map(|response| (response, 0));
        }
        let Some((response, written)) = &mut this.replacement else {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        };
        while *written < response.len() {
            match ready!(Pin::new(&mut this.stream).poll_write(cx, &response[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        this.replacement = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            // hyper writes such an error as one slice.
            [only] => self.poll_write(cx, only),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_of_hyper_is_replaced() {
        let bare = |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let replaced = replacement_of(bare("431 Request Header Fields Too Large").as_bytes()).expect("a replacement");
        let text = String::from_utf8(replaced).expect("text");
        assert!(text.starts_with("HTTP/1.1 431 ") && text.contains(r#""code":"payload_too_large""#), "{text}");
        assert!(replacement_of(bare("404 Not Found").as_bytes()).is_none());
        assert!(replacement_of(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 12\r\n\r\n").is_none());
    }
}
