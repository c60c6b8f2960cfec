//! What a change does to a user who has been judged, or is about to be.

use kira_users::domain::verification::Decision;
use serde_json::json;

use crate::harness::requests::{EXAMPLES, example};
use crate::harness::service::Service;
use crate::updates::support::{claim, created, decide, settle, shown, texts, updated};

#[tokio::test]
async fn a_verified_user_with_another_name_is_verified_again() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Verified).await;
    let user = updated(&client, &id, &json!({"last_name": "Roe"})).await;
    assert_eq!((&user["requires_reverification"], &user["verification_triggered"]), (&json!(true), &json!(true)));
    assert_eq!((&user["status"], &user["verification_status"]), (&json!("VERIFYING"), &json!("unverified")));
    assert!(user["eligible_products"].as_array().expect("a list").iter().all(|product| product["eligible"] == false));
}

#[tokio::test]
async fn a_verified_user_with_another_occupation_stays_verified() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Verified).await;
    let user = updated(&client, &id, &json!({"occupation": "Painter", "phone": "+12025550000"})).await;
    assert_eq!((&user["requires_reverification"], &user["verification_triggered"]), (&json!(false), &json!(false)));
    assert_eq!(user["status"], "VERIFIED");
    assert_eq!(shown(&client, &id).await["verification_triggered"], true);
}

#[tokio::test]
async fn a_verified_user_whose_new_data_are_incomplete_is_verified_no_more() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Verified).await;
    let user = updated(&client, &id, &json!({"last_name": "Roe", "occupation": ""})).await;
    assert_eq!((&user["requires_reverification"], &user["verification_triggered"]), (&json!(true), &json!(false)));
    assert_eq!(user["status"], "CREATED");
    let states = texts(&service, "SELECT state FROM verification_attempts").await;
    assert_eq!(states, ["verified"], "an outcome stays in the history");
    let user = updated(&client, &id, &json!({"occupation": "Painter"})).await;
    assert_eq!((&user["verification_triggered"], &user["status"]), (&json!(true), &json!("VERIFYING")));
}

#[tokio::test]
async fn a_rejected_user_whose_new_data_are_incomplete_stays_rejected_until_they_are_complete() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Rejected).await;
    let user = updated(&client, &id, &json!({"last_name": "Roe", "occupation": ""})).await;
    assert_eq!((&user["status"], &user["requires_reverification"]), (&json!("REJECTED"), &json!(true)));
    let user = updated(&client, &id, &json!({"occupation": "Painter"})).await;
    assert_eq!((&user["verification_triggered"], &user["status"]), (&json!(true), &json!("VERIFYING")));
}

#[tokio::test]
async fn an_attempt_whose_data_change_is_superseded_by_another() {
    for status in ["CREATED", "VERIFYING"] {
        let service = Service::start().await;
        let client = service.client().await;
        let id = created(&client, &example(EXAMPLES[0])).await;
        if status != "CREATED" {
            claim(&service).await;
        }
        assert_eq!(shown(&client, &id).await["status"], status);
        let user = updated(&client, &id, &json!({"address_city": "Oakland"})).await;
        assert_eq!((&user["requires_reverification"], &user["verification_triggered"]), (&json!(false), &json!(true)));
        let mut states = texts(&service, "SELECT state FROM verification_attempts").await;
        states.sort();
        assert_eq!(states, ["pending", "superseded"], "{status}");
        let current = "SELECT a.state FROM users u JOIN verification_attempts a ON a.id = u.attempt_id";
        assert_eq!(texts(&service, current).await, ["pending"]);
        let job =
            "SELECT a.state FROM jobs j JOIN verification_attempts a ON a.id = j.attempt_id AND a.state = 'pending'";
        assert_eq!(texts(&service, job).await, ["pending"]);
    }
}

#[tokio::test]
async fn no_change_leads_around_a_review() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Review).await;
    for change in [json!({"last_name": "Roe"}), json!({"occupation": "", "first_name": "Jane"})] {
        let user = updated(&client, &id, &change).await;
        assert_eq!((&user["status"], &user["verification_triggered"]), (&json!("REVIEW"), &json!(false)));
    }
    assert_eq!(texts(&service, "SELECT state FROM verification_attempts").await, ["review"]);
    assert_eq!(
        texts(&service, "SELECT CAST(status_reasons AS TEXT) FROM users WHERE status_reasons IS NOT NULL").await.len(),
        1
    );
}

#[tokio::test]
async fn a_rejected_user_that_changes_any_possible_cause_is_verified_again() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Rejected).await;
    let user = updated(&client, &id, &json!({"metadata": {"a": 1}})).await;
    assert_eq!((&user["status"], &user["verification_triggered"]), (&json!("REJECTED"), &json!(false)));
    let user = updated(&client, &id, &json!({"nationality": "CAN"})).await;
    assert_eq!((&user["status"], &user["verification_triggered"]), (&json!("VERIFYING"), &json!(true)));
}

#[tokio::test]
async fn an_attempt_whose_data_do_not_change_goes_on() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    decide(&service, Decision::Review).await;
    let user = updated(&client, &id, &json!({"metadata": {"a": 1}, "email": "new@example.com"})).await;
    assert_eq!((&user["status"], &user["verification_triggered"]), (&json!("REVIEW"), &json!(false)));
    assert_eq!(texts(&service, "SELECT state FROM verification_attempts").await, ["review"]);
}

#[tokio::test]
async fn an_attempt_whose_documents_are_removed_is_abandoned() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[3])).await;
    let person = shown(&client, &id).await["associated_persons"][0]["identifying_information"][0].clone();
    let first = shown(&client, &id).await["associated_persons"][0]["id"].clone();
    let entry = json!({"id": person["id"], "_delete": true});
    let change = json!({"associated_persons": [{"id": first, "identifying_information": [entry]}]});
    let user = updated(&client, &id, &change).await;
    assert_eq!((&user["status"], &user["verification_triggered"]), (&json!("CREATED"), &json!(false)));
    assert_eq!(texts(&service, "SELECT state FROM verification_attempts").await, ["superseded"]);
    assert_eq!(texts(&service, "SELECT status FROM users WHERE attempt_id IS NULL").await, ["CREATED"]);
    let missing = &user["missing_fields"]["verification"];
    assert_eq!(missing, &json!(["associated_persons.0:identifying_information:front"]));
}

#[tokio::test]
async fn a_late_outcome_of_an_attempt_that_a_change_has_ended_changes_nothing() {
    for decision in [Decision::Verified, Decision::Rejected, Decision::Review] {
        let service = Service::start().await;
        let client = service.client().await;
        let id = created(&client, &example(EXAMPLES[0])).await;
        let late = claim(&service).await;
        updated(&client, &id, &json!({"last_name": "Roe"})).await;
        settle(&service, &late, decision).await;
        assert_eq!(shown(&client, &id).await["status"], "VERIFYING");
        let next = claim(&service).await;
        assert_ne!(next.attempt.id, late.attempt.id);
        settle(&service, &next, Decision::Verified).await;
        let user = shown(&client, &id).await;
        assert_eq!((&user["status"], &user["last_name"]), (&json!("VERIFIED"), &json!("Roe")));
    }
}
