//! Rows under a header.

use std::collections::HashMap;
use std::io::BufRead;

use super::read::Sink;
use super::{Csv, Entry, Place, ReadError, Record};

/// A CSV file whose columns are found by their names.
pub(super) struct Table<R> {
    csv: Csv<R>,
    columns: HashMap<String, usize>,
    width: usize,
}

/// One row.
pub(super) struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    record: Record,
}

impl<R: BufRead> Table<R> {
    /// Reads up to the header: the first row that has the columns of `needed`.
    pub(super) fn open(input: R, separator: u8, format: &'static str, needed: &[&str]) -> Result<Self, ReadError> {
        let mut csv = Csv::new(input, separator);
        // Some lists say their date first.
        for _ in 0..3 {
            let Some(record) = csv.next_record()? else { break };
            let name = |name: &String| name.to_ascii_lowercase();
            let columns: HashMap<String, usize> =
                record.fields.iter().enumerate().map(|(at, field)| (name(field), at)).collect();
            if needed.iter().all(|column| columns.contains_key(*column)) {
                return Ok(Self { csv, width: record.fields.len(), columns });
            }
        }
        let why = format!("it has no header with the columns {}", needed.join(", "));
        Err(ReadError::NotThisFormat { place: Place { line: 1, byte: 0 }, expected: format, why })
    }

    /// The next row as wide as the header; others are reported.
    pub(super) fn next_row(&mut self, sink: &mut Sink<'_>) -> Result<Option<Row<'_>>, ReadError> {
        loop {
            let Some(record) = self.csv.next_record()? else { return Ok(None) };
            if record.fields.len() >= self.width {
                return Ok(Some(Row { columns: &self.columns, record }));
            }
            refuse_cut(&record)?;
            sink.problem(record.place, format!("it has {} fields and not {}", record.fields.len(), self.width));
        }
    }
}

/// A short record at the end of the file.
pub(super) fn refuse_cut(record: &Record) -> Result<(), ReadError> {
    if record.terminated {
        return Ok(());
    }
    Err(ReadError::CutShort { place: record.place, why: "the last record is not whole" })
}

impl Row<'_> {
    /// The field of a column, by its name in lower case; none if it is empty.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let field = self.columns.get(column).and_then(|at| self.record.fields.get(*at))?;
        Some(field.as_str()).filter(|field| !field.is_empty())
    }

    /// The parts of a field.
    pub(super) fn parts<'a>(&'a self, column: &str, separator: &'a [char]) -> impl Iterator<Item = &'a str> {
        let parts = self.get(column).unwrap_or_default().split(separator);
        parts.map(str::trim).filter(|part| !part.is_empty())
    }

    pub(super) fn place(&self) -> Place {
        self.record.place
    }
}

/// Entries of several rows each, which need not be neighbours.
#[derive(Default)]
pub(super) struct Groups {
    numbers: HashMap<String, usize>,
    entries: Vec<Entry>,
}

impl Groups {
    /// The entry of this id, new at its first row.
    pub(super) fn entry(&mut self, id: &str, place: Place) -> &mut Entry {
        let next = self.entries.len();
        let number = *self.numbers.entry(id.to_owned()).or_insert(next);
        if number == next {
            self.entries.push(Entry { id: id.to_owned(), place, ..Entry::default() });
        }
        &mut self.entries[number]
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(super) fn finish(self, sink: &mut Sink<'_>) {
        self.entries.into_iter().for_each(|entry| sink.entry(entry));
    }
}
