//! Dates as lists publish them: whole, partial, about, or a range.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A year, perhaps with a month, perhaps with a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartialDate {
    /// 1000 to 2999.
    pub year: u16,
    /// 1 to 12.
    pub month: Option<u8>,
    /// 1 to 31; only with a month.
    pub day: Option<u8>,
}

/// From a date to a date, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DateRange {
    /// The earliest.
    pub from: PartialDate,
    /// The latest.
    pub to: PartialDate,
    /// The source says "circa": a year more or less.
    pub circa: bool,
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        self.month.map_or(Ok(()), |month| write!(f, "-{month:02}"))?;
        self.day.map_or(Ok(()), |day| write!(f, "-{day:02}"))
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.circa { "circa " } else { "" }, self.from)?;
        if self.to == self.from { Ok(()) } else { write!(f, " to {}", self.to) }
    }
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// How a date can be written in one piece.
const LONGEST: usize = 40;

impl PartialDate {
    /// Reads `1960`, `1960-03`, `1960-03-12`, `12/03/1960`, `00/00/1960`, `12 Mar 1960`, `March 1960`. A date with slashes
    /// or points has the day first, as all lists read here do.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let text =
            text.split_at_checked(10).filter(|(_, rest)| rest.starts_with(['T', 't'])).map_or(text, |(date, _)| date);
        let parts: Vec<&str> = text.split(['-', '/', '.', ' ', ',']).filter(|part| !part.is_empty()).collect();
        match parts[..] {
            [year] => Self::of(year, None, None),
            [year, month] if year.len() == 4 => Self::of(year, Some(month), None),
            [month, year] => Self::of(year, Some(month), None),
            [year, month, day] if year.len() == 4 => Self::of(year, Some(month), Some(day)),
            // English lists write "March 12 1960" too.
            [month, day, year] if month.parse::<u8>().is_err() && month_of(month).is_some() => {
                Self::of(year, Some(month), Some(day))
            }
            [day, month, year] => Self::of(year, Some(month), Some(day)),
            _ => None,
        }
    }

    fn of(year: &str, month: Option<&str>, day: Option<&str>) -> Option<Self> {
        let year = year.parse().ok().filter(|year| (1000..3000).contains(year))?;
        let month = month.and_then(month_of);
        let day = day.and_then(|day| day.parse().ok()).filter(|day| month.is_some() && (1..=31).contains(day));
        Some(Self { year, month, day })
    }

    const fn earliest(self) -> (u16, u8, u8) {
        (self.year, or(self.month, 1), or(self.day, 1))
    }

    const fn latest(self) -> (u16, u8, u8) {
        (self.year, or(self.month, 12), or(self.day, 31))
    }

    /// Year, month and day are known.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.day.is_some()
    }
}

const fn or(value: Option<u8>, default: u8) -> u8 {
    match value {
        Some(value) => value,
        None => default,
    }
}

fn month_of(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=12).contains(&number).then_some(number);
    }
    let start = text.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == start).map(|at| at as u8 + 1)
}

impl DateRange {
    /// A date or its part.
    #[must_use]
    pub const fn exactly(date: PartialDate) -> Self {
        Self { from: date, to: date, circa: false }
    }

    /// Reads a date, `circa 1960`, `1960 to 1965`, `1960-1965`, `between 1960 and 1965`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 2 * LONGEST {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let words = ["approximately", "approx.", "approx", "circa", "ca.", "c.", "about"];
        let (bare, circa) = match words.iter().find_map(|word| lower.strip_prefix(word)) {
            Some(rest) => (rest.trim().to_owned(), true),
            None => (lower, false),
        };
        let bare = bare.strip_prefix("between").unwrap_or(&bare).trim();
        let range = Self::two(bare).or_else(|| PartialDate::parse(bare).map(Self::exactly))?;
        Some(Self { circa, ..range })
    }

    fn two(text: &str) -> Option<Self> {
        let years = |text: &str| text.len() == 9 && text.as_bytes()[4] == b'-';
        let (from, to) = match () {
            () if years(text) => text.split_once('-')?,
            () => text.split_once(" to ").or_else(|| text.split_once(" and "))?,
        };
        let (from, to) = (PartialDate::parse(from.trim())?, PartialDate::parse(to.trim())?);
        (from.earliest() <= to.latest()).then_some(Self { from, to, circa: false })
    }

    /// Whether a date can be in the range.
    #[must_use]
    pub fn admits(self, date: PartialDate) -> bool {
        let ((mut first, month, day), (mut last, last_month, last_day)) = (self.from.earliest(), self.to.latest());
        if self.circa {
            first = first.saturating_sub(1);
            last += 1;
        }
        date.latest() >= (first, month, day) && date.earliest() <= (last, last_month, last_day)
    }

    /// Years between a date and the range; 0 within.
    #[must_use]
    pub fn years_off(self, date: PartialDate) -> u16 {
        self.from.year.saturating_sub(date.year).max(date.year.saturating_sub(self.to.year))
    }
}
