use super::super::Severity::Soft;
use super::*;

#[test]
fn a_curp_must_agree_with_birth_date_sex_and_name() {
    let path = "identifying_information.0.number";
    let findings = found(individual(), |applicant| applicant.own.born_or_formed = Some(date(1956, 6, 27)));
    assert_eq!(findings, one("curp_facts", "birth_date_differs", Soft, path));
    let findings = found(individual(), |applicant| applicant.own.sex = Some(Sex::Male));
    assert_eq!(findings, one("curp_facts", "sex_differs", Soft, path));
    let findings = found(individual(), |applicant| applicant.own.surnames = "Briseño".to_owned());
    assert_eq!(findings, one("curp_facts", "name_differs", Soft, path));
}

#[test]
fn a_sex_that_a_curp_cannot_state_contradicts_none() {
    assert_eq!(found(individual(), |applicant| applicant.own.sex = Some(Sex::Other)), []);
}

#[test]
fn a_companys_rfc_must_agree_with_its_formation_and_be_a_companys() {
    let findings = found(company(), |applicant| applicant.own.born_or_formed = Some(date(1993, 7, 15)));
    assert_eq!(findings, one("rfc_facts", "formation_date_differs", Soft, "rfc"));
    let findings = found(company(), |applicant| {
        applicant.own.identifications[0].number = Some("GODE561231GR8".to_owned());
    });
    assert_eq!(findings, one("rfc_facts", "bearer_differs", Soft, "rfc"));
}

#[test]
fn a_persons_rfc_must_agree_with_its_name_and_birth_date() {
    let findings = found(company(), |applicant| {
        let party = &mut applicant.persons[1].party;
        party.identifications.push(entry(0, IdentificationScheme::Rfc, "MEX", "GODE561231GR8"));
        party.surnames = "Pérez".to_owned();
        party.born_or_formed = Some(date(1960, 1, 1));
    });
    let codes: Vec<_> = findings.iter().map(|(check, code, ..)| (*check, *code)).collect();
    assert_eq!(codes, [("rfc_facts", "birth_date_differs"), ("rfc_facts", "name_differs")]);
}

#[test]
fn a_phone_is_of_the_country_of_the_address_or_the_nationality() {
    let spanish = |applicant: &mut Applicant| applicant.own.phone = Some("+34600000000".to_owned());
    assert_eq!(found(individual(), spanish), one("phone_country", "other_country", Soft, "phone"));
    let findings = found(individual(), |applicant| {
        spanish(applicant);
        applicant.own.nationality = Some("ESP".to_owned());
    });
    assert_eq!(findings, []);
}

#[test]
fn a_name_in_any_encoding_and_alphabet_contradicts_no_number() {
    let named = |given: &'static str, surnames: &'static str| {
        move |applicant: &mut Applicant| {
            applicant.own.given_names = given.to_owned();
            applicant.own.surnames = surnames.to_owned();
        }
    };
    for (given, surnames) in [
        ("Concepcio\u{301}n", "Salgado Brisen\u{303}o"),
        ("CONCEPCIÓN", "SALGADO"),
        ("Ma. Concepción", "de la Salgado y Briseño"),
        ("María\u{2010}Concepción", "Salgado\u{2011}Briseño"),
        ("Çoncepción", "Šałgado"),
        ("明", "王"),
        ("Концепсьон", "Сальгадо"),
    ] {
        assert_eq!(found(individual(), named(given, surnames)), [], "{given} {surnames}");
    }
}
