//! The requirements as data: the specification's two tables "Required Fields for Automatic Verification", read as
//! decisions, section 5 says, and the products' own sets of decisions, section 4.
//!
//! The rows have the specification's order, which is the order in which missing fields are reported.

use super::subject::{DocumentKind, Field, IdentificationKind, Residence};
use crate::domain::eligibility::ProductCode;
use crate::domain::user_type::UserType;

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requirement {
    /// How it is reported missing.
    pub(super) name: &'static str,
    /// Whom it concerns.
    pub(super) of: Whom,
    /// Any one of these satisfies it.
    pub(super) any_of: &'static [Fact],
}

/// Whom a requirement concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// All users.
    Everyone,
    /// Those whose `address_country` is USA.
    Usa,
    /// All others.
    International,
    /// Those whose `employment_status` is `employed`.
    Employed,
    /// International users whose `has_denied_bank_account` is `Yes`.
    InternationalDeniedBankAccount,
}

/// Something that satisfies a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The field has a value.
    Has(Field),
    /// The field has a value, and the user's country is the one whose identifier it is.
    HasIn(Field, Residence),
    /// An entry of this kind, with its number.
    Number(IdentificationKind),
    /// A Government ID with its number: it says type, number and issuing country at once.
    NumberedGovernmentId,
    /// The same, of an associated person.
    PersonsNumberedGovernmentId,
    /// A document of this kind in any entry of the user's own, or in the legacy top-level `documents`.
    Document(DocumentKind),
    /// A Government ID with a `front` document.
    GovernmentIdFront,
    /// A Government ID with all its sides: a front and, where it has one, a back. Also true while there is no front at
    /// all, because then the front is what is missing.
    GovernmentIdAllSides,
    /// At least one associated person.
    AssociatedPerson,
}

/// What one target asks of one kind of user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requirements {
    /// Of the user itself.
    pub(super) own: &'static [Requirement],
    /// Of every associated person.
    pub(super) persons: &'static [Requirement],
}

/// What automatic verification asks of this kind of user.
#[must_use]
pub(super) const fn verification(kind: UserType) -> Requirements {
    match kind {
        UserType::Individual => Requirements { own: INDIVIDUAL, persons: &[] },
        UserType::Business => Requirements { own: BUSINESS, persons: PERSON },
    }
}

/// What a product asks of this kind of user beyond being VERIFIED.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProductRequirements {
    /// Whether everything that verification asks for is asked for again.
    pub(super) verification: bool,
    /// What is asked for on top.
    pub(super) further: Requirements,
}

/// What the product asks of this kind of user beyond being VERIFIED.
#[must_use]
pub(super) const fn product(code: ProductCode, kind: UserType) -> ProductRequirements {
    match (code, kind) {
        (ProductCode::VirtualAccount | ProductCode::Payout, _) => {
            ProductRequirements { verification: false, further: Requirements { own: &[], persons: &[] } }
        }
        (ProductCode::UsaVirtualAccounts, UserType::Individual) => ProductRequirements {
            verification: true,
            further: Requirements { own: &[SOURCE_OF_WEALTH, GOVERNMENT_ID_BACK], persons: &[] },
        },
        (ProductCode::UsaVirtualAccounts, UserType::Business) => ProductRequirements {
            verification: true,
            further: Requirements { own: &[SOURCE_OF_WEALTH], persons: &[GOVERNMENT_ID_BACK] },
        },
        (ProductCode::UsaVirtualAccountsAct, UserType::Individual) => {
            ProductRequirements { verification: false, further: Requirements { own: ACT_INDIVIDUAL, persons: &[] } }
        }
        (ProductCode::UsaVirtualAccountsAct, UserType::Business) => {
            ProductRequirements { verification: false, further: Requirements { own: ACT_BUSINESS, persons: &[] } }
        }
    }
}

/// The specification's table "Individual Users".
const INDIVIDUAL: &[Requirement] = &[
    field(Whom::Everyone, &[Fact::Has(Field::FirstName)]),
    field(Whom::Everyone, &[Fact::Has(Field::LastName)]),
    field(Whom::Everyone, &[Fact::Has(Field::BirthDate)]),
    field(Whom::Everyone, &[Fact::Has(Field::Email)]),
    field(Whom::Everyone, &[Fact::Has(Field::Phone)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressStreet)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressCity)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressState)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressZipCode)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressCountry)]),
    field(Whom::Everyone, &[Fact::Has(Field::DocumentType), Fact::NumberedGovernmentId]),
    field(Whom::Everyone, &[Fact::Has(Field::DocumentNumber), Fact::NumberedGovernmentId]),
    field(Whom::Everyone, &[Fact::Has(Field::DocumentCountry), Fact::NumberedGovernmentId]),
    field(Whom::Everyone, &[Fact::Has(Field::Nationality)]),
    field(Whom::Everyone, &[Fact::Has(Field::Gender)]),
    named("identifying_information:ssn", Whom::Usa, &[Fact::Number(IdentificationKind::Ssn)]),
    // curp, rfc, cpf, tin and nuip are accepted, but do not count.
    named("identifying_information:tax_id", Whom::International, &[Fact::Number(IdentificationKind::TaxId)]),
    field(Whom::Everyone, &[Fact::Has(Field::SourceOfFunds)]),
    field(Whom::Everyone, &[Fact::Has(Field::AccountPurpose)]),
    field(Whom::Everyone, &[Fact::Has(Field::EmploymentStatus)]),
    field(Whom::Everyone, &[Fact::Has(Field::Occupation)]),
    field(Whom::Everyone, &[Fact::Has(Field::PepStatus)]),
    field(Whom::International, &[Fact::Has(Field::ExpectedMonthlyPayments)]),
    PROOF_OF_ADDRESS,
    GOVERNMENT_ID_FRONT,
];

/// The specification's table "Business Users".
const BUSINESS: &[Requirement] = &[
    // The table calls it `company_name`, an alias of the request's `business_legal_name`.
    field(Whom::Everyone, &[Fact::Has(Field::BusinessLegalName)]),
    field(Whom::Everyone, &[Fact::Has(Field::DoingBusinessAs)]),
    field(Whom::Everyone, &[Fact::Has(Field::BusinessType)]),
    field(Whom::Everyone, &[Fact::Has(Field::BusinessIndustry)]),
    field(Whom::Everyone, &[Fact::Has(Field::FormationDate)]),
    field(Whom::Everyone, &[Fact::Has(Field::FormationState)]),
    field(Whom::Everyone, &[Fact::Has(Field::Email)]),
    field(Whom::Everyone, &[Fact::Has(Field::Phone)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressStreet)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressCity)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressState)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressZipCode)]),
    field(Whom::Everyone, &[Fact::Has(Field::AddressCountry)]),
    field(Whom::Everyone, &[Fact::Has(Field::DocumentType), Fact::PersonsNumberedGovernmentId]),
    field(Whom::Everyone, &[Fact::Has(Field::DocumentNumber), Fact::PersonsNumberedGovernmentId]),
    field(Whom::Everyone, &[Fact::Has(Field::DocumentCountry), Fact::PersonsNumberedGovernmentId]),
    field(Whom::Usa, &[Fact::Has(Field::Ein), Fact::Number(IdentificationKind::Ein)]),
    named(
        "identifying_information:tax_id",
        Whom::International,
        &[
            Fact::Number(IdentificationKind::TaxId),
            Fact::Number(IdentificationKind::Nit),
            Fact::HasIn(Field::Rfc, Residence::Mexico),
            Fact::HasIn(Field::Cnpj, Residence::Brazil),
        ],
    ),
    field(Whom::Everyone, &[Fact::Has(Field::RepresentativeFirstName)]),
    field(Whom::Everyone, &[Fact::Has(Field::RepresentativeLastName)]),
    field(Whom::Everyone, &[Fact::Has(Field::RepresentativeTitle)]),
    field(Whom::Everyone, &[Fact::Has(Field::RepresentativeBirthDate)]),
    field(Whom::Usa, &[Fact::Has(Field::RepresentativeSsn)]),
    field(Whom::Everyone, &[Fact::Has(Field::BusinessDescription)]),
    field(Whom::Everyone, &[Fact::Has(Field::BusinessWebsite)]),
    field(Whom::Everyone, &[Fact::Has(Field::SourceOfFunds)]),
    field(Whom::Everyone, &[Fact::Has(Field::AccountPurpose)]),
    field(Whom::Everyone, &[Fact::Has(Field::PepStatus)]),
    field(Whom::International, &[Fact::Has(Field::ExpectedMonthlyPayments)]),
    PROOF_OF_ADDRESS,
    named(
        "identifying_information:file_business_formation",
        Whom::Everyone,
        &[Fact::Document(DocumentKind::BusinessFormation)],
    ),
    named("associated_persons", Whom::Everyone, &[Fact::AssociatedPerson]),
];

/// What verification asks of every associated person (the note below the specification's "Associated Person Object",
/// and decisions, section 5).
const PERSON: &[Requirement] = &[
    field(Whom::Everyone, &[Fact::Has(Field::FirstName)]),
    field(Whom::Everyone, &[Fact::Has(Field::LastName)]),
    field(Whom::Everyone, &[Fact::Has(Field::BirthDate)]),
    GOVERNMENT_ID_FRONT,
];

/// usa-virtual-accounts-act, of individuals.
const ACT_INDIVIDUAL: &[Requirement] = &[
    field(Whom::Everyone, &[Fact::Has(Field::EmploymentStatus)]),
    field(Whom::Everyone, &[Fact::Has(Field::Occupation)]),
    field(Whom::Employed, &[Fact::Has(Field::CurrentEmployer)]),
    field(Whom::International, &[Fact::Has(Field::ImmigrationStatus)]),
    HAS_US_BANK_ACCOUNT,
    HAS_DENIED_BANK_ACCOUNT,
    DENIED_BANK_ACCOUNT_EXPLAIN,
];

/// usa-virtual-accounts-act, of businesses: they have no employment.
const ACT_BUSINESS: &[Requirement] = &[HAS_US_BANK_ACCOUNT, HAS_DENIED_BANK_ACCOUNT, DENIED_BANK_ACCOUNT_EXPLAIN];

const PROOF_OF_ADDRESS: Requirement = named(
    "identifying_information:file_proof_of_address",
    Whom::Everyone,
    &[Fact::Document(DocumentKind::ProofOfAddress)],
);
const SOURCE_OF_WEALTH: Requirement = named(
    "identifying_information:file_source_of_wealth",
    Whom::Everyone,
    &[Fact::Document(DocumentKind::SourceOfWealth)],
);
const GOVERNMENT_ID_FRONT: Requirement =
    named("identifying_information:front", Whom::Everyone, &[Fact::GovernmentIdFront]);
const GOVERNMENT_ID_BACK: Requirement =
    named("identifying_information:back", Whom::Everyone, &[Fact::GovernmentIdAllSides]);
const HAS_US_BANK_ACCOUNT: Requirement = field(Whom::International, &[Fact::Has(Field::HasUsBankAccount)]);
const HAS_DENIED_BANK_ACCOUNT: Requirement = field(Whom::International, &[Fact::Has(Field::HasDeniedBankAccount)]);
const DENIED_BANK_ACCOUNT_EXPLAIN: Requirement =
    field(Whom::InternationalDeniedBankAccount, &[Fact::Has(Field::DeniedBankAccountExplain)]);

/// A row named by the request field that comes first among what satisfies it.
const fn field(of: Whom, any_of: &'static [Fact]) -> Requirement {
    match any_of {
        [Fact::Has(field), ..] => Requirement { name: field.into_str(), of, any_of },
        _ => panic!("the first fact of a row that is named by a field is that field"),
    }
}

const fn named(name: &'static str, of: Whom, any_of: &'static [Fact]) -> Requirement {
    Requirement { name, of, any_of }
}
