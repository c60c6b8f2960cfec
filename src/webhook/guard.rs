//! Which addresses webhooks may go to: a URL that a client registers must not reach the operator's network (SSRF).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Why a URL or an address is rejected.
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
    /// The URL has a user name or a password.
    #[error("The URL must not contain a user name or a password")]
    Credentials,
}

/// The address rules of the operator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AddressGuard {
    allow: Arc<[IpNet]>,
}

impl AddressGuard {
    /// Allows public addresses, and those in these ranges.
    #[must_use]
    pub fn new(allow: &[IpNet]) -> Self {
        Self { allow: allow.into() }
    }

    /// Whether webhooks may go to this URL. The addresses of a name are checked at each connection.
    ///
    /// # Errors
    /// The reason of the rejection.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let is_https = url.scheme() == "https";
        match url.host().ok_or(Refused::NoHost)? {
            Host::Ipv4(address) => self.check(address.into(), is_https),
            Host::Ipv6(address) => self.check(address.into(), is_https),
            // Without any allowed range, no name can have an address that is allowed without TLS.
            Host::Domain(_) if !is_https && self.allow.is_empty() => Err(Refused::NotHttps),
            Host::Domain(_) => Ok(()),
        }
    }

    /// Whether webhooks may connect to this address.
    ///
    /// # Errors
    /// The reason of the rejection.
    pub fn check(&self, address: IpAddr, is_https: bool) -> Result<(), Refused> {
        if self.allow.iter().any(|range| range.contains(&address)) {
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
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        // Outside global unicast are the unspecified and loopback addresses, IPv4-mapped and -compatible ones, NAT64
        // (64:ff9b::/96, 64:ff9b:1::/48), discard, unique local, link-local, site-local and multicast.
        IpAddr::V6(address) => {
            GLOBAL_UNICAST_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// IANA's special-purpose registry, multicast, and the reserved class E with broadcast.
const NOT_PUBLIC_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// Within global unicast: IETF protocol assignments (Teredo, benchmarking, ORCHID), documentation, 6to4, AS112.
const NOT_PUBLIC_V6: &[Ipv6Net] = &[
    v6([0x2001, 0x0000, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x2620, 0x004f, 0x8000, 0, 0, 0, 0, 0], 48),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// All unicast addresses that IANA assigns from.
const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> AddressGuard {
        let ranges: Vec<IpNet> = allow.iter().map(|range| range.parse().expect("a range")).collect();
        AddressGuard::new(&ranges)
    }

    fn judge(guard: &AddressGuard, url: &str) -> Result<(), Refused> {
        guard.check_url(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn an_address_outside_the_public_internet_is_rejected_in_every_form() {
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
    fn a_public_address_is_allowed_over_https_only() {
        for host in ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "[2606:4700::1111]", "example.com"] {
            assert_eq!(judge(&guard(&[]), &format!("https://{host}/")), Ok(()), "{host}");
            assert_eq!(judge(&guard(&[]), &format!("http://{host}/")), Err(Refused::NotHttps), "{host}");
        }
    }

    #[test]
    fn a_url_with_credentials_is_rejected() {
        for url in ["https://user:secret@example.com/", "https://user@example.com/", "https://:secret@example.com/"] {
            assert_eq!(judge(&guard(&[]), url), Err(Refused::Credentials), "{url}");
        }
    }

    #[test]
    fn only_addresses_that_the_operator_allows_pass_without_tls() {
        let guard = guard(&["127.0.0.0/8", "::1/128"]);
        assert_eq!(judge(&guard, "http://127.0.0.1:9000/"), Ok(()));
        assert_eq!(judge(&guard, "http://[::1]/"), Ok(()));
        assert_eq!(judge(&guard, "http://8.8.8.8/"), Err(Refused::NotHttps));
        assert_eq!(judge(&guard, "http://10.0.0.1/"), Err(Refused::Address));
        assert_eq!(judge(&guard, "http://[::ffff:127.0.0.1]/"), Err(Refused::Address));
    }
}
