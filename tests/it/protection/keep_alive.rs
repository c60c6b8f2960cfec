//! Connections after answers that did not wait for the request's body.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::raw;
use crate::harness::service::Service;

/// Requests that are refused before their body is read, or whose body is not read at all.
const UNREAD: [(&str, u16); 5] = [
    ("POST /v1/users HTTP/1.1\r\nauthorization: Bearer wrong\r\ncontent-type: application/json\r\n", 401),
    ("POST /nowhere HTTP/1.1\r\n", 404),
    ("PUT /auth HTTP/1.1\r\n", 405),
    ("POST /auth HTTP/1.1\r\ncontent-type: text/plain\r\nx-api-key: k\r\n", 415),
    ("GET /.well-known/jwks.json HTTP/1.1\r\n", 200),
];

#[tokio::test]
async fn a_connection_goes_on_after_a_small_body_that_was_not_read() {
    let service = Service::start().await;
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    for round in 0..6 {
        for (head, status) in UNREAD {
            let request = format!("{head}host: kira\r\ncontent-length: 9\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("the head");
            let answer = raw::read(&mut stream).await;
            assert_eq!((answer.status, answer.header("connection")), (status, None), "{head}, round {round}");
            stream.write_all(b"{\"a\": 12}").await.expect("the body");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_connection_is_announced_where_the_body_is_large_or_was_not_asked_for() {
    let service = Service::start().await;
    for headers in [
        "content-length: 10000000\r\n",
        "transfer-encoding: chunked\r\n",
        "content-length: 9\r\nexpect: 100-continue\r\n",
    ] {
        let mut stream = TcpStream::connect(service.running.http_addr).await.expect("a connection");
        let request = format!("POST /nowhere HTTP/1.1\r\nhost: kira\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("the head");
        let answer = raw::read(&mut stream).await;
        assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{headers}");
    }
}

#[tokio::test]
async fn a_caller_that_reads_after_it_has_sent_everything_gets_to_see_the_refusal() {
    let service = Service::start().await;
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    let body = "x".repeat(60_000_000);
    let request = format!("POST /nowhere HTTP/1.1\r\nhost: kira\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("all of it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains(&json!("not_found").to_string()));
}

#[tokio::test]
async fn what_hyper_refuses_by_itself_has_the_documented_shape() {
    let service = Service::start().await;
    let many: String = (0..150).map(|number| format!("x-{number}: a\r\n")).collect();
    let large = format!("x-large: {}\r\n", "a".repeat(2_000_000));
    for headers in [many, large] {
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: kira\r\n{headers}\r\n");
        let answer = raw::send(service.running.http_addr, request.as_bytes()).await;
        assert_eq!((answer.status, &answer.json()["code"]), (431, &json!("payload_too_large")));
    }
    let request = format!("GET /{} HTTP/1.1\r\nhost: kira\r\n\r\n", "a".repeat(70_000));
    let answer = raw::send(service.running.http_addr, request.as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["code"]), (414, &json!("payload_too_large")));
    let answer = raw::send(service.running.http_addr, b"what is this\r\n\r\n").await;
    assert_eq!((answer.status, answer.json()["error"].is_string()), (400, true));
}
