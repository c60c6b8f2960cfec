//! Contradictions between fields: what a number says of its bearer against what the bearer says.

use chrono::{Datelike, NaiveDate};

use super::applicant::{Applicant, EntityKind, IdentificationScheme as Kind, Sex};
use super::identifiers::NameLetters;
use super::identifiers::curp::{self, Curp};
use super::identifiers::rfc::Rfc;
use super::numbers::{of_scheme, scheme};
use super::{CheckContext, Days, calling_codes};
use crate::domain::writing::compact;

/// A CURP against its bearer's name, birth date and sex.
pub(super) fn curp(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for (party, entry, number) in of_scheme(applicant, Kind::Curp) {
        // A business has no such facts; a CURP that is none is found elsewhere.
        let (EntityKind::Person, Ok(curp)) = (party.entity_kind, Curp::parse(number)) else { continue };
        if let Some(born) = party.born_or_formed {
            context.applies();
            if born != curp.birth_date {
                let path = entry.number_path.clone();
                context.soft(
                    "birth_date_differs",
                    path,
                    "The date in the number is not the birth date: correct one of them",
                );
            }
        }
        let stated = match curp.sex {
            curp::Sex::Male => Some(Sex::Male),
            curp::Sex::Female => Some(Sex::Female),
            curp::Sex::Unspecified => None,
        };
        if let (Some(stated), Some(sex @ (Sex::Male | Sex::Female))) = (stated, party.sex) {
            context.applies();
            if sex != stated {
                context.soft(
                    "sex_differs",
                    entry.number_path.clone(),
                    "The sex in the number is another: correct one of them",
                );
            }
        }
        if let Some(letters) = NameLetters::of(&party.given_names, &party.surnames) {
            context.applies();
            if !letters.fit_curp(curp.letters) {
                context.soft(
                    "name_differs",
                    entry.number_path.clone(),
                    "The letters are not those of the name: compare both with a document",
                );
            }
        }
    }
}

/// An RFC against its bearer's entity_kind, name, and date of birth or formation.
pub(super) fn rfc(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for (party, entry, number) in of_scheme(applicant, Kind::Rfc) {
        let Ok(rfc) = Rfc::parse(number) else { continue };
        context.applies();
        let path = || entry.number_path.clone();
        if rfc.is_of_person() == (party.entity_kind == EntityKind::Company) {
            context.soft(
                "bearer_differs",
                path(),
                "A person's number of a company, or a company's of a person: correct it",
            );
            continue;
        }
        let differs = |date: NaiveDate| (date.year().rem_euclid(100) as u32, date.month(), date.day()) != rfc.date;
        // A sole proprietor's number has the owner's birth date, which the business does not state.
        match party.entity_kind {
            EntityKind::Person if party.born_or_formed.is_some_and(differs) => {
                context.soft(
                    "birth_date_differs",
                    path(),
                    "The date in the number is not the birth date: correct one of them",
                );
            }
            EntityKind::Company if party.born_or_formed.is_some_and(differs) => {
                context.soft(
                    "formation_date_differs",
                    path(),
                    "The date in the number is not the formation date: correct one of them",
                );
            }
            _ => {}
        }
        let letters = NameLetters::of(&party.given_names, &party.surnames);
        if letters.is_some_and(|letters| !letters.fit_rfc(&rfc.letters)) {
            context.soft("name_differs", path(), "The letters are not those of the name: compare both with a document");
        }
    }
}

/// A number that only one country issues, said to be of another.
pub(super) fn issuing_country(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for entry in applicant.parties().flat_map(|party| &party.identifications) {
        let issuer = match entry.kind {
            Kind::Curp | Kind::Rfc => "MEX",
            Kind::Cpf | Kind::Cnpj => "BRA",
            Kind::Nit | Kind::Nuip => "COL",
            Kind::Ssn | Kind::Itin | Kind::Ein => "USA",
            Kind::GovernmentId | Kind::TaxId | Kind::Document => continue,
        };
        let Some(country) = &entry.issuing_country else { continue };
        context.applies();
        if country != issuer {
            let path = entry.country_path.clone();
            context.soft(
                "other_country",
                path,
                "Another country issues numbers of this kind: correct the kind or the country",
            );
        }
    }
}

/// Two different numbers of a kind of which everybody has one.
pub(super) fn one_number_of_a_kind(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for party in applicant.parties() {
        let mut known: Vec<(Kind, Vec<char>)> = Vec::new();
        for entry in &party.identifications {
            let (Some(kind), Some(number)) = (scheme(party, entry), &entry.number) else { continue };
            let number = compact(number);
            match known.iter().find(|(earlier, _)| *earlier == kind) {
                None => known.push((kind, number)),
                Some((_, earlier)) => {
                    context.applies();
                    if !same_number(kind, earlier, &number) {
                        let path = entry.number_path.clone();
                        context.soft(
                            "numbers_differ",
                            path,
                            "Another number of the same kind is given too: correct or remove one",
                        );
                    }
                }
            }
        }
    }
}

/// Whether two numbers are one: leading zeros get lost, a NIT is written with its check digit or without, and an RFC
/// with its last three characters or without.
fn same_number(kind: Kind, one: &[char], other: &[char]) -> bool {
    let [one, other] = [one, other].map(|number| {
        let zeros = number.iter().take_while(|c| **c == '0').count();
        &number[zeros..]
    });
    let (long, short) = if one.len() < other.len() { (other, one) } else { (one, other) };
    let left_out = match kind {
        Kind::Nit => 1,
        Kind::Rfc => 3,
        _ => 0,
    };
    long == short || (long.starts_with(short) && long.len() - short.len() == left_out)
}

/// A telephone number of a country that is neither the address's nor the nationality's: people who move keep theirs.
pub(super) fn phone_country(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    for party in applicant.parties() {
        let (Some(phone), Some(country)) = (&party.phone, &party.country) else { continue };
        // An address in a country without a code of its own says nothing.
        let Some(of_address) = calling_codes::matches(phone, country) else { continue };
        context.applies();
        let of_nationality =
            party.nationality.as_ref().and_then(|nationality| calling_codes::matches(phone, nationality));
        if !of_address && of_nationality != Some(true) {
            context.soft(
                "other_country",
                party.path("phone"),
                "The telephone number is of another country: confirm that it is the user's",
            );
        }
    }
}
