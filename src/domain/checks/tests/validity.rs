use super::super::Severity::{Hard, Soft};
use super::*;

#[test]
fn a_document_is_valid_on_its_last_day_and_no_longer() {
    let until = |day| move |applicant: &mut Applicant| applicant.own.identifications[1].expires = Some(day);
    assert_eq!(found(individual(), until(today())), []);
    let path = "identifying_information.1.expiration";
    assert_eq!(found(individual(), until(date(2026, 11, 22))), one("expiry", "no_valid_id", Hard, path));
}

#[test]
fn an_expired_id_beside_a_valid_one_needs_a_person() {
    let findings = found(individual(), |applicant| {
        applicant.own.identifications[1].expires = Some(date(2020, 1, 1));
        let other = entry(2, IdentificationScheme::GovernmentId, "MEX", "1");
        applicant.own.identifications.push(IdentificationData { expires: Some(date(2030, 1, 1)), ..other });
    });
    assert_eq!(findings, one("expiry", "expired", Soft, "identifying_information.1.expiration"));
}

#[test]
fn an_id_is_valid_until_its_last_day_is_over_everywhere() {
    let expires = |applicant: &mut Applicant| applicant.own.identifications[1].expires = Some(date(2026, 11, 27));
    let path = "identifying_information.1.expiration";
    assert_eq!(found_at(at("2026-11-28T01:00:00Z"), individual(), expires), [], "the 27th in Mexico City");
    assert_eq!(found_at(at("2026-11-28T11:59:59Z"), individual(), expires), [], "the 27th at UTC-12");
    let over = found_at(at("2026-11-28T12:00:00Z"), individual(), expires);
    assert_eq!(over, one("expiry", "no_valid_id", Hard, path));
}

#[test]
fn a_day_has_begun_when_it_has_begun_anywhere() {
    let formed = |applicant: &mut Applicant| {
        applicant.own.born_or_formed = Some(date(2026, 11, 28));
        applicant.own.identifications.clear();
    };
    assert_eq!(found_at(at("2026-11-27T11:00:00Z"), company(), formed), [], "the 28th in Auckland");
    let not_yet = found_at(at("2026-11-27T09:59:59Z"), company(), formed);
    assert_eq!(not_yet, one("formation_date", "in_the_future", Hard, "formation_date"));
}

#[test]
fn who_acts_must_be_eighteen_somewhere() {
    let born = |born| move |applicant: &mut Applicant| applicant.persons[1].party.born_or_formed = Some(born);
    let path = "associated_persons.1.birth_date";
    assert_eq!(found(company(), born(date(2008, 11, 25))), one("age", "under_18", Hard, path));
    assert_eq!(found(company(), born(date(2008, 11, 24))), [], "eighteen where it is the 24th");
    assert_eq!(found(company(), born(date(2008, 11, 23))), [], "eighteen today");
    let leap = born(date(2008, 2, 29));
    assert_eq!(found_at(at("2026-02-27T09:00:00Z"), company(), leap), one("age", "under_18", Hard, path));
    assert_eq!(found_at(at("2026-02-28T00:00:00Z"), company(), leap), [], "some laws give the day before 1 March");
}

#[test]
fn a_birth_date_that_has_begun_in_auckland_is_possible() {
    let born = |applicant: &mut Applicant| {
        let person = &mut applicant.persons[1];
        (person.has_control, person.is_signer) = (false, false);
        person.party.born_or_formed = Some(date(2026, 11, 24));
    };
    assert_eq!(found(company(), born), one("age", "minor_owner", Soft, "associated_persons.1.birth_date"));
}

#[test]
fn a_minor_may_own_but_needs_a_person() {
    let findings = found(company(), |applicant| {
        let person = &mut applicant.persons[1];
        (person.has_control, person.is_signer) = (false, false);
        person.party.born_or_formed = Some(date(2015, 1, 1));
    });
    assert_eq!(findings, one("age", "minor_owner", Soft, "associated_persons.1.birth_date"));
}

#[test]
fn a_representative_is_judged_too() {
    let findings = found(company(), |applicant| {
        let identifications = vec![IdentificationData {
            number_path: "representative_ssn".to_owned(),
            ..entry(0, IdentificationScheme::Ssn, "USA", "000-12-3456")
        }];
        let prefix = "representative_".to_owned();
        let born_or_formed = Some(date(1800, 1, 1));
        applicant.representative = Some(PartyData { prefix, born_or_formed, identifications, ..PartyData::default() });
    });
    let expected = [
        one("ssn", "never_issued", Hard, "representative_ssn"),
        one("age", "impossible_birth_date", Hard, "representative_birth_date"),
    ];
    assert_eq!(findings, expected.concat());
}

#[test]
fn a_business_is_formed_before_it_signs_up() {
    let findings = found(company(), |applicant| {
        applicant.own.born_or_formed = Some(date(2027, 1, 1));
        applicant.own.identifications.clear();
    });
    assert_eq!(findings, one("formation_date", "in_the_future", Hard, "formation_date"));
}
