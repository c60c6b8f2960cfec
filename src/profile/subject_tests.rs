use strum::VariantArray as _;

use super::*;
use crate::contract::v1::create_user_request::User as Request;
use crate::domain::eligibility::ProductCode;
use crate::domain::requirements::report;
use crate::profile::CanonicalRequest;
use crate::profile::examples::{self, document, entry, some};

fn missing(request: Request, target: &str) -> Vec<String> {
    let subject = subject(CanonicalRequest::new(request).profile());
    let report = report(&subject, ProductCode::VARIANTS.iter().copied());
    report.missing().find(|(name, _)| *name == target).map(|(_, fields)| fields).unwrap_or_default()
}

fn missing_for_verification(request: Request) -> Vec<String> {
    missing(request, "verification")
}

#[test]
fn the_usa_individual_of_the_specification_triggers() {
    let [request, ..] = examples::all();
    assert_eq!(missing_for_verification(request), Vec::<String>::new());
}

#[test]
fn the_mexican_individual_of_the_specification_misses_tax_id_and_expected_payments() {
    let [_, request, ..] = examples::all();
    assert_eq!(missing_for_verification(request), ["identifying_information:tax_id", "expected_monthly_payments"]);
}

#[test]
fn the_usa_business_of_the_specification_misses_its_proof_of_address() {
    let [_, _, request, _] = examples::all();
    assert_eq!(missing_for_verification(request), ["identifying_information:file_proof_of_address"]);
}

#[test]
fn the_mexican_business_of_the_specification_triggers() {
    let [_, _, _, request] = examples::all();
    assert_eq!(missing_for_verification(request), Vec::<String>::new());
}

#[test]
fn usa_virtual_accounts_lists_what_verification_misses_too() {
    let [usa, mexico, ..] = examples::all();
    assert_eq!(missing(usa, "usa-virtual-accounts"), ["identifying_information:file_source_of_wealth"]);
    let expected = [
        "identifying_information:tax_id",
        "expected_monthly_payments",
        "identifying_information:file_source_of_wealth",
    ];
    assert_eq!(missing(mexico, "usa-virtual-accounts"), expected);
}

#[test]
fn the_usa_individual_lacks_nothing_for_act() {
    let [usa, mexico, ..] = examples::all();
    assert_eq!(missing(usa, "usa-virtual-accounts-act"), Vec::<String>::new());
    let expected =
        ["immigration_status", "additional_info:has_us_bank_account", "additional_info:has_denied_bank_account"];
    assert_eq!(missing(mexico, "usa-virtual-accounts-act"), expected);
}

#[test]
fn an_employed_person_is_asked_for_the_employer() {
    let mut user = examples::usa_individual();
    user.compliance.as_mut().expect("the example has it").current_employer = None;
    let missing = missing(Request::Individual(user), "usa-virtual-accounts-act");
    assert_eq!(missing, ["current_employer"]);
}

#[test]
fn who_was_denied_a_bank_account_is_asked_why() {
    let mut user = examples::mexican_business();
    user.compliance.as_mut().expect("the example has it").additional_info = Some(v1::AdditionalInfo {
        has_us_bank_account: Some(v1::YesNo::No.into()),
        has_denied_bank_account: Some(v1::YesNo::Yes.into()),
        ..v1::AdditionalInfo::default()
    });
    let missing = missing(Request::Business(user), "usa-virtual-accounts-act");
    assert_eq!(missing, ["additional_info:denied_bank_account_explain"]);
}

#[test]
fn an_empty_text_and_an_unspecified_value_count_as_absent() {
    let mut user = examples::usa_individual();
    user.phone = some("");
    user.gender = Some(0);
    user.identifying_information[0].number = some("");
    let missing = missing_for_verification(Request::Individual(user));
    assert_eq!(missing, ["phone", "gender", "identifying_information:ssn"]);
}

#[test]
fn an_answer_of_no_is_an_answer() {
    let mut user = examples::usa_individual();
    let answers = user.compliance.as_mut().expect("the example has it");
    assert_eq!(answers.pep_status, Some(false));
    answers.pep_status = None;
    assert_eq!(missing_for_verification(Request::Individual(user)), ["pep_status"]);
}

#[test]
fn the_front_of_an_associated_person_is_missed_by_its_index() {
    let mut user = examples::mexican_business();
    user.associated_persons[1].identifying_information[0].documents.clear();
    let missing = missing_for_verification(Request::Business(user));
    assert_eq!(missing, ["associated_persons.1:identifying_information:front"]);
}

#[test]
fn legacy_documents_count() {
    let mut user = examples::usa_business();
    user.documents.push(document(v1::DocumentType::FileProofOfAddress));
    assert_eq!(missing_for_verification(Request::Business(user)), Vec::<String>::new());
}

#[test]
fn the_primary_document_counts() {
    let mut user = examples::usa_individual();
    user.identifying_information[1].number = None;
    let expected = ["document_type", "document_number", "document_country"];
    assert_eq!(missing_for_verification(Request::Individual(user.clone())), expected);
    user.primary_document = Some(v1::PrimaryDocument {
        r#type: Some(v1::IdentificationType::Passport.into()),
        number: some("1"),
        country: some("USA"),
    });
    assert_eq!(missing_for_verification(Request::Individual(user)), Vec::<String>::new());
}

#[test]
fn every_government_id_with_a_front_counts_and_no_other_entry_does() {
    for number in 1..=21 {
        let kind = v1::IdentificationType::try_from(number).expect("21 types");
        let mut user = examples::usa_individual();
        user.identifying_information[1] = entry(kind, "USA", Some("1"), &[v1::DocumentType::Front]);
        let missing = missing_for_verification(Request::Individual(user));
        let government_id = (1..=8).contains(&number);
        let front = "identifying_information:front".to_owned();
        assert_eq!(!missing.contains(&front), government_id, "{}", kind.as_str_name());
    }
}
