//! The UK Sanctions List of the Foreign, Commonwealth & Development Office: a row for each name.

use std::io::Read;

use super::encoding::Utf8;
use super::read::Sink;
use super::table::{Groups, Row, Table};
use super::{DateRange, Document, Entry, ListedName, NameKind, ReadError, country};
use crate::name::Kind;

pub(super) fn read<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut table = Table::open(input, b',', "uk_csv", &["unique id", "name 6"])?;
    let mut groups = Groups::default();
    while let Some(row) = table.next_row(sink)? {
        match row.get("unique id") {
            Some(id) => add_row(groups.entry(id, row.place()), &row),
            None => sink.problem(row.place(), "it has no id"),
        }
    }
    groups.entries_mut().for_each(|entry| entry.names.sort_by_key(|name| name.kind != NameKind::Primary));
    groups.finish(sink);
    Ok(())
}

/// Given names, then the family name or the name of an organisation.
const NAME_PARTS: [&str; 6] = ["name 1", "name 2", "name 3", "name 4", "name 5", "name 6"];
const DOCUMENTS: [(&str, &str); 4] = [
    ("passport number", "passport"),
    ("national identifier number", "national identifier"),
    ("business registration number (s)", "business registration"),
    ("imo number", "IMO"),
];

fn add_row(entry: &mut Entry, row: &Row<'_>) {
    let subject = ["designation type", "individual, entity, ship"].iter().find_map(|column| row.get(column));
    entry.kind = match subject.map(str::to_ascii_lowercase).as_deref() {
        Some("individual") => Kind::Person,
        Some("entity") => Kind::Organisation,
        Some("ship") => Kind::Vessel,
        _ => entry.kind,
    };
    let parts: Vec<&str> = NAME_PARTS.iter().filter_map(|part| row.get(part)).collect();
    entry.names.push(ListedName { text: parts.join(" "), kind: name_kind(row) });
    let original = row.get("name non-latin script").map(str::to_owned);
    entry.names.extend(original.map(|text| ListedName { text, kind: NameKind::Original }));
    entry.programmes.extend(row.get("regime name").map(str::to_owned));
    entry.births.extend(row.parts("d.o.b", &[';', '\n']).filter_map(DateRange::parse));
    entry.countries.extend(row.parts("nationality(/ies)", &[';', '\n', '|']).map(country));
    for (column, kind) in DOCUMENTS {
        let numbers = row.parts(column, &[';', '\n']);
        entry.documents.extend(numbers.map(|number| Document {
            kind: kind.to_owned(),
            number: number.to_owned(),
            country: None,
        }));
    }
}

fn name_kind(row: &Row<'_>) -> NameKind {
    let kind = row.get("name type").unwrap_or_default().to_ascii_lowercase();
    let weak = row
        .get("alias strength")
        .is_some_and(|strength| strength.to_ascii_lowercase().contains("low") || strength.eq_ignore_ascii_case("weak"));
    match kind.as_str() {
        "primary name" => NameKind::Primary,
        _ if weak => NameKind::WeakAlias,
        kind if kind.contains("previous") || kind.contains("former") => NameKind::Former,
        _ => NameKind::Alias,
    }
}
