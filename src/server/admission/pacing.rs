//! Paces responses to unauthenticated callers: errors, and calls without credentials. Each network, and all networks
//! together, have a rate; a response beyond it is delayed, without a permit. A client that sends requests in a loop is
//! slowed down to that rate.
//!
//! The crate governor rejects what exceeds a rate, but does not schedule each of many that wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::server::connection::Peer;

/// The longest delay. After a longer one callers would assume that the service is down.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// Networks that are tracked before idle ones are removed; twice as many are tracked at most.
const TRACKED: usize = 10_000;

/// Responses per second, with a burst of one second's worth.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Rate {
    /// Of one network.
    pub(in crate::server) each: u32,
    /// Of all networks together.
    pub(in crate::server) all: u32,
}

/// The pace of one kind of response.
#[derive(Debug)]
pub(in crate::server) struct Pacing {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The time at which the allowance of all networks is full again (the generic cell rate algorithm).
    all: Option<Instant>,
    /// The same for each network.
    each: HashMap<Peer, Instant>,
    /// The same for all networks that are not tracked.
    others: Option<Instant>,
    /// Idle networks are removed at this number.
    prune_at: usize,
}

impl Pacing {
    /// Responses at this rate.
    pub(in crate::server) fn new(rate: Rate) -> Self {
        Self { rate, state: Mutex::new(State { prune_at: TRACKED, ..State::default() }) }
    }

    /// The delay of a response to `peer` that is ready `now`.
    pub(in crate::server) fn delay(&self, peer: Peer, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.each.len() >= state.prune_at {
            state.each.retain(|_, full_at| *full_at > now);
            state.prune_at = (state.each.len() * 2).clamp(TRACKED, 2 * TRACKED);
        }
        let has_room = state.each.len() < 2 * TRACKED || state.each.contains_key(&peer);
        let own = if has_room { state.each.entry(peer).or_insert(now) } else { state.others.get_or_insert(now) };
        let own = take(own, self.rate.each, now);
        let all = take(state.all.get_or_insert(now), self.rate.all, now);
        Ord::max(own, all)
    }
}

/// Takes one response from an allowance that is full at `full_at`. Returns the delay.
fn take(full_at: &mut Instant, per_second: u32, now: Instant) -> Duration {
    let burst = Duration::from_secs(1);
    let next = Ord::max(*full_at, now) + burst / Ord::max(per_second, 1);
    // A response with the longest delay does not delay later ones further.
    *full_at = Ord::min(next, now + burst + MAX_DELAY);
    full_at.saturating_duration_since(now + burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::of([192, 0, 2, last].into())
    }

    #[test]
    fn a_network_beyond_its_rate_is_delayed_and_no_other() {
        let pacing = Pacing::new(Rate { each: 10, all: 1_000 });
        let now = Instant::now();
        let waits: Vec<_> = (0..13).map(|_| pacing.delay(peer(1), now).as_millis()).collect();
        assert_eq!(waits, [vec![0; 10], vec![100, 200, 300]].concat());
        assert_eq!(pacing.delay(peer(2), now), Duration::ZERO);
        assert_eq!(pacing.delay(peer(1), now + Duration::from_secs(2)), Duration::ZERO, "its allowance is full again");
    }

    #[test]
    fn many_networks_together_are_delayed_too() {
        let pacing = Pacing::new(Rate { each: 10, all: 20 });
        let now = Instant::now();
        let waits: Vec<_> = (0..22).map(|last| pacing.delay(peer(last), now).as_millis()).collect();
        assert_eq!(waits[19..], [0, 50, 100]);
    }

    #[test]
    fn no_response_is_delayed_without_limit() {
        let pacing = Pacing::new(Rate { each: 1, all: 1 });
        let now = Instant::now();
        let longest = (0..1_000).map(|_| pacing.delay(peer(1), now)).max();
        assert_eq!(longest, Some(MAX_DELAY));
    }

    #[test]
    fn any_number_of_networks_takes_bounded_memory() {
        let pacing = Pacing::new(Rate { each: 1, all: u32::MAX });
        let now = Instant::now();
        for number in 0..50_000_u32 {
            pacing.delay(Peer::of(number.to_be_bytes().into()), now);
        }
        assert_eq!(pacing.state.lock().expect("no panic").each.len(), 2 * TRACKED);
    }
}
