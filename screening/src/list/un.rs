//! The consolidated list of the United Nations.

use std::io::Read;

use super::encoding::Utf8;
use super::read::Sink;
use super::xml::{self, Node};
use super::{DateRange, Document, Entry, ListedName, NameKind, ReadError, country};
use crate::name::Kind;

pub(super) fn read<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    xml::records(
        input,
        "un_xml",
        |name| matches!(name, "INDIVIDUAL" | "ENTITY"),
        |node, place| {
            sink.entry(Entry { place, ..entry(&node) });
        },
    )
}

const NAME_PARTS: [&str; 4] = ["FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME"];

fn entry(node: &Node) -> Entry {
    let person = node.name == "INDIVIDUAL";
    let under = |name: &str| format!("{}_{name}", node.name);
    let parts: Vec<&str> = NAME_PARTS.iter().filter_map(|part| node.child(part)).collect();
    let mut names = vec![ListedName { text: parts.join(" "), kind: NameKind::Primary }];
    let original = node.child("NAME_ORIGINAL_SCRIPT").map(str::to_owned);
    names.extend(original.map(|text| ListedName { text, kind: NameKind::Original }));
    names.extend(node.all(&under("ALIAS")).filter_map(alias));
    let nationalities = node.all("NATIONALITY").flat_map(|nationality| nationality.all("VALUE"));
    Entry {
        id: node.child("DATAID").unwrap_or_default().to_owned(),
        kind: if person { Kind::Person } else { Kind::Organisation },
        names,
        programmes: node.child("UN_LIST_TYPE").map(str::to_owned).into_iter().collect(),
        births: node.all(&under("DATE_OF_BIRTH")).filter_map(birth).collect(),
        countries: nationalities.filter_map(Node::text).map(country).collect(),
        documents: node.all(&under("DOCUMENT")).filter_map(document).collect(),
        ..Entry::default()
    }
}

fn alias(node: &Node) -> Option<ListedName> {
    let quality = node.child("QUALITY").unwrap_or_default().to_ascii_lowercase();
    let kind = match quality.as_str() {
        "low" => NameKind::WeakAlias,
        "f.k.a." => NameKind::Former,
        _ => NameKind::Alias,
    };
    node.child("ALIAS_NAME").map(|text| ListedName { text: text.to_owned(), kind })
}

fn birth(node: &Node) -> Option<DateRange> {
    let years = node.child("FROM_YEAR").zip(node.child("TO_YEAR"));
    let range = match years {
        Some((from, to)) => DateRange::parse(&format!("{from} to {to}")),
        None => node.child("DATE").or_else(|| node.child("YEAR")).and_then(DateRange::parse),
    };
    let circa = node.child("TYPE_OF_DATE") == Some("APPROXIMATELY");
    range.map(|range| DateRange { circa: range.circa || circa, ..range })
}

fn document(node: &Node) -> Option<Document> {
    Some(Document {
        number: node.child("NUMBER")?.to_owned(),
        kind: node.child("TYPE_OF_DOCUMENT").unwrap_or("document").to_owned(),
        country: node.child("ISSUING_COUNTRY").or_else(|| node.child("COUNTRY_OF_ISSUE")).map(country),
    })
}
