//! Where webhooks may go: what a client registers must not reach into the operator's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::{Host, Url};

use crate::config::IpRange;

/// Why nothing is sent there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The scheme is not https, and the operator does not allow the address without it.
    #[error("The URL must be https")]
    NotHttps,
    /// An address of the host is not of the public internet, and the operator does not allow it.
    #[error("The URL's host is not on the public internet")]
    Address,
    /// The URL has no host.
    #[error("The URL has no host")]
    NoHost,
}

/// The operator's rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Arc<[IpRange]>,
}

impl Guard {
    /// Lets pass what is public, and what lies in one of these ranges.
    #[must_use]
    pub fn new(allow: &[IpRange]) -> Self {
        Self { allow: allow.into() }
    }

    /// Whether this URL may be sent to, as far as it says so itself. A name is judged by its addresses, at each
    /// connection.
    ///
    /// # Errors
    /// Why not.
    pub fn judge_url(&self, url: &Url) -> Result<(), Refused> {
        let is_https = url.scheme() == "https";
        match url.host().ok_or(Refused::NoHost)? {
            Host::Ipv4(address) => self.judge(address.into(), is_https),
            Host::Ipv6(address) => self.judge(address.into(), is_https),
            // Without any allowed range, no name can have an address that is allowed without TLS.
            Host::Domain(_) if !is_https && self.allow.is_empty() => Err(Refused::NotHttps),
            Host::Domain(_) => Ok(()),
        }
    }

    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, address: IpAddr, is_https: bool) -> Result<(), Refused> {
        if self.allow.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        match (is_public(address), is_https) {
            (true, true) => Ok(()),
            (true, false) => Err(Refused::NotHttps),
            (false, _) => Err(Refused::Address),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|(network, prefix)| in_v4(address, *network, *prefix)),
        // Global unicast is 2000::/3. Outside lie the unspecified and loopback addresses, IPv4-mapped and -compatible
        // ones, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, unique local, link-local, site-local and multicast.
        IpAddr::V6(address) => {
            in_v6(address, &[0x2000], 3)
                && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| in_v6(address, network, *prefix))
        }
    }
}

/// IANA's special-purpose registry, multicast, and the reserved class E with broadcast.
const NOT_PUBLIC_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Within global unicast: IETF protocol assignments (Teredo, benchmarking, ORCHID), documentation, 6to4, AS112.
const NOT_PUBLIC_V6: &[(&[u16], u32)] = &[
    (&[0x2001, 0x0000], 23),
    (&[0x2001, 0x0db8], 32),
    (&[0x2002], 16),
    (&[0x2620, 0x004f, 0x8000], 48),
    (&[0x3fff], 20),
];

fn in_v4(address: Ipv4Addr, network: [u8; 4], prefix: u32) -> bool {
    (address.to_bits() ^ u32::from_be_bytes(network)) >> (32 - prefix) == 0
}

fn in_v6(address: Ipv6Addr, network: &[u16], prefix: u32) -> bool {
    let mut segments = [0; 8];
    for (segment, given) in segments.iter_mut().zip(network) {
        *segment = *given;
    }
    (address.to_bits() ^ Ipv6Addr::from(segments).to_bits()) >> (128 - prefix) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        let ranges: Vec<_> = allow.iter().map(|range| IpRange::parse(range).expect("a range")).collect();
        Guard::new(&ranges)
    }

    fn judge(guard: &Guard, url: &str) -> Result<(), Refused> {
        guard.judge_url(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn what_is_not_of_the_public_internet_is_refused_in_every_form() {
        let hosts = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[::8.8.8.8]",
            "[64:ff9b::8.8.8.8]",
            "[64:ff9b:1::1]",
            "[100::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
        ];
        for host in hosts {
            assert_eq!(judge(&guard(&[]), &format!("https://{host}/")), Err(Refused::Address), "{host}");
        }
    }

    #[test]
    fn what_is_public_passes_by_https_alone() {
        for host in ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "[2606:4700::1111]", "example.com"] {
            assert_eq!(judge(&guard(&[]), &format!("https://{host}/")), Ok(()), "{host}");
            assert_eq!(judge(&guard(&[]), &format!("http://{host}/")), Err(Refused::NotHttps), "{host}");
        }
    }

    #[test]
    fn what_the_operator_allows_passes_without_tls_and_nothing_else_does() {
        let guard = guard(&["127.0.0.0/8", "::1"]);
        assert_eq!(judge(&guard, "http://127.0.0.1:9000/"), Ok(()));
        assert_eq!(judge(&guard, "http://[::1]/"), Ok(()));
        assert_eq!(judge(&guard, "http://8.8.8.8/"), Err(Refused::NotHttps));
        assert_eq!(judge(&guard, "http://10.0.0.1/"), Err(Refused::Address));
        assert_eq!(judge(&guard, "http://[::ffff:127.0.0.1]/"), Err(Refused::Address));
    }
}
