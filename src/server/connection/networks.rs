//! The networks that connect to a listener: their numbers of connections, and recent floods.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use ipnet::IpNet;

use crate::per_client_permits::{PerClientPermits, Permit};
use crate::server::admission::{LogSampling, Pacing, Rate};
use crate::server::connection::Peer;

/// How long a network stays marked after one of its connections exceeded its frame budget.
const FLOOD_MARK: Duration = Duration::from_secs(10);
/// Networks that are marked at most.
const MAX_MARKED: usize = 10_000;
/// The rate of new connections of marked networks: each such connection may cost a few milliseconds.
const AFTER_FLOOD: Rate = Rate { each: 20, all: 200 };

/// The networks that connect to a listener.
pub(in crate::server) struct Networks {
    /// Proxies whose `x-forwarded-for` is trusted.
    trusted: Vec<IpNet>,
    connections: PerClientPermits<Peer>,
    floods: Mutex<HashMap<Peer, Instant>>,
    after_flood: Pacing,
    logged: LogSampling,
}

impl Networks {
    /// A network may have three quarters of `max_connections`; a trusted proxy all of them.
    pub(in crate::server) fn new(max_connections: u32, trusted: Vec<IpNet>) -> Self {
        let each = Ord::max(max_connections - max_connections / 4, 1);
        Self {
            trusted,
            connections: PerClientPermits::new(each),
            floods: Mutex::default(),
            after_flood: Pacing::new(AFTER_FLOOD),
            logged: LogSampling::new(1),
        }
    }

    /// Counts a connection of an address until the permit is dropped. `None` for a trusted proxy.
    ///
    /// # Errors
    /// The network has too many.
    pub(in crate::server) fn connect(&self, address: IpAddr) -> Result<Option<Permit<Peer>>, ()> {
        if self.is_trusted(address) {
            return Ok(None);
        }
        self.connections.take(Peer::of(address)).map(Some).ok_or(())
    }

    /// The network of a request from `address`: the last entry of `x-forwarded-for` that is not a trusted proxy's, as far as
    /// trusted proxies have written it.
    pub(in crate::server) fn caller(&self, address: IpAddr, headers: &HeaderMap) -> Peer {
        if !self.is_trusted(address) {
            return Peer::of(address);
        }
        let lists = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(',')).map(str::trim);
        let mut caller = address;
        for hop in hops {
            let Ok(hop) = hop.parse() else { break };
            caller = hop;
            if !self.is_trusted(hop) {
                break;
            }
        }
        Peer::of(caller)
    }

    /// Marks a network: one of its connections exceeded its frame budget.
    pub(in crate::server) fn record_flood(&self, peer: Peer, now: Instant) {
        let sampled = self.logged.sample(now);
        if sampled.write {
            let connections = sampled.left_out.unwrap_or_default() + 1;
            tracing::warn!(
                connections,
                "connections closed with ENHANCE_YOUR_CALM: too many HTTP/2 frames without content"
            );
        }
        let mut floods = self.floods.lock().unwrap_or_else(PoisonError::into_inner);
        if floods.len() >= MAX_MARKED {
            floods.retain(|_, since| now.saturating_duration_since(*since) < FLOOD_MARK);
        }
        if floods.len() < MAX_MARKED {
            floods.insert(peer, now);
        }
    }

    /// The delay of a new connection of a marked network.
    pub(in crate::server) fn delay_after_flood(&self, peer: Peer, now: Instant) -> Option<Duration> {
        let floods = self.floods.lock().unwrap_or_else(PoisonError::into_inner);
        let since = floods.get(&peer)?;
        (now.saturating_duration_since(*since) < FLOOD_MARK).then(|| self.after_flood.delay(peer, now))
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|range| range.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn caller(networks: &Networks, from: &str, forwarded: &[&'static str]) -> Peer {
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append("x-forwarded-for", http::HeaderValue::from_static(list));
        }
        networks.caller(address(from), &headers)
    }

    #[test]
    fn only_a_trusted_proxy_is_trusted_and_only_what_proxies_wrote() {
        let networks = Networks::new(4, crate::config::LOOPBACK.to_vec());
        let peer = |text| Peer::of(address(text));
        assert_eq!(caller(&networks, "192.0.2.9", &["192.0.2.1"]), peer("192.0.2.9"), "any caller can write it");
        assert_eq!(caller(&networks, "127.0.0.1", &["192.0.2.1"]), peer("192.0.2.1"));
        assert_eq!(caller(&networks, "127.0.0.1", &["10.0.0.1, 192.0.2.1, 127.0.0.2"]), peer("192.0.2.1"));
        assert_eq!(caller(&networks, "127.0.0.1", &["10.0.0.1", "192.0.2.1", "127.0.0.2"]), peer("192.0.2.1"));
        assert_eq!(caller(&networks, "127.0.0.1", &["10.0.0.1, nonsense, 127.0.0.2"]), peer("127.0.0.2"));
        assert_eq!(caller(&networks, "127.0.0.1", &[]), peer("127.0.0.1"));
    }

    #[test]
    fn a_network_leaves_a_quarter_of_the_connections_to_others() {
        let networks = Networks::new(4, Vec::new());
        let one: Vec<_> = (0..4).map(|_| networks.connect(address("192.0.2.1"))).collect();
        assert_eq!(one.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false]);
        assert!(networks.connect(address("192.0.2.2")).is_ok());
        drop(one);
        assert!(networks.connect(address("192.0.2.1")).is_ok());
    }

    #[test]
    fn a_network_that_has_flooded_connects_more_slowly_for_a_while() {
        let networks = Networks::new(4, Vec::new());
        let (one, other, now) = (Peer::of(address("192.0.2.1")), Peer::of(address("192.0.2.2")), Instant::now());
        networks.record_flood(one, now);
        let waits: Vec<_> = (0..21).map(|_| networks.delay_after_flood(one, now)).collect();
        assert_eq!((waits[19], waits[20]), (Some(Duration::ZERO), Some(Duration::from_millis(50))));
        assert_eq!(networks.delay_after_flood(other, now), None);
        assert_eq!(networks.delay_after_flood(one, now + FLOOD_MARK), None);
    }
}
