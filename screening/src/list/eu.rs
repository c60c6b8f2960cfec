//! The consolidated list of the European Union, as XML and as CSV with a row for each name, date or document.

use std::io::Read;

use super::encoding::Utf8;
use super::read::Sink;
use super::table::{Groups, Row, Table};
use super::xml::{self, Node};
use super::{DateRange, Document, Entry, ListedName, NameKind, ReadError, country};
use crate::name::Kind;

pub(super) fn read_xml<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    xml::records(
        input,
        "eu_xml",
        |name| name == "sanctionEntity",
        |node, place| {
            sink.entry(Entry { place, ..entry(&node) });
        },
    )
}

fn entry(node: &Node) -> Entry {
    let id = node.attribute("euReferenceNumber").or_else(|| node.attribute("logicalId"));
    let subject = node
        .all("subjectType")
        .find_map(|subject| subject.attribute("classificationCode").or_else(|| subject.attribute("code")));
    let programmes = node.all("regulation").filter_map(|regulation| regulation.attribute("programme"));
    let citizenships = node.all("citizenship").filter_map(|citizenship| citizenship.attribute("countryIso2Code"));
    let mut entry = Entry {
        id: id.unwrap_or_default().to_owned(),
        kind: kind(subject.unwrap_or_default()),
        names: node.all("nameAlias").filter_map(name).collect(),
        programmes: programmes.map(str::to_owned).collect(),
        births: node.all("birthdate").filter_map(birth).collect(),
        countries: citizenships.filter(|code| is_known(code)).map(country).collect(),
        documents: node.all("identification").filter_map(document).collect(),
        ..Entry::default()
    };
    lead(&mut entry);
    entry
}

/// The list marks no name as the primary one; the first strong one leads.
fn lead(entry: &mut Entry) {
    if let Some(at) = entry.names.iter().position(|name| name.kind == NameKind::Alias) {
        entry.names[at].kind = NameKind::Primary;
        entry.names[..=at].rotate_right(1);
    }
}

fn kind(subject: &str) -> Kind {
    match subject {
        "P" | "person" => Kind::Person,
        "E" | "enterprise" => Kind::Organisation,
        _ => Kind::Unknown,
    }
}

/// `00` stands for an unknown country.
fn is_known(code: &str) -> bool {
    code != "00"
}

fn name(node: &Node) -> Option<ListedName> {
    let parts = || ["firstName", "middleName", "lastName"].iter().filter_map(|part| node.attribute(part));
    let whole = node.attribute("wholeName").map_or_else(|| parts().collect::<Vec<&str>>().join(" "), str::to_owned);
    let kind = if node.attribute("strong") == Some("false") { NameKind::WeakAlias } else { NameKind::Alias };
    (!whole.is_empty()).then_some(ListedName { text: whole, kind })
}

fn birth(node: &Node) -> Option<DateRange> {
    let years = node.attribute("yearRangeFrom").zip(node.attribute("yearRangeTo"));
    let range = match node.attribute("birthdate").or_else(|| node.attribute("year").filter(|year| *year != "0")) {
        Some(date) => DateRange::parse(date),
        None => years.and_then(|(from, to)| DateRange::parse(&format!("{from} to {to}"))),
    };
    range.map(|range| DateRange { circa: node.attribute("circa") == Some("true"), ..range })
}

fn document(node: &Node) -> Option<Document> {
    Some(Document {
        number: node.attribute("number").or_else(|| node.attribute("latinNumber"))?.to_owned(),
        kind: node.attribute("identificationTypeCode").unwrap_or("document").to_owned(),
        country: node.attribute("countryIso2Code").filter(|code| is_known(code)).map(country),
    })
}

pub(super) fn read_csv<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut table = Table::open(input, b';', "eu_csv", &["namealias_wholename"])?;
    let mut groups = Groups::default();
    while let Some(row) = table.next_row(sink)? {
        match row.get("entity_eu_referencenumber").or_else(|| row.get("entity_logicalid")) {
            Some(id) => add_row(groups.entry(id, row.place()), &row),
            None => sink.problem(row.place(), "it has no id"),
        }
    }
    groups.entries_mut().for_each(lead);
    groups.finish(sink);
    Ok(())
}

fn add_row(entry: &mut Entry, row: &Row<'_>) {
    if let Some(subject) = row.get("entity_subjecttype_classificationcode").or_else(|| row.get("entity_subjecttype")) {
        entry.kind = kind(subject);
    }
    entry.programmes.extend(row.get("entity_regulation_programme").map(str::to_owned));
    let parts = ["namealias_firstname", "namealias_middlename", "namealias_lastname"];
    let whole = row.get("namealias_wholename").map(str::to_owned);
    let text = whole.unwrap_or_else(|| parts.iter().filter_map(|part| row.get(part)).collect::<Vec<&str>>().join(" "));
    if !text.is_empty() {
        entry.names.push(ListedName { text, kind: NameKind::Alias });
    }
    let birth = row.get("birthdate_birthdate").or_else(|| row.get("birthdate_year"));
    entry.births.extend(birth.and_then(DateRange::parse));
    entry.countries.extend(row.get("citizenship_countryiso2code").filter(|code| is_known(code)).map(country));
    entry.documents.extend(row.get("identification_number").map(|number| Document {
        kind: row.get("identification_typecode").unwrap_or("document").to_owned(),
        number: number.to_owned(),
        country: row.get("identification_countryiso2code").filter(|code| is_known(code)).map(country),
    }));
}
