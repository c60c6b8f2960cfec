//! The network of a caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network by which unauthenticated callers are counted: an IPv4 address, or the /64 of an IPv6 address, which one
/// host can use completely. An extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) struct Peer(IpAddr);

impl Peer {
    /// The network of an address.
    pub(in crate::server) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }
}

impl Default for Peer {
    /// The network of requests without a connection, in tests.
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::of(address.parse().expect("an address"))
    }

    #[test]
    fn one_host_of_ipv6_is_one_network_and_an_address_of_ipv4_is_the_same_in_both_forms() {
        assert_eq!(peer("2001:db8:0:1::1"), peer("2001:db8:0:1:ffff::2"));
        assert_ne!(peer("2001:db8:0:1::1"), peer("2001:db8:0:2::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
