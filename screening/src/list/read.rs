//! Reading a list of any format: what all of them share.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use super::encoding::Utf8;
use super::{Encoding, Entry, Format, Place, ReadError, eu, ofac_csv, ofac_xml, opensanctions, own, uk, un, us};

/// The files of one list. Only OFAC's CSV has more than one.
pub struct Files<'a> {
    /// The list.
    pub main: Box<dyn Read + 'a>,
    /// `ALT.CSV`.
    pub aliases: Option<Box<dyn Read + 'a>>,
    /// `ADD.CSV`.
    pub addresses: Option<Box<dyn Read + 'a>>,
}

impl<'a> Files<'a> {
    /// A list in one file.
    pub fn one(main: impl Read + 'a) -> Self {
        Self { main: Box::new(main), aliases: None, addresses: None }
    }
}

/// What was read, beside the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Entries that were read.
    pub entries: u64,
    /// Their names.
    pub names: u64,
    /// Records that could not be read, or not whole.
    pub damaged: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    /// What the list is written in.
    pub encoding: Encoding,
    /// Bytes that were not of this encoding.
    pub repaired_bytes: u64,
}

/// A record that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where it starts.
    pub place: Place,
    /// What is wrong. It says nothing of the party.
    pub why: String,
}

/// How many problems a report lists.
const LISTED_PROBLEMS: usize = 100;

/// A list that was read whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    /// In the order of the source.
    pub entries: Vec<Entry>,
    /// What else was found.
    pub report: Report,
}

/// Where parsers put what they find.
pub(super) struct Sink<'a> {
    list: &'a str,
    found: &'a mut dyn FnMut(Entry),
    seen: HashMap<String, u32>,
    pub(super) report: Report,
}

impl Sink<'_> {
    pub(super) fn problem(&mut self, place: Place, why: impl Into<String>) {
        self.report.damaged += 1;
        if self.report.problems.len() < LISTED_PROBLEMS {
            self.report.problems.push(Problem { place, why: why.into() });
        }
    }

    /// Takes an entry. One without an id or a name is damaged; of one whose id is taken the id gets a number, so that no
    /// party is lost.
    pub(super) fn entry(&mut self, mut entry: Entry) {
        entry.names.retain(|name| !name.text.trim().is_empty());
        if entry.id.is_empty() || entry.names.is_empty() {
            return self.problem(entry.place, if entry.id.is_empty() { "it has no id" } else { "it has no name" });
        }
        let times = self.seen.entry(entry.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            let times = *times;
            entry.id = format!("{}#{times}", entry.id);
            self.problem(entry.place, "its id was used before");
        }
        tidy(&mut entry);
        self.list.clone_into(&mut entry.list);
        self.report.entries += 1;
        self.report.names += entry.names.len() as u64;
        (self.found)(entry);
    }
}

/// Each name, programme, date, country and document once, in the order of the source.
fn tidy(entry: &mut Entry) {
    once(&mut entry.names, |name| name.text.clone());
    once(&mut entry.programmes, String::clone);
    once(&mut entry.births, |birth| *birth);
    once(&mut entry.countries, String::clone);
    once(&mut entry.documents, Clone::clone);
}

fn once<T, K: std::hash::Hash + Eq>(values: &mut Vec<T>, key: impl Fn(&T) -> K) {
    if values.len() > 1 {
        let mut seen = std::collections::HashSet::new();
        values.retain(|value| seen.insert(key(value)));
    }
}

/// Reads a list entry by entry under a code of the caller's choice.
///
/// # Errors
/// If the input fails, is not of the format, is cut short, or has no entry. What was found before is not to be used then.
pub fn read(format: Format, list: &str, files: Files<'_>, found: &mut dyn FnMut(Entry)) -> Result<Report, ReadError> {
    let mut sink = Sink { list, found, seen: HashMap::new(), report: Report::default() };
    let mut input = Utf8::new(files.main);
    match format {
        Format::OfacCsv => ofac_csv::read(&mut input, files.aliases, files.addresses, &mut sink)?,
        Format::OfacXml => ofac_xml::read(&mut input, &mut sink)?,
        Format::UnXml => un::read(&mut input, &mut sink)?,
        Format::EuXml => eu::read_xml(&mut input, &mut sink)?,
        Format::EuCsv => eu::read_csv(&mut input, &mut sink)?,
        Format::UkCsv => uk::read(&mut input, &mut sink)?,
        Format::CslCsv => us::read(&mut input, &mut sink)?,
        Format::OpenSanctionsCsv => opensanctions::read_csv(&mut input, &mut sink)?,
        Format::OpenSanctionsJson => opensanctions::read_json(&mut input, &mut sink)?,
        Format::OwnCsv => own::read_csv(&mut input, &mut sink)?,
        Format::OwnJson => own::read_json(&mut input, &mut sink)?,
    }
    let mut report = sink.report;
    report.encoding = input.encoding();
    report.repaired_bytes = input.repaired();
    if report.entries == 0 {
        let why = "it has no entry".to_owned();
        return Err(ReadError::NotThisFormat { place: Place::default(), expected: format.name(), why });
    }
    Ok(report)
}

/// Reads a list whole.
///
/// # Errors
/// As of [`read`].
pub fn read_all(format: Format, list: &str, files: Files<'_>) -> Result<List, ReadError> {
    let mut entries = Vec::new();
    let report = read(format, list, files, &mut |entry| entries.push(entry))?;
    Ok(List { entries, report })
}

impl List {
    /// The made-up list.
    #[must_use]
    pub fn example() -> Self {
        let files = Files::one(Cursor::new(super::EXAMPLE));
        // A test reads it; its text is part of the program.
        read_all(Format::OwnCsv, "example", files).unwrap_or_default()
    }
}
