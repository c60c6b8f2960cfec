//! Lists: how long they may be, and what is in them.

use serde_json::{Value, json};

use super::values::{INDUSTRY, TAX_IDS, quoted, values};
use crate::api::support::bodies::{business, document, individual, passport, person, with};
use crate::api::support::stored::stored;
use crate::api::support::{assert_created, assert_refused, detail, grpc_create, message_of, violations_of};
use crate::harness::service::Service;

fn many(count: usize, element: &Value) -> Value {
    Value::Array(vec![element.clone(); count])
}

#[tokio::test]
async fn a_list_may_be_as_long_as_its_limit_and_no_longer() {
    let service = Service::start().await;
    let client = service.client().await;
    let entry = with(&individual(), "identifying_information", json!([passport()]));
    let persons = with(&business(), "associated_persons", json!([person()]));
    let persons_entry = with(&persons, "associated_persons.0.identifying_information", json!([passport()]));
    let industry = json!("utilities");
    for (body, path, element, limit) in [
        (business(), "associated_persons", person(), 100),
        (individual(), "identifying_information", passport(), 50),
        (business(), "identifying_information", passport(), 50),
        (persons, "associated_persons.0.identifying_information", passport(), 50),
        (entry, "identifying_information.0.documents", document(), 20),
        (persons_entry, "associated_persons.0.identifying_information.0.documents", document(), 20),
        (individual(), "documents", document(), 20),
        (business(), "documents", document(), 20),
        (business(), "business_industry", industry, 100),
    ] {
        let before = stored(&service).await;
        let body_with = |count| with(&body, path, many(count, &element));
        let expected = [detail(path, "too_big", &format!("Array must contain at most {limit} element(s)"))];
        assert_refused(&client, &body_with(limit + 1), &expected).await;
        let message = message_of(&body_with(limit + 1)).expect("a message");
        assert_eq!(violations_of(&grpc_create(&client, message).await.expect_err("a refusal")), expected);
        assert_eq!(stored(&service).await, before, "a refusal stores nothing");
        assert_created(&client, &body_with(limit)).await;
    }
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut body = business();
    for name in ["business_industry", "associated_persons", "identifying_information", "documents"] {
        body[name] = json!([]);
    }
    assert_created(&client, &body).await;
}

#[tokio::test]
async fn an_element_of_another_type_is_refused_at_its_index() {
    let service = Service::start().await;
    let client = service.client().await;
    for (body, path) in [
        (business(), "associated_persons"),
        (business(), "identifying_information"),
        (individual(), "identifying_information"),
        (individual(), "documents"),
    ] {
        let list = json!([null, 1, "x", [], true]);
        let expected = ["null", "number", "string", "array", "boolean"].iter().enumerate().map(|(index, name)| {
            detail(&format!("{path}.{index}"), "invalid_type", &format!("Expected object, received {name}"))
        });
        assert_refused(&client, &with(&body, path, list), &expected.collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn an_industry_outside_the_list_is_refused_with_all_of_the_list() {
    let service = Service::start().await;
    let client = service.client().await;
    let list = quoted(INDUSTRY);
    let body = with(&business(), "business_industry", json!(["utilities", "witchcraft", 5, null]));
    let sentence = format!("Invalid enum value. Expected {list}, received 'witchcraft'");
    let expected = [
        detail("business_industry.1", "invalid_enum_value", &sentence),
        detail("business_industry.2", "invalid_type", &format!("Expected {list}, received number")),
        detail("business_industry.3", "invalid_type", &format!("Expected {list}, received null")),
    ];
    assert_refused(&client, &body, &expected).await;
}

#[tokio::test]
async fn every_industry_is_taken_and_shown() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = assert_created(&client, &with(&business(), "business_industry", json!(values(INDUSTRY)))).await;
    assert_eq!(user["business_industry"], json!(values(INDUSTRY)));
}

#[tokio::test]
async fn a_tax_id_needs_a_number_and_other_entries_do_not() {
    let service = Service::start().await;
    let client = service.client().await;
    for kind in values(super::values::IDENTIFICATION) {
        let entry = |number: Value| {
            let mut entry = json!({"type": kind, "issuing_country": "USA"});
            if !number.is_null() {
                entry["number"] = number;
            }
            with(&individual(), "identifying_information", json!([passport(), entry]))
        };
        if !values(TAX_IDS).contains(&kind) {
            assert_created(&client, &entry(Value::Null)).await;
            assert_created(&client, &entry(json!(""))).await;
            continue;
        }
        let path = "identifying_information.1.number";
        for (body, expected) in [
            (entry(Value::Null), detail(path, "invalid_type", "Required")),
            (entry(json!("")), detail(path, "too_small", "String must contain at least 1 character(s)")),
        ] {
            let expected = [expected];
            assert_refused(&client, &body, &expected).await;
            let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
            assert_eq!(violations_of(&status), expected, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_number_of_a_wrong_type_is_not_missing_as_well() {
    let service = Service::start().await;
    let client = service.client().await;
    let entry = json!({"type": "ssn", "issuing_country": "USA", "number": 123_456_789});
    let body = with(&individual(), "identifying_information", json!([entry]));
    let expected = [detail("identifying_information.0.number", "invalid_type", "Expected string, received number")];
    assert_refused(&client, &body, &expected).await;
}

#[tokio::test]
async fn a_request_brings_at_most_a_thousand_documents() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut entry = passport();
    entry["documents"] = many(20, &document());
    // 50 entries of 20 documents are a thousand.
    let most = with(&business(), "identifying_information", many(50, &entry));
    let expected = [detail("", "too_big", "A request must contain at most 1000 documents")];
    let before = stored(&service).await;
    let mut of_persons = business();
    of_persons["associated_persons"] = many(2, &person());
    for index in 0..2 {
        of_persons["associated_persons"][index]["identifying_information"] = many(26, &entry);
    }
    for body in [with(&most, "documents", json!([document()])), of_persons] {
        assert_refused(&client, &body, &expected).await;
        let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected);
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
    assert_created(&client, &most).await;
    assert_eq!(stored(&service).await["documents"], 1000);
}
