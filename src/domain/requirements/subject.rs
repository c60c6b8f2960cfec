//! What the requirements ask about a user: facts, never values.

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::domain::user_type::UserType;

/// The category of a user's requirements. The database stores it in clear text, and no country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Category {
    /// The user's address is in the USA.
    Usa,
    /// Any other address.
    International,
}

/// Where a user lives or is registered, as far as a requirement depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residence {
    /// `address_country` is USA.
    Usa,
    /// `address_country` is MEX.
    Mexico,
    /// `address_country` is BRA.
    Brazil,
    /// Any other country, or none given. Without a country the international set applies: it lists `address_country`
    /// itself as missing.
    #[default]
    Elsewhere,
}

impl Residence {
    /// The residence that the text of `address_country` (ISO 3166-1 alpha-3) says.
    #[must_use]
    pub fn of(address_country: &str) -> Self {
        match address_country {
            "USA" => Self::Usa,
            "MEX" => Self::Mexico,
            "BRA" => Self::Brazil,
            _ => Self::Elsewhere,
        }
    }

    /// The category of the user's requirements.
    #[must_use]
    pub const fn category(self) -> Category {
        match self {
            Self::Usa => Category::Usa,
            Self::Mexico | Self::Brazil | Self::Elsewhere => Category::International,
        }
    }
}

/// A field of a request that some requirement asks for. The texts are the names in requests, which are also how a
/// missing field is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Field {
    FirstName,
    LastName,
    BirthDate,
    Nationality,
    Gender,
    BusinessLegalName,
    DoingBusinessAs,
    BusinessType,
    BusinessIndustry,
    BusinessDescription,
    BusinessWebsite,
    FormationDate,
    FormationState,
    Email,
    Phone,
    AddressStreet,
    AddressCity,
    AddressState,
    AddressZipCode,
    AddressCountry,
    DocumentType,
    DocumentNumber,
    DocumentCountry,
    Ein,
    Rfc,
    Cnpj,
    RepresentativeFirstName,
    RepresentativeLastName,
    RepresentativeTitle,
    RepresentativeBirthDate,
    RepresentativeSsn,
    PepStatus,
    SourceOfFunds,
    AccountPurpose,
    ExpectedMonthlyPayments,
    EmploymentStatus,
    CurrentEmployer,
    Occupation,
    ImmigrationStatus,
    #[strum(serialize = "additional_info:has_us_bank_account")]
    HasUsBankAccount,
    #[strum(serialize = "additional_info:has_denied_bank_account")]
    HasDeniedBankAccount,
    #[strum(serialize = "additional_info:denied_bank_account_explain")]
    DeniedBankAccountExplain,
}

/// The fields that have a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields(u64);

impl Fields {
    /// Notes that the field has a value, if `present`.
    pub fn note(&mut self, field: Field, present: bool) {
        self.0 |= u64::from(present) << field as u32;
    }

    /// Whether the field has a value.
    #[must_use]
    pub const fn has(self, field: Field) -> bool {
        self.0 >> field as u32 & 1 == 1
    }
}

/// What an identification entry is, as far as a requirement depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentificationKind {
    /// A passport or visa: the front says all.
    GovernmentId,
    /// Any other Government ID: it has a back (decisions, section 3).
    TwoSidedGovernmentId,
    /// `ssn`
    Ssn,
    /// `tax_id`, the generic one
    TaxId,
    /// `ein`
    Ein,
    /// `nit`
    Nit,
    /// Accepted, but no requirement asks for it.
    Other,
}

/// What a document shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// `front`
    Front,
    /// `back`
    Back,
    /// `file_proof_of_address`
    ProofOfAddress,
    /// `file_business_formation`
    BusinessFormation,
    /// `file_source_of_wealth`
    SourceOfWealth,
}

/// The kinds of document that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Documents(u8);

impl Documents {
    /// Notes that there is a document of this kind.
    pub fn note(&mut self, kind: DocumentKind) {
        self.0 |= 1 << kind as u8;
    }

    /// Whether there is a document of this kind.
    #[must_use]
    pub const fn has(self, kind: DocumentKind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

/// One entry of `identifying_information`. Its type and issuing country are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification {
    /// What it is.
    pub kind: IdentificationKind,
    /// Whether it brings its number.
    pub numbered: bool,
    /// The documents of the entry.
    pub documents: Documents,
}

impl Identification {
    /// Whether it is a Government ID.
    #[must_use]
    pub const fn is_government_id(&self) -> bool {
        matches!(self.kind, IdentificationKind::GovernmentId | IdentificationKind::TwoSidedGovernmentId)
    }
}

/// What is known of the user itself, or of one associated person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The fields that have a value.
    pub fields: Fields,
    /// The entries of `identifying_information`.
    pub identifications: Vec<Identification>,
}

/// A user as the requirements see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Individual or business.
    pub kind: UserType,
    /// Where it lives or is registered.
    pub residence: Residence,
    /// The user itself.
    pub own: Party,
    /// The legacy top-level `documents`.
    pub documents: Documents,
    /// The associated persons of a business, in order.
    pub persons: Vec<Party>,
    /// Whether `employment_status` is `employed`.
    pub employed: bool,
    /// Whether `has_denied_bank_account` is `Yes`.
    pub denied_bank_account: bool,
}

impl Subject {
    /// A user of whom nothing is known yet.
    #[must_use]
    pub fn new(kind: UserType) -> Self {
        Self {
            kind,
            residence: Residence::default(),
            own: Party::default(),
            documents: Documents::default(),
            persons: Vec::new(),
            employed: false,
            denied_bank_account: false,
        }
    }
}

const _: () = assert!((Field::DeniedBankAccountExplain as u32) < u64::BITS, "every field has a bit");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_that_is_not_named_is_elsewhere() {
        assert_eq!(Residence::of(""), Residence::Elsewhere);
        assert_eq!(Residence::of("usa"), Residence::Elsewhere);
        assert_eq!(Residence::of("USA"), Residence::Usa);
    }

    #[test]
    fn the_category_tells_usa_from_international_and_no_more() {
        assert_eq!(Residence::of("USA").category().into_str(), "usa");
        for country in ["MEX", "BRA", "COL", ""] {
            assert_eq!(Residence::of(country).category().into_str(), "international");
        }
    }

    #[test]
    fn noting_one_field_says_nothing_about_another() {
        let mut fields = Fields::default();
        fields.note(Field::FirstName, true);
        fields.note(Field::DeniedBankAccountExplain, true);
        fields.note(Field::LastName, false);
        assert!(fields.has(Field::FirstName) && fields.has(Field::DeniedBankAccountExplain));
        assert!(!fields.has(Field::LastName) && !fields.has(Field::Occupation));
    }
}
