//! Logs the end of a stream. Its access log line was written with the headers of the response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;
use tracing::Span;

use crate::server::context::Streaming;
use crate::server::message::HttpResponse;
use crate::telemetry;

/// A body that logs a line when it ends or is abandoned by either side.
struct LogOnEnd {
    body: tonic::body::Body,
    call: &'static str,
    span: Span,
    started: Instant,
    bytes: u64,
    is_complete: bool,
}

/// Logs the end of `response`, a stream of this call, within `span`.
pub(in crate::server) fn log_on_end(mut response: HttpResponse, call: &'static str, span: Span) -> HttpResponse {
    response.extensions_mut().insert(Streaming);
    response.map(|body| {
        tonic::body::Body::new(LogOnEnd { body, call, span, started: Instant::now(), bytes: 0, is_complete: false })
    })
}

impl Body for LogOnEnd {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.is_complete |= frame.is_trailers();
            }
            Some(Err(_)) => {}
            None => self.is_complete = true,
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

impl Drop for LogOnEnd {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // The client ends a stream by a disconnect, the server by a last record.
        let ended_by = if self.is_complete { "server" } else { "client" };
        let (call, bytes) = (self.call, self.bytes);
        tracing::info!(target: telemetry::ACCESS, call, bytes, duration_us, ended_by, "stream ended");
    }
}
