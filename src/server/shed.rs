//! How many requests are worked at, at a time: those beyond are refused at once, before they are authenticated and before
//! their body is read, so that those that are accepted are answered in a time that is worth waiting for.

use std::sync::Arc;

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::method::Access;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::door::{Call, Door};
use super::layer::{HttpService, Wrap, pass};
use super::refused::Refused;
use super::{HttpRequest, HttpResponse};

/// Seconds after which a request that was refused may be tried again: a full house is emptied many times in one.
const RETRY_AFTER: u32 = 1;

/// The places of requests, over both doors.
#[derive(Debug)]
pub struct Places {
    all: Semaphore,
    /// Calls without credentials have half of the places at most, so that nobody keeps clients out by sending such calls
    /// slowly.
    public: Semaphore,
}

/// A request's place until it is answered. A stream gives it back when it has begun: what follows is little work at a
/// time, is bounded for each client, and may last for days.
struct Place<'a> {
    _one: SemaphorePermit<'a>,
    _public: Option<SemaphorePermit<'a>>,
}

impl Places {
    /// Places for so many requests at a time.
    #[must_use]
    pub fn new(requests: u32) -> Self {
        let places = |count: u32| Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS));
        Self { all: places(requests), public: places(requests.div_ceil(2)) }
    }

    fn take(&self, access: Access) -> Option<Place<'_>> {
        let public = match access {
            Access::Public => Some(self.public.try_acquire().ok()?),
            Access::Client => None,
        };
        Some(Place { _one: self.all.try_acquire().ok()?, _public: public })
    }
}

#[derive(Clone)]
pub(super) struct Shed<D> {
    pub(super) door: D,
    pub(super) places: Arc<Places>,
    pub(super) refused: Arc<Refused>,
}

impl<D: Door> Wrap for Shed<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        // gRPC's own health and reflection need no place: a probe must not take a busy service for a dead one.
        let Some(method) = request.extensions().get::<Call>().and_then(|call| call.method) else {
            return pass(request, next).await;
        };
        let Some(_place) = self.places.take(method.access) else {
            self.refused.at::<D>().count_shed();
            return self.door.refuse(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER));
        };
        pass(request, next).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_request_is_answered() {
        let places = Places::new(1);
        let place = places.take(Access::Client).expect("a place");
        assert!(places.take(Access::Client).is_none() && places.take(Access::Public).is_none());
        drop(place);
        assert!(places.take(Access::Public).is_some());
    }

    #[test]
    fn calls_without_credentials_leave_half_of_the_places_to_clients() {
        let places = Places::new(4);
        let taken: Vec<_> = (0..2).map(|_| places.take(Access::Public).expect("a place")).collect();
        assert!(places.take(Access::Public).is_none());
        let clients: Vec<_> = (0..2).map(|_| places.take(Access::Client).expect("a place")).collect();
        assert!(places.take(Access::Client).is_none());
        drop((taken, clients));
    }
}
