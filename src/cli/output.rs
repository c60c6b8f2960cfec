//! What the commands print. A closed pipe is an error like any other, not a panic.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};

/// Prints one line, or a text of several, to standard output.
pub(super) fn print_line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints a failure and its causes to standard error.
pub(super) fn print_error(failure: &(dyn Error + 'static)) {
    // When standard error is closed too, there is nowhere to report it.
    drop(writeln!(io::stderr().lock(), "{}", format_error_chain(failure)));
}

/// A failure as one sentence, and a line for each of its causes.
pub(super) fn format_error_chain(failure: &(dyn Error + 'static)) -> String {
    let mut text = format!("error: {failure}");
    let mut printed = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let sentence = error.to_string();
        // Errors that only wrap another one would print it twice.
        if !printed.ends_with(&sentence) {
            text.push_str("\n  because: ");
            text.push_str(&sentence);
        }
        printed = sentence;
        cause = error.source();
    }
    text
}

/// A time as people and programs read it: RFC 3339, UTC, whole seconds.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Lines of columns, each as wide as its widest cell; the last one runs free.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
