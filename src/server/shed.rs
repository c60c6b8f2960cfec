//! How many requests are worked at, at a time: those beyond are refused, so that those that are accepted are
//! answered in a time that is worth waiting for.
//!
//! Whoever is refused must cost next to nothing, or the refusals alone would take the machine. So [`Shed`] stands before
//! all that is done for a request, its line in the log, its span and its measures included: a copy of an answer that was
//! made once, a request id, a count, and a line in the log each second that it happens. And who comes again at once
//! would be refused again, tens of thousands of times a second: so a refusal is held for a moment, when it has no place.
//! It is the answer that is held and not the connection, which may be a proxy's and carry what others ask next.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::CONNECTION;
use http::response::Parts;
use http::{HeaderValue, Version};
use http_body_util::{BodyExt as _, Full};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::{Layer, Service};
use uuid::Uuid;

use super::door::{Door, is_grpcs_own};
use super::layer::{HttpService, pass};
use super::observe::{REQUEST_ID, request_id};
use super::rate_limit::RateLimits;
use super::{HttpRequest, HttpResponse};
use crate::ambient::SharedAmbient;
use crate::shares::{Share, Shares};
use crate::telemetry::Metrics;

/// Seconds after which a request that was refused may be tried again: a full house is emptied many times in one.
const RETRY_AFTER: u32 = 1;
/// A refusal is sent after this: a loop of a client's makes four a second and not thousands, and who tries another
/// process instead has lost little.
const HOLD: Duration = Duration::from_millis(250);
/// Refusals that are held at a time. Those beyond are sent at once, and end their connection where it has no other
/// requests: a new one costs a caller something as well.
const MOST_HELD: usize = 10_000;
/// The log tells at most so often that requests are refused.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Marks the answer to a request that was not worked at: it is counted and told of here, and nowhere else; an extension
/// of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unobserved;

/// The places of requests, over both doors.
///
/// A request has its place until it is answered. A stream gives it back when it has begun: what follows is little work
/// at a time, is bounded for each client, and may last for days.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    /// Calls without credentials have a quarter of the places at most, so that nobody keeps clients out by sending such
    /// calls slowly.
    public: Semaphore,
    /// Each client has half of the places at most: with those for calls without credentials it still keeps out no other.
    clients: Shares,
    /// Of refusals that are held.
    held: Semaphore,
    untold: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Places {
    /// Places for so many requests at a time.
    #[must_use]
    pub fn new(requests: u32) -> Self {
        let part = |of: u32| Ord::max(requests / of, 1);
        let places = |count: u32| Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS));
        Self {
            all: Arc::new(places(requests)),
            public: places(part(4)),
            clients: Shares::new(part(2)),
            held: Semaphore::new(MOST_HELD),
            untold: AtomicU64::new(0),
            told: Mutex::new(None),
        }
    }

    /// A place of those for calls without credentials, if there is one.
    pub(super) fn public(&self) -> Option<SemaphorePermit<'_>> {
        self.public.try_acquire().ok()
    }

    /// A place of those for one client, if there is one.
    pub(super) fn of_client(&self, client_id: Uuid) -> Option<Share> {
        self.clients.take(client_id)
    }

    /// Refuses a request that has got as far as `door`.
    pub(super) fn refuse<D: Door>(&self, door: &D, metrics: &Metrics) -> HttpResponse {
        metrics.shed(D::NAME);
        self.tell();
        let mut response = refusal(door);
        response.extensions_mut().insert(Unobserved);
        response
    }

    /// The refusal, when it is time for it.
    async fn hold(&self, version: Version, mut refusal: HttpResponse) -> HttpResponse {
        match self.held.try_acquire() {
            Ok(_held) => tokio::time::sleep(HOLD).await,
            Err(_) if version < Version::HTTP_2 => {
                refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Err(_) => {}
        }
        refusal
    }

    /// Notes that a request was refused.
    fn tell(&self) {
        let untold = self.untold.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever finds it locked leaves the word to the one who is at it.
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            self.untold.fetch_sub(untold, Ordering::Relaxed);
            drop(told);
            tracing::warn!(requests = untold, "refused: more requests at a time than are worked at");
        }
    }
}

/// Refuses what has no place.
#[derive(Clone)]
pub(super) struct Shed {
    door: &'static str,
    ambient: SharedAmbient,
    metrics: Metrics,
    places: Arc<Places>,
    refusal: Arc<Refusal>,
}

/// The answer to whoever has no place.
struct Refusal {
    head: Parts,
    body: Bytes,
}

impl Shed {
    pub(super) fn new<D: Door>(
        door: &D,
        ambient: SharedAmbient,
        metrics: Metrics,
        places: Arc<Places>,
        rate_limits: Option<&RateLimits>,
    ) -> Self {
        let mut answer = refusal(door);
        if let Some(limits) = rate_limits {
            limits.announce(answer.headers_mut(), None);
        }
        let (head, body) = answer.into_parts();
        // It is there already: there is nothing to wait for, and nothing that can fail.
        let body = body.collect().now_or_never().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Self { door: D::NAME, ambient, metrics, places, refusal: Arc::new(Refusal { head, body }) }
    }

    fn refused(&self, request: &HttpRequest) -> HttpResponse {
        self.metrics.shed(self.door);
        self.places.tell();
        let mut head = self.refusal.head.clone();
        head.headers.insert(REQUEST_ID, request_id(request.headers(), &self.ambient));
        let body = match self.refusal.body.is_empty() {
            true => tonic::body::Body::empty(),
            false => tonic::body::Body::new(Full::new(self.refusal.body.clone())),
        };
        HttpResponse::from_parts(head, body)
    }
}

fn refusal(door: &impl Door) -> HttpResponse {
    door.refuse(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER))
}

impl<S: HttpService> Layer<S> for Shed {
    type Service = Shedding<S>;

    fn layer(&self, next: S) -> Shedding<S> {
        Shedding { shed: self.clone(), next }
    }
}

/// What [`Shed`] stands before.
#[derive(Clone)]
pub(super) struct Shedding<S> {
    shed: Shed,
    next: S,
}

type Answered = Result<HttpResponse, Infallible>;

impl<S: HttpService> Service<HttpRequest> for Shedding<S> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let (places, version) = (Arc::clone(&self.shed.places), request.version());
        // gRPC's own health needs no place: a probe must not take a busy service for a dead one.
        let place = match is_grpcs_own(request.uri().path()) {
            true => None,
            false => match Arc::clone(&places.all).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => {
                    let refusal = self.shed.refused(&request);
                    return Box::pin(async move { Ok(places.hold(version, refusal).await) });
                }
            },
        };
        let next = self.next.clone();
        Box::pin(async move {
            let response = pass(request, next).await;
            drop(place);
            match response.extensions().get::<Unobserved>() {
                None => Ok(response),
                Some(Unobserved) => Ok(places.hold(version, response).await),
            }
        })
    }
}
