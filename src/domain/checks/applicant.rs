//! What the checks look at: a user in plain values. None of these types prints itself, since all hold personal data.

use chrono::NaiveDate;

use super::files::Inspection;

/// All that is known of a user.
#[derive(Clone, Default)]
pub struct Applicant {
    /// The user itself.
    pub own: PartyData,
    /// A business's associated persons, in the request's order.
    pub persons: Vec<AssociatedPerson>,
    /// Who speaks for a business.
    pub representative: Option<PartyData>,
}

impl Applicant {
    /// The user, its associated persons and its representative.
    pub(super) fn parties(&self) -> impl Iterator<Item = &PartyData> {
        let persons = self.persons.iter().map(|person| &person.party);
        std::iter::once(&self.own).chain(persons).chain(&self.representative)
    }
}

/// The kind of legal entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntityKind {
    /// A natural person.
    #[default]
    Person,
    /// A business that is legally its owner.
    SoleProprietor,
    /// A legal person.
    Company,
}

/// The stated sex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Male.
    Male,
    /// Female.
    Female,
    /// Another.
    Other,
}

/// A person or business with its numbers and documents.
#[derive(Clone, Default)]
pub struct PartyData {
    /// The prefix of its fields in a path: nothing, `associated_persons.0.`, `representative_`.
    pub prefix: String,
    /// Natural or legal person.
    pub entity_kind: EntityKind,
    /// A person's given names, in their order.
    pub given_names: String,
    /// A person's surnames.
    pub surnames: String,
    /// The day of birth of a person, of formation of a business.
    pub born_or_formed: Option<NaiveDate>,
    /// Of a person.
    pub sex: Option<Sex>,
    /// The country of the address: ISO 3166-1 alpha-3, as every country here.
    pub country: Option<String>,
    /// A person's nationality, the country in which a business was formed.
    pub nationality: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Numbers and documents.
    pub identifications: Vec<IdentificationData>,
    /// Files that belong to no identification.
    pub files: Vec<File>,
}

impl PartyData {
    /// The path of one of its fields.
    pub(super) fn path(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    /// The path of [`born_or_formed`](Self::born_or_formed).
    pub(super) fn born_or_formed_path(&self) -> String {
        self.path(if self.entity_kind == EntityKind::Person { "birth_date" } else { "formation_date" })
    }

    /// Every file of it.
    pub(super) fn all_files(&self) -> impl Iterator<Item = &File> {
        self.identifications.iter().flat_map(|entry| &entry.files).chain(&self.files)
    }
}

/// A person's roles in a business.
#[derive(Clone, Default)]
pub struct AssociatedPerson {
    /// Who.
    pub party: PartyData,
    /// Whether it owns a part; none where unsaid.
    pub has_ownership: Option<bool>,
    /// The part it owns, in percent.
    pub ownership_percentage: Option<f64>,
    /// Whether it controls the business.
    pub has_control: bool,
    /// Whether it signs for the business.
    pub is_signer: bool,
}

/// The kind of a number or document, as far as checks distinguish kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentificationScheme {
    /// A passport, card or licence that a government issues.
    GovernmentId,
    /// Mexico's population key.
    Curp,
    /// Mexico's taxpayer number.
    Rfc,
    /// Brazil's number of persons.
    Cpf,
    /// Brazil's number of companies.
    Cnpj,
    /// Colombia's tax number.
    Nit,
    /// Colombia's number of persons.
    Nuip,
    /// A Social Security number of the USA.
    Ssn,
    /// An Individual Taxpayer Identification Number of the USA.
    Itin,
    /// An Employer Identification Number of the USA.
    Ein,
    /// A tax number of whatever country issued it.
    TaxId,
    /// A supporting document, such as a utility bill.
    Document,
}

/// A number or document of a party.
#[derive(Clone)]
pub struct IdentificationData {
    /// The path of its number: `identifying_information.0.number`, `ein`.
    pub number_path: String,
    /// The path of its issuing country: `identifying_information.0.issuing_country`, `document_country`.
    pub country_path: String,
    /// The path of its last day: `identifying_information.0.expiration`.
    pub expiration_path: String,
    /// What it is.
    pub kind: IdentificationScheme,
    /// The number, where one was given.
    pub number: Option<String>,
    /// Who issued it; none where only the kind says so.
    pub issuing_country: Option<String>,
    /// The last day on which it is valid.
    pub expires: Option<NaiveDate>,
    /// Its pictures or scans.
    pub files: Vec<File>,
}

/// Which side of an identification a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The front.
    Front,
    /// The back.
    Back,
    /// Neither: a selfie, a bill, a deed.
    Neither,
}

/// A file of a party.
#[derive(Clone)]
pub struct File {
    /// Its path: `identifying_information.0.documents.1.file`.
    pub path: String,
    /// What it shows.
    pub side: Side,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// What was found in it; none where it could not be inspected.
    pub inspection: Option<Inspection>,
}
