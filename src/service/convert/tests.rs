use std::collections::BTreeMap;

use chrono::TimeZone;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use uuid::uuid;

use super::*;
use crate::contract::v1::create_user_request::User as Request;
use crate::env::MockClock;
use crate::profile::CanonicalRequest;
use crate::profile::examples::{self, document, entry, some};

const ID: Uuid = uuid!("550e8400-e29b-41d4-a716-446655440000");

fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    let time = Utc.with_ymd_and_hms(2024, 1, 15, hour, minute, 0).single().expect("a real time");
    time + chrono::TimeDelta::microseconds(987_654)
}

pub(super) fn record(status: Status) -> Record {
    Record {
        id: ID,
        status,
        reasons: Vec::new(),
        verification_triggered: true,
        created_at: at(10, 30),
        updated_at: at(12, 0),
    }
}

fn shown(request: Request, status: Status) -> v1::User {
    shown_as(request, status, Numbers::Clear)
}

fn shown_as(request: Request, status: Status, numbers: Numbers) -> v1::User {
    to_user(&record(status), stored(request), &Catalogue::default(), numbers)
}

pub(super) fn stored(request: Request) -> Profile {
    CanonicalRequest::new(request).plan(&MockClock::at(at(10, 30))).profile
}

fn individual(user: &v1::User) -> &v1::Individual {
    match &user.details {
        Some(v1::user::Details::Individual(individual)) => individual,
        _ => panic!("made from an individual"),
    }
}

fn business(user: &v1::User) -> &v1::Business {
    match &user.details {
        Some(v1::user::Details::Business(business)) => business,
        _ => panic!("made from a business"),
    }
}

/// Text or boolean, as the test writes it.
fn pairs(user: &v1::User) -> BTreeMap<&str, String> {
    let fields = &user.metadata.as_ref().expect("always shown").fields;
    let written = |value: &Value| match &value.kind {
        Some(Kind::StringValue(text)) => format!("{text:?}"),
        Some(Kind::BoolValue(flag)) => flag.to_string(),
        _ => "another kind".to_owned(),
    };
    fields.iter().map(|(key, value)| (key.as_str(), written(value))).collect()
}

fn expected<const N: usize>(pairs: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
    pairs.into_iter().map(|(key, value)| (key, value.to_owned())).collect()
}

#[test]
fn the_usa_individual_is_shown_as_documented() {
    let user = shown(Request::Individual(examples::usa_individual()), Status::Created);
    let seconds = at(10, 30).timestamp();
    assert_eq!(user.id, "550e8400-e29b-41d4-a716-446655440000");
    assert!(user.r#type() == v1::UserType::Individual);
    assert_eq!(user.email, "john@example.com");
    assert!(user.status() == v1::UserStatus::Created);
    assert!(user.verification_status() == v1::VerificationStatus::Unverified);
    assert_eq!(user.created_at, Some(Timestamp { seconds, nanos: 0 }));
    assert_eq!(user.updated_at, Some(Timestamp { seconds: seconds + 5400, nanos: 0 }));
    assert!(user.verification_triggered);
    assert!(user.status_reasons.is_empty());
    let documented = v1::Individual {
        first_name: some("John"),
        last_name: some("Doe"),
        middle_name: some("William"),
        phone: some("+12025551234"),
        birth_date: some("1990-01-15"),
        nationality: some("USA"),
        gender: Some(v1::Gender::Male.into()),
        residential_address: Some(v1::PostalAddress {
            street_line_1: "123 Main Street".to_owned(),
            street_line_2: "Apt 4B".to_owned(),
            city: "San Francisco".to_owned(),
            subdivision: "CA".to_owned(),
            postal_code: "94105".to_owned(),
            country: "USA".to_owned(),
        }),
        ..v1::Individual::default()
    };
    assert!(*individual(&user) == documented);
}

#[test]
fn the_metadata_of_the_usa_individual_is_the_documented_one() {
    let user = shown(Request::Individual(examples::usa_individual()), Status::Created);
    let documented = expected([
        ("ssn", "\"123-45-6789\""),
        ("occupation", "\"Software Engineer\""),
        ("current_employer", "\"Acme Corp\""),
        ("pep_status", "false"),
        ("external_id", "\"your-internal-id-123\""),
        ("account_purpose", "\"manage_personal_funds\""),
        ("source_of_funds", "\"salary\""),
        ("employment_status", "\"employed\""),
        ("expected_monthly_payments", "\"5000_9999\""),
    ]);
    assert_eq!(pairs(&user), documented);
}

#[test]
fn the_metadata_of_the_mexican_individual_has_its_tax_ids() {
    let user = shown(Request::Individual(examples::mexican_individual()), Status::Created);
    let metadata = expected([
        ("curp", "\"GARM880520MDFRRL09\""),
        ("rfc", "\"GARM880520XXX\""),
        ("occupation", "\"Contador\""),
        ("current_employer", "\"Empresa S.A.\""),
        ("pep_status", "false"),
        ("external_id", "\"mex-user-456\""),
        ("account_purpose", "\"make_payments\""),
        ("source_of_funds", "\"salary\""),
        ("employment_status", "\"employed\""),
    ]);
    assert_eq!(pairs(&user), metadata);
}

#[test]
fn the_metadata_of_the_usa_business_has_its_answers_and_its_ein() {
    let user = shown(Request::Business(examples::usa_business()), Status::Created);
    let metadata = expected([
        ("ein", "\"12-3456789\""),
        ("pep_status", "false"),
        ("external_id", "\"business-usa-789\""),
        ("account_purpose", "\"receive_payments_for_goods_and_services\""),
        ("source_of_funds", "\"sales_of_goods_and_services\""),
        ("expected_monthly_payments", "\"50000_plus\""),
        ("has_material_intermediary_ownership", "false"),
    ]);
    assert_eq!(pairs(&user), metadata);
}

#[test]
fn the_metadata_of_the_mexican_business_has_its_answers_and_its_rfc() {
    let user = shown(Request::Business(examples::mexican_business()), Status::Created);
    let metadata = expected([
        ("rfc", "\"TAV150601XXX\""),
        ("pep_status", "false"),
        ("external_id", "\"mex-business-001\""),
        ("account_purpose", "\"receive_payments_for_goods_and_services\""),
        ("source_of_funds", "\"sales_of_goods_and_services\""),
        ("expected_monthly_payments", "\"10000_49999\""),
    ]);
    assert_eq!(pairs(&user), metadata);
}

#[test]
fn a_business_shows_every_accepted_field_but_its_address_and_what_stands_elsewhere() {
    let request = examples::mexican_business();
    let user = shown(Request::Business(request.clone()), Status::Created);
    let mut shown = business(&user).clone();
    assert_eq!(user.email, "contacto@example.com");
    assert_eq!(shown.registered_address.as_ref().map(|address| address.city.as_str()), Some("Ciudad de Mexico"));
    let mut rest = request;
    (rest.email, rest.address, shown.registered_address) = (None, None, None);
    for (person, sent) in shown.associated_persons.iter_mut().zip(&rest.associated_persons) {
        assert!(Uuid::parse_str(&person.id).is_ok());
        person.id.clear();
        person.identifying_information.clone_from(&sent.identifying_information);
    }
    shown.identifying_information.clone_from(&rest.identifying_information);
    assert!(shown == rest);
}

#[test]
fn a_shown_document_has_everything_but_its_file() {
    let user = shown(Request::Business(examples::usa_business()), Status::Created);
    let entry = &business(&user).associated_persons[0].identifying_information[0];
    assert!(Uuid::parse_str(&entry.id).is_ok());
    assert_eq!(entry.number.as_deref(), Some("CA12345678"));
    let front = &entry.documents[0];
    assert!(Uuid::parse_str(&front.id).is_ok());
    assert!(front.file.is_none());
    assert!(front.r#type() == v1::DocumentType::Front && front.media_type() == v1::MediaType::Jpeg);
    assert_eq!(front.size, 170);
    assert_eq!(front.sha256.len(), 64);
    assert_eq!(front.uploaded_at, Some(Timestamp { seconds: at(10, 30).timestamp(), nanos: 0 }));
}

#[test]
fn an_address_that_is_not_known_is_six_empty_texts() {
    let bare = shown(Request::Individual(v1::Individual::default()), Status::Created);
    assert!(individual(&bare).residential_address == Some(v1::PostalAddress::default()));
    let bare = shown(Request::Business(v1::Business::default()), Status::Created);
    assert!(business(&bare).registered_address == Some(v1::PostalAddress::default()));
}

#[test]
fn metadata_is_there_even_where_it_is_empty() {
    let bare = shown(Request::Individual(v1::Individual::default()), Status::Created);
    assert_eq!(pairs(&bare), BTreeMap::new());
}

#[test]
fn the_services_keys_win_over_the_clients_own() {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let own = [("tier".to_owned(), text("gold")), ("ssn".to_owned(), text("mine")), ("rfc".to_owned(), text("mine"))];
    let metadata = Some(Struct { fields: own.into_iter().collect() });
    let user = shown(Request::Individual(v1::Individual { metadata, ..examples::usa_individual() }), Status::Created);
    let pairs = pairs(&user);
    assert_eq!((pairs["tier"].as_str(), pairs["ssn"].as_str()), ("\"gold\"", "\"123-45-6789\""));
    assert_eq!(pairs["rfc"], "\"mine\"");
}

#[test]
fn the_first_of_two_tax_ids_of_a_kind_is_shown_and_the_top_level_before_all() {
    let mut user = examples::usa_business();
    user.identifying_information.push(entry(v1::IdentificationType::Ein, "USA", Some("98-7654321"), &[]));
    user.identifying_information.push(entry(v1::IdentificationType::Nit, "COL", Some("1"), &[]));
    user.identifying_information.push(entry(v1::IdentificationType::Nit, "COL", Some("2"), &[]));
    let user = shown(Request::Business(user), Status::Created);
    assert_eq!((pairs(&user)["ein"].as_str(), pairs(&user)["nit"].as_str()), ("\"12-3456789\"", "\"1\""));
}

#[test]
fn the_number_of_a_government_id_is_no_metadata() {
    let user = shown(Request::Individual(examples::usa_individual()), Status::Created);
    assert!(!pairs(&user).contains_key("drivers_license"));
}

#[test]
fn the_remaining_answers_of_an_individual_are_metadata_by_their_documented_spelling() {
    let mut user = examples::usa_individual();
    let answers = user.compliance.as_mut().expect("the example has it");
    answers.income_source = some("Pension");
    answers.immigration_status = Some(v1::ImmigrationStatus::NonResident.into());
    let user = shown(Request::Individual(user), Status::Created);
    assert_eq!(pairs(&user)["income_source"], "\"Pension\"");
    assert_eq!(pairs(&user)["immigration_status"], "\"Non-Resident of U.S.\"");
}

#[test]
fn products_are_shown_in_the_order_of_the_catalogue_and_eligible_to_the_verified() {
    let mut request = examples::usa_individual();
    let eligible = |request: &v1::Individual, status| {
        let user = shown(Request::Individual(request.clone()), status);
        user.eligible_products.iter().map(|product| (product.product_code(), product.eligible)).collect::<Vec<_>>()
    };
    use v1::ProductCode::{Payout, UsaVirtualAccounts, VirtualAccount};
    let none = [(UsaVirtualAccounts, false), (VirtualAccount, false), (Payout, false)];
    assert!(eligible(&request, Status::Created) == none);
    let two = [(UsaVirtualAccounts, false), (VirtualAccount, true), (Payout, true)];
    assert!(eligible(&request, Status::Verified) == two);
    request.identifying_information[1].documents.push(document(v1::DocumentType::FileSourceOfWealth));
    let three = [(UsaVirtualAccounts, true), (VirtualAccount, true), (Payout, true)];
    assert!(eligible(&request, Status::Verified) == three);
}

#[test]
fn a_product_is_shown_with_its_documented_id_and_name() {
    let user = shown(Request::Individual(examples::usa_individual()), Status::Created);
    let shown: Vec<_> =
        user.eligible_products.iter().map(|p| (p.product_id.as_str(), p.product_name.as_str())).collect();
    let documented = [
        ("f4666460-1cb4-4030-8e78-6d67939c1ff1", "USA Virtual Accounts"),
        ("7be91e3b-be09-48a6-8778-b856d5e0a97d", "Virtual Account"),
        ("4d1a6f16-2842-408d-973c-0492e5a59686", "Payout"),
    ];
    assert_eq!(shown, documented);
}

#[test]
fn only_targets_for_which_something_is_missing_are_among_the_missing_fields() {
    let user = shown(Request::Business(examples::usa_business()), Status::Created);
    let missing: Vec<_> =
        user.missing_fields.iter().map(|(target, fields)| (target.as_str(), &fields.fields)).collect();
    let proof = "identifying_information:file_proof_of_address".to_owned();
    let wealth = "identifying_information:file_source_of_wealth".to_owned();
    assert_eq!(missing, [("usa-virtual-accounts", &vec![proof.clone(), wealth]), ("verification", &vec![proof])]);
}

#[test]
fn each_status_shows_itself_and_its_deprecated_form() {
    use v1::{UserStatus as New, VerificationStatus as Old};
    let cases = [
        (Status::Created, New::Created, Old::Unverified),
        (Status::Verifying, New::Verifying, Old::Unverified),
        (Status::Verified, New::Verified, Old::Verified),
        (Status::Rejected, New::Rejected, Old::Rejected),
        (Status::Review, New::Review, Old::Unverified),
    ];
    for (status, new, old) in cases {
        let user = shown(Request::Individual(v1::Individual::default()), status);
        assert!(user.status() == new && user.verification_status() == old, "{status}");
    }
}

#[test]
fn a_masked_response_has_no_number_in_it() {
    let mut request = examples::usa_business();
    request.rfc = some("TAV150601XXX");
    request.cnpj = some("11222333000181");
    request.primary_document =
        Some(v1::PrimaryDocument { number: some("P-7654321"), ..v1::PrimaryDocument::default() });
    let user = shown_as(Request::Business(request), Status::Created, Numbers::Masked);
    // Every text of the response, as it goes over the wire.
    let bytes = prost::Message::encode_to_vec(&user);
    let wire = String::from_utf8_lossy(&bytes);
    let numbers = ["12-345", "TAV1506", "1122233", "P-765", "987-65", "111-22", "CA1234", "98765"];
    for number in numbers {
        assert!(!wire.contains(number), "{number}");
    }
    for masked in ["***6789", "***1XXX", "***0181", "***4321", "***-**-4321", "***-**-3333", "***5678"] {
        assert!(wire.contains(masked), "{masked}");
    }
}

#[test]
fn a_masked_individual_shows_the_last_four_of_its_ssn_in_metadata() {
    let user = shown_as(Request::Individual(examples::usa_individual()), Status::Created, Numbers::Masked);
    assert_eq!(pairs(&user)["ssn"], "\"***-**-6789\"");
}

#[test]
fn masking_does_not_change_what_is_missing() {
    for request in examples::all() {
        let clear = shown_as(request.clone(), Status::Verified, Numbers::Clear);
        let masked = shown_as(request, Status::Verified, Numbers::Masked);
        assert!(clear.missing_fields == masked.missing_fields);
        assert!(clear.eligible_products == masked.eligible_products);
    }
}
