//! gRPC's own services, and calls that are no gRPC.

use std::time::Duration;

use http::Request;
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
use tower::{Service as _, ServiceExt as _};
use uuid::Uuid;

use crate::api::support::our_details;
use crate::harness::service::Service;

/// The version of the reflection service before v1.
mod v1alpha {
    pub(crate) use tonic_reflection::pb::v1alpha::ServerReflectionRequest as Request;
    pub(crate) use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient as ReflectionClient;
    pub(crate) use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest as Question;
    pub(crate) use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse as Answer;
}

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
async fn a_watch_of_an_unknown_service_says_so_and_lasts_until_the_service_stops() {
    let service = Service::start().await;
    let mut health = HealthClient::new(service.channel().await);
    let request = HealthCheckRequest { service: "unknown".to_owned() };
    let mut watch = health.watch(request).await.expect("a stream").into_inner();
    let first = watch.message().await.expect("an item").expect("an item");
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    let known = HealthCheckRequest { service: "kira.users.v1.UsersService".to_owned() };
    let mut known = health.watch(known).await.expect("a stream").into_inner();
    assert_eq!(known.message().await.expect("an item").expect("an item").status(), ServingStatus::Serving);
    let next = tokio::spawn(async move { watch.message().await });
    service.running.stop(Duration::from_secs(10)).await;
    let end = next.await.expect("the task ends").expect_err("the stream ends with an error");
    assert_eq!(end.code(), Code::Unavailable);
}

/// A request to the gRPC port by hand: the status, the gRPC status, and the methods that are allowed.
async fn by_hand(service: &Service, method: &str, path: &str, media_type: Option<&str>) -> (u16, String, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    // An empty gRPC message.
    let body = tonic::body::Body::new(http_body_util::Full::from(&[0_u8; 5][..]));
    let mut channel = service.channel().await;
    channel.ready().await.expect("a connection");
    let response = channel.call(request.body(body).expect("a request")).await.expect("an answer");
    let header = |name: &str| {
        let value = response.headers().get(name).map(|value| value.to_str().expect("a text").to_owned());
        value.unwrap_or_default()
    };
    (response.status().as_u16(), header("grpc-status"), header("allow"))
}

#[tokio::test]
async fn what_is_no_grpc_is_refused_with_a_status_that_http_clients_understand() {
    let service = Service::start().await;
    let answer = |status: u16, grpc: &str, allow: &str| (status, grpc.to_owned(), allow.to_owned());
    let paths = ["/kira.users.v1.UsersService/GetUser", "/grpc.health.v1.Health/Check", "/nowhere"];
    for path in paths {
        let invalid = (Code::InvalidArgument as i32).to_string();
        for other in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/json"),
            Some("application/grpc-web+json"),
            Some("application/grpcx"),
            Some("application/grpc+json"),
            Some("application/x-protobuf"),
        ] {
            assert_eq!(by_hand(&service, "POST", path, other).await, answer(415, &invalid, ""), "{path} {other:?}");
        }
        for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
            let unimplemented = (Code::Unimplemented as i32).to_string();
            let found = by_hand(&service, method, path, Some("application/grpc")).await;
            assert_eq!(found, answer(405, &unimplemented, "POST"), "{method} {path}");
        }
    }
    for good in ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8", "Application/gRPC"] {
        let unauthenticated = (Code::Unauthenticated as i32).to_string();
        assert_eq!(by_hand(&service, "POST", paths[0], Some(good)).await, answer(200, &unauthenticated, ""), "{good}");
        assert_eq!(by_hand(&service, "POST", paths[1], Some(good)).await, answer(200, "", ""), "{good}");
    }
}

#[tokio::test]
async fn the_reflection_of_before_answers_the_same() {
    let service = Service::start().await;
    let mut reflection = v1alpha::ReflectionClient::new(service.channel().await);
    let ask = |request| v1alpha::Request { host: String::new(), message_request: Some(request) };
    let questions = tokio_stream::iter([
        ask(v1alpha::Question::ListServices(String::new())),
        ask(v1alpha::Question::FileContainingSymbol("kira.users.v1.UsersService".to_owned())),
    ]);
    let mut answers = reflection.server_reflection_info(questions).await.expect("a stream").into_inner();
    let Some(Ok(first)) = answers.next().await else { panic!("an answer") };
    let Some(v1alpha::Answer::ListServicesResponse(list)) = first.message_response else { panic!("a list") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"kira.users.v1.UsersService") && names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let Some(Ok(second)) = answers.next().await else { panic!("an answer") };
    assert!(matches!(second.message_response, Some(v1alpha::Answer::FileDescriptorResponse(_))));
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
