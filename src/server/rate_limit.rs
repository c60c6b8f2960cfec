//! How often a client may call (decisions, section 1): so many calls a second, with a burst of one second's worth,
//! counted by each replica for itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use uuid::Uuid;

use super::door::Door;
use super::layer::{HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};
use crate::ambient::SharedAmbient;
use crate::auth::Caller;

/// What is announced is that of draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The name of the one policy there is.
const NAME: &str = "default";

/// Clients that are remembered, at least, before those who have been quiet are forgotten.
const REMEMBERED: usize = 10_000;

/// The state of all clients: for each the time at which its allowance is full again (the generic cell rate algorithm).
pub struct RateLimits {
    per_second: u32,
    ambient: SharedAmbient,
    clients: Mutex<Clients>,
}

struct Clients {
    full_at: HashMap<Uuid, DateTime<Utc>>,
    /// So many are looked through for the quiet ones; twice what was left the last time, so that a call costs the same
    /// on average however many there are.
    forget_from: usize,
}

impl RateLimits {
    /// Allows each client `per_second` calls a second; at least one, and at most one a nanosecond.
    #[must_use]
    pub fn new(per_second: u32, ambient: SharedAmbient) -> Self {
        Self {
            per_second: per_second.clamp(1, 1_000_000_000),
            ambient,
            clients: Mutex::new(Clients { full_at: HashMap::new(), forget_from: REMEMBERED }),
        }
    }

    /// Takes one call from a client's allowance.
    ///
    /// # Errors
    /// There is none left: how long until there is.
    fn take(&self, client_id: Uuid) -> Result<Left, TimeDelta> {
        let now = self.ambient.now();
        let burst = TimeDelta::seconds(1);
        let cost = TimeDelta::nanoseconds(1_000_000_000 / i64::from(self.per_second));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.full_at.len() >= clients.forget_from {
            clients.full_at.retain(|_, full_at| *full_at > now);
            clients.forget_from = Ord::max(REMEMBERED, clients.full_at.len() * 2);
        }
        let full_at = clients.full_at.entry(client_id).or_insert(now);
        // It is never later than this, unless the clock was set back.
        *full_at = Ord::min(*full_at, now + burst);
        let next = Ord::max(*full_at, now) + cost;
        if next > now + burst {
            return Err(next - (now + burst));
        }
        *full_at = next;
        let nanoseconds = |span: TimeDelta| span.num_nanoseconds().unwrap_or_default();
        let calls = nanoseconds(now + burst - next) / nanoseconds(cost);
        Ok(Left { calls: u32::try_from(calls).unwrap_or_default(), seconds: whole_seconds(next - now) })
    }

    /// Tells the rate, and what is left of it where that is known.
    pub(super) fn announce(&self, headers: &mut HeaderMap, left: Option<&Left>) {
        let policy = format!("\"{NAME}\";q={};w=1", self.per_second);
        let left = left.map(|Left { calls, seconds }| format!("\"{NAME}\";r={calls};t={seconds}"));
        for (name, text) in [(POLICY, Some(policy)), (LIMIT, left)] {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// What is left of a client's allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// So many calls at once.
    calls: u32,
    /// Until all of it is there again.
    seconds: u32,
}

/// No shorter than the span. An allowance is full again after one second at most.
fn whole_seconds(span: TimeDelta) -> u32 {
    u32::try_from(span.num_seconds()).unwrap_or(1) + u32::from(span.subsec_nanos() > 0)
}

/// Where the innermost layer leaves for the outermost what the client has left, whoever answers.
type Slot = Arc<OnceLock<Left>>;

/// Tells the rate with every answer, and where the client is known what it has left.
#[derive(Clone)]
pub(super) struct Announce {
    pub(super) limits: Option<Arc<RateLimits>>,
}

impl Wrap for Announce {
    async fn wrap<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let Some(limits) = &self.limits else { return pass(request, next).await };
        let slot = Slot::default();
        request.extensions_mut().insert(Arc::clone(&slot));
        let mut response = pass(request, next).await;
        limits.announce(response.headers_mut(), slot.get());
        response
    }
}

/// Refuses who calls too often.
#[derive(Clone)]
pub(super) struct RateLimit<D> {
    pub(super) door: D,
    pub(super) limits: Option<Arc<RateLimits>>,
}

impl<D: Door> Wrap for RateLimit<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let (Some(limits), Some(caller)) = (&self.limits, request.extensions().get::<Caller>()) else {
            return pass(request, next).await;
        };
        let taken = limits.take(caller.client_id);
        if let Some(slot) = request.extensions().get::<Slot>() {
            // The slot is this request's own, hence empty.
            let _ = slot.set(taken.unwrap_or_else(|wait| Left { calls: 0, seconds: whole_seconds(wait) }));
        }
        match taken {
            Ok(_) => pass(request, next).await,
            Err(wait) => {
                self.door.refuse(error::status_with_retry(ErrorReason::RateLimitExceeded, whole_seconds(wait)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::MovableClock;

    #[test]
    fn a_client_gets_its_rate_and_no_more_and_harms_no_other() {
        let clock = Arc::new(MovableClock::at(DateTime::UNIX_EPOCH));
        let limits = RateLimits::new(2, clock.clone());
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(limits.take(one), Ok(Left { calls: 1, seconds: 1 }));
        assert_eq!(limits.take(one), Ok(Left { calls: 0, seconds: 1 }));
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(500)));
        assert!(limits.take(other).is_ok());
        clock.advance(TimeDelta::milliseconds(500));
        assert!(limits.take(one).is_ok());
        assert!(limits.take(one).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_client_out() {
        let clock = Arc::new(MovableClock::at(DateTime::UNIX_EPOCH));
        let limits = RateLimits::new(1, clock.clone());
        let client = Uuid::from_u128(1);
        assert!(limits.take(client).is_ok());
        clock.advance(TimeDelta::hours(-1));
        assert_eq!(limits.take(client), Err(TimeDelta::seconds(1)));
        clock.advance(TimeDelta::seconds(1));
        assert!(limits.take(client).is_ok());
    }

    #[test]
    fn a_rate_of_any_height_is_a_rate() {
        let clock = Arc::new(MovableClock::at(DateTime::UNIX_EPOCH));
        assert!(RateLimits::new(u32::MAX, clock).take(Uuid::from_u128(1)).is_ok());
    }
}
