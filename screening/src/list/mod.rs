//! Lists: formats, parsing, differences.

mod country;
mod csv;
mod date;
mod diff;
mod encoding;
mod entry;
mod eu;
mod format;
mod ofac_csv;
mod ofac_xml;
mod opensanctions;
mod own;
mod read;
mod table;
mod uk;
mod un;
mod us;
mod xml;

pub use self::country::country;
pub use self::csv::{Csv, Record};
pub use self::date::{DateRange, PartialDate};
pub use self::diff::{Difference, diff};
pub use self::encoding::Encoding;
pub use self::entry::{Document, Entry, ListedName, NameKind, bare_number};
pub use self::format::Format;
pub use self::read::{Files, List, Problem, Report, read, read_all};

/// A made-up list in our own CSV format, for a first run. None of its parties exists.
pub const EXAMPLE: &str = include_str!("example.csv");

/// Where something is in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// From 1.
    pub line: u64,
    /// Bytes of UTF-8 before it.
    pub byte: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, byte {}", self.line, self.byte)
    }
}

/// Why a list is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or stream failed.
    #[error("{place}: the input failed: {error}")]
    Input {
        /// How far it was read.
        place: Place,
        /// The failure.
        error: std::io::Error,
    },
    /// The end is missing.
    #[error("{place}: the list is cut short: {why}")]
    CutShort {
        /// The record that has no end.
        place: Place,
        /// What is missing.
        why: &'static str,
    },
    /// One record is larger than any honest one.
    #[error("{place}: a record is longer than 4 MiB")]
    RecordTooLong {
        /// Its start.
        place: Place,
    },
    /// It is not the format that it was said to be.
    #[error("{place}: the list is not {expected}: {why}")]
    NotThisFormat {
        /// Where that shows.
        place: Place,
        /// The format.
        expected: &'static str,
        /// What was found or missing.
        why: String,
    },
}

#[cfg(test)]
mod tests;
