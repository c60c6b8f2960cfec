use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;
use crate::contract::v1;

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().expect("a moment")
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The identifier of the document with this number.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn document(number: u128, kind: v1::DocumentType) -> v1::Document {
    let sha256 = format!("{number:064x}");
    v1::Document { id: id(number).to_string(), r#type: Some(kind.into()), sha256, ..v1::Document::default() }
}

fn passport(first_document: u128) -> v1::Identification {
    v1::Identification {
        r#type: Some(v1::IdentificationType::Passport.into()),
        issuing_country: some("MEX"),
        number: some("G12345678"),
        expiration: some("2030-01-31"),
        documents: vec![
            document(first_document, v1::DocumentType::Front),
            document(first_document + 1, v1::DocumentType::Back),
        ],
        ..v1::Identification::default()
    }
}

fn number(kind: v1::IdentificationType, country: &str, number: &str) -> v1::Identification {
    v1::Identification {
        r#type: Some(kind.into()),
        issuing_country: some(country),
        number: some(number),
        ..v1::Identification::default()
    }
}

fn address(country: &str) -> Option<v1::Address> {
    Some(v1::Address { country: some(country), ..v1::Address::default() })
}

/// A user whom nothing contradicts, with RENAPO's specimen number.
fn individual() -> v1::Individual {
    v1::Individual {
        first_name: some("Concepción"),
        last_name: some("Salgado Briseño"),
        birth_date: some("1956-06-26"),
        gender: Some(v1::Gender::Female.into()),
        phone: some("+525512345678"),
        address: address("MEX"),
        identifying_information: vec![number(v1::IdentificationType::Curp, "MEX", "SABC560626MDFLRN01"), passport(1)],
        documents: vec![document(3, v1::DocumentType::FileProofOfAddress)],
        ..v1::Individual::default()
    }
}

fn person(first_document: u128, percentage: f64) -> v1::AssociatedPerson {
    v1::AssociatedPerson {
        first_name: some("Emma"),
        last_name: some("Gómez Díaz"),
        birth_date: some("1956-12-31"),
        has_ownership: Some(true),
        ownership_percentage: Some(percentage),
        has_control: Some(true),
        is_signer: Some(true),
        identifying_information: vec![passport(first_document)],
        ..v1::AssociatedPerson::default()
    }
}

/// A business that nothing contradicts.
fn business() -> v1::Business {
    v1::Business {
        business_type: Some(v1::BusinessType::Corporation.into()),
        formation_date: some("1993-07-14"),
        formation_country: some("MEX"),
        phone: some("+525512345678"),
        address: address("MEX"),
        rfc: some("MAB9307148T4"),
        associated_persons: vec![person(1, 60.0), person(3, 40.0)],
        ..v1::Business::default()
    }
}

/// Files without defects for the first documents.
fn good_files(count: u128) -> Vec<(Uuid, Inspection)> {
    (1..=count).map(|number| (id(number), Inspection::default())).collect()
}

/// Every finding as check, code and path.
fn found(report: &RulesReport) -> Vec<(&'static str, &'static str, &str)> {
    report.findings.iter().map(|found| (found.check, found.code, found.path.as_str())).collect()
}

fn check_individual(individual: v1::Individual) -> RulesReport {
    check(&Profile::Individual(individual), &good_files(3), now())
}

fn check_business(business: v1::Business) -> RulesReport {
    check(&Profile::Business(business), &good_files(4), now())
}

#[test]
fn users_whom_nothing_contradicts_are_clean() {
    for report in [check_individual(individual()), check_business(business())] {
        assert_eq!(found(&report), []);
        assert_eq!(report.outcome(), RuleOutcome::Clean);
    }
}

#[test]
fn every_fact_of_an_individual_reaches_its_check() {
    let report = check_individual(v1::Individual {
        first_name: some("Gloria"),
        birth_date: some("1956-06-27"),
        gender: Some(v1::Gender::Male.into()),
        phone: some("+34600000000"),
        ..individual()
    });
    let path = "identifying_information.0.number";
    let expected = [
        ("curp_facts", "birth_date_differs", path),
        ("curp_facts", "sex_differs", path),
        ("curp_facts", "name_differs", path),
        ("phone_country", "other_country", "phone"),
    ];
    assert_eq!(found(&report), expected);
    assert_eq!(report.outcome(), RuleOutcome::Review);
}

#[test]
fn what_cannot_be_true_is_rejected_however_much_else_is_only_odd() {
    let mut odd = individual();
    odd.phone = some("+34600000000");
    odd.identifying_information[1].expiration = some("2026-11-22");
    let report = check_individual(odd);
    assert_eq!(
        found(&report),
        [
            ("phone_country", "other_country", "phone"),
            ("expiry", "no_valid_id", "identifying_information.1.expiration")
        ]
    );
    assert_eq!(report.outcome(), RuleOutcome::Reject);
}

#[test]
fn the_number_at_the_top_level_is_judged_too() {
    let report = check_individual(v1::Individual {
        primary_document: Some(v1::PrimaryDocument {
            r#type: Some(v1::IdentificationType::Cpf.into()),
            number: some("390.533.447-06"),
            country: some("MEX"),
        }),
        ..individual()
    });
    let expected =
        [("cpf", "check_digit", "document_number"), ("issuing_country", "other_country", "document_country")];
    assert_eq!(found(&report), expected);
}

#[test]
fn the_numbers_of_a_business_are_judged_where_they_stand() {
    let report = check_business(v1::Business {
        ein: some("07-1144442"),
        cnpj: some("33.000.167/0001-02"),
        rfc: some("MAB9307148T5"),
        ..business()
    });
    let expected = [("rfc", "check_digit", "rfc"), ("cnpj", "check_digit", "cnpj"), ("ein", "unknown_range", "ein")];
    assert_eq!(found(&report), expected);
}

#[test]
fn associated_persons_and_the_representative_are_judged_where_they_stand() {
    let mut odd = business();
    odd.associated_persons[1].ssn = some("987-65-4321");
    odd.associated_persons[1].birth_date = some("2009-01-01");
    odd.associated_persons[1].ownership_percentage = Some(70.0);
    odd.representative =
        Some(v1::LegalRepresentative { ssn: some("000-00-0000"), ..v1::LegalRepresentative::default() });
    let expected = [
        ("ssn", "never_issued", "associated_persons.1.ssn"),
        ("ssn", "never_issued", "representative_ssn"),
        ("age", "under_18", "associated_persons.1.birth_date"),
        ("ownership", "over_100_percent", "associated_persons"),
    ];
    assert_eq!(found(&check_business(odd)), expected);
}

#[test]
fn nobody_in_control_is_a_finding() {
    let mut odd = business();
    odd.associated_persons.iter_mut().for_each(|person| person.has_control = None);
    assert_eq!(found(&check_business(odd)), [("control_person", "no_control_person", "associated_persons")]);
}

#[test]
fn a_defect_is_found_at_the_file_that_has_it() {
    let mut files = good_files(4);
    files[2].1 = inspect(v1::MediaType::Png, b"\x89PNG\r\n\x1a\n");
    let report = check(&Profile::Business(business()), &files, now());
    let path = "associated_persons.1.identifying_information.0.documents.0.file";
    assert_eq!(found(&report), [("files", "truncated", path)]);
    assert_eq!(report.outcome(), RuleOutcome::Reject);
}

#[test]
fn a_file_that_nobody_could_examine_keeps_a_result_from_being_clean() {
    let report = check(&Profile::Individual(individual()), &good_files(2), now());
    assert_eq!(found(&report), [("files", "not_inspected", "documents.0.file")]);
    assert_eq!(report.outcome(), RuleOutcome::Review);
}

#[test]
fn a_front_sent_again_as_the_back_is_a_finding() {
    let mut odd = individual();
    let documents = &mut odd.identifying_information[1].documents;
    documents[1].sha256 = documents[0].sha256.clone();
    let path = "identifying_information.1.documents.1.file";
    assert_eq!(found(&check_individual(odd)), [("front_and_back", "front_equals_back", path)]);
}

#[test]
fn a_report_shows_no_personal_value() {
    let mut odd = individual();
    odd.first_name = some("Zacarías");
    odd.birth_date = some("2020-02-02");
    odd.identifying_information[0].number = some("SABC560626MDFLRN09");
    odd.identifying_information.push(number(v1::IdentificationType::Ssn, "CAN", "987-65-4321"));
    let report = check_individual(odd);
    assert_eq!(report.outcome(), RuleOutcome::Reject);
    let shown = format!("{report:?}");
    for value in ["Zacarías", "2020-02-02", "SABC", "987-65-4321", "CAN", "+5255"] {
        assert!(!shown.contains(value), "{value}");
    }
}

#[test]
fn a_user_who_brought_nothing_is_judged_by_nothing() {
    let report = check(&Profile::Individual(v1::Individual::default()), &[], now());
    assert!(report.outcomes.iter().all(|(_, outcome)| *outcome == Outcome::NotApplicable));
}
