//! The offline checks as the provider.

use std::sync::Arc;
use std::time::Duration;

use jpeg_encoder::{ColorType, Encoder};
use kira_users::verification::rules::{Budget, Rules};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::requests::{data_uri, with, with_files};
use crate::verification::support::World;

const RULES: (&str, &str) = ("KIRA_VERIFICATION_PROVIDER", "rules");
const AUTO: (&str, &str) = ("KIRA_RULES_AUTO_APPROVE", "true");

/// A picture of some size in which every pixel differs from its neighbours.
fn picture(seed: u8) -> Value {
    let pixels: Vec<u8> =
        (0..600_u32 * 400 * 3).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect();
    let mut file = Vec::new();
    Encoder::new(&mut file, 90).encode(&pixels, 600, 400, ColorType::Rgb).expect("a picture");
    data_uri("image/jpeg", &file)
}

/// The specification's individual of the USA with real pictures and a number that may be one.
fn consistent() -> Value {
    let mut user = with(with_files(), "/identifying_information/0/number", json!("536-22-8145"));
    for document in 0..3_u8 {
        let place = format!("/identifying_information/1/documents/{document}/file");
        user = with(user, &place, picture(document));
    }
    user
}

#[tokio::test]
async fn who_is_consistent_is_confirmed_by_a_human() {
    let world = World::with(&[RULES]).await;
    let id = world.create(&consistent()).await;
    assert_eq!(world.drain().await, 1);
    let user = world.user(&id).await;
    assert_eq!(
        (&user["status"], &user["status_reasons"][0]["code"]),
        (&json!("REVIEW"), &json!("identity_not_checked"))
    );
    let attempts = world.client.get(&format!("/v1/users/{id}/verifications")).await.json();
    assert_eq!(attempts["data"][0]["provider"], "rules");
    assert_eq!(attempts["data"][0]["assurance"], "data_consistency");
}

#[tokio::test]
async fn who_is_consistent_is_verified_where_the_operator_says_so() {
    let world = World::with(&[RULES, AUTO]).await;
    let id = world.create(&consistent()).await;
    assert_eq!(world.drain().await, 1);
    assert_eq!(world.status(&id).await, "VERIFIED");
}

#[tokio::test]
async fn who_cannot_be_true_is_rejected_with_the_field_and_verified_once_it_is_mended() {
    let world = World::with(&[RULES, AUTO]).await;
    let id = world.create(&with(consistent(), "/identifying_information/0/number", json!("000-12-3456"))).await;
    assert_eq!(world.drain().await, 1);
    let user = world.user(&id).await;
    assert_eq!(user["status"], "REJECTED");
    assert_eq!(user["status_reasons"][0]["path"], "identifying_information.0.number");
    let update = async |body: Value| {
        let request = world.client.request(Method::PUT, &format!("/v1/users/{id}")).json(&body);
        request.send().await.expect("an answer").json::<Value>().await.expect("JSON")
    };
    let entry = update(json!({})).await["identifying_information"][0]["id"].clone();
    let mended = json!({"identifying_information": [{"id": entry, "number": "536-22-8145"}]});
    assert_eq!(update(mended).await["verification_triggered"], true);
    assert_eq!(world.drain().await, 1);
    let user = world.user(&id).await;
    assert_eq!((&user["status"], user.get("status_reasons")), (&json!("VERIFIED"), None));
}

#[tokio::test]
async fn a_file_that_is_none_is_a_finding_and_no_crash() {
    let world = World::with(&[RULES, AUTO]).await;
    let broken = data_uri("image/jpeg", b"\xff\xd8\xff\xe0 and then nothing of a picture");
    let id = world.create(&with(consistent(), "/identifying_information/1/documents/0/file", broken)).await;
    assert_eq!(world.drain().await, 1);
    let user = world.user(&id).await;
    assert_eq!(user["status"], "REJECTED");
    assert_eq!(user["status_reasons"][0]["path"], "identifying_information.1.documents.0.file");
}

#[tokio::test]
async fn who_brings_more_than_what_is_looked_into_is_left_to_a_human() {
    let world = World::with(&[RULES]).await;
    for budget in [Budget { documents: 2, ..Budget::default() }, Budget { time: Duration::ZERO, ..Budget::default() }] {
        let worker = world.worker_of(Arc::new(Rules::new(true, budget)));
        let id = world.create(&consistent()).await;
        assert_eq!(worker.drain().await.expect("the database answers"), 1, "it is not tried again");
        let user = world.user(&id).await;
        assert_eq!(user["status"], "REVIEW", "{budget:?}");
        let reasons = json!([{"code": "too_complex",
            "message": "The files are more than what is looked into automatically"}]);
        assert_eq!(user["status_reasons"], reasons);
    }
}
