//! gRPC's own services, and calls that are no gRPC.

use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use uuid::Uuid;

use crate::harness::service::Service;
use crate::support::our_details;

#[tokio::test]
async fn health_answers_without_credentials() {
    let service = Service::start().await;
    let mut health = HealthClient::new(service.channel().await);
    for name in ["", "kira.users.v1.UsersService", "kira.users.v1.AuthService"] {
        let answer = health.check(HealthCheckRequest { service: name.to_owned() }).await.expect(name).into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name}");
    }
    let unknown = health.check(HealthCheckRequest { service: "nobody".to_owned() }).await.expect_err("no such service");
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_answers_without_credentials() {
    let service = Service::start().await;
    let mut reflection = ServerReflectionClient::new(service.channel().await);
    let ask = |request: MessageRequest| ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let questions = tokio_stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("kira.users.v1.CreateUserRequest".to_owned())),
    ]);
    let mut answers = reflection.server_reflection_info(questions).await.expect("a stream").into_inner();
    let Some(Ok(first)) = answers.next().await else { panic!("an answer") };
    let Some(MessageResponse::ListServicesResponse(list)) = first.message_response else { panic!("a list") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"kira.users.v1.UsersService") && names.contains(&"kira.users.v1.AuthService"), "{names:?}");
    let Some(Ok(second)) = answers.next().await else { panic!("an answer") };
    assert!(matches!(second.message_response, Some(MessageResponse::FileDescriptorResponse(_))));
}

#[tokio::test]
async fn an_unknown_call_is_unimplemented_in_our_words() {
    let service = Service::start().await;
    let client = service.client().await;
    for path in ["/kira.users.v1.UsersService/DeleteUser", "/nobody.Service/Call"] {
        let mut grpc = tonic::client::Grpc::new(service.channel().await);
        grpc.ready().await.expect("a connection");
        let codec = tonic_prost::ProstCodec::<v1::GetUserRequest, v1::GetUserResponse>::default();
        let request = client.call(v1::GetUserRequest::default());
        let status = grpc.unary(request, PathAndQuery::from_static(path), codec).await.expect_err("no such call");
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert_eq!(our_details(&status).reason, ErrorReason::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut grpc = tonic::client::Grpc::new(service.channel().await);
    grpc.ready().await.expect("a connection");
    // A string's field number with a text that is no UTF-8: CreateUserRequest reads an individual there.
    let codec = tonic_prost::ProstCodec::<v1::TokenKey, v1::CreateUserResponse>::default();
    let broken = v1::TokenKey { crv: "\u{1}".to_owned(), ..v1::TokenKey::default() };
    let path = PathAndQuery::from_static("/kira.users.v1.UsersService/CreateUser");
    let status = grpc.unary(client.call(broken), path, codec).await.expect_err("no message");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(our_details(&status).reason, ErrorReason::InvalidRequest);
}

#[tokio::test]
async fn a_request_id_is_taken_and_returned_over_grpc() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut call = client.call(v1::GetUserRequest { user_id: Some(Uuid::new_v4().to_string()) });
    call.metadata_mut().insert("x-request-id", "mine-1".parse().expect("metadata"));
    let status = client.grpc().get_user(call).await.expect_err("no user");
    assert_eq!(status.metadata().get("x-request-id").expect("an id"), "mine-1");
    let call = client.call(v1::GetUserRequest { user_id: Some("x".to_owned()) });
    let status = client.grpc().get_user(call).await.expect_err("no user");
    let id = status.metadata().get("x-request-id").expect("an id").to_str().expect("text");
    assert!(Uuid::try_parse(id).is_ok());
}
