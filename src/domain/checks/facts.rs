//! Contradictions between fields: what a number says of its bearer against what the bearer says.

use chrono::{Datelike, NaiveDate};

use super::dossier::{Dossier, IdentificationKind as Kind, Nature, Sex};
use super::identifiers::curp::{self, Curp};
use super::identifiers::rfc::Rfc;
use super::identifiers::{NameLetters, compact};
use super::numbers::{of_scheme, scheme};
use super::{Examination, calling_codes};

/// A CURP against its bearer's name, birth date and sex.
pub(super) fn curp(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for (party, entry, number) in of_scheme(dossier, Kind::Curp) {
        // A business has no such facts; a CURP that is none is found elsewhere.
        let (Nature::Person, Ok(curp)) = (party.nature, Curp::parse(number)) else { continue };
        if let Some(born) = party.began {
            examination.applies();
            if born != curp.birth_date {
                let path = entry.number_path.clone();
                examination.soft("birth_date_differs", path, "The date in the number is not the birth date");
            }
        }
        let stated = match curp.sex {
            curp::Sex::Male => Some(Sex::Male),
            curp::Sex::Female => Some(Sex::Female),
            curp::Sex::Unspecified => None,
        };
        if let (Some(stated), Some(sex @ (Sex::Male | Sex::Female))) = (stated, party.sex) {
            examination.applies();
            if sex != stated {
                examination.soft("sex_differs", entry.number_path.clone(), "The sex in the number is another");
            }
        }
        if let Some(letters) = NameLetters::of(&party.given_names, &party.surnames) {
            examination.applies();
            if !letters.fit_curp(curp.letters) {
                examination.soft("name_differs", entry.number_path.clone(), "The letters are not those of the name");
            }
        }
    }
}

/// An RFC against its bearer's nature, name, and date of birth or formation.
pub(super) fn rfc(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for (party, entry, number) in of_scheme(dossier, Kind::Rfc) {
        let Ok(rfc) = Rfc::parse(number) else { continue };
        examination.applies();
        let path = || entry.number_path.clone();
        if rfc.is_of_person() == (party.nature == Nature::Company) {
            examination.soft("bearer_differs", path(), "A person's number of a company, or a company's of a person");
            continue;
        }
        let differs = |date: NaiveDate| (date.year().rem_euclid(100) as u32, date.month(), date.day()) != rfc.date;
        // A sole proprietor's number has the owner's birth date, which the business does not state.
        match party.nature {
            Nature::Person if party.began.is_some_and(differs) => {
                examination.soft("birth_date_differs", path(), "The date in the number is not the birth date");
            }
            Nature::Company if party.began.is_some_and(differs) => {
                examination.soft("formation_date_differs", path(), "The date in the number is not the formation date");
            }
            _ => {}
        }
        let letters = NameLetters::of(&party.given_names, &party.surnames);
        if letters.is_some_and(|letters| !letters.fit_rfc(&rfc.letters)) {
            examination.soft("name_differs", path(), "The letters are not those of the name");
        }
    }
}

/// A number that only one country issues, said to be of another.
pub(super) fn issuing_country(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for entry in dossier.parties().flat_map(|party| &party.identifications) {
        let issuer = match entry.kind {
            Kind::Curp | Kind::Rfc => "MEX",
            Kind::Cpf | Kind::Cnpj => "BRA",
            Kind::Nit | Kind::Nuip => "COL",
            Kind::Ssn | Kind::Itin | Kind::Ein => "USA",
            Kind::GovernmentId | Kind::TaxId | Kind::Document => continue,
        };
        let Some(country) = &entry.issuing_country else { continue };
        examination.applies();
        if country != issuer {
            let path = entry.country_path.clone();
            examination.soft("other_country", path, "Another country issues numbers of this kind");
        }
    }
}

/// Two different numbers of a kind of which everybody has one.
pub(super) fn one_number_of_a_kind(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for party in dossier.parties() {
        let mut known: Vec<(Kind, Vec<char>)> = Vec::new();
        for entry in &party.identifications {
            let (Some(kind), Some(number)) = (scheme(party, entry), &entry.number) else { continue };
            let number = compact(number);
            match known.iter().find(|(earlier, _)| *earlier == kind) {
                None => known.push((kind, number)),
                Some((_, earlier)) => {
                    examination.applies();
                    if !same_number(kind, earlier, &number) {
                        let path = entry.number_path.clone();
                        examination.soft("numbers_differ", path, "Another number of the same kind is given too");
                    }
                }
            }
        }
    }
}

/// Whether two numbers are one: a NIT is written with its check digit or without.
fn same_number(kind: Kind, one: &[char], other: &[char]) -> bool {
    let with_check_digit = |long: &[char], short: &[char]| long.len() == short.len() + 1 && long.starts_with(short);
    one == other || (kind == Kind::Nit && (with_check_digit(one, other) || with_check_digit(other, one)))
}

/// A telephone number of a country that is neither the address's nor the nationality's: people who move keep theirs.
pub(super) fn phone_country(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    for party in dossier.parties() {
        let (Some(phone), Some(country)) = (&party.phone, &party.country) else { continue };
        // An address in a country without a code of its own says nothing.
        let Some(of_address) = calling_codes::matches(phone, country) else { continue };
        examination.applies();
        let of_nationality =
            party.nationality.as_ref().and_then(|nationality| calling_codes::matches(phone, nationality));
        if !of_address && of_nationality != Some(true) {
            examination.soft("other_country", party.path("phone"), "The telephone number is of another country");
        }
    }
}
