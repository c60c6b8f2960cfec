//! The keys of a body: their order, their spelling, unknown keys.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{only_problem, send};
use crate::api::support::bodies::{business, individual, passport, person, with};
use crate::api::support::stored::stored;
use crate::api::support::{Detail, assert_created, assert_refused, detail, details_of};
use crate::harness::service::{Answer, Client, Service};

/// A body as it is, preferring a refusal to a warning.
async fn send_strictly(client: &Client, body: &Value) -> Answer {
    let key = Uuid::new_v4().to_string();
    client.create_raw(&[("idempotency-key", &key), ("prefer", "handling=strict")], body.to_string()).await
}

fn warning(path: &str, key: &str) -> Value {
    json!({"path": path, "message": format!("Unrecognized key(s) in object: '{key}'"), "code": "unrecognized_keys"})
}

#[tokio::test]
async fn the_kind_may_be_the_last_key_of_a_body() {
    let service = Service::start().await;
    let client = service.client().await;
    let rest = r#"{"email":"a@b.co","first_name":"A","last_name":"B","gender":"#;
    assert_eq!(send(&client, format!(r#"{rest}"male","type":"individual"}}"#)).await.status, 201);
    // Violations before it are reported as everywhere.
    let found = details_of(&send(&client, format!(r#"{rest}7,"type":"individual"}}"#)).await);
    let sentence = "Expected 'male' | 'female' | 'other', received number";
    assert_eq!(found, [detail("gender", "invalid_type", sentence)]);
    let broken = "{\n\"metadata\":{\"a\":1,\n\"a\":2},\n\"type\":\"individual\"}";
    assert!(only_problem(&client, broken).await.1.starts_with("Duplicate key 'a' at line 3 column "));
}

#[tokio::test]
async fn escapes_in_keys_and_values_are_read() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = r#"{"t\u0079pe":"individu\u0061l","email":"a@b.co","first_name":"\u005a\u00f6\"\\\/\t","last_name":"\ud83e\udd8a"}"#;
    let user = send(&client, body).await.json();
    assert_eq!((&user["first_name"], &user["last_name"]), (&json!("Zö\"\\/\t"), &json!("🦊")));
}

#[tokio::test]
async fn an_unknown_key_is_a_warning_and_where_the_caller_is_strict_a_refusal() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut entry = passport();
    entry["colour"] = json!("red");
    let mut one = person();
    one["shoe_size"] = json!([42]);
    let mut body = business();
    body["associated_persons"] = json!([person(), one]);
    body["identifying_information"] = json!([entry]);
    body["additional_info"] = json!({"why": null});
    body["nick"] = json!({"a": 1});
    let user = assert_created(&client, &body).await;
    // In the order of the body: serde_json's maps are sorted.
    let expected = json!([
        warning("additional_info.why", "why"),
        warning("associated_persons.1.shoe_size", "shoe_size"),
        warning("identifying_information.0.colour", "colour"),
        warning("nick", "nick"),
    ]);
    let sorted = |list: &Value| {
        let mut list = list.as_array().expect("a list").clone();
        list.sort_by_key(|entry| entry["path"].as_str().map(str::to_owned));
        list
    };
    assert_eq!(sorted(&user["warnings"]), sorted(&expected));
    assert_eq!(user.get("nick"), None);

    let before = stored(&service).await;
    let found = details_of(&send_strictly(&client, &body).await);
    let path = |entry: &Detail| entry.0.clone();
    let order = ["associated_persons.1.shoe_size", "identifying_information.0.colour", "additional_info.why", "nick"];
    assert_eq!(found.iter().map(path).collect::<Vec<_>>(), order);
    assert!(found.iter().all(|(_, _, code)| code == "unrecognized_keys"));
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
    assert_eq!(send_strictly(&client, &business()).await.status, 201);
    assert_eq!(assert_created(&client, &business()).await.get("warnings"), None);
}

#[tokio::test]
async fn what_the_service_sets_is_never_taken_from_a_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let theirs = [
        ("id", json!("00000000-0000-0000-0000-000000000001")),
        ("status", json!("VERIFIED")),
        ("verification_status", json!("verified")),
        ("created_at", json!("2000-01-01T00:00:00Z")),
        ("updated_at", json!("2000-01-01T00:00:00Z")),
        ("verification_triggered", json!(true)),
        ("eligible_products", json!([])),
        ("missing_fields", json!({})),
        ("requirements", json!({})),
        ("residential_address", json!({"city": "Nowhere"})),
        ("registered_address", json!({"city": "Nowhere"})),
        ("idempotency_key", json!("00000000-0000-0000-0000-000000000001")),
    ];
    for body in [individual(), business()] {
        let mut plain = assert_created(&client, &body).await;
        let mut asked = body.clone();
        for (name, value) in &theirs {
            asked = with(&asked, name, value.clone());
        }
        let mut user = assert_created(&client, &asked).await;
        let warnings = user.as_object_mut().expect("an object").remove("warnings").expect("warnings");
        for (name, _) in &theirs {
            assert!(warnings.as_array().expect("a list").contains(&warning(name, name)), "{name}");
        }
        crate::api::support::hide_ids(&mut plain);
        crate::api::support::hide_ids(&mut user);
        assert_eq!(user, plain);
    }
    let mut entry = passport();
    entry["id"] = json!("00000000-0000-0000-0000-000000000001");
    let user = assert_created(&client, &with(&business(), "identifying_information", json!([entry.clone()]))).await;
    assert_ne!(user["identifying_information"][0]["id"], entry["id"]);
    assert_eq!(user["warnings"], json!([warning("identifying_information.0.id", "id")]));
}

#[tokio::test]
async fn a_key_of_the_other_kind_is_unknown() {
    let service = Service::start().await;
    let client = service.client().await;
    for (body, key, value) in [
        (business(), "gender", json!("male")),
        (business(), "first_name", json!(7)),
        (business(), "employment_status", json!("nonsense")),
        (individual(), "associated_persons", json!("nonsense")),
        (individual(), "business_legal_name", json!("x")),
        (individual(), "company_name", json!("x")),
        (individual(), "ein", json!(null)),
    ] {
        let user = assert_created(&client, &with(&body, key, value)).await;
        assert_eq!(user["warnings"], json!([warning(key, key)]));
        assert_eq!(user.get(key), None);
    }
}

#[tokio::test]
async fn company_name_is_another_word_for_business_legal_name() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = json!({"type": "business", "email": "a@b.co", "company_name": "Reyes Ltd"});
    let user = assert_created(&client, &body).await;
    assert_eq!((&user["business_legal_name"], user.get("warnings")), (&json!("Reyes Ltd"), None));
    // Violations are reported under the documented name.
    for (value, code, message) in [
        (json!(7), "invalid_type", "Expected string, received number"),
        (json!(""), "too_small", "String must contain at least 1 character(s)"),
        (json!("x".repeat(256)), "too_big", "String must contain at most 255 character(s)"),
    ] {
        let body = with(&body, "company_name", value);
        assert_refused(&client, &body, &[detail("business_legal_name", code, message)]).await;
    }

    let start = r#"{"type":"business","email":"a@b.co""#;
    let sentence = "Must not be given together with 'company_name'";
    for both in [r#""company_name":"A","business_legal_name":"A""#, r#""business_legal_name":"A","company_name":"A""#] {
        let found = details_of(&send(&client, format!("{start},{both}}}")).await);
        assert_eq!(found, [detail("business_legal_name", "custom", sentence)]);
    }
    let twice = format!(r#"{start},"company_name":"A","company_name":"A"}}"#);
    assert!(only_problem(&client, twice).await.1.starts_with("Duplicate key 'company_name'"));
    let missing = json!({"type": "business", "email": "a@b.co"});
    assert_refused(&client, &missing, &[detail("business_legal_name", "invalid_type", "Required")]).await;
}
