//! Streams without an end of their own, such as `WatchEvents` and gRPC's `Health/Watch`: they end when the service stops,
//! so that they do not hold it up. Clients then ask another replica.

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

use super::HttpResponse;

/// What becomes of the items that are there when the service stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// They go out first: there are few, and no client asks for them again.
    Sent,
    /// They are left: there may be any number, and the client goes on elsewhere from the last one that it got.
    Left,
}

/// Lets the body of a gRPC response end with UNAVAILABLE when `stop` is cancelled.
pub(super) fn end_grpc_at(stop: &CancellationToken, rest: Rest, response: HttpResponse) -> HttpResponse {
    let mut trailers = HeaderMap::new();
    // The parts of this status are ours and go into a header.
    let told = error::complete(error::because(ErrorReason::Unavailable)).add_header(&mut trailers);
    let last = told.map(|()| Frame::trailers(trailers));
    end_at(stop, rest, last, response)
}

/// Lets the body of a REST response that is a stream end with a record of the same error.
pub(super) fn end_rest_at(stop: &CancellationToken, rest: Rest, response: HttpResponse) -> HttpResponse {
    match last_record(response.headers(), &error::because(ErrorReason::Unavailable)) {
        None => response,
        Some(record) => end_at(stop, rest, Ok(Frame::data(record)), response),
    }
}

fn end_at(stop: &CancellationToken, rest: Rest, last: Last, response: HttpResponse) -> HttpResponse {
    let stopped = Box::pin(stop.clone().cancelled_owned());
    response.map(|body| tonic::body::Body::new(Ending { body, rest, stopped, last: Some(last) }))
}

type Last = Result<Frame<Bytes>, Status>;

struct Ending {
    body: tonic::body::Body,
    rest: Rest,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// None once it is told.
    last: Option<Last>,
}

impl Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.last.is_none() {
            return Poll::Ready(None);
        }
        if self.rest == Rest::Left && self.stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.last.take());
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.rest == Rest::Sent {
            ready!(self.stopped.as_mut().poll(cx));
            return Poll::Ready(self.last.take());
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.last.is_none() || self.body.is_end_stream()
    }
}
