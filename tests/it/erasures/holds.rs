//! A legal hold keeps a user until it is released.

use kira_users::contract::v1;
use kira_users::domain::erasure::Authority;
use serde_json::json;
use tonic::Code;

use super::support::{erase, erased, eraser, grpc, grpc_erase, hold, release};
use crate::harness::requests::minimal;
use crate::harness::service::Service;
use crate::updates::support::{created, problem, problems_of, texts};

#[tokio::test]
async fn a_user_is_kept_until_every_hold_is_released() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    let (one, two) = (hold(&client, &user, "Case 4711").await, hold(&client, &user, "Audit").await);
    assert_eq!(
        (one.status, &one.json()["reason"], &one.json()["placed_by"]),
        (201, &json!("Case 4711"), &json!("client"))
    );
    let refused = erase(&client, &user).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("erasure_blocked")), "{}", refused.text);
    assert_eq!(refused.json()["message"], "The user must be kept: legal holds on it: 2");
    assert_eq!(grpc_erase(&client, &user).await.expect_err("an error").code(), Code::FailedPrecondition);
    for placed in [&one, &two] {
        let id = placed.json()["id"].as_str().expect("an id").to_owned();
        let released = release(&client, &user, &id).await;
        assert!(released.json()["released_at"].is_string(), "{}", released.text);
        assert_eq!(release(&client, &user, &id).await.json(), released.json());
    }
    let shown = client.get(&format!("/v1/users/{user}/holds")).await.json();
    assert_eq!(shown["data"].as_array().map(Vec::len), Some(2));
    erased(&client, &user).await;
}

#[tokio::test]
async fn an_operators_hold_is_seen_but_not_released_by_the_client() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    let operator = eraser(&service, &[]).await;
    let id = user.parse().expect("an id");
    let placed = operator.place_hold(client.id, id, "Court order", Authority::Operator, None).await;
    let (placed, _) = placed.expect("a hold");
    let shown = client.get(&format!("/v1/users/{user}/holds")).await.json();
    assert_eq!(
        (&shown["data"][0]["placed_by"], &shown["data"][0]["reason"]),
        (&json!("operator"), &json!("Court order"))
    );
    let refused = release(&client, &user, &placed.id).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("invalid_state")));
    let ids = (client.id, id, placed.id.parse().expect("an id"));
    operator.release_hold(ids, Authority::Operator, None).await.expect("a release");
    erased(&client, &user).await;
}

#[tokio::test]
async fn a_reason_is_needed_and_is_sealed() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    assert_eq!(problems_of(&hold(&client, &user, "").await), [problem("reason", "too_small")]);
    assert_eq!(problems_of(&hold(&client, &user, &"x".repeat(501)).await), [problem("reason", "too_big")]);
    hold(&client, &user, "zebra-secret-case").await;
    let stored = texts(&service, "SELECT hex(sealed_reason) FROM legal_holds");
    let sql = match crate::harness::database::engine() {
        kira_users::store::Engine::Sqlite => stored.await,
        kira_users::store::Engine::Postgres => {
            drop(stored);
            texts(&service, "SELECT encode(sealed_reason, 'hex') FROM legal_holds").await
        }
    };
    assert!(!sql[0].to_lowercase().contains(&hex::encode("zebra-secret-case")));
}

#[tokio::test]
async fn holds_of_unknown_users_and_unknown_holds_are_not_found() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let user = created(&client, &minimal()).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert_eq!(hold(&client, unknown, "Case").await.status, 404);
    assert_eq!(hold(&other, &user, "Case").await.status, 404);
    assert_eq!(release(&client, &user, unknown).await.status, 404);
    assert_eq!(other.get(&format!("/v1/users/{user}/holds")).await.status, 404);
    let message = v1::ListHoldsRequest { user_id: Some(unknown.to_owned()) };
    let missing = grpc(&client).list_holds(client.call(message)).await;
    assert_eq!(missing.expect_err("an error").code(), Code::NotFound);
}
