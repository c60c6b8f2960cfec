//! Tests of the checks, by the file that has them; here are the fixtures and what holds for every check.

mod facts;
mod files;
mod numbers;
mod people;
mod validity;

use proptest::prelude::*;

use super::*;

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

fn today() -> NaiveDate {
    date(2026, 11, 23)
}

/// A moment at which it is today everywhere but east of UTC+12.
fn now() -> DateTime<Utc> {
    at("2026-11-23T12:00:00Z")
}

fn at(moment: &str) -> DateTime<Utc> {
    moment.parse().expect("a moment")
}

fn entry(index: usize, kind: IdentificationScheme, country: &str, number: &str) -> IdentificationData {
    let path = format!("identifying_information.{index}");
    IdentificationData {
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
fn individual() -> Applicant {
    let passport = IdentificationData {
        expires: Some(date(2030, 1, 1)),
        files: vec![
            file("identifying_information.1.documents.0.file", Side::Front, "aa"),
            file("identifying_information.1.documents.1.file", Side::Back, "bb"),
        ],
        ..entry(1, IdentificationScheme::GovernmentId, "MEX", "G12345678")
    };
    let own = PartyData {
        given_names: "Concepción".to_owned(),
        surnames: "Salgado Briseño".to_owned(),
        born_or_formed: Some(date(1956, 6, 26)),
        sex: Some(Sex::Female),
        country: Some("MEX".to_owned()),
        phone: Some("+525512345678".to_owned()),
        identifications: vec![entry(0, IdentificationScheme::Curp, "MEX", "SABC560626MDFLRN01"), passport],
        ..PartyData::default()
    };
    Applicant { own, ..Applicant::default() }
}

fn owner(index: usize, percentage: f64) -> AssociatedPerson {
    AssociatedPerson {
        party: PartyData {
            prefix: format!("associated_persons.{index}."),
            given_names: "Emma".to_owned(),
            surnames: "Gómez Díaz".to_owned(),
            born_or_formed: Some(date(1956, 12, 31)),
            ..PartyData::default()
        },
        has_ownership: Some(true),
        ownership_percentage: Some(percentage),
        has_control: true,
        is_signer: true,
    }
}

/// A Mexican company that contradicts itself nowhere.
fn company() -> Applicant {
    let own = PartyData {
        entity_kind: EntityKind::Company,
        born_or_formed: Some(date(1993, 7, 14)),
        country: Some("MEX".to_owned()),
        identifications: vec![IdentificationData {
            number_path: "rfc".to_owned(),
            issuing_country: None,
            ..entry(0, IdentificationScheme::Rfc, "MEX", "MAB9307148T4")
        }],
        ..PartyData::default()
    };
    Applicant { own, persons: vec![owner(0, 60.0), owner(1, 40.0)], representative: None }
}

/// Every finding of a changed applicant as check, code, severity and path.
fn found(
    applicant: Applicant,
    change: impl FnOnce(&mut Applicant),
) -> Vec<(&'static str, &'static str, Severity, String)> {
    found_at(now(), applicant, change)
}

/// The same at another moment.
fn found_at(
    moment: DateTime<Utc>,
    applicant: Applicant,
    change: impl FnOnce(&mut Applicant),
) -> Vec<(&'static str, &'static str, Severity, String)> {
    let mut applicant = applicant;
    change(&mut applicant);
    let evaluation = evaluate(&applicant, moment);
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

#[test]
fn nothing_is_found_in_users_that_contradict_themselves_nowhere() {
    assert_eq!(found(individual(), |_| {}), []);
    assert_eq!(found(company(), |_| {}), []);
}

#[test]
fn every_check_is_reported_with_how_it_ended() {
    let evaluation = evaluate(&individual(), now());
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

proptest! {
    #[test]
    fn no_values_make_a_check_panic_or_show_up_in_a_finding(
        texts in proptest::collection::vec("\\PC{4,30}", 6),
        days in proptest::collection::vec(-1_000_000_i32..1_000_000, 3),
        percentage in any::<f64>(),
        kind in 0_usize..12,
    ) {
        use IdentificationScheme as Kind;
        let kinds = [
            Kind::GovernmentId, Kind::Curp, Kind::Rfc, Kind::Cpf, Kind::Cnpj, Kind::Nit, Kind::Nuip, Kind::Ssn,
            Kind::Itin, Kind::Ein, Kind::TaxId, Kind::Document,
        ];
        let day = |index: usize| NaiveDate::from_num_days_from_ce_opt(days[index]);
        let mut applicant = company();
        let party = &mut applicant.persons[0].party;
        party.given_names.clone_from(&texts[0]);
        party.surnames.clone_from(&texts[1]);
        party.phone = Some(texts[2].clone());
        party.country = Some(texts[3].clone());
        party.born_or_formed = day(0);
        let number = entry(0, kinds[kind], &texts[4], &texts[5]);
        party.identifications = vec![IdentificationData { expires: day(1), ..number }];
        applicant.persons[0].ownership_percentage = Some(percentage);
        let evaluation = evaluate(&applicant, day(2).and_then(|day| day.and_hms_opt(0, 0, 0)).map_or_else(now, |moment| moment.and_utc()));
        let shown = format!("{evaluation:?}");
        prop_assert!(texts.iter().all(|text| !shown.contains(text.as_str())));
    }
}
