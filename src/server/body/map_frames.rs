//! A body whose frames pass a function.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

/// Passes each frame of `body` through `map`, which must keep its length. Unlike `map_frame` of `http-body-util`, the
/// body keeps its size hint. It is dropped, with `map`, when it is sent completely or abandoned.
pub(in crate::server) fn map_frames(
    body: tonic::body::Body,
    map: impl FnMut(Frame<Bytes>) -> Frame<Bytes> + Send + Unpin + 'static,
) -> tonic::body::Body {
    tonic::body::Body::new(MapFrames { body, map })
}

struct MapFrames<F> {
    body: tonic::body::Body,
    map: F,
}

impl<F: FnMut(Frame<Bytes>) -> Frame<Bytes> + Unpin> Body for MapFrames<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map(|frame| frame.map(|frame| frame.map(&mut self.map)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
