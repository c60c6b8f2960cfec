//! Refusals as a whole: every problem at once, in order, the same over both protocols, with nothing left behind.

use serde_json::{Value, json};
use uuid::Uuid;

use super::values::{BUSINESS_TYPE, GENDER, quoted};
use crate::api::support::bodies::{business, individual, passport, with};
use crate::api::support::stored::stored;
use crate::api::support::{Detail, assert_refused, detail, details_of, message_of, violations_of};
use crate::harness::service::Service;

const DATE: &str = "Must be a real calendar date in YYYY-MM-DD format";
const COUNTRY: &str = "Must be a 3-letter ISO 3166-1 country code, such as USA";

/// A body with a problem in every corner, its keys in any order but the schema's.
fn many_problems() -> (Value, Vec<Detail>) {
    let body = json!({
        "metadata": {"k": "\u{0}"},
        "account_purpose": "fun",
        "documents": [{"type": "front"}],
        "associated_persons": [
            {"last_name": "Vega", "email": "x", "ownership_percentage": 101},
            {
                "first_name": "Luis", "last_name": "Vega",
                "identifying_information": [
                    passport(),
                    {"issuing_country": "MX", "type": "rfc", "expiration": "soon", "documents": [
                        {"file": "data:image/png;base64,R0lGODlh", "type": "back"},
                    ]},
                ],
            },
        ],
        "representative_birth_date": "1990-02-30",
        "address_country": "mexico",
        "business_website": "www",
        "business_type": "startup",
        "type": "business",
        "email": "",
    });
    let purpose = super::values::BUSINESS_PURPOSE;
    let entry = "associated_persons.1.identifying_information.1";
    let content = "The file's content is not of the declared media type";
    let expected = vec![
        detail("email", "too_small", "String must contain at least 1 character(s)"),
        detail("business_legal_name", "invalid_type", "Required"),
        detail("business_type", "invalid_enum_value", &unknown(BUSINESS_TYPE, "startup")),
        detail("business_website", "invalid_string", "Invalid url"),
        detail("address_country", "custom", COUNTRY),
        detail("representative_birth_date", "invalid_string", DATE),
        detail("associated_persons.0.first_name", "invalid_type", "Required"),
        detail("associated_persons.0.email", "invalid_string", "Invalid email"),
        detail("associated_persons.0.ownership_percentage", "too_big", "Number must be less than or equal to 100"),
        detail(&format!("{entry}.issuing_country"), "custom", COUNTRY),
        detail(&format!("{entry}.number"), "invalid_type", "Required"),
        detail(&format!("{entry}.expiration"), "invalid_string", DATE),
        detail(&format!("{entry}.documents.0.file"), "custom", content),
        detail("account_purpose", "invalid_enum_value", &unknown(purpose, "fun")),
        detail("metadata.k", "custom", "Must not contain NUL characters"),
        detail("documents.0.file", "invalid_type", "Required"),
    ];
    (body, expected)
}

fn unknown(list: &'static str, value: &str) -> String {
    format!("Invalid enum value. Expected {}, received '{value}'", quoted(list))
}

#[tokio::test]
async fn all_problems_are_told_at_once_in_the_order_of_the_schema() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let (body, expected) = many_problems();
    assert_refused(&client, &body, &expected).await;
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn problems_of_headers_come_before_those_of_the_body() {
    let service = Service::start().await;
    let client = service.client().await;
    let (body, expected) = many_problems();
    let missing = detail("idempotency-key", "invalid_type", "Required");
    let malformed = detail("idempotency-key", "invalid_string", "Invalid uuid");
    let uuid = Uuid::new_v4();
    let (plain, braced) = (uuid.simple().to_string(), uuid.braced().to_string());
    for (headers, first) in [
        (&[][..], &missing),
        (&[("idempotency-key", "")], &malformed),
        (&[("idempotency-key", "1")], &malformed),
        (&[("idempotency-key", plain.as_str())], &malformed),
        (&[("idempotency-key", braced.as_str())], &malformed),
    ] {
        let found = details_of(&client.create_raw(headers, body.to_string()).await);
        assert_eq!(found[0], *first);
        assert_eq!(found[1..], expected[..]);
        // Without any other problem it is the documented answer.
        let found = details_of(&client.create_raw(headers, individual().to_string()).await);
        assert_eq!(found, std::slice::from_ref(first));
    }
}

#[tokio::test]
async fn the_same_list_is_told_over_grpc() {
    let service = Service::start().await;
    let client = service.client().await;
    let entry = json!({"type": "curp", "issuing_country": "", "documents": [{"type": "front"}]});
    let mut body = individual();
    for (path, value) in [
        ("email", json!("nobody")),
        ("last_name", json!("")),
        ("phone", json!("555")),
        ("birth_date", json!("2020-01-01")),
        ("nationality", json!("XXX")),
        ("address_country", json!("U.S.")),
        ("identifying_information", json!([passport(), entry])),
        ("occupation", json!("x".repeat(1025))),
    ] {
        body = with(&body, path, value);
    }
    body.as_object_mut().expect("an object").remove("first_name");
    let over_rest = details_of(&client.create_raw(&[], body.to_string()).await);
    assert_eq!(over_rest.len(), 12, "{over_rest:?}");
    let message = message_of(&body).expect("a message");
    let status = client.grpc().create_user(client.call(message)).await.expect_err("a refusal");
    assert_eq!(violations_of(&status), over_rest);
}

#[tokio::test]
async fn an_unknown_kind_is_the_only_thing_said_of_a_body() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let sentence = "Invalid discriminator value. Expected 'individual' | 'business'";
    let expected = [detail("type", "invalid_union_discriminator", sentence)];
    let rest = json!({"email": 5, "gender": "x", "unknown": 1});
    assert_refused(&client, &rest, &expected).await;
    for kind in
        [json!("person"), json!(""), json!("Individual"), json!(null), json!(1), json!(["individual"]), json!({})]
    {
        assert_refused(&client, &with(&rest, "type", kind), &expected).await;
    }
    assert_refused(&client, &json!({}), &expected).await;
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let before = stored(&service).await;
    assert_eq!(client.create_with(key, &with(&individual(), "gender", json!("x"))).await.status, 400);
    assert_eq!(stored(&service).await, before);
    assert_eq!(client.create_with(key, &business()).await.status, 201);
}

#[tokio::test]
async fn a_wrong_value_is_cut_short_in_its_sentence() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = with(&individual(), "gender", json!("é".repeat(1000)));
    let expected = [detail("gender", "invalid_enum_value", &unknown(GENDER, &"é".repeat(64)))];
    assert_refused(&client, &body, &expected).await;
}
