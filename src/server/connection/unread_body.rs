//! The body of an HTTP/1 request that was answered before it was read. hyper closes such a connection without announcing
//! it (hyper#1352), while the client may send its next request on it. So the rest of a small body is read and discarded;
//! with a larger one, the response announces that the connection closes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tonic::Status;

use crate::server::message::HttpResponse;

/// A body up to this size is read to its end, and its connection stays open.
const SMALL: u64 = 64 << 10;
/// Bytes that are read of a larger body: all of one within the default limit, since many clients read the response only when
/// they have sent everything. Discarding costs a small part of what the client spends on sending.
const LINGER_BYTES: usize = 64 << 20;
/// How long either is read.
const LINGER: Duration = Duration::from_secs(2);

/// A body that outlives the service's use of it.
#[derive(Clone)]
pub(in crate::server) struct UnreadBody {
    shared: Arc<Mutex<Shared>>,
    /// Whether the client sends the body only after `100 Continue`.
    expects_continue: bool,
}

struct Shared {
    body: tonic::body::Body,
    /// Whether the service has polled it.
    is_polled: bool,
}

impl UnreadBody {
    /// The body of a request with these headers.
    pub(in crate::server) fn new(body: tonic::body::Body, headers: &HeaderMap) -> Self {
        let shared = Arc::new(Mutex::new(Shared { body, is_polled: false }));
        Self { shared, expects_continue: headers.contains_key(EXPECT) }
    }

    /// The same body, for the service.
    pub(in crate::server) fn body(&self) -> tonic::body::Body {
        tonic::body::Body::new(SharedBody(Arc::clone(&self.shared)))
    }

    /// Handles the rest of the body after the response; `in_flight` is held meanwhile.
    pub(in crate::server) fn finish(self, response: &mut HttpResponse, in_flight: impl Send + 'static) {
        let (is_complete, is_polled, length) = {
            let shared = lock(&self.shared);
            (shared.body.is_end_stream(), shared.is_polled, shared.body.size_hint().exact())
        };
        if is_complete {
            return;
        }
        // Reading it would send `100 Continue`.
        let is_unsent = self.expects_continue && !is_polled;
        if is_unsent || length.is_none_or(|length| length > SMALL) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if !is_unsent {
            tokio::spawn(async move {
                let _in_flight = in_flight;
                let _ = tokio::time::timeout(LINGER, discard(SharedBody(self.shared))).await;
            });
        }
    }
}

async fn discard(mut body: SharedBody) {
    let mut left = LINGER_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(less) = left.checked_sub(length) else { return };
        left = less;
    }
}

/// Only the body itself can panic while the lock is held, and is not used afterwards.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct SharedBody(Arc<Mutex<Shared>>);

impl Body for SharedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut shared = lock(&self.0);
        shared.is_polled = true;
        Pin::new(&mut shared.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}
