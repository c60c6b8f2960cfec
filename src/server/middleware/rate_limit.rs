//! The rate limit of a client (docs/decisions.md, section 1): a number of calls per second, with a burst of one second's
//! worth, counted by each replica for itself, or together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use uuid::Uuid;

use crate::auth::Caller;
use crate::env::SharedEnv;
use crate::extra_cost::ExtraCost;
use crate::server::context::RequestContext;
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::shared_rate::{Leases, Share, SharedRate};
use crate::server::middleware::{HttpService, Middleware, run};
use crate::server::protocol::Protocol;
use crate::telemetry::Metrics;

/// The headers of draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The name of the only policy.
const NAME: &str = "default";

/// How much of its rate an idle client may use at once.
const BURST: TimeDelta = TimeDelta::seconds(1);
/// Clients that are tracked before idle ones are removed.
const TRACKED: usize = 10_000;

/// The rate limits of all clients, by the generic cell rate algorithm: the time at which each allowance is full again.
pub struct RateLimits {
    per_second: u32,
    env: SharedEnv,
    clients: Mutex<Clients>,
    /// Where replicas share the allowances.
    shared: Option<(Leases, Metrics)>,
}

struct Clients {
    allowances: HashMap<Uuid, FullAt>,
    /// Idle clients are removed at this number: twice what was left the last time, so that the cost of a call does not
    /// depend on the number of clients.
    prune_at: usize,
}

/// When an allowance is full again.
#[derive(Clone, Copy)]
struct FullAt {
    at: DateTime<Utc>,
    /// By how much calls that cost more than one may have put it beyond the burst.
    overdrawn: TimeDelta,
}

impl RateLimits {
    /// Allows each client `per_second` calls per second; at least one, and at most one per nanosecond.
    #[must_use]
    pub fn new(per_second: u32, env: SharedEnv) -> Self {
        Self {
            per_second: per_second.clamp(1, 1_000_000_000),
            env,
            clients: Mutex::new(Clients { allowances: HashMap::new(), prune_at: TRACKED }),
            shared: None,
        }
    }

    /// The same, shared by all replicas that use this place. While it does not answer, each counts for itself.
    #[must_use]
    pub fn shared(self, place: Arc<dyn SharedRate>, metrics: Metrics) -> Self {
        Self { shared: Some((Leases::new(place), metrics)), ..self }
    }

    /// Takes one call from a client's allowance, wherever that is.
    async fn admit(&self, client_id: Uuid) -> Result<Allowance, TimeDelta> {
        let Some((leases, metrics)) = &self.shared else { return self.take(client_id) };
        match leases.take(client_id, self.env.now(), self.per_second, self.cost()).await {
            Share::Left(calls) => Ok(Allowance { calls, seconds: 1 }),
            Share::Wait(wait) => Err(wait),
            Share::Unknown => {
                metrics.rate_limited_alone();
                self.take(client_id)
            }
        }
    }

    /// Takes one call from a client's allowance.
    ///
    /// # Errors
    /// None is left: how long until there is one.
    fn take(&self, client_id: Uuid) -> Result<Allowance, TimeDelta> {
        let now = self.env.now();
        let cost = self.cost();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.allowances.len() >= clients.prune_at {
            clients.allowances.retain(|_, full| full.at > now);
            clients.prune_at = Ord::max(TRACKED, clients.allowances.len() * 2);
        }
        let full = clients.allowances.entry(client_id).or_insert(FullAt { at: now, overdrawn: TimeDelta::zero() });
        // It is never later than this, unless the clock was set back.
        full.at = Ord::min(full.at, now + BURST + full.overdrawn);
        let next = Ord::max(full.at, now) + cost;
        if next > now + BURST {
            return Err(next - (now + BURST));
        }
        *full = FullAt { at: next, overdrawn: TimeDelta::zero() };
        let nanoseconds = |span: TimeDelta| span.num_nanoseconds().unwrap_or_default();
        let calls = nanoseconds(now + BURST - next) / nanoseconds(cost);
        Ok(Allowance { calls: u32::try_from(calls).unwrap_or_default(), seconds: whole_seconds(next - now) })
    }

    /// Takes `calls` more from a client's allowance for a call that was let through. Where that is more than is left, the
    /// client's next calls wait until it is made up for.
    fn overdraw(&self, client_id: Uuid, calls: u16) {
        if let Some((leases, _)) = &self.shared {
            leases.charge(client_id, calls);
        }
        let now = self.env.now();
        let more = self.cost() * i32::from(calls);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let full = clients.allowances.entry(client_id).or_insert(FullAt { at: now, overdrawn: TimeDelta::zero() });
        full.at = Ord::max(full.at, now) + more;
        full.overdrawn += more;
    }

    /// What one call takes of an allowance.
    fn cost(&self) -> TimeDelta {
        TimeDelta::nanoseconds(1_000_000_000 / i64::from(self.per_second))
    }

    /// Adds the policy, and the remaining allowance if it is known.
    pub(in crate::server) fn add_headers(&self, headers: &mut HeaderMap, allowance: Option<&Allowance>) {
        let policy = format!("\"{NAME}\";q={};w=1", self.per_second);
        let limit = allowance.map(|Allowance { calls, seconds }| format!("\"{NAME}\";r={calls};t={seconds}"));
        for (name, text) in [(POLICY, Some(policy)), (LIMIT, limit)] {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// The remaining allowance of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Allowance {
    /// Calls that may be made at once.
    calls: u32,
    /// Seconds until the allowance is full again.
    seconds: u32,
}

/// Rounds up.
fn whole_seconds(span: TimeDelta) -> u32 {
    u32::try_from(span.num_seconds()).unwrap_or(1) + u32::from(span.subsec_nanos() > 0)
}

/// Adds the `RateLimit` headers to every response; the remaining allowance only when the client is known.
#[derive(Clone)]
pub(in crate::server) struct RateLimitHeaders {
    pub(in crate::server) limits: Option<Arc<RateLimits>>,
}

impl Middleware for RateLimitHeaders {
    async fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let Some(limits) = &self.limits else { return run(request, next).await };
        let context = request.extensions().get::<RequestContext>().cloned().unwrap_or_default();
        let mut response = run(request, next).await;
        limits.add_headers(response.headers_mut(), context.allowance());
        response
    }
}

/// Rejects a client's call beyond its rate.
#[derive(Clone)]
pub(in crate::server) struct RateLimit<P> {
    pub(in crate::server) protocol: P,
    pub(in crate::server) limits: Option<Arc<RateLimits>>,
}

impl<P: Protocol> Middleware for RateLimit<P> {
    async fn handle<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let (Some(limits), Some(caller)) = (&self.limits, request.extensions().get::<Caller>()) else {
            return run(request, next).await;
        };
        let client_id = caller.client_id;
        let taken = limits.admit(client_id).await;
        if let Some(context) = request.extensions().get::<RequestContext>() {
            context.set_allowance(taken.unwrap_or_else(|wait| Allowance { calls: 0, seconds: whole_seconds(wait) }));
        }
        match taken {
            Ok(_) => {
                let limits = Arc::clone(limits);
                request.extensions_mut().insert(ExtraCost::new(move |calls| limits.overdraw(client_id, calls)));
                run(request, next).await
            }
            Err(wait) => self
                .protocol
                .error_response(error::status_with_retry(ErrorReason::RateLimitExceeded, whole_seconds(wait))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;
    use crate::env::MockClock;

    #[test]
    fn a_client_gets_its_rate_and_no_more_and_harms_no_other() {
        let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
        let limits = RateLimits::new(2, clock.clone());
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(limits.take(one), Ok(Allowance { calls: 1, seconds: 1 }));
        assert_eq!(limits.take(one), Ok(Allowance { calls: 0, seconds: 1 }));
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(500)));
        assert!(limits.take(other).is_ok());
        clock.advance(TimeDelta::milliseconds(500));
        assert!(limits.take(one).is_ok());
        assert!(limits.take(one).is_err());
    }

    #[test]
    fn a_call_that_costs_a_hundred_is_let_through_and_made_up_for_by_its_client_alone() {
        let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
        let limits = RateLimits::new(10, clock.clone());
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(limits.take(one).is_ok());
        limits.overdraw(one, 49);
        limits.overdraw(one, 50);
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(9_100)), "a hundred calls, less a burst of ten");
        assert!(limits.take(other).is_ok());
        clock.advance(TimeDelta::milliseconds(9_000));
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(100)));
        clock.advance(TimeDelta::milliseconds(100));
        assert!(limits.take(one).is_ok());
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(100)), "the usual rate again");
        clock.advance(TimeDelta::hours(-1));
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(100)), "an old debt is not one of an hour");
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_client_out() {
        let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
        let limits = RateLimits::new(1, clock.clone());
        let client = Uuid::from_u128(1);
        assert!(limits.take(client).is_ok());
        clock.advance(TimeDelta::hours(-1));
        assert_eq!(limits.take(client), Err(TimeDelta::seconds(1)));
        clock.advance(TimeDelta::seconds(1));
        assert!(limits.take(client).is_ok());
    }

    /// A place that counts, and answers as long as it is told to.
    struct Place {
        taken: Mutex<TimeDelta>,
        asked: AtomicU32,
        answers: AtomicBool,
    }

    #[tonic::async_trait]
    impl SharedRate for Place {
        async fn take(&self, _: Uuid, _: DateTime<Utc>, span: TimeDelta, burst: TimeDelta) -> Option<bool> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let mut taken = self.taken.lock().expect("no panic");
            let fits = *taken + span <= burst;
            if fits {
                *taken += span;
            }
            self.answers.load(Ordering::Relaxed).then_some(fits)
        }
    }

    #[tokio::test]
    async fn replicas_share_a_rate_and_ask_for_a_tenth_of_it_at_a_time() {
        let place = Arc::new(Place {
            taken: Mutex::new(TimeDelta::zero()),
            asked: AtomicU32::new(0),
            answers: AtomicBool::new(true),
        });
        let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
        let replica = || RateLimits::new(100, clock.clone()).shared(place.clone(), Metrics::default());
        let (one, other) = (replica(), replica());
        let client = Uuid::from_u128(1);
        let mut allowed = 0;
        for _ in 0..100 {
            allowed += u32::from(one.admit(client).await.is_ok()) + u32::from(other.admit(client).await.is_ok());
        }
        assert_eq!(allowed, 100);
        // Ten parts, and once in vain for each replica.
        assert_eq!(place.asked.load(Ordering::Relaxed), 12);
        clock.advance(TimeDelta::milliseconds(100));
        place.answers.store(false, Ordering::Relaxed);
        let mut allowed = 0;
        for _ in 0..200 {
            allowed += u32::from(one.admit(client).await.is_ok());
        }
        assert_eq!(allowed, 100, "without the place each replica counts for itself");
        assert_eq!(place.asked.load(Ordering::Relaxed), 13, "a place that does not answer is not asked again at once");
    }

    #[test]
    fn a_rate_of_any_height_is_a_rate() {
        let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
        assert!(RateLimits::new(u32::MAX, clock).take(Uuid::from_u128(1)).is_ok());
    }
}
