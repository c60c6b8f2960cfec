//! How the text of a setting becomes its value.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;

/// A value that a setting can have.
pub(super) trait Value: Sized {
    /// What to write, for the error text.
    const ACCEPTED: &'static str;

    /// Parses `text` (trimmed, not empty). The error says what is wrong, without the text itself.
    fn parse(text: &str) -> Result<Self, String>;
}

impl Value for String {
    const ACCEPTED: &'static str = "any text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for Secret {
    const ACCEPTED: &'static str = "any text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.to_owned()))
    }
}

impl Value for PathBuf {
    const ACCEPTED: &'static str = "a path";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }
}

impl Value for SocketAddr {
    const ACCEPTED: &'static str = "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is not an address".to_owned())
    }
}

impl Value for bool {
    const ACCEPTED: &'static str = "true or false";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is neither".to_owned())
    }
}

impl Value for u32 {
    const ACCEPTED: &'static str = "a whole number";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is not a whole number in range".to_owned())
    }
}

/// A value that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrOff<T>(pub(super) Option<T>);

impl Value for OrOff<u32> {
    const ACCEPTED: &'static str = "a whole number from 1, or off";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            _ => match u32::parse(text)? {
                0 => Err("rejects every request".to_owned()),
                number => Ok(Self(Some(number))),
            },
        }
    }
}

impl Value for OrOff<PathBuf> {
    const ACCEPTED: &'static str = "a path, or off";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self((text != "off").then(|| PathBuf::from(text))))
    }
}

impl Value for OrOff<url::Url> {
    const ACCEPTED: &'static str = "an absolute http or https URL, or off";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let url = url::Url::parse(text).map_err(|_| "is not an absolute URL".to_owned())?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(Some(url))),
            _ => Err("is not an http or https URL".to_owned()),
        }
    }
}

impl Value for OrOff<Duration> {
    const ACCEPTED: &'static str = "a number with a unit of ms, s, m, h or d, such as 30d or 1h30m, or off";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" { Ok(Self(None)) } else { Duration::parse(text).map(|duration| Self(Some(duration))) }
    }
}

// Not humantime: it also accepts `0` and reads `1M` as a month beside `1m`, a minute; a typo must be an error.
impl Value for Duration {
    const ACCEPTED: &'static str = "a number with a unit of ms, s, m, h or d, such as 500ms, 30s or 1h30m";

    fn parse(text: &str) -> Result<Self, String> {
        let mut total = Self::ZERO;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let unit_length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, next) = after.split_at(unit_length);
            if number.is_empty() {
                return Err("does not start with a number".to_owned());
            }
            let number: u64 = number.parse().map_err(|_| "is too long".to_owned())?;
            let milliseconds: u64 = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "" => return Err("has no unit".to_owned()),
                _ => return Err("has an unknown unit".to_owned()),
            };
            let part = number.checked_mul(milliseconds).map(Self::from_millis);
            total = part.and_then(|part| total.checked_add(part)).ok_or_else(|| "is too long".to_owned())?;
            rest = next;
        }
        Ok(total)
    }
}

/// Parses a duration as the settings write it (`24h`, `1h30m`); for command line arguments.
///
/// # Errors
/// A sentence that says what is wrong and what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).map_err(|problem| format!("{problem}; accepted: {}", Duration::ACCEPTED))
}

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByteSize(pub(super) u64);

impl std::fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

// Not bytesize: it reads numbers as floats and turns an overflow into the largest number.
impl Value for ByteSize {
    const ACCEPTED: &'static str = "a number of bytes, or with a unit of KiB, MiB or GiB, such as 64MiB";

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| "is not a size".to_owned())?;
        let factor: u64 = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err("has an unknown unit".to_owned()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(|| "is too large".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_that_add_up() {
        for (text, milliseconds) in [("500ms", 500), ("2s", 2_000), ("1h", 3_600_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(Duration::parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_duration_without_a_known_unit_is_refused() {
        for text in ["30", "s", "3 s", "1w", "-1s", "1.5h", "99999999999999999999s", "9999999999999999d"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_binary_units() {
        for (text, bytes) in [("1024", 1024), ("64MiB", 64 << 20), ("64 MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(ByteSize::parse(text), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "MiB", "64MB", "-1", "18446744073709551615KiB"] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_can_be_off_is_off_by_that_word() {
        assert_eq!(OrOff::<u32>::parse("off"), Ok(OrOff(None)));
        assert_eq!(OrOff::<u32>::parse("10"), Ok(OrOff(Some(10))));
        assert!(OrOff::<u32>::parse("0").is_err());
        assert_eq!(OrOff::<Duration>::parse("off"), Ok(OrOff(None)));
        assert_eq!(OrOff::<Duration>::parse("1m"), Ok(OrOff(Some(Duration::from_secs(60)))));
        assert!(OrOff::<Duration>::parse("0").is_err());
        assert!(OrOff::<url::Url>::parse("ftp://host/").is_err());
    }
}
