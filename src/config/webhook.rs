//! `[webhook]`: where webhooks may go, and when they are tried again.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::reader::Reader;
use super::storage::DatabaseConfig;
use super::value::{OrOff, Value};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Ranges that webhooks may go to although they are not of the public internet, and without TLS.
    pub allow: Vec<IpRange>,
    /// How long before each attempt; the first is counted from the event, the others from the attempt before.
    pub schedule: Vec<Duration>,
    /// How long an endpoint may take to answer, and again to send the answer's body.
    pub timeout: Duration,
    /// How long a delivery is kept once it is delivered or given up; none: for ever.
    pub retention: Option<Duration>,
}

impl WebhookConfig {
    pub(super) fn read(reader: &mut Reader, database: &DatabaseConfig) -> Self {
        let allow: Option<Ranges> = reader.optional("webhook.allow");
        let allow = allow.map(|ranges| ranges.0).unwrap_or_else(|| {
            // So that one can try it on one machine.
            if database.is_sqlite() { IpRange::LOOPBACK.to_vec() } else { Vec::new() }
        });
        Self {
            allow,
            schedule: reader.required::<Schedule>("webhook.schedule").0,
            timeout: reader.bounded("webhook.timeout", Duration::from_millis(100), Duration::from_secs(60)),
            retention: Self::retention(reader),
        }
    }

    fn retention(reader: &mut Reader) -> Option<Duration> {
        // Somebody must have the time to look at what failed, and to replay it.
        const RANGE: std::ops::RangeInclusive<Duration> = HOUR..=DAY.saturating_mul(3_650);
        let OrOff(retention) = reader.required::<OrOff<Duration>>("webhook.retention");
        if let Some(wrong) = retention.filter(|retention| !RANGE.contains(retention)) {
            reader.refuse("webhook.retention", format!("{wrong:?} is out of range; accepted: 1h to 3650d, or off"));
        }
        retention
    }
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix: u8,
}

impl IpRange {
    /// This machine.
    pub const LOOPBACK: [Self; 2] = [
        Self { network: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
        Self { network: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), prefix: 128 },
    ];

    /// Whether an address is one of them. An IPv4 address written as an IPv6 one is another address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (network, prefix) = match text.split_once('/') {
            Some((network, prefix)) => (network, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let network: IpAddr = network.parse().ok()?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { network, prefix })
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

struct Ranges(Vec<IpRange>);

impl Value for Ranges {
    const ACCEPTED: &'static str = "none, or ranges such as 127.0.0.0/8,10.1.0.0/16,fd00::/8";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let ranges = text.split(',').map(|range| IpRange::parse(range.trim()));
        ranges.collect::<Option<_>>().map(Self).ok_or_else(|| "is no list of ranges".to_owned())
    }
}

struct Schedule(Vec<Duration>);

impl Value for Schedule {
    const ACCEPTED: &'static str = "from 1 to 32 durations, such as 0s,5s,5m,2h";

    fn parse(text: &str) -> Result<Self, String> {
        const LONGEST: Duration = DAY.saturating_mul(30);
        let step = |step: &str| match step.trim() {
            "" => Err("has an empty step".to_owned()),
            step => Duration::parse(step),
        };
        let steps: Vec<_> = text.split(',').map(step).collect::<Result<_, _>>()?;
        match steps.len() {
            1..=32 if steps.iter().all(|step| *step <= LONGEST) => Ok(Self(steps)),
            1..=32 => Err("has a step of more than 30d".to_owned()),
            _ => Err("has too many steps".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        IpRange::parse(range).expect("a range").contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_range_has_the_addresses_that_share_its_first_bits() {
        assert!(contains("10.1.0.0/16", "10.1.255.255") && !contains("10.1.0.0/16", "10.2.0.0"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe80::1"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(!contains("127.0.0.0/8", "::ffff:127.0.0.1"));
    }

    #[test]
    fn what_is_no_range_and_no_schedule_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "localhost", "10.0.0.0/8 10.1.0.0/16", "10/8"] {
            assert!(Ranges::parse(text).is_err(), "{text}");
        }
        for text in ["", "5", "1s,,2s", "31d", &["1s"; 33].join(",")] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
