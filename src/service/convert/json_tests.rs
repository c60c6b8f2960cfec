//! Responses as REST callers read them, key by key.

use serde_json::{Value, json};

use super::tests::{record, stored};
use super::*;
use crate::contract::v1::create_user_request::User as Request;
use crate::profile::examples::{self, document};

fn written(request: Request, status: Status) -> Value {
    let record = Record { updated_at: record(status).created_at, ..record(status) };
    let user = to_user(&record, stored(request), &Catalogue::default(), Numbers::Clear);
    let text = kira_gateway::json::to_vec(&user);
    let mut answer: Value = serde_json::from_slice(&text).expect("the codec writes JSON");
    // Additive, and documented by us (decisions, section 4): `tests/it/api/requirements.rs`.
    let requirements = answer.as_object_mut().expect("an object").remove("requirements").expect("requirements");
    assert!(requirements["verification"]["complete"].is_array());
    answer
}

/// The identifiers that the service drew, which no test can know.
fn hide_ids(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(hide_ids),
        Value::Object(map) => {
            if let Some(id) = map.get_mut("id") {
                assert!(id.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok()));
                *id = json!("<id>");
            }
            map.values_mut().for_each(hide_ids);
        }
        _ => {}
    }
}

fn products(eligible: bool) -> Value {
    json!([
        {
            "product_id": "f4666460-1cb4-4030-8e78-6d67939c1ff1",
            "product_code": "usa-virtual-accounts",
            "product_name": "USA Virtual Accounts",
            "eligible": eligible
        },
        {
            "product_id": "7be91e3b-be09-48a6-8778-b856d5e0a97d",
            "product_code": "virtual_account",
            "product_name": "Virtual Account",
            "eligible": eligible
        },
        {
            "product_id": "4d1a6f16-2842-408d-973c-0492e5a59686",
            "product_code": "payout",
            "product_name": "Payout",
            "eligible": eligible
        }
    ])
}

/// The specification's "Success Response"; "Get User Details" differs in the status alone.
fn documented(status: &str, verification_status: &str, eligible: bool) -> Value {
    json!({
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "type": "individual",
        "email": "john@example.com",
        "status": status,
        "verification_status": verification_status,
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T10:30:00Z",
        "metadata": {
            "ssn": "123-45-6789",
            "occupation": "Software Engineer",
            "current_employer": "Acme Corp",
            "pep_status": false,
            "external_id": "your-internal-id-123",
            "account_purpose": "manage_personal_funds",
            "source_of_funds": "salary",
            "employment_status": "employed",
            "expected_monthly_payments": "5000_9999"
        },
        "first_name": "John",
        "last_name": "Doe",
        "middle_name": "William",
        "phone": "+12025551234",
        "birth_date": "1990-01-15",
        "nationality": "USA",
        "gender": "male",
        "residential_address": {
            "street_line_1": "123 Main Street",
            "street_line_2": "Apt 4B",
            "city": "San Francisco",
            "subdivision": "CA",
            "postal_code": "94105",
            "country": "USA"
        },
        "verification_triggered": true,
        "eligible_products": products(eligible)
    })
}

#[test]
fn the_documented_response_to_a_create_is_answered_key_by_key() {
    let answer = written(Request::Individual(examples::usa_individual()), Status::Created);
    let mut expected = documented("CREATED", "unverified", false);
    // Additive, and documented by us (decisions, section 4).
    expected["missing_fields"] = json!({"usa-virtual-accounts": ["identifying_information:file_source_of_wealth"]});
    assert_eq!(answer, expected);
}

#[test]
fn the_documented_response_to_a_get_is_answered_key_by_key() {
    let mut user = examples::usa_individual();
    user.identifying_information[1].documents.push(document(v1::DocumentType::FileSourceOfWealth));
    let answer = written(Request::Individual(user), Status::Verified);
    assert_eq!(answer, documented("VERIFIED", "verified", true));
}

#[test]
fn a_business_is_answered_key_by_key() {
    let mut user = examples::mexican_business();
    user.associated_persons.truncate(1);
    let mut answer = written(Request::Business(user), Status::Created);
    hide_ids(&mut answer);
    let expected: Value = serde_json::from_str(include_str!("../../../tests/fixtures/responses/business_mexico.json"))
        .expect("the file holds JSON");
    assert_eq!(answer, expected);
}
