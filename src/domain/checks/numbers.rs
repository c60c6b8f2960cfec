//! Form and check digits of tax and population numbers.

use chrono::NaiveDate;

use super::dossier::{Dossier, Identification, IdentificationKind as Kind, Nature, Party};
use super::identifiers::curp::Curp;
use super::identifiers::rfc::Rfc;
use super::identifiers::{self, Flaw, compact};
use super::{Examination, Severity};

/// What number an identification has, told from its kind, or for a tax number of any country from who issued it and
/// from its length; none where nothing about its form is known.
pub(super) fn scheme(party: &Party, entry: &Identification) -> Option<Kind> {
    let number = compact(entry.number.as_ref()?);
    match entry.kind {
        Kind::GovernmentId | Kind::Document | Kind::Nuip => None,
        Kind::TaxId => match (entry.issuing_country.as_deref()?, number.len(), party.nature) {
            ("MEX", 18, _) => Some(Kind::Curp),
            ("MEX", 12 | 13, _) => Some(Kind::Rfc),
            ("BRA", 11, _) => Some(Kind::Cpf),
            ("BRA", 14, _) => Some(Kind::Cnpj),
            ("COL", _, Nature::Company) => Some(Kind::Nit),
            ("USA", 9, Nature::Company) => Some(Kind::Ein),
            ("USA", 9, Nature::Person) if number[0] == '9' => Some(Kind::Itin),
            ("USA", 9, Nature::Person) => Some(Kind::Ssn),
            _ => None,
        },
        kind => Some(kind),
    }
}

/// Every number of one scheme with whose it is.
pub(super) fn of_scheme(dossier: &Dossier, wanted: Kind) -> impl Iterator<Item = (&Party, &Identification, &str)> {
    dossier.parties().flat_map(move |party| {
        party.identifications.iter().filter_map(move |entry| {
            let number = entry.number.as_deref()?;
            (scheme(party, entry)? == wanted).then_some((party, entry, number))
        })
    })
}

fn judge(
    dossier: &Dossier,
    scheme: Kind,
    (impossible, unlikely): (Severity, Severity),
    test: impl Fn(&str) -> Result<(), Flaw>,
    examination: &mut Examination,
) {
    for (_, entry, number) in of_scheme(dossier, scheme) {
        examination.applies();
        let Err(flaw) = test(number) else { continue };
        let (code, severity, message) = match flaw {
            Flaw::Form => ("malformed", impossible, "The number does not have the form that its kind prescribes"),
            Flaw::Date => ("no_such_date", impossible, "The date in the number does not exist"),
            Flaw::NeverIssued => ("never_issued", impossible, "No such number is ever issued"),
            Flaw::CheckDigit => ("check_digit", unlikely, "The check digit does not fit the number"),
            Flaw::Generic => ("generic", Severity::Soft, "The number stands for nobody in particular"),
            Flaw::UnknownRange => ("unknown_range", Severity::Soft, "The number is in a range that is not in use"),
        };
        // That a tax number of any country is of this scheme is a guess from its length.
        let severity = if entry.kind == Kind::TaxId { Severity::Soft } else { severity };
        examination.find(severity, code, entry.number_path.clone(), message);
    }
}

/// Where a wrong check digit shows that the number was never issued.
const CERTAIN: (Severity, Severity) = (Severity::Hard, Severity::Hard);

/// Where numbers in use are known to fail their check digit, or are written without it.
const LENIENT: (Severity, Severity) = (Severity::Hard, Severity::Soft);

pub(super) fn curp(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Curp, CERTAIN, |number| Curp::parse(number).map(|_| ()), examination);
}

pub(super) fn rfc(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    let test = |number: &str| if Rfc::parse(number)?.checked { Ok(()) } else { Err(Flaw::CheckDigit) };
    judge(dossier, Kind::Rfc, LENIENT, test, examination);
}

pub(super) fn cpf(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Cpf, CERTAIN, identifiers::cpf::check, examination);
}

pub(super) fn cnpj(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Cnpj, CERTAIN, identifiers::cnpj::check, examination);
}

pub(super) fn nit(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Nit, LENIENT, identifiers::nit::check, examination);
}

pub(super) fn ssn(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Ssn, CERTAIN, identifiers::us_tax::check_ssn, examination);
}

pub(super) fn itin(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Itin, CERTAIN, identifiers::us_tax::check_itin, examination);
}

pub(super) fn ein(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    judge(dossier, Kind::Ein, CERTAIN, identifiers::us_tax::check_ein, examination);
}
