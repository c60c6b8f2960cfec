//! OFAC's `SDN.CSV` and `CONS_PRIM.CSV` with their `ALT` and `ADD` files.
//!
//! Columns by position, as in Treasury's data specification; `-0-` is empty. Dates of birth, nationalities and documents are
//! in the remarks.

use std::collections::HashMap;
use std::io::Read;

use super::encoding::Utf8;
use super::read::Sink;
use super::table::refuse_cut;
use super::{Csv, DateRange, Document, Entry, ListedName, NameKind, ReadError, country};
use crate::name::Kind;

const PRIMARY_COLUMNS: usize = 12;
const ALIAS_COLUMNS: usize = 5;
const ADDRESS_COLUMNS: usize = 6;

type Input<'a> = Option<Box<dyn Read + 'a>>;

pub(super) fn read<R: Read>(
    input: &mut Utf8<R>,
    aliases: Input<'_>,
    addresses: Input<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let mut names: HashMap<String, Vec<ListedName>> = HashMap::new();
    let mut countries: HashMap<String, Vec<String>> = HashMap::new();
    records(aliases, ALIAS_COLUMNS, sink, |id, fields| {
        let name = ListedName { text: fields[3].to_owned(), kind: alias_kind(fields[2]) };
        names.entry(id).or_default().push(name);
    })?;
    records(addresses, ADDRESS_COLUMNS, sink, |id, fields| {
        if !fields[4].is_empty() {
            countries.entry(id).or_default().push(country(fields[4]));
        }
    })?;
    let mut csv = Csv::new(input, b',');
    while let Some(record) = csv.next_record()? {
        if record.fields.len() < PRIMARY_COLUMNS {
            refuse_cut(&record)?;
            sink.problem(record.place, format!("it has {} fields and not 12", record.fields.len()));
            continue;
        }
        let fields = clean(&record.fields);
        if fields[0].parse::<u64>().is_err() {
            sink.problem(record.place, "its first field is not a number");
            continue;
        }
        let mut entry = primary(&fields);
        entry.place = record.place;
        entry.names.extend(names.remove(&entry.id).unwrap_or_default());
        entry.countries.extend(countries.remove(&entry.id).unwrap_or_default());
        sink.entry(entry);
    }
    Ok(())
}

fn records(
    input: Input<'_>,
    width: usize,
    sink: &mut Sink<'_>,
    mut found: impl FnMut(String, &[&str]),
) -> Result<(), ReadError> {
    let Some(input) = input else { return Ok(()) };
    let mut csv = Csv::new(Utf8::new(input), b',');
    while let Some(record) = csv.next_record()? {
        if record.fields.len() < width {
            refuse_cut(&record)?;
            sink.problem(record.place, format!("it has {} fields and not {width}", record.fields.len()));
            continue;
        }
        let fields = clean(&record.fields);
        found(fields[0].to_owned(), &fields);
    }
    Ok(())
}

fn clean(fields: &[String]) -> Vec<&str> {
    fields.iter().map(|field| if field == "-0-" { "" } else { field.as_str() }).collect()
}

fn alias_kind(kind: &str) -> NameKind {
    if kind.eq_ignore_ascii_case("fka") { NameKind::Former } else { NameKind::Alias }
}

fn primary(fields: &[&str]) -> Entry {
    let kind = match fields[2].to_ascii_lowercase().as_str() {
        "individual" => Kind::Person,
        "vessel" => Kind::Vessel,
        "aircraft" => Kind::Aircraft,
        _ => Kind::Organisation,
    };
    let programmes = fields[3].split(['[', ']', ';']).map(str::trim).filter(|part| !part.is_empty());
    let mut entry = Entry {
        id: fields[0].to_owned(),
        kind,
        names: vec![ListedName { text: fields[1].to_owned(), kind: NameKind::Primary }],
        programmes: programmes.map(str::to_owned).collect(),
        ..Entry::default()
    };
    entry.countries.extend(Some(fields[9]).filter(|flag| !flag.is_empty()).map(country));
    fields[11].trim_end_matches('.').split(';').for_each(|remark| read_remark(remark.trim(), &mut entry));
    entry
}

/// Remarks whose last word but the country is a number of a document.
const DOCUMENTS: &[&str] = &[
    "Passport",
    "National ID No.",
    "Identification Number",
    "Tax ID No.",
    "Registration ID",
    "Registration Number",
    "Cedula No.",
    "D.N.I.",
    "C.U.I.P.",
    "C.U.R.P.",
    "R.F.C.",
    "NIT #",
    "RUC #",
    "RIF #",
    "SSN",
    "Driver's License No.",
    "Residency Number",
    "Birth Certificate Number",
    "Stateless Person ID Card",
    "Company Number",
    "Unified Social Credit Code (USCC)",
    "Vessel Registration Identification",
    "Government Gazette Number",
    "Trade License No.",
    "Organization Code",
    "SWIFT/BIC",
    "Aircraft Manufacturer's Serial Number (MSN)",
    "Aircraft Tail Number",
    "MMSI",
    "Travel Document Number",
    "Refugee ID Card",
];

fn read_remark(remark: &str, entry: &mut Entry) {
    let bare = remark.strip_prefix("alt. ").unwrap_or(remark);
    if let Some(birth) = bare.strip_prefix("DOB ") {
        entry.births.extend(DateRange::parse(birth));
    } else if let Some(place) = bare.strip_prefix("nationality ").or_else(|| bare.strip_prefix("citizen ")) {
        entry.countries.push(country(place));
    } else if let Some(alias) = bare.strip_prefix("a.k.a. ") {
        let text = alias.trim_matches(['\'', '"', ' ']).to_owned();
        entry.names.push(ListedName { text, kind: NameKind::WeakAlias });
    } else if let Some(kind) = DOCUMENTS.iter().find(|kind| bare.starts_with(**kind)) {
        entry.documents.extend(document(kind, &bare[kind.len()..]));
    }
}

/// ` A1234 (Iran) expires 01 Jan 2010`.
fn document(kind: &str, rest: &str) -> Option<Document> {
    let number = rest.split(['(', ';']).next()?.split(" issued ").next()?.split(" expires ").next()?.trim();
    let issuer = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(issuer, _)| country(issuer));
    (!number.is_empty()).then(|| Document { kind: kind.to_owned(), number: number.to_owned(), country: issuer })
}
