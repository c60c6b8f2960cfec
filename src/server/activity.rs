//! What one connection is at: how many requests are answered, and since when there are none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::HttpResponse;
use super::through::through;

/// The requests of one connection. One is open from the moment that its headers are there until the last of its answer
/// is on its way.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<Requests>>);

#[derive(Clone, Copy, Debug)]
struct Requests {
    begun: u64,
    open: u64,
    quiet_since: Instant,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Requests { begun: 0, open: 0, quiet_since: Instant::now() })))
    }

    /// The headers of a request are there.
    pub(super) fn begin(&self) -> Open {
        let mut requests = self.lock();
        requests.begun += 1;
        requests.open += 1;
        Open(self.clone())
    }

    /// So many requests have begun, ever.
    pub(super) fn begun(&self) -> u64 {
        self.lock().begun
    }

    /// Whether no request is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.lock().open == 0
    }

    /// Returns once no request has been open for so long.
    pub(super) async fn quiet_for(&self, time: Duration) {
        loop {
            let requests = *self.lock();
            let now = Instant::now();
            let until = if requests.open == 0 { requests.quiet_since + time } else { now + time };
            if requests.open == 0 && until <= now {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(super) struct Open(Activity);

impl Open {
    /// The request stays open until the response's body is dropped.
    pub(super) fn until_sent(self, response: HttpResponse) -> HttpResponse {
        response.map(|body| {
            through(body, move |frame| {
                let _open = &self;
                frame
            })
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut requests = self.0.lock();
        requests.open -= 1;
        requests.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_quiet_when_the_last_answer_has_been_sent() {
        let activity = Activity::new();
        activity.quiet_for(Duration::ZERO).await;
        let open = activity.begin();
        assert!(!activity.is_quiet());
        let response = open.until_sent(HttpResponse::new(tonic::body::Body::empty()));
        let other = activity.begin();
        drop(response);
        assert!(!activity.is_quiet(), "one of two is sent");
        drop(other);
        assert_eq!((activity.is_quiet(), activity.begun()), (true, 2));
        assert!(activity.quiet_for(Duration::from_secs(600)).now_or_never().is_none(), "not for so long");
        activity.quiet_for(Duration::from_millis(1)).await;
    }
}
