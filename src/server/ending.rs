//! Streams without an end of their own, such as gRPC's `Health/Watch`: they end when the service stops, so that they do
//! not hold it up.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::HttpResponse;

/// Lets the body of a gRPC response end with UNAVAILABLE when `stop` is cancelled; clients then ask another replica.
pub(super) fn end_at(stop: CancellationToken, response: HttpResponse) -> HttpResponse {
    response
        .map(|body| tonic::body::Body::new(Ending { body, stopped: Box::pin(stop.cancelled_owned()), ended: false }))
}

struct Ending {
    body: tonic::body::Body,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
}

impl Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // What is there already goes out first.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.stopped.as_mut().poll(cx));
        self.ended = true;
        let mut trailers = HeaderMap::new();
        error::complete(error::because(ErrorReason::Unavailable)).add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}
