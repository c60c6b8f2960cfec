//! The Consolidated Screening List of the United States.

use std::io::Read;

use super::encoding::Utf8;
use super::read::Sink;
use super::table::{Row, Table};
use super::{DateRange, Document, Entry, ListedName, NameKind, ReadError, country};
use crate::name::{Fnv, Kind};

pub(super) fn read<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut table = Table::open(input, b',', "csl_csv", &["source", "name", "alt_names"])?;
    while let Some(row) = table.next_row(sink)? {
        let entry = entry(&row);
        sink.entry(entry);
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> Entry {
    let primary = row.get("name").map(|text| ListedName { text: text.to_owned(), kind: NameKind::Primary });
    let aliases =
        row.parts("alt_names", &[';']).map(|text| ListedName { text: text.to_owned(), kind: NameKind::Alias });
    let source = row.get("source").and_then(|source| source.split(" (").next()).map(str::to_owned);
    let programmes = row.parts("programs", &[';']).map(str::to_owned);
    let countries = row.parts("citizenships", &[';']).chain(row.parts("nationalities", &[';']));
    Entry {
        id: id(row),
        kind: kind(row),
        names: primary.into_iter().chain(aliases).collect(),
        programmes: source.into_iter().chain(programmes).collect(),
        births: row.parts("dates_of_birth", &[';']).filter_map(DateRange::parse).collect(),
        countries: countries.chain(row.get("vessel_flag")).map(country).collect(),
        documents: row.parts("ids", &[';']).filter_map(document).collect(),
        place: row.place(),
        ..Entry::default()
    }
}

/// Lists of the Commerce Department number no entry; there the source and the name are the identity.
fn id(row: &Row<'_>) -> String {
    if let Some(id) = row.get("_id").or_else(|| row.get("entity_number")) {
        return id.to_owned();
    }
    let mut hash = Fnv::default();
    ["source", "name", "addresses", "start_date"].iter().for_each(|column| {
        hash.add(row.get(column).unwrap_or_default().as_bytes());
        hash.add(&[0]);
    });
    format!("{:016x}", hash.0)
}

fn kind(row: &Row<'_>) -> Kind {
    match row.get("type").map(str::to_ascii_lowercase).as_deref() {
        Some("individual") => Kind::Person,
        Some("entity") => Kind::Organisation,
        Some("vessel") => Kind::Vessel,
        Some("aircraft") => Kind::Aircraft,
        _ => Kind::Unknown,
    }
}

/// `Passport, 836238033, KP` and, in older files, `US, 80-0890696, Tax ID No.`.
fn document(text: &str) -> Option<Document> {
    let mut parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.len() < 2 || !parts[1].contains(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    if parts[0].len() == 2 {
        parts.reverse();
    }
    let issuer = parts.get(2).filter(|issuer| issuer.len() == 2).map(|issuer| country(issuer));
    Some(Document { kind: parts[0].to_owned(), number: parts[1].to_owned(), country: issuer })
}
