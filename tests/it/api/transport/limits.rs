//! How much a request may bring, and how long it may take.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::api::support::bodies::{individual, with};
use crate::api::support::stored::stored;
use crate::api::support::{assert_plain, grpc_create, message_of, our_details};
use crate::harness::raw;
use crate::harness::service::{Client, Service};

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

/// A body of this number of bytes, most of them blanks.
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
        let mut stream = TcpStream::connect(service.running.http_addr).await.expect("the listener is open");
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
    let status = stalled(&service, &client, &[]).await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(our_details(&status).reason, ErrorReason::RequestTimeout);
    let status = stalled(&service, &client, b"\0\0\0\0\x09").await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn the_callers_own_grpc_deadline_is_kept() {
    // The service itself would wait for half a minute.
    let service = Service::start().await;
    let client = service.client().await;
    let status = stalled_for(&service, &client, &[], Some("50m")).await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

async fn stalled(service: &Service, client: &Client, start: &'static [u8]) -> Status {
    stalled_for(service, client, start, None).await
}

/// Calls CreateUser with no more than the start of a message. By hand: tonic's client would time out by itself.
async fn stalled_for(service: &Service, client: &Client, start: &'static [u8], timeout: Option<&str>) -> Status {
    let stream = TcpStream::connect(service.running.grpc_addr).await.expect("the listener is open");
    let connecting = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = connecting.await.expect("a connection");
    tokio::spawn(connection);
    let frames = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(start)))]).chain(stream::pending());
    let mut request = http::Request::post(format!("http://{}{CREATE}", service.running.grpc_addr))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {}", client.token))
        .header("x-api-key", &client.api_key);
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let request = request.body(StreamBody::new(frames.boxed())).expect("a request");
    let answer = tokio::time::timeout(Duration::from_secs(20), sender.send_request(request)).await;
    let answer = answer.expect("an answer in time").expect("an answer");
    Status::from_header_map(answer.headers()).expect("a status")
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused_and_stores_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("the listener is open");
    let request = format!("{}{{\"type\":", head(&client, "content-length: 1000"));
    stream.write_all(request.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("ended");
    let mut rest = Vec::new();
    // The server may answer or just close the connection.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    let text = String::from_utf8_lossy(&rest);
    assert!(rest.is_empty() || text.starts_with("HTTP/1.1 400 "), "{text}");
    assert_eq!(stored(&service).await, before);
}

#[tokio::test]
async fn a_grpc_message_of_very_many_empty_parts_is_refused_before_it_takes_their_memory() {
    let service = Service::start().await;
    let client = service.client().await;
    let business =
        v1::Business { associated_persons: vec![v1::AssociatedPerson::default(); 100_001], ..Default::default() };
    let refused = client.grpc_create(Uuid::new_v4(), v1::create_user_request::User::Business(business)).await;
    let status = refused.expect_err("too many parts");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(our_details(&status).reason, ErrorReason::PayloadTooLarge);
}
