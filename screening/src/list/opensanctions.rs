//! OpenSanctions: `targets.simple.csv` and `entities.ftm.json`.

use std::io::Read;

use serde_json::Value;

use super::encoding::Utf8;
use super::own::json_lines;
use super::read::Sink;
use super::table::{Row, Table};
use super::{DateRange, Document, Entry, ListedName, NameKind, ReadError, country};
use crate::name::Kind;

pub(super) fn read_csv<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut table = Table::open(input, b',', "open_sanctions_csv", &["id", "schema", "name", "aliases"])?;
    while let Some(row) = table.next_row(sink)? {
        let entry = from_row(&row);
        sink.entry(entry);
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> Entry {
    let primary = row.get("name").map(|text| ListedName { text: text.to_owned(), kind: NameKind::Primary });
    let aliases = row.parts("aliases", &[';']).map(|text| ListedName { text: text.to_owned(), kind: NameKind::Alias });
    let programmes = row.parts("program_ids", &[';']).chain(row.parts("dataset", &[';']));
    let number = |text: &str| Document { kind: "identifier".to_owned(), number: text.to_owned(), country: None };
    Entry {
        id: row.get("id").unwrap_or_default().to_owned(),
        kind: kind(row.get("schema").unwrap_or_default()),
        names: primary.into_iter().chain(aliases).collect(),
        programmes: programmes.map(str::to_owned).collect(),
        births: row.parts("birth_date", &[';']).filter_map(DateRange::parse).collect(),
        countries: row.parts("countries", &[';']).map(country).collect(),
        documents: row.parts("identifiers", &[';']).map(number).collect(),
        place: row.place(),
        ..Entry::default()
    }
}

fn kind(schema: &str) -> Kind {
    match schema {
        "Person" => Kind::Person,
        "Vessel" => Kind::Vessel,
        "Airplane" => Kind::Aircraft,
        "Company" | "Organization" | "PublicBody" => Kind::Organisation,
        _ => Kind::Unknown,
    }
}

/// Schemata of parties; the others link parties or describe them.
const PARTIES: [&str; 8] =
    ["Person", "Company", "Organization", "PublicBody", "LegalEntity", "Vessel", "Airplane", "CryptoWallet"];

pub(super) fn read_json<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    json_lines(input, sink, |value| {
        let schema = value.get("schema").and_then(Value::as_str).ok_or("it has no schema")?;
        if !PARTIES.contains(&schema) {
            return Ok(None);
        }
        Ok(Some(from_json(value, schema)))
    })
}

const NAMES: [(&str, NameKind); 4] = [
    ("name", NameKind::Primary),
    ("alias", NameKind::Alias),
    ("weakAlias", NameKind::WeakAlias),
    ("previousName", NameKind::Former),
];
const NUMBERS: [&str; 8] =
    ["passportNumber", "idNumber", "registrationNumber", "taxNumber", "leiCode", "imoNumber", "innCode", "ogrnCode"];

fn from_json(value: &Value, schema: &str) -> Entry {
    let all = |name: &str| -> Vec<String> {
        let values = value.get("properties").and_then(|properties| properties.get(name)).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut names = Vec::new();
    for (property, kind) in NAMES {
        for text in all(property) {
            let kind = if names.is_empty() || kind != NameKind::Primary { kind } else { NameKind::Alias };
            names.push(ListedName { text, kind });
        }
    }
    let caption = value.get("caption").and_then(Value::as_str);
    if let Some(at) = names.iter().position(|name| Some(name.text.as_str()) == caption && name.kind == NameKind::Alias)
    {
        names.swap(0, at);
        (names[0].kind, names[at].kind) = (NameKind::Primary, NameKind::Alias);
    }
    let datasets = value.get("datasets").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let countries = ["nationality", "citizenship", "country", "jurisdiction"].iter().flat_map(|property| all(property));
    let births = ["birthDate", "incorporationDate"].iter().flat_map(|property| all(property));
    Entry {
        id: value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        kind: kind(schema),
        names,
        programmes: all("programId").into_iter().chain(all("topics")).chain(datasets.map(str::to_owned)).collect(),
        births: births.filter_map(|date| DateRange::parse(&date)).collect(),
        countries: countries.map(|code| country(&code)).collect(),
        documents: NUMBERS.iter().flat_map(|kind| all(kind).into_iter().map(|number| numbered(kind, number))).collect(),
        ..Entry::default()
    }
}

fn numbered(kind: &str, number: String) -> Document {
    Document { kind: kind.to_owned(), number, country: None }
}
