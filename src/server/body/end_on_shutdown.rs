//! Ends streams that have no end of their own, such as `WatchEvents` and gRPC's `Health/Watch`, when the service stops, so
//! that they do not delay the shutdown. Clients then reconnect to another replica.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::rest::last_record;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use crate::server::message::HttpResponse;

/// What happens to items that are ready when the service stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum PendingItems {
    /// They are sent first: there are few, and no client requests them again.
    Send,
    /// They are dropped: there may be many, and the client resumes at another replica after the last one that it got.
    Drop,
}

/// Ends the body of a gRPC response with UNAVAILABLE when `stop` is cancelled.
pub(in crate::server) fn end_grpc_at(
    stop: &CancellationToken,
    pending: PendingItems,
    response: HttpResponse,
) -> HttpResponse {
    let mut trailers = HeaderMap::new();
    // The parts of this status are valid in a header.
    let added = error::complete(error::with_reason(ErrorReason::Unavailable)).add_header(&mut trailers);
    let last = added.map(|()| Frame::trailers(trailers));
    end_at(stop, pending, last, response)
}

/// Ends the body of a REST stream with a record of the same error when `stop` is cancelled.
pub(in crate::server) fn end_rest_at(
    stop: &CancellationToken,
    pending: PendingItems,
    response: HttpResponse,
) -> HttpResponse {
    match last_record(response.headers(), &error::with_reason(ErrorReason::Unavailable)) {
        None => response,
        Some(record) => end_at(stop, pending, Ok(Frame::data(record)), response),
    }
}

fn end_at(stop: &CancellationToken, pending: PendingItems, last: Last, response: HttpResponse) -> HttpResponse {
    let stopped = Box::pin(stop.clone().cancelled_owned());
    response.map(|body| tonic::body::Body::new(EndOnShutdown { body, pending, stopped, last: Some(last) }))
}

type Last = Result<Frame<Bytes>, Status>;

struct EndOnShutdown {
    body: tonic::body::Body,
    pending: PendingItems,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// `None` once it is sent.
    last: Option<Last>,
}

impl Body for EndOnShutdown {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.last.is_none() {
            return Poll::Ready(None);
        }
        if self.pending == PendingItems::Drop && self.stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.last.take());
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.pending == PendingItems::Send {
            ready!(self.stopped.as_mut().poll(cx));
            return Poll::Ready(self.last.take());
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.last.is_none() || self.body.is_end_stream()
    }
}
