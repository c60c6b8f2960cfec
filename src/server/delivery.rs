//! Answers that nobody takes: an HTTP/2 client may ask for hundreds of them on one connection, answer every sign of life,
//! and never let them out, so that they stay in memory for ever.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::HttpResponse;
use super::streamed::IsStream;
use super::through::through;

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
        if response.extensions().get::<IsStream>().is_some() || response.body().is_end_stream() {
            return response;
        }
        let deliveries = self.clone();
        let send = move |frame: Frame<Bytes>| frame.map_data(|bytes| deliveries.send(bytes, Instant::now()));
        response.map(|body| through(body, send))
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    use tracing::Span;

    use super::super::streamed::told;
    use super::*;

    #[test]
    fn the_reader_of_a_stream_may_take_its_time_and_that_of_an_answer_may_not() {
        let answer = || HttpResponse::new(tonic::body::Body::new(http_body_util::Full::from("an event")));
        let sent = |response: HttpResponse| {
            let deliveries = Deliveries::default();
            let mut body = deliveries.watch(response).into_body();
            let frame = body.frame().now_or_never().flatten().expect("it is there").expect("it arrives");
            (frame, deliveries.lock().due.len())
        };
        assert_eq!(sent(answer()).1, 1);
        assert_eq!(sent(told(answer(), "EventsService/WatchEvents", Span::none())).1, 0);
    }

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
