//! Bodies that arrive slowly: they keep out no others.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::harness::raw;
use crate::harness::requests::minimal;
use crate::harness::service::{Client, Service};

/// A request whose body the service has asked for, and does not get.
async fn begin(address: SocketAddr, head: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head =
        format!("{head}content-type: application/json\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("the head");
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.expect("an answer");
    assert!(buffer[..read].starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&buffer[..read]));
    stream
}

const LOGIN: &str = "POST /auth HTTP/1.1\r\nhost: kira\r\nx-api-key: k\r\n";

fn create(client: &Client) -> String {
    format!(
        "POST /v1/users HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {}\r\nx-api-key: {}\r\nidempotency-key: {}\r\n",
        client.token,
        client.api_key,
        Uuid::new_v4()
    )
}

#[tokio::test]
async fn unauthenticated_callers_with_slow_bodies_block_no_login_no_key_set_and_no_client() {
    // One permit of four is for calls without credentials.
    let service = Service::start_with(&[("KIRA_MAX_CONCURRENT_REQUESTS", "4")]).await;
    let client = service.client().await;
    let address = service.running.http_addr;
    let mut slow = Vec::new();
    for _ in 0..130 {
        slow.push(begin(address, LOGIN, 100).await);
    }
    for _ in 0..10 {
        assert_eq!(client.authenticate(&client.password).await.status, 200);
    }
    let keys = service.http.get(format!("{}/.well-known/jwks.json", service.url())).send().await.expect("an answer");
    assert_eq!(keys.status(), 200);
    assert_eq!(client.create(&minimal()).await.status, 201);
    drop(slow);
}

#[tokio::test]
async fn a_client_that_sends_slowly_keeps_out_no_call_of_its_own_either() {
    let service = Service::start_with(&[("KIRA_MAX_CONCURRENT_REQUESTS", "2")]).await;
    let client = service.client().await;
    let body = minimal().to_string();
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(begin(service.running.http_addr, &create(&client), body.len()).await);
    }
    assert_eq!(client.create(&minimal()).await.status, 201);
    for stream in &mut slow {
        stream.write_all(body.as_bytes()).await.expect("the body");
        assert_eq!(raw::read(stream).await.status, 201, "it has its permit when the body is there");
    }
}

#[tokio::test]
async fn the_oldest_slow_body_of_a_network_ends_when_there_are_too_many() {
    // Two permits allow sixteen slow bodies, four of one network.
    let service = Service::start_with(&[("KIRA_MAX_CONCURRENT_REQUESTS", "2")]).await;
    let client = service.client().await;
    let address = service.running.http_addr;
    let mut oldest = begin(address, LOGIN, 2).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(begin(address, LOGIN, 2).await);
    }
    let answer = raw::read(&mut oldest).await;
    assert_eq!((answer.status, &answer.json()["code"]), (408, &json!("request_timeout")));
    // A client has a share of its own.
    let mut of_client = begin(address, &create(&client), 2).await;
    for stream in [&mut of_client].into_iter().chain(&mut others) {
        stream.write_all(b"{}").await.expect("the body");
        assert_eq!(raw::read(stream).await.status, 400);
    }
}

#[tokio::test]
async fn a_body_without_credentials_has_seconds_to_arrive() {
    let service = Service::start().await;
    let mut stream = begin(service.running.http_addr, LOGIN, 100).await;
    let answer = raw::read(&mut stream).await;
    assert_eq!((answer.status, &answer.json()["code"]), (408, &json!("request_timeout")));
}
