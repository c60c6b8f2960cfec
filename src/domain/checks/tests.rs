use proptest::prelude::*;

use super::*;

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

fn today() -> NaiveDate {
    date(2026, 11, 23)
}

fn entry(index: usize, kind: IdentificationKind, country: &str, number: &str) -> Identification {
    let path = format!("identifying_information.{index}");
    Identification {
        number_path: format!("{path}.number"),
        country_path: format!("{path}.issuing_country"),
        expiration_path: format!("{path}.expiration"),
        kind,
        number: Some(number.to_owned()),
        issuing_country: Some(country.to_owned()),
        expires: None,
        files: Vec::new(),
    }
}

fn file(path: &str, side: Side, sha256: &str) -> File {
    File { path: path.to_owned(), side, sha256: sha256.to_owned(), inspection: Some(Inspection::default()) }
}

/// A Mexican who contradicts itself nowhere, with RENAPO's specimen number.
fn individual() -> Dossier {
    let passport = Identification {
        expires: Some(date(2030, 1, 1)),
        files: vec![
            file("identifying_information.1.documents.0.file", Side::Front, "aa"),
            file("identifying_information.1.documents.1.file", Side::Back, "bb"),
        ],
        ..entry(1, IdentificationKind::GovernmentId, "MEX", "G12345678")
    };
    let own = Party {
        given_names: "Concepción".to_owned(),
        surnames: "Salgado Briseño".to_owned(),
        began: Some(date(1956, 6, 26)),
        sex: Some(Sex::Female),
        country: Some("MEX".to_owned()),
        phone: Some("+525512345678".to_owned()),
        identifications: vec![entry(0, IdentificationKind::Curp, "MEX", "SABC560626MDFLRN01"), passport],
        ..Party::default()
    };
    Dossier { own, ..Dossier::default() }
}

fn owner(index: usize, percentage: f64) -> AssociatedPerson {
    AssociatedPerson {
        party: Party {
            prefix: format!("associated_persons.{index}."),
            given_names: "Emma".to_owned(),
            surnames: "Gómez Díaz".to_owned(),
            began: Some(date(1956, 12, 31)),
            ..Party::default()
        },
        has_ownership: Some(true),
        ownership_percentage: Some(percentage),
        has_control: true,
        is_signer: true,
    }
}

/// A Mexican company that contradicts itself nowhere.
fn company() -> Dossier {
    let own = Party {
        nature: Nature::Company,
        began: Some(date(1993, 7, 14)),
        country: Some("MEX".to_owned()),
        identifications: vec![Identification {
            number_path: "rfc".to_owned(),
            issuing_country: None,
            ..entry(0, IdentificationKind::Rfc, "MEX", "MAB9307148T4")
        }],
        ..Party::default()
    };
    Dossier { own, persons: vec![owner(0, 60.0), owner(1, 40.0)], representative: None }
}

/// Every finding of a changed dossier as check, code, severity and path.
fn found(dossier: Dossier, change: impl FnOnce(&mut Dossier)) -> Vec<(&'static str, &'static str, Severity, String)> {
    let mut dossier = dossier;
    change(&mut dossier);
    let evaluation = evaluate(&dossier, today());
    evaluation.findings.into_iter().map(|found| (found.check, found.code, found.severity, found.path)).collect()
}

fn one(
    check: &'static str,
    code: &'static str,
    severity: Severity,
    path: &str,
) -> Vec<(&'static str, &'static str, Severity, String)> {
    vec![(check, code, severity, path.to_owned())]
}

use Severity::{Hard, Soft};

#[test]
fn nothing_is_found_in_users_that_contradict_themselves_nowhere() {
    assert_eq!(found(individual(), |_| {}), []);
    assert_eq!(found(company(), |_| {}), []);
}

#[test]
fn every_check_is_reported_with_how_it_ended() {
    let evaluation = evaluate(&individual(), today());
    let outcome = |name| evaluation.outcomes.iter().find(|(check, _)| *check == name).map(|(_, outcome)| *outcome);
    assert_eq!(evaluation.outcomes.len(), CHECKS.len());
    assert_eq!(outcome("curp_facts"), Some(Outcome::Passed));
    assert_eq!(outcome("ownership"), Some(Outcome::NotApplicable));
}

#[test]
fn the_names_of_checks_are_unique() {
    let mut names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
}

#[test]
fn a_curp_with_a_wrong_check_digit_is_impossible() {
    let findings = found(individual(), |dossier| {
        dossier.own.identifications[0].number = Some("SABC560626MDFLRN02".to_owned());
    });
    assert_eq!(findings, one("curp", "check_digit", Hard, "identifying_information.0.number"));
}

#[test]
fn a_curp_must_agree_with_birth_date_sex_and_name() {
    let path = "identifying_information.0.number";
    let findings = found(individual(), |dossier| dossier.own.began = Some(date(1956, 6, 27)));
    assert_eq!(findings, one("curp_facts", "birth_date_differs", Soft, path));
    let findings = found(individual(), |dossier| dossier.own.sex = Some(Sex::Male));
    assert_eq!(findings, one("curp_facts", "sex_differs", Soft, path));
    let findings = found(individual(), |dossier| dossier.own.surnames = "Briseño".to_owned());
    assert_eq!(findings, one("curp_facts", "name_differs", Soft, path));
}

#[test]
fn a_sex_that_a_curp_cannot_state_contradicts_none() {
    assert_eq!(found(individual(), |dossier| dossier.own.sex = Some(Sex::Other)), []);
}

#[test]
fn a_companys_rfc_must_agree_with_its_formation_and_be_a_companys() {
    let findings = found(company(), |dossier| dossier.own.began = Some(date(1993, 7, 15)));
    assert_eq!(findings, one("rfc_facts", "formation_date_differs", Soft, "rfc"));
    let findings = found(company(), |dossier| {
        dossier.own.identifications[0].number = Some("GODE561231GR8".to_owned());
    });
    assert_eq!(findings, one("rfc_facts", "bearer_differs", Soft, "rfc"));
}

#[test]
fn an_rfc_that_fails_its_check_digit_is_for_a_human() {
    let findings = found(company(), |dossier| {
        dossier.own.identifications[0].number = Some("MAB9307148T5".to_owned());
    });
    assert_eq!(findings, one("rfc", "check_digit", Soft, "rfc"));
}

#[test]
fn a_persons_rfc_must_agree_with_its_name_and_birth_date() {
    let findings = found(company(), |dossier| {
        let party = &mut dossier.persons[1].party;
        party.identifications.push(entry(0, IdentificationKind::Rfc, "MEX", "GODE561231GR8"));
        party.surnames = "Pérez".to_owned();
        party.began = Some(date(1960, 1, 1));
    });
    let codes: Vec<_> = findings.iter().map(|(check, code, ..)| (*check, *code)).collect();
    assert_eq!(codes, [("rfc_facts", "birth_date_differs"), ("rfc_facts", "name_differs")]);
}

#[test]
fn numbers_that_are_never_issued_are_reasons_to_reject() {
    for (kind, country, number, check) in [
        (IdentificationKind::Ssn, "USA", "987-65-4321", "ssn"),
        (IdentificationKind::Itin, "USA", "123-45-6789", "itin"),
        (IdentificationKind::Cpf, "BRA", "111.111.111-11", "cpf"),
        (IdentificationKind::Cnpj, "BRA", "00000000000000", "cnpj"),
    ] {
        let findings = found(individual(), |dossier| dossier.own.identifications[0] = entry(0, kind, country, number));
        assert_eq!(findings, one(check, "never_issued", Hard, "identifying_information.0.number"));
    }
}

#[test]
fn an_ein_of_an_unknown_range_and_a_nit_with_a_wrong_digit_are_for_a_human() {
    let findings = found(company(), |dossier| {
        dossier.own.identifications = vec![
            entry(0, IdentificationKind::Ein, "USA", "07-1144442"),
            entry(1, IdentificationKind::Nit, "COL", "890.903.938-7"),
        ];
    });
    let expected = [("nit", "check_digit", Soft), ("ein", "unknown_range", Soft)];
    assert!(findings.iter().map(|(check, code, severity, _)| (*check, *code, *severity)).eq(expected));
}

#[test]
fn a_tax_id_is_judged_by_the_number_it_looks_like_but_never_rejected_for_it() {
    let path = "identifying_information.0.number";
    let findings = found(individual(), |dossier| {
        dossier.own.identifications[0] = entry(0, IdentificationKind::TaxId, "BRA", "390.533.447-06");
    });
    assert_eq!(findings, one("cpf", "check_digit", Soft, path));
    let findings = found(individual(), |dossier| {
        dossier.own.identifications[0] = entry(0, IdentificationKind::TaxId, "DEU", "12345");
    });
    assert_eq!(findings, [], "nothing is known about Germany's");
}

#[test]
fn a_number_that_one_country_issues_is_of_no_other() {
    let findings = found(individual(), |dossier| {
        dossier.own.identifications[0].issuing_country = Some("USA".to_owned());
    });
    assert_eq!(findings, one("issuing_country", "other_country", Soft, "identifying_information.0.issuing_country"));
}

#[test]
fn two_numbers_of_a_kind_must_be_the_same() {
    let rfc = |number| entry(0, IdentificationKind::Rfc, "MEX", number);
    assert_eq!(found(company(), |dossier| dossier.own.identifications.push(rfc("MAB-930714-8T4"))), []);
    let findings = found(company(), |dossier| {
        dossier.own.began = None;
        dossier.own.identifications.push(rfc("SPM1410037E8"));
    });
    assert!(
        findings.contains(&one("one_number_of_a_kind", "numbers_differ", Soft, "identifying_information.0.number")[0])
    );
}

#[test]
fn a_phone_is_of_the_country_of_the_address_or_the_nationality() {
    let spanish = |dossier: &mut Dossier| dossier.own.phone = Some("+34600000000".to_owned());
    assert_eq!(found(individual(), spanish), one("phone_country", "other_country", Soft, "phone"));
    let findings = found(individual(), |dossier| {
        spanish(dossier);
        dossier.own.nationality = Some("ESP".to_owned());
    });
    assert_eq!(findings, []);
}

#[test]
fn a_document_is_valid_on_its_last_day_and_no_longer() {
    let until = |day| move |dossier: &mut Dossier| dossier.own.identifications[1].expires = Some(day);
    assert_eq!(found(individual(), until(today())), []);
    let path = "identifying_information.1.expiration";
    assert_eq!(found(individual(), until(date(2026, 11, 22))), one("expiry", "no_valid_id", Hard, path));
}

#[test]
fn an_expired_id_beside_a_valid_one_is_for_a_human() {
    let findings = found(individual(), |dossier| {
        dossier.own.identifications[1].expires = Some(date(2020, 1, 1));
        let other = entry(2, IdentificationKind::GovernmentId, "MEX", "1");
        dossier.own.identifications.push(Identification { expires: Some(date(2030, 1, 1)), ..other });
    });
    assert_eq!(findings, one("expiry", "expired", Soft, "identifying_information.1.expiration"));
}

#[test]
fn whoever_acts_must_be_eighteen() {
    let born = date(2008, 11, 24);
    let findings = found(company(), |dossier| dossier.persons[1].party.began = Some(born));
    assert_eq!(findings, one("age", "under_18", Hard, "associated_persons.1.birth_date"));
    let findings = found(company(), |dossier| dossier.persons[1].party.began = Some(date(2008, 11, 23)));
    assert_eq!(findings, [], "eighteen today");
}

#[test]
fn a_minor_may_own_but_a_human_looks() {
    let findings = found(company(), |dossier| {
        let person = &mut dossier.persons[1];
        (person.has_control, person.is_signer) = (false, false);
        person.party.began = Some(date(2015, 1, 1));
    });
    assert_eq!(findings, one("age", "minor_owner", Soft, "associated_persons.1.birth_date"));
}

#[test]
fn a_representative_is_judged_too() {
    let findings = found(company(), |dossier| {
        let identifications = vec![Identification {
            number_path: "representative_ssn".to_owned(),
            ..entry(0, IdentificationKind::Ssn, "USA", "000-12-3456")
        }];
        let prefix = "representative_".to_owned();
        let began = Some(date(1800, 1, 1));
        dossier.representative = Some(Party { prefix, began, identifications, ..Party::default() });
    });
    let expected = [
        one("ssn", "never_issued", Hard, "representative_ssn"),
        one("age", "impossible_birth_date", Hard, "representative_birth_date"),
    ];
    assert_eq!(findings, expected.concat());
}

#[test]
fn a_business_is_formed_before_it_signs_up() {
    let findings = found(company(), |dossier| {
        dossier.own.began = Some(date(2027, 1, 1));
        dossier.own.identifications.clear();
    });
    assert_eq!(findings, one("formation_date", "in_the_future", Hard, "formation_date"));
}

#[test]
fn parts_add_up_to_a_hundred_at_most() {
    let findings = found(company(), |dossier| dossier.persons[0] = owner(0, 75.0));
    assert_eq!(findings, one("ownership", "over_100_percent", Soft, "associated_persons"));
    let thirds = |dossier: &mut Dossier| dossier.persons = (0..3).map(|index| owner(index, 33.34)).collect();
    assert_eq!(found(company(), thirds), [], "rounded up");
}

#[test]
fn a_percentage_agrees_with_the_answer_beside_it() {
    let findings = found(company(), |dossier| dossier.persons[1].has_ownership = Some(false));
    assert_eq!(findings, one("ownership", "answers_differ", Soft, "associated_persons.1.ownership_percentage"));
}

#[test]
fn somebody_controls_a_business() {
    let findings = found(company(), |dossier| dossier.persons.iter_mut().for_each(|person| person.has_control = false));
    assert_eq!(findings, one("control_person", "no_control_person", Soft, "associated_persons"));
}

#[test]
fn a_sole_proprietor_has_one_owner() {
    let findings = found(company(), |dossier| {
        dossier.own.nature = Nature::SoleProprietor;
        dossier.own.identifications.clear();
    });
    assert_eq!(findings, one("control_person", "several_proprietors", Soft, "associated_persons"));
}

#[test]
fn a_back_is_another_file_than_the_front() {
    let findings = found(individual(), |dossier| dossier.own.identifications[1].files[1].sha256 = "aa".to_owned());
    let path = "identifying_information.1.documents.1.file";
    assert_eq!(findings, one("front_and_back", "front_equals_back", Soft, path));
}

#[test]
fn a_defect_of_a_file_is_found_at_the_file() {
    let path = "identifying_information.1.documents.0.file";
    let with = |inspection| {
        found(individual(), |dossier: &mut Dossier| dossier.own.identifications[1].files[0].inspection = inspection)
    };
    let mut broken = Inspection::default();
    broken.add(Defect::Undecodable);
    broken.add(Defect::Undecodable);
    assert_eq!(with(Some(broken)), one("files", "undecodable", Hard, path), "once");
    assert_eq!(with(None), one("files", "not_inspected", Soft, path));
}

proptest! {
    #[test]
    fn no_values_make_a_check_panic_or_show_up_in_a_finding(
        texts in proptest::collection::vec("\\PC{4,30}", 6),
        days in proptest::collection::vec(-1_000_000_i32..1_000_000, 3),
        percentage in any::<f64>(),
        kind in 0_usize..12,
    ) {
        use IdentificationKind as Kind;
        let kinds = [
            Kind::GovernmentId, Kind::Curp, Kind::Rfc, Kind::Cpf, Kind::Cnpj, Kind::Nit, Kind::Nuip, Kind::Ssn,
            Kind::Itin, Kind::Ein, Kind::TaxId, Kind::Document,
        ];
        let day = |index: usize| NaiveDate::from_num_days_from_ce_opt(days[index]);
        let mut dossier = company();
        let party = &mut dossier.persons[0].party;
        party.given_names.clone_from(&texts[0]);
        party.surnames.clone_from(&texts[1]);
        party.phone = Some(texts[2].clone());
        party.country = Some(texts[3].clone());
        party.began = day(0);
        let number = entry(0, kinds[kind], &texts[4], &texts[5]);
        party.identifications = vec![Identification { expires: day(1), ..number }];
        dossier.persons[0].ownership_percentage = Some(percentage);
        let evaluation = evaluate(&dossier, day(2).unwrap_or_else(today));
        let shown = format!("{evaluation:?}");
        prop_assert!(texts.iter().all(|text| !shown.contains(text.as_str())));
    }
}
