//! The number of requests in flight on one connection, and since when it is idle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::body::map_frames::map_frames;
use crate::server::message::HttpResponse;

/// The requests of one connection. A request is in flight from its headers until the end of its response body.
#[derive(Clone, Debug)]
pub(in crate::server) struct RequestsInFlight(Arc<Mutex<Requests>>);

#[derive(Clone, Copy, Debug)]
struct Requests {
    started: u64,
    in_flight: u64,
    idle_since: Instant,
}

impl RequestsInFlight {
    pub(in crate::server) fn new() -> Self {
        Self(Arc::new(Mutex::new(Requests { started: 0, in_flight: 0, idle_since: Instant::now() })))
    }

    /// Starts a request, when its headers have arrived.
    pub(in crate::server) fn start(&self) -> RequestInFlight {
        let mut requests = self.lock();
        requests.started += 1;
        requests.in_flight += 1;
        RequestInFlight(self.clone())
    }

    /// The number of requests that have started so far.
    pub(in crate::server) fn started(&self) -> u64 {
        self.lock().started
    }

    /// Whether no request is in flight.
    pub(in crate::server) fn is_idle(&self) -> bool {
        self.lock().in_flight == 0
    }

    /// Returns once no request was in flight for `time`.
    pub(in crate::server) async fn idle_for(&self, time: Duration) {
        loop {
            let requests = *self.lock();
            let now = Instant::now();
            let until = if requests.in_flight == 0 { requests.idle_since + time } else { now + time };
            if requests.in_flight == 0 && until <= now {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight, until this is dropped.
#[derive(Debug)]
pub(in crate::server) struct RequestInFlight(RequestsInFlight);

impl RequestInFlight {
    /// Another handle: the request is in flight until both are dropped.
    pub(in crate::server) fn another(&self) -> Self {
        self.0.lock().in_flight += 1;
        Self(self.0.clone())
    }

    /// Moves the handle into the response: the request is in flight until its body is dropped.
    pub(in crate::server) fn until_sent(self, response: HttpResponse) -> HttpResponse {
        response.map(|body| {
            map_frames(body, move |frame| {
                let _in_flight = &self;
                frame
            })
        })
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let mut requests = self.0.lock();
        requests.in_flight -= 1;
        requests.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_when_the_last_response_has_been_sent() {
        let requests = RequestsInFlight::new();
        requests.idle_for(Duration::ZERO).await;
        let one = requests.start();
        assert!(!requests.is_idle());
        let response = one.until_sent(HttpResponse::new(tonic::body::Body::empty()));
        let other = requests.start();
        drop(response);
        assert!(!requests.is_idle(), "one of two is sent");
        drop(other);
        assert_eq!((requests.is_idle(), requests.started()), (true, 2));
        assert!(requests.idle_for(Duration::from_secs(600)).now_or_never().is_none(), "not for so long");
        requests.idle_for(Duration::from_millis(1)).await;
    }
}
