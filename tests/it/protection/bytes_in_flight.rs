//! Memory for bodies.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;
use uuid::Uuid;

use crate::harness::raw;
use crate::harness::requests::minimal;
use crate::harness::service::{Client, Service};

const LIMITS: [(&str, &str); 2] = [("KIRA_MAX_BODY_BYTES", "64KiB"), ("KIRA_MAX_BODY_BYTES_IN_FLIGHT", "200KiB")];

/// Announces a create of 60 KiB, and sends one byte of it.
async fn begin(service: &Service, client: &Client) -> TcpStream {
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    let head = format!(
        "POST /v1/users HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {}\r\nx-api-key: {}\r\nidempotency-key: {}\r\n\
         content-type: application/json\r\ncontent-length: 61440\r\n\r\n{{",
        client.token,
        client.api_key,
        Uuid::new_v4()
    );
    stream.write_all(head.as_bytes()).await.expect("the head");
    stream
}

#[tokio::test]
async fn a_client_beyond_its_share_of_memory_is_refused_and_others_are_not() {
    let service = Service::start_with(&LIMITS).await;
    let (greedy, other) = (service.client().await, service.client().await);
    let held = begin(&service, &greedy).await;
    // The second does not fit into the 100 KiB of its client; until the service has seen the first, it does.
    let refused = loop {
        let mut second = begin(&service, &greedy).await;
        tokio::select! {
            answer = raw::read(&mut second) => break answer,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
        }
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["code"], json!("unavailable"));
    assert_eq!(other.create(&minimal()).await.status, 201);
    drop(held);
    while greedy.create_raw(&[], " ".repeat(61_440)).await.status == 503 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn over_grpc_it_is_unavailable() {
    let service = Service::start_with(&LIMITS).await;
    let client = service.client().await;
    let held = (begin(&service, &client).await, begin(&service, &client).await);
    let business =
        kira_users::contract::v1::Business { business_legal_name: Some("x".repeat(50_000)), ..Default::default() };
    loop {
        let user = kira_users::contract::v1::create_user_request::User::Business(business.clone());
        let status = client.grpc_create(Uuid::new_v4(), user).await.expect_err("a refusal");
        if status.code() == Code::Unavailable {
            break;
        }
        assert_eq!(status.code(), Code::InvalidArgument, "as long as the service has not seen the others");
    }
    drop(held);
}
