//! The end of a stream: its answer was told of when it began.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;
use tracing::Span;

use super::HttpResponse;
use crate::telemetry;

/// A body that leaves a line in the log when it is over, or given up by either side.
struct Streamed {
    body: tonic::body::Body,
    call: &'static str,
    span: Span,
    began: Instant,
    bytes: u64,
    is_whole: bool,
}

/// Marks an answer whose reader may take its time; an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct IsStream;

/// `response`, whose body is a stream of this call within `span`.
pub(super) fn told(mut response: HttpResponse, call: &'static str, span: Span) -> HttpResponse {
    response.extensions_mut().insert(IsStream);
    response.map(|body| {
        tonic::body::Body::new(Streamed { body, call, span, began: Instant::now(), bytes: 0, is_whole: false })
    })
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.is_whole |= frame.is_trailers();
            }
            Some(Err(_)) => {}
            None => self.is_whole = true,
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

impl Drop for Streamed {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Who watches ends it by going away; who serves, with a last record.
        let ended_by = if self.is_whole { "server" } else { "caller" };
        let (call, bytes) = (self.call, self.bytes);
        tracing::info!(target: telemetry::ACCESS, call, bytes, millis, ended_by, "stream ended");
    }
}
