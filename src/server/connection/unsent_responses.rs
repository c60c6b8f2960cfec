//! Detects responses that a client does not read. An HTTP/2 client may request hundreds on one connection, answer every
//! PING, and never open its flow-control window, so that the responses stay in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::server::body::map_frames::map_frames;
use crate::server::context::Streaming;
use crate::server::message::HttpResponse;

/// A part is to be sent within this plus the time for its length.
const GRACE: Duration = Duration::from_secs(120);
/// Bytes per second of the slowest accepted reader.
const MIN_RATE: u64 = 4 << 10;
/// How often a connection is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The parts of responses that are not yet sent to one connection.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct UnsentResponses(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    /// The deadline of each part, with a number to separate those of one moment.
    due: BTreeSet<(Instant, u64)>,
    last: u64,
}

impl UnsentResponses {
    /// Tracks the parts of a response until they are sent. Streams of events are not tracked: a client may read them at any
    /// rate, and has few of them.
    pub(in crate::server) fn track(&self, response: HttpResponse) -> HttpResponse {
        if response.extensions().get::<Streaming>().is_some() || response.body().is_end_stream() {
            return response;
        }
        let unsent = self.clone();
        let add = move |frame: Frame<Bytes>| frame.map_data(|bytes| unsent.add(bytes, Instant::now()));
        response.map(|body| map_frames(body, add))
    }

    /// Returns once a part was not sent in time.
    pub(in crate::server) async fn overdue(&self) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            if self.is_overdue(Instant::now()) {
                return;
            }
        }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.lock().due.first().is_some_and(|(due, _)| *due < now)
    }

    fn add(&self, bytes: Bytes, now: Instant) -> Bytes {
        let due = now + GRACE + Duration::from_secs(bytes.len() as u64 / MIN_RATE);
        let mut queue = self.lock();
        queue.last += 1;
        let key = (due, queue.last);
        queue.due.insert(key);
        drop(queue);
        Bytes::from_owner(TrackedBytes { bytes, key, unsent: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that hyper drops when they are sent, or when the connection ends.
struct TrackedBytes {
    bytes: Bytes,
    key: (Instant, u64),
    unsent: UnsentResponses,
}

impl AsRef<[u8]> for TrackedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for TrackedBytes {
    fn drop(&mut self) {
        self.unsent.lock().due.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    use tracing::Span;

    use super::*;
    use crate::server::body::log_on_end::log_on_end;

    #[test]
    fn a_stream_may_be_read_at_any_rate_and_another_response_may_not() {
        let response = || HttpResponse::new(tonic::body::Body::new(http_body_util::Full::from("an event")));
        let tracked = |response: HttpResponse| {
            let unsent = UnsentResponses::default();
            let mut body = unsent.track(response).into_body();
            let frame = body.frame().now_or_never().flatten().expect("it is there").expect("it arrives");
            (frame, unsent.lock().due.len())
        };
        assert_eq!(tracked(response()).1, 1);
        assert_eq!(tracked(log_on_end(response(), "EventsService/WatchEvents", Span::none())).1, 0);
    }

    #[test]
    fn a_part_that_is_not_sent_in_time_is_overdue() {
        let unsent = UnsentResponses::default();
        let now = Instant::now();
        let short = unsent.add(Bytes::from_static(b"ab"), now);
        let long = unsent.add(vec![b'a'; 1 << 20].into(), now);
        assert_eq!((&short[..], long.len()), (&b"ab"[..], 1 << 20));
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(!unsent.is_overdue(later(119)));
        assert!(unsent.is_overdue(later(121)));
        drop(short);
        assert!(!unsent.is_overdue(later(121)), "a longer part has more time");
        assert!(unsent.is_overdue(later(600)));
        drop(long);
        assert!(!unsent.is_overdue(later(600)));
    }
}
