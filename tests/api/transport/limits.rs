//! How much a request may bring, and how long it may take.

use futures_util::{StreamExt, stream};
use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::codegen::http::uri::PathAndQuery;
use uuid::Uuid;

use crate::harness::service::{Client, Service};
use crate::support::bodies::{individual, with};
use crate::support::stored::stored;
use crate::support::{assert_plain, grpc_create, message_of, our_details, raw};

const LIMIT: usize = 64 * 1024;
const SMALL: (&str, &str) = ("KIRA_MAX_BODY_BYTES", "64KiB");
/// Long enough to authenticate on a busy machine.
const HASTY: (&str, &str) = ("KIRA_REQUEST_TIMEOUT", "1s");
const CREATE: &str = "/kira.users.v1.UsersService/CreateUser";

fn head(client: &Client, length: &str) -> String {
    format!(
        "POST /v1/users HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         authorization: Bearer {}\r\nx-api-key: {}\r\nidempotency-key: {}\r\n{length}\r\n\r\n",
        client.token,
        client.api_key,
        Uuid::new_v4()
    )
}

/// A body of so many bytes, most of them blanks.
fn padded(bytes: usize) -> String {
    let body = individual().to_string();
    format!("{body}{}", " ".repeat(bytes - body.len()))
}

#[tokio::test]
async fn a_request_that_says_it_is_too_large_is_refused_before_its_body_is_sent() {
    let service = Service::start().await;
    let client = service.client().await;
    let request = head(&client, &format!("content-length: {}", 64 * 1024 * 1024 + 1));
    let answer = raw::send(service.running.http_addr, request.as_bytes()).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json(), json!({"code": "payload_too_large", "message": "The request is too large"}));
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit() {
    let service = Service::start_with(&[SMALL]).await;
    let client = service.client().await;
    let key = Uuid::new_v4().to_string();
    assert_eq!(client.create_raw(&[("idempotency-key", &key)], padded(LIMIT)).await.status, 201);
    let answer = client.create_raw(&[("idempotency-key", &key)], padded(LIMIT + 1)).await;
    assert_plain(&answer, 413, "payload_too_large", "The request is too large");
}

#[tokio::test]
async fn a_chunked_body_is_refused_once_it_has_grown_too_large() {
    let service = Service::start_with(&[SMALL]).await;
    let client = service.client().await;
    let before = stored(&service).await;
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    // The last chunk never comes: the answer does not wait for it.
    let request = format!("{}{}", head(&client, "transfer-encoding: chunked"), chunk.repeat(LIMIT / 0x1000 + 1));
    let answer = raw::send(service.running.http_addr, request.as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("payload_too_large")));

    assert_eq!(stored(&service).await, before, "a refusal stores nothing");

    let body = padded(LIMIT / 2);
    let chunked = format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", head(&client, "transfer-encoding: chunked"), body.len());
    let answer = raw::send(service.running.http_addr, chunked.as_bytes()).await;
    assert_eq!(answer.status, 201, "chunks below the limit are fine");
}

#[tokio::test]
async fn a_grpc_message_that_is_too_large_is_refused() {
    let service = Service::start_with(&[SMALL]).await;
    let client = service.client().await;
    let body = with(&individual(), "metadata", json!({"k": "x".repeat(LIMIT)}));
    let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "The request is too large"));
    assert_eq!(our_details(&status).reason, ErrorReason::PayloadTooLarge);
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up_within_the_deadline() {
    let service = Service::start_with(&[HASTY]).await;
    let client = service.client().await;
    let before = stored(&service).await;
    for request in [
        format!("{}{{\"type\":", head(&client, "content-length: 1000")),
        head(&client, "content-length: 1000"),
        format!("{}8\r\n{{\"type\":\r\n", head(&client, "transfer-encoding: chunked")),
    ] {
        let mut stream = TcpStream::connect(service.running.http_addr).await.expect("the door is open");
        stream.write_all(request.as_bytes()).await.expect("written");
        let answer = raw::read(&mut stream).await;
        assert_eq!(answer.status, 408);
        let expected = json!({"code": "request_timeout", "message": "The request did not arrive in time"});
        assert_eq!(answer.json(), expected);
        assert!(answer.header("x-request-id").is_some());
    }
    assert_eq!(stored(&service).await, before);
}

#[tokio::test]
async fn a_grpc_message_that_stalls_is_given_up_within_the_deadline() {
    let service = Service::start_with(&[HASTY]).await;
    let client = service.client().await;
    let status = stalled(&service, &client, None).await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(our_details(&status).reason, ErrorReason::RequestTimeout);
}

#[tokio::test]
async fn the_callers_own_grpc_deadline_is_kept() {
    let service = Service::start().await;
    let client = service.client().await;
    // The service itself would wait for half a minute; the header alone is sent, so that this client does not give up.
    let status = stalled(&service, &client, Some("50m")).await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

/// Calls CreateUser and never sends the message.
async fn stalled(service: &Service, client: &Client, timeout: Option<&'static str>) -> tonic::Status {
    let mut grpc = tonic::client::Grpc::new(service.channel().await);
    grpc.ready().await.expect("a connection");
    let never = stream::pending::<v1::CreateUserRequest>().boxed();
    let mut request = client.call(never);
    if let Some(timeout) = timeout {
        request.metadata_mut().insert("grpc-timeout", timeout.parse().expect("metadata"));
    }
    let codec = tonic_prost::ProstCodec::<v1::CreateUserRequest, v1::CreateUserResponse>::default();
    let answer = grpc.client_streaming(request, PathAndQuery::from_static(CREATE), codec).await;
    answer.expect_err("a refusal")
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused_and_stores_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("the door is open");
    let request = format!("{}{{\"type\":", head(&client, "content-length: 1000"));
    stream.write_all(request.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("ended");
    let mut rest = Vec::new();
    // The server may answer or just close: nobody sends half a request and waits.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    let text = String::from_utf8_lossy(&rest);
    assert!(rest.is_empty() || text.starts_with("HTTP/1.1 400 "), "{text}");
    assert_eq!(stored(&service).await, before);
}
