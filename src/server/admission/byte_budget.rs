//! The memory for request bodies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::server::admission::CallerKey;

/// The bytes of the bodies of requests in flight.
#[derive(Debug)]
pub(in crate::server) struct ByteBudget {
    /// The limit of all requests.
    total: u64,
    /// The limit of one client or one network.
    each: u64,
    /// The limit of all unauthenticated callers together.
    unauthenticated: u64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    total: u64,
    unauthenticated: u64,
    by_caller: HashMap<CallerKey, u64>,
}

impl ByteBudget {
    /// A budget of `total` bytes, or of `max_request`, the largest request, if that is more. One client may use half of it,
    /// all unauthenticated callers together a quarter.
    pub(in crate::server) fn new(total: u64, max_request: u64) -> Self {
        let total = Ord::max(total, max_request);
        Self { total, each: Ord::max(total / 2, max_request), unauthenticated: total / 4, used: Mutex::default() }
    }

    /// Reserves `bytes` for a request of `caller`; `None` if that exceeds a limit.
    pub(super) fn reserve(self: &Arc<Self>, caller: CallerKey, bytes: u64) -> Option<ReservedBytes> {
        let mut reserved = ReservedBytes { budget: Arc::clone(self), caller, bytes: 0 };
        reserved.grow(bytes).then_some(reserved)
    }

    fn take(&self, caller: CallerKey, bytes: u64) -> bool {
        let mut used = self.lock();
        let is_unauthenticated = matches!(caller, CallerKey::Network(_));
        let own = used.by_caller.get(&caller).copied().unwrap_or_default();
        let fits = |used: u64, limit: u64| used.saturating_add(bytes) <= limit;
        if !fits(used.total, self.total)
            || !fits(own, self.each)
            || (is_unauthenticated && !fits(used.unauthenticated, self.unauthenticated))
        {
            return false;
        }
        used.total += bytes;
        if is_unauthenticated {
            used.unauthenticated += bytes;
        }
        used.by_caller.insert(caller, own + bytes);
        true
    }

    fn release(&self, caller: CallerKey, bytes: u64) {
        let mut used = self.lock();
        used.total -= bytes;
        if matches!(caller, CallerKey::Network(_)) {
            used.unauthenticated -= bytes;
        }
        if let Some(own) = used.by_caller.get_mut(&caller) {
            *own -= bytes;
            if *own == 0 {
                used.by_caller.remove(&caller);
            }
        }
    }

    /// No code panics while it holds the lock, and the sums are always consistent.
    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reserved bytes of one request; dropping releases them.
#[derive(Debug)]
pub(super) struct ReservedBytes {
    budget: Arc<ByteBudget>,
    caller: CallerKey,
    bytes: u64,
}

impl ReservedBytes {
    /// Reserves more; false if that exceeds a limit.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let fits = self.budget.take(self.caller, bytes);
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

impl Drop for ReservedBytes {
    fn drop(&mut self) {
        self.budget.release(self.caller, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::server::connection::Peer;

    const ONE: CallerKey = CallerKey::Client(Uuid::from_u128(1));
    const OTHER: CallerKey = CallerKey::Client(Uuid::from_u128(2));

    #[test]
    fn a_client_leaves_half_of_the_budget_to_others_and_releases_what_it_reserved() {
        let budget = Arc::new(ByteBudget::new(100, 10));
        let mut first = budget.reserve(ONE, 30).expect("room");
        assert!(first.grow(20) && !first.grow(1), "half is its share");
        assert!(budget.reserve(ONE, 1).is_none());
        let other = budget.reserve(OTHER, 50).expect("the other half");
        drop(first);
        let again = budget.reserve(ONE, 50).expect("released");
        drop((again, other));
        assert!(budget.lock().by_caller.is_empty() && budget.lock().total == 0, "nothing is kept of those that ended");
    }

    #[test]
    fn unauthenticated_callers_together_have_a_quarter() {
        let budget = Arc::new(ByteBudget::new(100, 10));
        let network = |address: &str| CallerKey::Network(Peer::of(address.parse().expect("an address")));
        let _one = budget.reserve(network("192.0.2.1"), 20).expect("room");
        assert!(budget.reserve(network("192.0.2.2"), 6).is_none(), "it is a quarter for all of them");
        let _other = budget.reserve(network("192.0.2.2"), 5).expect("room");
        assert!(budget.reserve(ONE, 50).is_some());
    }

    #[test]
    fn a_request_of_the_largest_size_always_fits_an_empty_budget() {
        let budget = Arc::new(ByteBudget::new(1, 64));
        assert!(budget.reserve(ONE, 64).is_some());
    }
}
