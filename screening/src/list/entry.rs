//! One party of a list.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Place;
use super::date::DateRange;
use crate::name::Kind;

/// A listed party.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The list's code, such as `ofac_sdn`.
    pub list: String,
    /// The publisher's identifier, unique in the list.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// At least one; the first is the primary one.
    pub names: Vec<ListedName>,
    /// The programmes or regimes under which it is listed.
    pub programmes: Vec<String>,
    /// Dates of birth, or of foundation.
    pub births: Vec<DateRange>,
    /// Nationalities and countries, ISO 3166-1 alpha-2 where known, else as written.
    pub countries: Vec<String>,
    /// Numbers of identity documents and registrations.
    pub documents: Vec<Document>,
    /// Why it is listed, on lists of one's own.
    pub reason: Option<String>,
    /// The last day on which it counts, `YYYY-MM-DD`, on lists of one's own.
    pub expires: Option<String>,
    /// Where it starts in its source.
    pub place: Place,
}

/// One name of a party.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListedName {
    /// As published.
    pub text: String,
    /// How much the publisher trusts it.
    pub kind: NameKind,
}

/// What a name of a party is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// The name under which it is listed.
    #[default]
    Primary,
    /// Also known as.
    Alias,
    /// An alias that the publisher calls weak or of low quality.
    WeakAlias,
    /// Formerly known as.
    Former,
    /// The name in its original script.
    Original,
}

/// A number by which a party is registered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Document {
    /// As the source calls it, such as `Passport`.
    pub kind: String,
    /// As published.
    pub number: String,
    /// The issuer, if said.
    pub country: Option<String>,
}

impl Entry {
    /// SHA-256 of all that matters to a match, cut to 16 bytes, in hexadecimal. Neither the list's code, nor the place in the
    /// file, nor the order of names, programmes and other facts changes it.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut parts = vec![format!("kind {:?}", self.kind), format!("reason {:?} {:?}", self.reason, self.expires)];
        parts.extend(self.names.iter().map(|name| format!("name {:?} {}", name.kind, name.text)));
        parts.extend(self.programmes.iter().map(|programme| format!("programme {programme}")));
        parts.extend(self.births.iter().map(|birth| format!("birth {birth}")));
        parts.extend(self.countries.iter().map(|country| format!("country {country}")));
        parts.extend(self.documents.iter().map(|document| format!("document {document:?}")));
        parts[2..].sort_unstable();
        parts.dedup();
        let mut hash = Sha256::new();
        for part in [self.id.as_str()].into_iter().chain(parts.iter().map(String::as_str)) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A document's number as it is compared: letters and digits only, upper case.
#[must_use]
pub fn bare_number(number: &str) -> String {
    number.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}
