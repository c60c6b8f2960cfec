//! How often a client may call (decisions, section 1): so many calls a second, with a burst of one second's worth,
//! counted by each replica for itself.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use std::collections::HashMap;
use uuid::Uuid;

use super::door::Door;
use super::layer::{HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};
use crate::ambient::SharedAmbient;
use crate::auth::Caller;

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
    /// Allows each client `per_second` calls a second; at least one.
    #[must_use]
    pub fn new(per_second: u32, ambient: SharedAmbient) -> Self {
        Self {
            per_second: Ord::max(per_second, 1),
            ambient,
            clients: Mutex::new(Clients { full_at: HashMap::new(), forget_from: REMEMBERED }),
        }
    }

    /// Takes one call from a client's allowance.
    ///
    /// # Errors
    /// There is none left: how long until there is.
    fn take(&self, client_id: Uuid) -> Result<(), TimeDelta> {
        let now = self.ambient.now();
        let burst = TimeDelta::seconds(1);
        let cost = TimeDelta::nanoseconds(1_000_000_000 / i64::from(self.per_second));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.full_at.len() >= clients.forget_from {
            clients.full_at.retain(|_, full_at| *full_at > now);
            clients.forget_from = Ord::max(REMEMBERED, clients.full_at.len() * 2);
        }
        let full_at = clients.full_at.entry(client_id).or_insert(now);
        let next = Ord::max(*full_at, now) + cost;
        if next > now + burst {
            return Err(next - (now + burst));
        }
        *full_at = next;
        Ok(())
    }
}

#[derive(Clone)]
pub(super) struct RateLimit<D> {
    pub(super) door: D,
    pub(super) limits: Option<Arc<RateLimits>>,
}

impl<D: Door> Wrap for RateLimit<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        if let (Some(limits), Some(caller)) = (&self.limits, request.extensions().get::<Caller>())
            && let Err(wait) = limits.take(caller.client_id)
        {
            // Whole seconds, and no shorter than the wait; an allowance is full again after one second at most.
            let seconds = u32::try_from(wait.num_seconds()).unwrap_or(1) + u32::from(wait.subsec_nanos() > 0);
            return self.door.refuse(error::status_with_retry(ErrorReason::RateLimitExceeded, seconds));
        }
        pass(request, next).await
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
        assert!(limits.take(one).is_ok());
        assert!(limits.take(one).is_ok());
        assert_eq!(limits.take(one), Err(TimeDelta::milliseconds(500)));
        assert!(limits.take(other).is_ok());
        clock.advance(TimeDelta::milliseconds(500));
        assert!(limits.take(one).is_ok());
        assert!(limits.take(one).is_err());
    }
}
