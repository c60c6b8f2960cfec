//! What the modules share.

use kira_users::app;
use kira_users::contract::v1;
use kira_users::contract::v1::erasures_service_client::ErasuresServiceClient;
use kira_users::service::erasures::Eraser;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::harness::service::{Answer, Client, Service, config};
use crate::updates::support::send;

/// `DELETE` of a user.
pub(crate) async fn erase(client: &Client, user: &str) -> Answer {
    erase_with(client, user, &[]).await
}

/// `DELETE` of a user with headers.
pub(crate) async fn erase_with(client: &Client, user: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(Method::DELETE, &format!("/v1/users/{user}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

/// `DELETE` of a user that succeeds: the certificate.
pub(crate) async fn erased(client: &Client, user: &str) -> Value {
    let answer = erase(client, user).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Places a hold.
pub(crate) async fn hold(client: &Client, user: &str, reason: &str) -> Answer {
    send(client, Method::POST, &format!("/v1/users/{user}/holds"), &[], &json!({ "reason": reason })).await
}

/// Releases a hold.
pub(crate) async fn release(client: &Client, user: &str, hold: &str) -> Answer {
    send(client, Method::POST, &format!("/v1/users/{user}/holds/{hold}:release"), &[], &json!({})).await
}

/// The service over gRPC.
pub(crate) fn grpc(client: &Client) -> ErasuresServiceClient<Channel> {
    ErasuresServiceClient::new(client.channel.clone())
}

/// EraseUser over gRPC.
pub(crate) async fn grpc_erase(client: &Client, user: &str) -> Result<v1::ErasureCertificate, tonic::Status> {
    let message = v1::EraseUserRequest { user_id: Some(user.to_owned()), ..v1::EraseUserRequest::default() };
    let response = grpc(client).erase_user(client.call(message)).await?;
    Ok(response.into_inner().certificate.expect("a certificate"))
}

/// What the command line erases with.
pub(crate) async fn eraser(service: &Service, settings: &[(&str, &str)]) -> Eraser {
    let config = config(&service.database, &service.folder, settings);
    app::eraser(&config, &service.running.resources).await.expect("an eraser")
}

/// Runs SQL beside the service.
pub(crate) async fn execute(service: &Service, sql: &str) {
    service.database.look().await.execute_unprepared(sql).await.expect("the statement succeeds");
}

/// A body with the client's own reference of the user.
pub(crate) fn with_external_id(mut body: Value, external_id: &str) -> Value {
    body["external_id"] = json!(external_id);
    body
}
