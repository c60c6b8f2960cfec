//! What is known of two parties besides their names, as evidence for or against.

use crate::list::{DateRange, Entry, PartialDate, bare_number};
use crate::name::Kind;

/// What is known of the one who is screened. Nothing has to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// A person, or what else.
    pub kind: Kind,
    /// Of a person the date of birth, of a company the date of foundation.
    pub birth: Option<PartialDate>,
    /// Nationalities and countries, alpha-2.
    pub countries: Vec<String>,
    /// Numbers of documents and registrations.
    pub documents: Vec<String>,
}

/// One comparison that says something.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Fact {
    /// What was compared.
    pub agreement: Agreement,
    /// What the query says.
    pub query: String,
    /// What the list says.
    pub listed: String,
    /// Log odds that it adds.
    pub weight: f32,
}

/// How two facts relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The same day of birth.
    BirthDate,
    /// A partial date or a range that admits the date of birth.
    BirthPossible,
    /// Day and month changed places, or the year is one off.
    BirthNear,
    /// The date of birth differs.
    BirthDiffers,
    /// A country in common.
    Country,
    /// Countries are known, and none is in common.
    CountryDiffers,
    /// The same document number.
    Document,
    /// A person against a company, a ship, an aircraft.
    KindDiffers,
}

impl Agreement {
    /// Log odds. No public data set has labelled pairs with these facts; the weights are set by hand so that an equal name
    /// stays a match at 0.7 whatever one fact says, and no date or country makes a match of names that are not alike.
    #[must_use]
    pub const fn weight(self) -> f32 {
        match self {
            Self::BirthDate => 1.2,
            Self::BirthPossible => 0.5,
            Self::BirthNear => -0.2,
            Self::BirthDiffers => -1.6,
            Self::Country => 0.3,
            Self::CountryDiffers => -0.3,
            Self::Document => 7.0,
            Self::KindDiffers => -1.5,
        }
    }
}

/// The shortest document number that proves something.
pub(crate) const SHORTEST_NUMBER: usize = 5;

impl Facts {
    /// The most that a date and a country can add.
    pub(crate) fn most(&self) -> f32 {
        let of = |known: bool, agreement: Agreement| if known { agreement.weight() } else { 0.0 };
        of(self.birth.is_some(), Agreement::BirthDate) + of(!self.countries.is_empty(), Agreement::Country)
    }
}

/// Compares what is known of both.
#[must_use]
pub fn compare(query: &Facts, entry: &Entry) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(query.birth.and_then(|birth| births(birth, &entry.births)));
    facts.extend(countries(&query.countries, &entry.countries));
    facts.extend(documents(&query.documents, entry));
    facts.extend(kinds(query.kind, entry.kind));
    facts
}

fn fact(agreement: Agreement, query: String, listed: String) -> Fact {
    Fact { agreement, query, listed, weight: agreement.weight() }
}

fn births(birth: PartialDate, listed: &[DateRange]) -> Option<Fact> {
    let best = listed.iter().map(|range| (agreement(birth, *range), range));
    let (agreement, range) = best.max_by(|a, b| a.0.weight().total_cmp(&b.0.weight()))?;
    Some(fact(agreement, birth.to_string(), range.to_string()))
}

fn agreement(birth: PartialDate, range: DateRange) -> Agreement {
    if range == DateRange::exactly(birth) && birth.is_whole() {
        return Agreement::BirthDate;
    }
    let swapped = PartialDate { month: birth.day, day: birth.month, ..birth };
    match () {
        () if range.admits(birth) => Agreement::BirthPossible,
        () if birth.is_whole() && range == DateRange::exactly(swapped) => Agreement::BirthNear,
        () if range.years_off(birth) <= 1 => Agreement::BirthNear,
        () => Agreement::BirthDiffers,
    }
}

fn countries(query: &[String], listed: &[String]) -> Option<Fact> {
    if query.is_empty() || listed.is_empty() {
        return None;
    }
    let common = query.iter().find(|country| listed.contains(country));
    Some(match common {
        Some(country) => fact(Agreement::Country, country.clone(), country.clone()),
        None => fact(Agreement::CountryDiffers, query.join(", "), listed.join(", ")),
    })
}

fn documents(query: &[String], entry: &Entry) -> Option<Fact> {
    query.iter().find_map(|number| {
        let bare = bare_number(number);
        let same = |listed: &&crate::list::Document| {
            bare.chars().count() >= SHORTEST_NUMBER && bare_number(&listed.number) == bare
        };
        entry.documents.iter().find(same).map(|listed| fact(Agreement::Document, number.clone(), listed.number.clone()))
    })
}

fn kinds(query: Kind, listed: Kind) -> Option<Fact> {
    let known = query != Kind::Unknown && listed != Kind::Unknown;
    let differ = known && (query == Kind::Person) != (listed == Kind::Person);
    differ.then(|| {
        fact(Agreement::KindDiffers, format!("{query:?}").to_lowercase(), format!("{listed:?}").to_lowercase())
    })
}
