//! OFAC's advanced XML: parties refer to sets of values before them, and sanctions after them refer to parties.

use std::collections::HashMap;
use std::io::Read;

use super::encoding::Utf8;
use super::read::Sink;
use super::xml::{self, Node};
use super::{DateRange, Document, Entry, ListedName, NameKind, PartialDate, ReadError, country};
use crate::name::Kind;

/// Elements of the document that are read; the others are passed over.
const RECORDS: [&str; 4] = ["ReferenceValueSets", "IDRegDocument", "DistinctParty", "SanctionsEntry"];

#[derive(Default)]
struct Reading {
    /// Set and id to text.
    values: HashMap<(&'static str, String), String>,
    /// Identity to its documents.
    documents: HashMap<String, Vec<Document>>,
    entries: Vec<Entry>,
    /// Profile to the entry's position.
    profiles: HashMap<String, usize>,
}

/// The sets that are needed: the element of one value, and the set's own name here.
const SETS: [(&str, &str); 7] = [
    ("PartySubType", "party"),
    ("AliasType", "alias"),
    ("FeatureType", "feature"),
    ("IDRegDocType", "document"),
    ("Country", "country"),
    ("DetailReference", "detail"),
    ("Script", "script"),
];

pub(super) fn read<R: Read>(input: &mut Utf8<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut reading = Reading::default();
    let is_record = |name: &str| RECORDS.contains(&name);
    xml::records(input, "ofac_xml", is_record, |node, place| match node.name.as_str() {
        "ReferenceValueSets" => reading.add_values(&node),
        "IDRegDocument" => reading.add_document(&node),
        "DistinctParty" => {
            let id = node.attribute("FixedRef").unwrap_or_default().to_owned();
            let mut entry = reading.party(&node);
            (entry.id, entry.place) = (id, place);
            reading.entries.push(entry);
        }
        _ => reading.add_sanctions(&node),
    })?;
    reading.entries.into_iter().for_each(|entry| sink.entry(entry));
    Ok(())
}

impl Reading {
    fn add_values(&mut self, node: &Node) {
        for (element, set) in SETS {
            for value in node.below(element) {
                if let (Some(id), Some(text)) = (value.attribute("ID"), value.text()) {
                    self.values.insert((set, id.to_owned()), text.to_owned());
                }
            }
        }
    }

    fn value(&self, set: &'static str, id: Option<&str>) -> Option<&str> {
        self.values.get(&(set, id?.to_owned())).map(String::as_str)
    }

    fn add_document(&mut self, node: &Node) {
        let (Some(identity), Some(number)) = (node.attribute("IdentityID"), node.child("IDRegistrationNo")) else {
            return;
        };
        let kind = self.value("document", node.attribute("IDRegDocTypeID")).unwrap_or("document").to_owned();
        let issuer = self.value("country", node.attribute("IssuedBy-CountryID")).map(country);
        let document = Document { kind, number: number.to_owned(), country: issuer };
        self.documents.entry(identity.to_owned()).or_default().push(document);
    }

    fn party(&mut self, node: &Node) -> Entry {
        let mut entry = Entry::default();
        for profile in node.all("Profile") {
            entry.kind = self.kind(profile.attribute("PartySubTypeID"));
            if let Some(id) = profile.attribute("ID") {
                self.profiles.insert(id.to_owned(), self.entries.len());
            }
            for identity in profile.all("Identity") {
                let documents = identity.attribute("ID").and_then(|id| self.documents.remove(id));
                entry.documents.extend(documents.unwrap_or_default());
                identity.all("Alias").for_each(|alias| self.add_names(alias, &mut entry));
            }
            profile.all("Feature").for_each(|feature| self.add_feature(feature, &mut entry));
        }
        // The primary name first.
        entry.names.sort_by_key(|name| name.kind != NameKind::Primary);
        entry
    }

    fn kind(&self, id: Option<&str>) -> Kind {
        match self.value("party", id) {
            Some("Vessel") => Kind::Vessel,
            Some("Aircraft") => Kind::Aircraft,
            // The subtypes of persons and entities have no text of their own; the identifiers are part of the standard.
            _ if id == Some("4") => Kind::Person,
            _ if id == Some("3") => Kind::Organisation,
            _ => Kind::Unknown,
        }
    }

    fn add_names(&self, alias: &Node, entry: &mut Entry) {
        let is = |attribute| alias.attribute(attribute) == Some("true");
        let former = self.value("alias", alias.attribute("AliasTypeID")).is_some_and(|kind| kind.starts_with('F'));
        for (at, name) in alias.all("DocumentedName").enumerate() {
            let values: Vec<&Node> = name.below("NamePartValue");
            let text: Vec<&str> = values.iter().filter_map(|value| value.text()).collect();
            let script = values.first().and_then(|value| self.value("script", value.attribute("ScriptID")));
            let kind = match () {
                () if script.is_some_and(|script| script != "Latin") => NameKind::Original,
                () if is("Primary") && at == 0 => NameKind::Primary,
                () if is("LowQuality") => NameKind::WeakAlias,
                () if former => NameKind::Former,
                () => NameKind::Alias,
            };
            entry.names.push(ListedName { text: text.join(" "), kind });
        }
    }

    fn add_feature(&self, feature: &Node, entry: &mut Entry) {
        let kind = self.value("feature", feature.attribute("FeatureTypeID")).unwrap_or_default();
        match kind {
            "Birthdate" => entry.births.extend(feature.below("DatePeriod").into_iter().filter_map(period)),
            "Nationality Country" | "Citizenship Country" => {
                let details = feature.below("VersionDetail").into_iter();
                let by_reference = details
                    .filter_map(|detail| self.value("detail", detail.attribute("DetailReferenceID")).or(detail.text()));
                entry.countries.extend(by_reference.map(country));
            }
            _ => {}
        }
    }

    /// `SanctionsMeasure` of the type "Program" has its name as a comment.
    fn add_sanctions(&mut self, node: &Node) {
        let position = node.attribute("ProfileID").and_then(|profile| self.profiles.get(profile));
        let Some(entry) = position.and_then(|position| self.entries.get_mut(*position)) else { return };
        let programmes = node.all("SanctionsMeasure").filter_map(|measure| measure.child("Comment"));
        entry.programmes.extend(programmes.map(str::to_owned));
    }
}

/// `Start` and `End` with `From` and `To`, each with `Year`, `Month`, `Day`.
fn period(node: &Node) -> Option<DateRange> {
    let mut dates = ["From", "To"].iter().flat_map(|name| node.below(name)).filter_map(date);
    let first = dates.next()?;
    let (from, to) = dates.fold((first, first), |(from, to), date| (from.min(date), to.max(date)));
    // A whole year is written from its first to its last day.
    let whole = |date: PartialDate| (date.month, date.day);
    if from.year == to.year && whole(from) == (Some(1), Some(1)) && whole(to) == (Some(12), Some(31)) {
        return Some(DateRange::exactly(PartialDate { year: from.year, month: None, day: None }));
    }
    Some(DateRange { from, to, circa: false })
}

fn date(node: &Node) -> Option<PartialDate> {
    let part = |name| node.child(name).unwrap_or("0");
    PartialDate::parse(&format!("{}-{}-{}", part("Year"), part("Month"), part("Day")))
}
