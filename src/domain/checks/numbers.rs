//! Form and check digits of tax and population numbers.

use super::applicant::{Applicant, EntityKind, IdentificationData, IdentificationScheme as Kind, PartyData};
use super::identifiers::curp::Curp;
use super::identifiers::rfc::Rfc;
use super::identifiers::{self, Flaw};
use super::{CheckContext, Days, Severity};
use crate::domain::writing::compact;

/// The scheme of an identification's number, by its kind, or for a tax number of any country from who issued it and
/// from its length; none where nothing about its form is known.
pub(super) fn scheme(party: &PartyData, entry: &IdentificationData) -> Option<Kind> {
    let number = compact(entry.number.as_ref()?);
    match entry.kind {
        Kind::GovernmentId | Kind::Document | Kind::Nuip => None,
        Kind::TaxId => match (entry.issuing_country.as_deref()?, number.len(), party.entity_kind) {
            ("MEX", 18, _) => Some(Kind::Curp),
            ("MEX", 12 | 13, _) => Some(Kind::Rfc),
            ("BRA", 11, _) => Some(Kind::Cpf),
            ("BRA", 14, _) => Some(Kind::Cnpj),
            ("COL", _, EntityKind::Company) => Some(Kind::Nit),
            ("USA", 9, EntityKind::Company) => Some(Kind::Ein),
            ("USA", 9, EntityKind::Person) if number[0] == '9' => Some(Kind::Itin),
            ("USA", 9, EntityKind::Person) => Some(Kind::Ssn),
            _ => None,
        },
        kind => Some(kind),
    }
}

/// Every number of one scheme with whose it is.
pub(super) fn of_scheme(
    applicant: &Applicant,
    wake: Kind,
) -> impl Iterator<Item = (&PartyData, &IdentificationData, &str)> {
    applicant.parties().flat_map(move |party| {
        party.identifications.iter().filter_map(move |entry| {
            let number = entry.number.as_deref()?;
            (scheme(party, entry)? == wake).then_some((party, entry, number))
        })
    })
}

fn judge(
    applicant: &Applicant,
    scheme: Kind,
    (impossible, unlikely): (Severity, Severity),
    test: impl Fn(&str) -> Result<(), Flaw>,
    context: &mut CheckContext,
) {
    for (_, entry, number) in of_scheme(applicant, scheme) {
        context.applies();
        let Err(flaw) = test_without_label(scheme, number, &test) else { continue };
        let (code, severity, message) = match flaw {
            Flaw::Form => {
                ("malformed", impossible, "The number does not have the form that its kind prescribes: correct it")
            }
            Flaw::Date => ("no_such_date", impossible, "The date in the number does not exist: correct the number"),
            Flaw::NeverIssued => ("never_issued", impossible, "No such number is ever issued: correct it"),
            Flaw::CheckDigit => {
                ("check_digit", unlikely, "The check digit does not fit the number: correct the number")
            }
            Flaw::Generic => {
                ("generic", Severity::Soft, "The number stands for the public at large: send the bearer's own")
            }
            Flaw::UnknownRange => (
                "unknown_range",
                Severity::Soft,
                "The number is in a range that is not in use: compare it with a document",
            ),
            Flaw::LeadingZeros => {
                ("leading_zeros", Severity::Soft, "The number seems to lack its leading zeros: send it with them")
            }
            Flaw::Incomplete => {
                ("incomplete", Severity::Soft, "The number lacks its last three characters: send it with them")
            }
        };
        // That a tax number of any country is of this scheme is a guess from its length.
        let severity = if entry.kind == Kind::TaxId { Severity::Soft } else { severity };
        context.find(severity, code, entry.number_path.clone(), message);
    }
}

/// Tests a number, and where it has no such form what follows the name of its kind: `CPF 390.533.447-05`.
fn test_without_label(scheme: Kind, number: &str, test: impl Fn(&str) -> Result<(), Flaw>) -> Result<(), Flaw> {
    let result = test(number);
    if result != Err(Flaw::Form) {
        return result;
    }
    let label = match scheme {
        Kind::Curp => "CURP",
        Kind::Rfc => "RFC",
        Kind::Cpf => "CPF",
        Kind::Cnpj => "CNPJ",
        Kind::Nit => "NIT",
        Kind::Ssn => "SSN",
        Kind::Itin => "ITIN",
        Kind::Ein => "EIN",
        Kind::GovernmentId | Kind::Nuip | Kind::TaxId | Kind::Document => return result,
    };
    let upper = number.to_uppercase();
    upper.trim_start().strip_prefix(label).map_or(result, test)
}

/// Where a wrong check digit shows that the number was never issued.
const CERTAIN: (Severity, Severity) = (Severity::Hard, Severity::Hard);

/// Where numbers in use are known to fail their check digit, or are written without it.
const LENIENT: (Severity, Severity) = (Severity::Hard, Severity::Soft);

pub(super) fn curp(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Curp, CERTAIN, |number| Curp::parse(number).map(|_| ()), context);
}

pub(super) fn rfc(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    let test = |number: &str| if Rfc::parse(number)?.checked { Ok(()) } else { Err(Flaw::CheckDigit) };
    judge(applicant, Kind::Rfc, LENIENT, test, context);
}

pub(super) fn cpf(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Cpf, CERTAIN, identifiers::cpf::check, context);
}

pub(super) fn cnpj(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Cnpj, CERTAIN, identifiers::cnpj::check, context);
}

pub(super) fn nit(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Nit, LENIENT, identifiers::nit::check, context);
}

pub(super) fn ssn(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Ssn, CERTAIN, identifiers::us_tax::check_ssn, context);
}

pub(super) fn itin(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Itin, CERTAIN, identifiers::us_tax::check_itin, context);
}

pub(super) fn ein(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    judge(applicant, Kind::Ein, CERTAIN, identifiers::us_tax::check_ein, context);
}
