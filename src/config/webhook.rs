//! `[webhook]`: where webhooks may go, and when they are tried again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::reader::Reader;
use super::storage::DatabaseConfig;
use super::value::{OrOff, Value};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Ranges outside the public internet that webhooks may go to, also without TLS.
    pub allow: Vec<IpNet>,
    /// How long before each attempt; the first is counted from the event, the others from the attempt before.
    pub schedule: Vec<Duration>,
    /// How long an endpoint may take to answer, and again to send the answer's body.
    pub timeout: Duration,
    /// How long a delivery is kept once it is delivered or has failed; none: without limit.
    pub retention: Option<Duration>,
}

impl WebhookConfig {
    pub(super) fn read(reader: &mut Reader, database: &DatabaseConfig) -> Self {
        let allow: Option<Ranges> = reader.optional("webhook.allow");
        let allow = allow.map(|ranges| ranges.0).unwrap_or_else(|| {
            // So that webhooks can be tried on one machine.
            if database.is_sqlite() { LOOPBACK.to_vec() } else { Vec::new() }
        });
        Self {
            allow,
            schedule: reader.required::<Schedule>("webhook.schedule").0,
            timeout: reader.bounded("webhook.timeout", Duration::from_millis(100), Duration::from_secs(60)),
            retention: Self::retention(reader),
        }
    }

    fn retention(reader: &mut Reader) -> Option<Duration> {
        // Operators need time to look at what failed, and to replay it.
        const RANGE: std::ops::RangeInclusive<Duration> = HOUR..=DAY.saturating_mul(3_650);
        let OrOff(retention) = reader.required::<OrOff<Duration>>("webhook.retention");
        if let Some(wrong) = retention.filter(|retention| !RANGE.contains(retention)) {
            reader.refuse("webhook.retention", format!("{wrong:?} is out of range; accepted: 1h to 3650d, or off"));
        }
        retention
    }
}

/// The addresses of this machine.
pub const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

/// Reads `10.0.0.0/8`, `fd00::/8`, or one address.
fn range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) struct Ranges(pub(super) Vec<IpNet>);

impl Value for Ranges {
    const ACCEPTED: &'static str = "none, or ranges such as 127.0.0.0/8,10.1.0.0/16,fd00::/8";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let ranges = text.split(',').map(|text| range(text.trim()));
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

    fn contains(text: &str, address: &str) -> bool {
        range(text).expect("a range").contains(&address.parse::<IpAddr>().expect("an address"))
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
