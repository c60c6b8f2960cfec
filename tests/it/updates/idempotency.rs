//! A change that is sent again under its idempotency key.

use kira_users::contract::v1;
use kira_users::contract::v1::update_user_request::User as Change;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg};
use crate::harness::service::{Answer, Client, Service, is_replayed};
use crate::updates::support::{created, problem, problems_of, put_with, send, shown, stored_files, updated};

async fn put(client: &Client, id: &str, key: Uuid, body: &Value) -> Answer {
    put_with(client, id, &[("idempotency-key", &key.to_string())], body).await
}

fn with_picture() -> Value {
    let document = json!({"type": "front", "file": data_uri("image/jpeg", &jpeg("new"))});
    json!({"identifying_information": [
        {"type": "passport", "issuing_country": "USA", "number": "P1", "documents": [document]}]})
}

fn replayed(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.header("idempotent-replayed") == Some("true")
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_made_once_and_answered_as_before() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let key = Uuid::new_v4();
    let first = put(&client, &id, key, &with_picture()).await;
    assert!(!replayed(&first));
    assert_eq!(first.json()["updated_fields"], json!(["identifying_information.0"]));
    assert_eq!(first.json()["verification_triggered"], true);
    let (files, attempts) = (stored_files(&service), service.database.count("verification_attempts").await);
    for method in [Method::PUT, Method::PATCH] {
        let path = format!("/v1/users/{id}");
        let again = send(&client, method, &path, &[("idempotency-key", &key.to_string())], &with_picture()).await;
        assert!(replayed(&again));
        assert_eq!((again.json(), again.header("etag")), (first.json(), first.header("etag")));
    }
    assert_eq!(stored_files(&service), files);
    assert_eq!(service.database.count("verification_attempts").await, attempts);
}

#[tokio::test]
async fn a_repetition_does_not_undo_what_came_after_it() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let key = Uuid::new_v4();
    // The first changes nothing, and the key is still bound to it.
    let same = json!({"phone": shown(&client, &id).await["phone"]});
    assert_eq!(put(&client, &id, key, &same).await.json()["updated_fields"], json!([]));
    updated(&client, &id, &json!({"phone": "+12025550199"})).await;
    let again = put(&client, &id, key, &same).await;
    assert!(replayed(&again));
    assert_eq!(again.json()["phone"], "+12025550199");
}

#[tokio::test]
async fn a_repetition_under_a_condition_finds_its_own_change() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let tag = client.get(&format!("/v1/users/{id}")).await.header("etag").expect("a tag").to_owned();
    let key = Uuid::new_v4().to_string();
    let headers = [("idempotency-key", key.as_str()), ("if-match", tag.as_str())];
    let body = json!({"phone": "+12025550199"});
    assert!(!replayed(&put_with(&client, &id, &headers, &body).await));
    assert!(replayed(&put_with(&client, &id, &headers, &body).await));
}

#[tokio::test]
async fn a_key_is_for_one_change_of_one_user() {
    let service = Service::start().await;
    let client = service.client().await;
    let (one, two) = (created(&client, &example(EXAMPLES[0])).await, created(&client, &example(EXAMPLES[0])).await);
    let key = Uuid::new_v4();
    let body = json!({"phone": "+12025550199"});
    assert_eq!(put(&client, &one, key, &body).await.status, 200);
    let files = stored_files(&service);
    for (id, body) in [(&one, json!({"phone": "+12025550198"})), (&two, body.clone()), (&one, with_picture())] {
        let refused = put(&client, id, key, &body).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("idempotency_key_reused")));
    }
    assert_eq!(stored_files(&service), files);
    // Another client's key, and the key of a create, are others.
    let other_client = service.client().await;
    let theirs = created(&other_client, &example(EXAMPLES[0])).await;
    assert!(!replayed(&put(&other_client, &theirs, key, &body).await));
    assert_eq!(client.create_with(key, &example(EXAMPLES[0])).await.status, 201);
}

#[tokio::test]
async fn a_refused_change_leaves_its_key_free() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let key = Uuid::new_v4();
    assert_eq!(put(&client, &id, key, &json!({"phone": "1"})).await.status, 400);
    assert!(!replayed(&put(&client, &id, key, &json!({"phone": "+12025550199"})).await));
    let malformed = put_with(&client, &id, &[("idempotency-key", "one")], &json!({})).await;
    assert_eq!(problems_of(&malformed), [problem("idempotency-key", "invalid_string")]);
}

#[tokio::test]
async fn of_repetitions_at_once_one_makes_the_change() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let files = stored_files(&service);
    let (key, body) = (Uuid::new_v4(), with_picture());
    let calls: Vec<_> = (0..8).map(|_| put(&client, &id, key, &body)).collect();
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| !replayed(answer)).count(), 1);
    for answer in &answers {
        assert_eq!(answer.json()["updated_fields"], json!(["identifying_information.0"]));
    }
    assert_eq!(stored_files(&service), files + 1);
}

#[tokio::test]
async fn a_key_is_the_same_over_both_protocols() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let key = Uuid::new_v4();
    assert!(!replayed(&put(&client, &id, key, &json!({"phone": "+12025550199"})).await));
    let message = |phone: &str, key: Option<Uuid>| v1::UpdateUserRequest {
        user: Some(Change::Individual(v1::IndividualChange {
            phone: Some(phone.to_owned()),
            ..v1::IndividualChange::default()
        })),
        user_id: Some(id.clone()),
        idempotency_key: key.map(|key| key.to_string()),
        ..v1::UpdateUserRequest::default()
    };
    let by_field = client.grpc().update_user(client.call(message("+12025550199", Some(key)))).await.expect("an answer");
    assert!(is_replayed(by_field.metadata()));
    let outcome = by_field.into_inner().user.expect("a user").outcome.expect("an outcome");
    assert_eq!(outcome.updated_fields, ["phone"]);
    let mut by_metadata = client.call(message("+12025550199", None));
    by_metadata.metadata_mut().insert("idempotency-key", key.to_string().parse().expect("metadata"));
    assert!(is_replayed(client.grpc().update_user(by_metadata).await.expect("an answer").metadata()));
    let other = client.grpc().update_user(client.call(message("+12025550198", Some(key)))).await.expect_err("another");
    assert_eq!(other.code(), Code::AlreadyExists);
}
