//! What belongs to one client does not exist for another.

use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::minimal;
use crate::harness::service::Service;
use crate::promises::support::{id, refusal};

fn not_found(user_id: &str) -> Value {
    json!({"code": "not_found", "message": format!("User with ID {user_id} not found")})
}

#[tokio::test]
async fn another_clients_user_is_as_unknown_as_one_that_never_was() {
    let service = Service::start().await;
    let (owner, other_client) = (service.client().await, service.client().await);
    let (user_id, unknown) = (id(&owner.create(&minimal()).await), Uuid::new_v4().to_string());
    assert_eq!(owner.get(&format!("/v1/users/{user_id}")).await.status, 200);
    let mut headers = Vec::new();
    for id in [&user_id, &unknown] {
        let answer = other_client.get(&format!("/v1/users/{id}")).await;
        assert_eq!((answer.status, answer.json()), (404, not_found(id)));
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        headers.push(names);
    }
    assert_eq!(headers[0], headers[1], "the headers reveal nothing either");
}

#[tokio::test]
async fn over_grpc_too() {
    let service = Service::start().await;
    let (owner, other_client) = (service.client().await, service.client().await);
    let (user_id, unknown) = (id(&owner.create(&minimal()).await), Uuid::new_v4().to_string());
    let get = |client: &crate::harness::service::Client, id: &str| {
        let (mut grpc, request) = (client.grpc(), client.call(v1::GetUserRequest { user_id: Some(id.to_owned()) }));
        async move { grpc.get_user(request).await }
    };
    assert!(get(&owner, &user_id).await.is_ok());
    for id in [&user_id, &unknown] {
        let refused = get(&other_client, id).await.expect_err("not the other client's");
        let message = format!("User with ID {id} not found");
        assert_eq!(refusal(&refused), (Code::NotFound, ErrorReason::NotFound, message));
    }
}
