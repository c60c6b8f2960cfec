//! Lists of one's own: sanctions, politically exposed persons, blocks with a reason and an expiry.
//!
//! CSV with a header, or JSON lines with the same names. `id` and `name` are needed; `type` (person, organisation, vessel,
//! aircraft), `aliases`, `weak_aliases`, `birth_dates`, `countries`, `documents`, `programmes`, `reason`, `expires` are not.
//! Several values of a CSV field are separated by `;`, in JSON they are an array.

use std::io::{BufRead, Read};

use serde_json::Value;

use super::encoding::Utf8;
use super::read::Sink;
use super::table::Table;
use super::{DateRange, Document, Entry, ListedName, NameKind, PartialDate, Place, ReadError, country};
use crate::name::Kind;

/// Longer lines are not records.
const LONGEST_LINE: u64 = 4 << 20;

pub(super) fn read_csv<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut table = Table::open(input, b',', "own_csv", &["id", "name"])?;
    while let Some(row) = table.next_row(sink)? {
        let place = row.place();
        let found = entry(|field| row.parts(field, &[';']).map(str::to_owned).collect());
        drop(row);
        put(found, place, sink);
    }
    Ok(())
}

pub(super) fn read_json<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    json_lines(input, sink, |value| {
        let found = entry(|field| texts(value.get(field)));
        found.map(Some)
    })
}

fn put(found: Result<Entry, &'static str>, place: Place, sink: &mut Sink<'_>) {
    match found {
        Ok(entry) => sink.entry(Entry { place, ..entry }),
        Err(why) => sink.problem(place, why),
    }
}

/// Hands over each line as JSON. A last line without an end that is no JSON is a list cut short.
pub(super) fn json_lines<R: Read>(
    input: &mut Utf8<R>,
    sink: &mut Sink<'_>,
    read: impl Fn(&Value) -> Result<Option<Entry>, &'static str>,
) -> Result<(), ReadError> {
    let (mut line, mut place) = (Vec::new(), Place { line: 1, byte: 0 });
    loop {
        line.clear();
        let read_error = |error| ReadError::Input { place, error };
        let count = (&mut *input).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(read_error)? as u64;
        if count == 0 {
            return Ok(());
        }
        let terminated = line.last() == Some(&b'\n');
        if count == LONGEST_LINE && !terminated {
            return Err(ReadError::RecordTooLong { place });
        }
        if !line.trim_ascii().is_empty() {
            match serde_json::from_slice::<Value>(&line) {
                Ok(value) => match read(&value) {
                    Ok(Some(entry)) => sink.entry(Entry { place, ..entry }),
                    Ok(None) => {}
                    Err(why) => sink.problem(place, why),
                },
                Err(_) if !terminated => return Err(ReadError::CutShort { place, why: "the last line is not whole" }),
                Err(error) => sink.problem(
                    place,
                    format!("it is not JSON: {:?} error in column {}", error.classify(), error.column()),
                ),
            }
        }
        place = Place { line: place.line + 1, byte: place.byte + count };
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let text =
        |value: &Value| value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()));
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn entry(field: impl Fn(&str) -> Vec<String>) -> Result<Entry, &'static str> {
    let first = |name: &str| field(name).into_iter().next();
    let named = |name: &str, kind| field(name).into_iter().map(move |text| ListedName { text, kind });
    let mut names: Vec<ListedName> = named("name", NameKind::Primary).collect();
    names.extend(named("aliases", NameKind::Alias));
    names.extend(named("weak_aliases", NameKind::WeakAlias));
    let births = field("birth_dates").iter().map(|date| DateRange::parse(date)).collect::<Option<Vec<DateRange>>>();
    Ok(Entry {
        id: first("id").unwrap_or_default(),
        kind: kind(first("type").as_deref())?,
        names,
        programmes: field("programmes"),
        births: births.ok_or("a date of birth is not a date")?,
        countries: field("countries").iter().map(|name| country(name)).collect(),
        documents: field("documents").into_iter().map(document).collect(),
        // A reason may have semicolons.
        reason: Some(field("reason").join("; ")).filter(|reason| !reason.is_empty()),
        expires: expires(first("expires").as_deref())?,
        ..Entry::default()
    })
}

fn kind(text: Option<&str>) -> Result<Kind, &'static str> {
    match text.map(str::to_ascii_lowercase).as_deref() {
        Some("person" | "individual") => Ok(Kind::Person),
        Some("organisation" | "organization" | "company" | "entity" | "business") => Ok(Kind::Organisation),
        Some("vessel") => Ok(Kind::Vessel),
        Some("aircraft") => Ok(Kind::Aircraft),
        None => Ok(Kind::Unknown),
        Some(_) => Err("its type is none of person, organisation, vessel, aircraft"),
    }
}

/// A number, or a kind and a number after a colon.
fn document(text: String) -> Document {
    let (kind, number) =
        text.split_once(':').map_or(("document", text.as_str()), |(kind, number)| (kind.trim(), number.trim()));
    Document { kind: kind.to_owned(), number: number.to_owned(), country: None }
}

fn expires(text: Option<&str>) -> Result<Option<String>, &'static str> {
    let Some(text) = text else { return Ok(None) };
    let date = PartialDate::parse(text).filter(|date| date.is_whole());
    date.map(|date| Some(date.to_string())).ok_or("its expiry is not a date")
}
