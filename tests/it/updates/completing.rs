//! A user who was created with something missing gets there.

use kira_users::domain::verification::Decision;
use serde_json::json;

use crate::harness::database::ALL_EVENTS;
use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, minimal, with};
use crate::harness::service::Service;
use crate::updates::support::{created, decide, shown, stored_files, texts, updated};

#[tokio::test]
async fn the_mexican_individual_is_completed_by_a_tax_id_and_expected_payments() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[1])).await;
    let half =
        json!({"identifying_information": [{"type": "tax_id", "issuing_country": "MEX", "number": "GARM880520"}]});
    let user = updated(&client, &id, &half).await;
    assert_eq!(user["verification_triggered"], false);
    assert_eq!(user["missing_fields"]["verification"], json!(["expected_monthly_payments"]));
    assert_eq!(user["updated_fields"], json!(["identifying_information.0"]));
    let user = updated(&client, &id, &json!({"expected_monthly_payments": "5000_9999"})).await;
    assert_eq!((&user["verification_triggered"], &user["status"]), (&json!(true), &json!("VERIFYING")));
    assert_eq!(user["requires_reverification"], false);
    assert_eq!(user["updated_fields"], json!(["expected_monthly_payments"]));
    assert_eq!(user["missing_fields"].get("verification"), None);
    assert_eq!(user["metadata"]["tax_id"], "GARM880520");
    assert_eq!(shown(&client, &id).await["verification_triggered"], true);
    let attempts = texts(&service, "SELECT state FROM verification_attempts").await;
    assert_eq!((attempts, service.database.count("jobs").await), (vec!["pending".to_owned()], 1));
}

#[tokio::test]
async fn the_business_of_the_usa_is_completed_by_a_proof_of_address() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[2])).await;
    let files = stored_files(&service);
    let document = json!({"type": "file_proof_of_address", "file": data_uri("image/jpeg", &jpeg("a bill"))});
    let entry = json!({"type": "proof_of_address", "issuing_country": "USA", "documents": [document]});
    let user = updated(&client, &id, &json!({"identifying_information": [entry]})).await;
    assert_eq!(user["verification_triggered"], true);
    assert_eq!(stored_files(&service), files + 1);
    let added = user["identifying_information"].as_array().and_then(|entries| entries.last()).expect("an entry");
    assert_eq!(added["documents"][0]["media_type"], "image/jpeg");
    assert!(added["documents"][0]["sha256"].as_str().is_some_and(|hash| hash.len() == 64));
    assert!(added["documents"][0].get("file").is_none());
}

#[tokio::test]
async fn the_least_user_is_completed_by_all_the_rest() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let mut rest = example(EXAMPLES[0]);
    rest.as_object_mut().expect("an object").remove("type");
    let user = updated(&client, &id, &rest).await;
    assert_eq!(user["verification_triggered"], true);
    // With another external id, of which no warning is due.
    let mut again = client.create(&with(example(EXAMPLES[0]), "/external_id", json!("another"))).await.json();
    again["metadata"]["external_id"] = user["metadata"]["external_id"].clone();
    for key in ["id", "created_at", "updated_at", "status"] {
        again[key] = user[key].clone();
    }
    for key in ["updated_fields", "requires_reverification", "identifying_information"] {
        again[key] = user[key].clone();
    }
    assert_eq!(user, again);
}

#[tokio::test]
async fn a_completed_user_tells_its_receivers_in_order() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[2])).await;
    let document = json!({"type": "file_proof_of_address", "file": data_uri("image/jpeg", &jpeg("a bill"))});
    updated(&client, &id, &json!({"documents": [document]})).await;
    let kinds = texts(&service, &format!("SELECT kind FROM {ALL_EVENTS} ORDER BY sequence")).await;
    assert_eq!(kinds, ["user.created", "user.updated", "user.status_changed"]);
    let numbers = texts(&service, &format!("SELECT CAST(sequence AS TEXT) FROM {ALL_EVENTS} ORDER BY sequence")).await;
    assert_eq!(numbers, ["1", "2", "3"]);
    let payloads =
        texts(&service, &format!("SELECT CAST(payload AS TEXT) FROM {ALL_EVENTS} ORDER BY sequence DESC")).await;
    let payload: serde_json::Value = serde_json::from_str(&payloads[0]).expect("JSON");
    let expected = json!({"type": "business", "status": "VERIFYING", "previous_status": "CREATED"});
    assert_eq!(payload, expected);
}

#[tokio::test]
async fn a_rejected_user_who_changes_the_cause_is_verified_again() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Rejected).await;
    let user = updated(&client, &id, &json!({"birth_date": "1991-01-15"})).await;
    assert_eq!(user["requires_reverification"], true);
    assert_eq!((&user["verification_triggered"], &user["status"]), (&json!(true), &json!("VERIFYING")));
    let states = texts(&service, "SELECT state FROM verification_attempts ORDER BY created_at, state DESC").await;
    assert_eq!(states, ["rejected", "pending"]);
    let triggers = texts(&service, "SELECT trigger FROM verification_attempts WHERE state = 'pending'").await;
    assert_eq!(triggers, ["update"]);
}
