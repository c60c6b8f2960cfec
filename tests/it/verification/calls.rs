//! Listing and starting verifications, over both protocols.

use kira_users::contract::v1;
use kira_users::contract::v1::verifications_service_client::VerificationsServiceClient;
use kira_users::env::{Env, SystemEnv};
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::{minimal, with};
use crate::harness::service::{Answer, is_replayed};
use crate::verification::support::World;

impl World {
    async fn request(&self, id: &str, key: Uuid, body: Value) -> Answer {
        let request = self.client.request(Method::POST, &format!("/v1/users/{id}/verifications")).json(&body);
        Answer::of(request.header("idempotency-key", key.to_string()).send().await.expect("an answer")).await
    }

    async fn verifications(&self, id: &str) -> Vec<Value> {
        let answer = self.client.get(&format!("/v1/users/{id}/verifications")).await;
        assert_eq!(answer.status, 200);
        answer.json()["data"].as_array().expect("a list").clone()
    }

    /// A user whom the sandbox has rejected.
    async fn rejected(&self) -> String {
        let id = self.individual("Doe Reject").await;
        self.drain().await;
        id
    }
}

fn key() -> Uuid {
    SystemEnv::default().new_id()
}

#[tokio::test]
async fn the_history_of_a_user_explains_every_attempt_newest_first() {
    let world = World::new().await;
    let id = world.rejected().await;
    let started = world.request(&id, key(), json!({"type": "api"})).await;
    let list = world.verifications(&id).await;
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["id"], started.json()["id"]);
    assert_eq!((&list[0]["status"], &list[0]["trigger"]), (&"pending".into(), &"request".into()));
    let first = &list[1];
    assert_eq!(first["user_id"], id.as_str());
    assert_eq!(
        (&first["type"], &first["status"], &first["trigger"]),
        (&"api".into(), &"rejected".into(), &"create".into())
    );
    assert_eq!((&first["provider"], &first["assurance"]), (&"sandbox".into(), &"simulated".into()));
    assert_eq!(first["reasons"][0]["code"], "sandbox_rejected");
    for time in ["created_at", "started_at", "finished_at"] {
        assert_eq!(first[time], "2026-11-23T10:00:00Z");
    }
}

#[tokio::test]
async fn a_user_that_was_never_verified_has_an_empty_history_and_that_of_another_client_is_not_found() {
    let world = World::new().await;
    let created = world.client.create(&minimal()).await.json();
    let id = created["id"].as_str().expect("an id");
    let answer = world.client.get(&format!("/v1/users/{id}/verifications")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"data": []})));
    let other_client = world.service.client().await;
    let answer = other_client.get(&format!("/v1/users/{id}/verifications")).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, "not_found".into()));
    let request = other_client.request(Method::POST, &format!("/v1/users/{id}/verifications"));
    let request = request.header("idempotency-key", key().to_string()).json(&json!({"type": "api"}));
    assert_eq!(request.send().await.expect("an answer").status(), 404);
}

#[tokio::test]
async fn a_rejected_user_is_verified_again_by_request() {
    let world = World::new().await;
    let id = world.rejected().await;
    let answer = world.request(&id, key(), json!({"type": "api"})).await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    assert_eq!(
        (&body["user_id"], &body["type"], &body["status"]),
        (&id.as_str().into(), &"api".into(), &"pending".into())
    );
    assert!(body["id"].is_string() && body["created_at"].is_string());
    let user = world.user(&id).await;
    assert_eq!(user["status"], "VERIFYING");
    assert!(user.get("status_reasons").is_none(), "the old reasons explain nothing any more");
    assert_eq!(world.drain().await, 1);
    assert_eq!(world.status(&id).await, "REJECTED");
}

#[tokio::test]
async fn a_repeated_request_starts_one_attempt_over_both_protocols() {
    let world = World::new().await;
    let id = world.rejected().await;
    let key = key();
    let first = world.request(&id, key, json!({"type": "api"})).await;
    world.drain().await;
    let again = world.request(&id, key, json!({"type": "api"})).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!((&again.json()["id"], &again.json()["status"]), (&first.json()["id"], &"rejected".into()));
    let mut grpc = VerificationsServiceClient::new(world.client.channel.clone());
    let message = v1::CreateVerificationRequest {
        idempotency_key: Some(key.to_string()),
        user_id: Some(id.clone()),
        r#type: Some(v1::VerificationType::Api.into()),
        redirect_uri: None,
    };
    let response = grpc.create_verification(world.client.call(message)).await.expect("a replay");
    assert!(is_replayed(response.metadata()));
    let replayed = response.into_inner().verification.expect("the attempt");
    assert_eq!(first.json()["id"], replayed.id.as_str());
    assert_eq!(world.verifications(&id).await.len(), 2);
    let other = world.rejected().await;
    let reused = world.request(&other, key, json!({"type": "api"})).await;
    assert_eq!((reused.status, reused.json()["code"].clone()), (409, "idempotency_key_reused".into()));
}

#[tokio::test]
async fn what_is_missing_is_listed_like_any_other_problem() {
    let world = World::new().await;
    let body = with(with(minimal(), "/first_name", "Bo".into()), "/last_name", "Li".into());
    let created = world.client.create(&body).await.json();
    let id = created["id"].as_str().expect("an id");
    let answer = world.request(id, key(), json!({"type": "api"})).await;
    assert_eq!((answer.status, answer.json()["error"].clone()), (400, "Invalid request data".into()));
    let details = answer.json()["details"].clone();
    let paths: Vec<_> = details.as_array().expect("details").iter().map(|detail| detail["path"].clone()).collect();
    assert_eq!(Value::from(paths), created["missing_fields"]["verification"]);
    assert_eq!((&details[0]["code"], &details[0]["message"]), (&"invalid_type".into(), &"Required".into()));
    assert!(world.verifications(id).await.is_empty());
}

#[tokio::test]
async fn a_user_that_is_verified_or_being_verified_or_in_review_is_a_conflict() {
    let world = World::new().await;
    let waiting = world.individual("Doe").await;
    let answer = world.request(&waiting, key(), json!({"type": "api"})).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (409, "invalid_state".into()));
    let reviewed = world.individual("Doe Review").await;
    world.drain().await;
    for id in [waiting, reviewed] {
        assert_eq!(world.request(&id, key(), json!({"type": "api"})).await.status, 409);
        let mut grpc = VerificationsServiceClient::new(world.client.channel.clone());
        let message = v1::CreateVerificationRequest {
            idempotency_key: Some(key().to_string()),
            user_id: Some(id.clone()),
            r#type: Some(v1::VerificationType::Api.into()),
            redirect_uri: None,
        };
        let error = grpc.create_verification(world.client.call(message)).await.expect_err("a conflict");
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert_eq!(world.verifications(&id).await.len(), 1);
    }
}

#[tokio::test]
async fn a_provider_without_hosted_links_says_so() {
    let world = World::new().await;
    let id = world.rejected().await;
    let body = json!({"type": "embedded-link", "redirect_uri": "https://example.com/done"});
    let answer = world.request(&id, key(), body).await;
    let message = "The verification provider has no hosted links; use 'api'";
    let details = json!([{"path": "type", "message": message, "code": "custom"}]);
    assert_eq!((answer.status, answer.json()["details"].clone()), (400, details));
}

#[tokio::test]
async fn bad_input_of_a_request_is_told_all_at_once() {
    let world = World::new().await;
    let request = world.client.request(Method::POST, "/v1/users/7/verifications").json(&json!({"type": "selfie"}));
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    assert_eq!(answer.status, 400);
    let paths: Vec<_> = answer.json()["details"]
        .as_array()
        .expect("details")
        .iter()
        .map(|detail| (detail["path"].clone(), detail["code"].clone()))
        .collect();
    assert_eq!(
        Value::from_iter(paths.into_iter().map(|(path, code)| json!([path, code]))),
        json!([
            ["idempotency-key", "invalid_type"],
            ["user_id", "invalid_string"],
            ["type", "invalid_union_discriminator"]
        ])
    );
}

#[tokio::test]
async fn a_verification_of_no_kind_or_of_an_unknown_one_is_refused_for_that_alone() {
    let world = World::new().await;
    let id = world.rejected().await;
    let message = "Invalid discriminator value. Expected 'embedded-link' | 'api'";
    let bodies = [json!({}), json!({"type": "selfie"}), json!({"type": null}), json!({"type": 5}), json!({"type": {}})];
    for body in bodies.into_iter().chain([json!({"type": "", "redirect_uri": 5}), json!({"type": ["api"]})]) {
        let answer = world.request(&id, key(), body.clone()).await;
        let expected = json!([{"path": "type", "message": message, "code": "invalid_union_discriminator"}]);
        assert_eq!((answer.status, &answer.json()["details"]), (400, &expected), "{body}");
    }
    let mut grpc = VerificationsServiceClient::new(world.client.channel.clone());
    for kind in [None, Some(0), Some(7)] {
        let message = v1::CreateVerificationRequest {
            idempotency_key: Some(key().to_string()),
            user_id: Some(id.clone()),
            r#type: kind,
            redirect_uri: None,
        };
        let status = grpc.create_verification(world.client.call(message)).await.expect_err("a refusal");
        let found = kira_gateway::error::details(&status).expect("details of ours").violations;
        let found: Vec<_> = found.iter().map(|found| (found.field.as_str(), found.reason.as_str())).collect();
        assert_eq!((status.code(), found), (Code::InvalidArgument, vec![("type", "invalid_union_discriminator")]));
    }
}
