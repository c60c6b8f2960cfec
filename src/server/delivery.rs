//! Answers that nobody takes: an HTTP/2 client may ask for hundreds of them on one connection, answer every sign of life,
//! and never let them out, so that they stay in memory for ever.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use super::HttpResponse;
use super::door::Call;

/// An answer is to be taken within this, and the time that its length allows.
const GRACE: Duration = Duration::from_secs(120);
/// Bytes a second of the slowest reader.
const LEAST_RATE: u64 = 4 << 10;
/// How often a connection is looked at.
const LOOK: Duration = Duration::from_secs(30);

/// What one connection has been sent, and has not taken yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Deliveries(Arc<Mutex<UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    /// Until when each is to be taken; a number tells apart those of one moment.
    due: BTreeSet<(Instant, u64)>,
    last: u64,
}

impl Deliveries {
    /// The response, whose parts are watched until they are taken. A stream of events is not: its reader may take its
    /// time, and has few of them.
    pub(super) fn watch(&self, response: HttpResponse) -> HttpResponse {
        let call = response.extensions().get::<Call>().and_then(|call| call.method);
        let streams =
            call.is_some_and(|method| method.server_streaming) && response.body().size_hint().exact().is_none();
        if streams || response.body().is_end_stream() {
            return response;
        }
        let deliveries = self.clone();
        response.map(|body| tonic::body::Body::new(Watched { body, deliveries }))
    }

    /// Returns once something has not been taken in time.
    pub(super) async fn overdue(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.is_overdue(Instant::now()) {
                return;
            }
        }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.lock().due.first().is_some_and(|(due, _)| *due < now)
    }

    fn send(&self, bytes: Bytes, now: Instant) -> Bytes {
        let due = now + GRACE + Duration::from_secs(bytes.len() as u64 / LEAST_RATE);
        let mut under_way = self.lock();
        under_way.last += 1;
        let delivery = (due, under_way.last);
        under_way.due.insert(delivery);
        drop(under_way);
        Bytes::from_owner(Sent { bytes, delivery, deliveries: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are dropped when they have been taken, or the connection has ended.
struct Sent {
    bytes: Bytes,
    delivery: (Instant, u64),
    deliveries: Deliveries,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.deliveries.lock().due.remove(&self.delivery);
    }
}

struct Watched {
    body: tonic::body::Body,
    deliveries: Deliveries,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map(|frame| {
            frame.map(|frame| frame.map(|f| f.map_data(|bytes| self.deliveries.send(bytes, Instant::now()))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_in_its_time_is_overdue() {
        let deliveries = Deliveries::default();
        let now = Instant::now();
        let short = deliveries.send(Bytes::from_static(b"ab"), now);
        let long = deliveries.send(vec![b'a'; 1 << 20].into(), now);
        assert_eq!((&short[..], long.len()), (&b"ab"[..], 1 << 20));
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(!deliveries.is_overdue(later(119)));
        assert!(deliveries.is_overdue(later(121)));
        drop(short);
        assert!(!deliveries.is_overdue(later(121)), "what is long may take longer");
        assert!(deliveries.is_overdue(later(600)));
        drop(long);
        assert!(!deliveries.is_overdue(later(600)));
    }
}
