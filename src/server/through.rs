//! A body that is looked at on its way.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

/// `body`, each of whose frames passes `each`, which keeps their lengths: unlike that of `http-body-util`, such a body
/// still tells its length. It is dropped with all that `each` holds when the last of it is sent, or given up.
pub(super) fn through(
    body: tonic::body::Body,
    each: impl FnMut(Frame<Bytes>) -> Frame<Bytes> + Send + Unpin + 'static,
) -> tonic::body::Body {
    tonic::body::Body::new(Through { body, each })
}

struct Through<F> {
    body: tonic::body::Body,
    each: F,
}

impl<F: FnMut(Frame<Bytes>) -> Frame<Bytes> + Unpin> Body for Through<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map(|frame| frame.map(|frame| frame.map(&mut self.each)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
