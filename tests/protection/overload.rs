//! More than is worked at, at a time.

use std::net::SocketAddr;

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use kira_users::contract::v1::events_service_client::EventsServiceClient;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

use crate::harness::requests::minimal;
use crate::harness::service::{Client, Service};
use crate::raw;

const ONE: (&str, &str) = ("KIRA_MAX_CONCURRENT_REQUESTS", "1");

/// A create that has its place: the service has asked for its body.
struct Slow {
    stream: TcpStream,
    body: String,
}

impl Slow {
    async fn begin(address: SocketAddr, client: &Client) -> Self {
        let body = minimal().to_string();
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST /v1/users HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {}\r\nx-api-key: {}\r\n\
             content-type: application/json\r\nidempotency-key: {}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            client.token,
            client.api_key,
            Uuid::new_v4(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the head");
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.expect("an answer");
        assert!(buffer[..read].starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&buffer[..read]));
        Self { stream, body }
    }

    async fn finish(mut self) -> u16 {
        self.stream.write_all(self.body.as_bytes()).await.expect("the body");
        raw::read(&mut self.stream).await.status
    }
}

#[tokio::test]
async fn a_request_without_a_place_is_refused_and_what_has_one_is_answered() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let slow = Slow::begin(service.running.http_addr, &client).await;

    let answer = client.get("/v1/events").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let expected = json!({"code": "unavailable", "message": "The service is temporarily unavailable"});
    assert_eq!(answer.json(), expected);
    assert!(answer.header("x-request-id").is_some());
    let mut events = EventsServiceClient::new(client.channel.clone());
    let status = events.list_events(client.call(v1::ListEventsRequest::default())).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::Unavailable, "the places are those of both doors");
    let details = error::details(&status).expect("details");
    assert_eq!((details.reason, details.retry_after), (ErrorReason::Unavailable, Some(1)));

    assert_eq!(slow.finish().await, 201);
    assert_eq!(client.get("/v1/events").await.status, 200, "the place is free again");
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_body() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let slow = Slow::begin(service.running.http_addr, &client).await;
    let head =
        "POST /v1/users HTTP/1.1\r\nhost: kira\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    let answer = raw::send(service.running.http_addr, head.as_bytes()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(slow.finish().await, 201);
}

#[tokio::test]
async fn a_refusal_leaves_its_connection_to_whoever_comes_next_on_it() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let slow = Slow::begin(service.running.http_addr, &client).await;
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    let request = b"GET /nowhere HTTP/1.1\r\nhost: kira\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let refused = raw::read(&mut stream).await;
    assert_eq!((refused.status, refused.header("connection")), (503, None));
    assert_eq!(slow.finish().await, 201);
    stream.write_all(request).await.expect("written");
    assert_eq!(raw::read(&mut stream).await.status, 404);
}

#[tokio::test]
async fn a_client_leaves_half_of_the_places_to_others() {
    let service = Service::start_with(&[("KIRA_MAX_CONCURRENT_REQUESTS", "2")]).await;
    let (greedy, other) = (service.client().await, service.client().await);
    let slow = Slow::begin(service.running.http_addr, &greedy).await;

    let refused = greedy.get("/v1/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let mut events = EventsServiceClient::new(greedy.channel.clone());
    let status = events.list_events(greedy.call(v1::ListEventsRequest::default())).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::Unavailable, "a share is one of both doors");
    assert_eq!(other.get("/v1/events").await.status, 200);

    assert_eq!(slow.finish().await, 201);
    assert_eq!(greedy.get("/v1/events").await.status, 200, "the place is free again");
}

#[tokio::test]
async fn calls_without_credentials_leave_most_of_the_places_to_clients() {
    let service = Service::start_with(&[("KIRA_MAX_CONCURRENT_REQUESTS", "4")]).await;
    let client = service.client().await;
    let mut slow = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    let head = "POST /auth HTTP/1.1\r\nhost: kira\r\nx-api-key: k\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nexpect: 100-continue\r\n\r\n";
    slow.write_all(head.as_bytes()).await.expect("the head");
    let mut buffer = [0; 1024];
    let read = slow.read(&mut buffer).await.expect("an answer");
    assert!(buffer[..read].starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&buffer[..read]));

    let refused = client.authenticate(&client.password).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(client.get("/v1/events").await.status, 200, "a client has a place");
    slow.write_all(b"{}").await.expect("the body");
    assert_eq!(raw::read(&mut slow).await.status, 400);
    assert_eq!(client.authenticate(&client.password).await.status, 200);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_place() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    drop(Slow::begin(service.running.http_addr, &client).await);
    // The service sees the end of the connection when it looks.
    while client.get("/v1/events").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn health_is_told_when_every_place_is_taken() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let slow = Slow::begin(service.running.http_addr, &client).await;
    let mut health = HealthClient::new(client.channel.clone());
    health.check(HealthCheckRequest::default()).await.expect("an answer");
    let watch = health.watch(HealthCheckRequest::default()).await.expect("an answer");
    watch.into_inner().message().await.expect("a state").expect("no end yet");
    let ready = service.http.get(format!("{}/readyz", service.admin_url())).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    assert_eq!(slow.finish().await, 201);
}

#[tokio::test]
async fn a_stream_of_events_takes_no_place_once_it_has_begun_and_goes_on_in_a_full_house() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let mut rest = client.request(reqwest::Method::GET, "/v1/events:watch").send().await.expect("a stream");
    assert_eq!(rest.status(), 200);
    let mut events = EventsServiceClient::new(client.channel.clone());
    let request = client.call(v1::WatchEventsRequest::default());
    let mut grpc = events.watch_events(request).await.expect("a stream").into_inner();

    assert_eq!(client.create(&minimal()).await.status, 201);
    let slow = Slow::begin(service.running.http_addr, &client).await;
    let line = rest.chunk().await.expect("no error").expect("an event");
    assert!(String::from_utf8_lossy(&line).contains("user.created"));
    grpc.message().await.expect("no error").expect("an event");
    assert_eq!(slow.finish().await, 201);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_one_to_end() {
    let service = Service::start_with(&[("KIRA_MAX_CONNECTIONS", "1")]).await;
    let request = b"GET /nowhere HTTP/1.1\r\nhost: kira\r\n\r\n";
    let connect = || async { TcpStream::connect(service.running.http_addr).await.expect("a connection") };
    let mut first = connect().await;
    first.write_all(request).await.expect("written");
    assert_eq!(raw::read(&mut first).await.status, 404);
    let mut second = connect().await;
    second.write_all(request).await.expect("written");
    first.write_all(request).await.expect("written");
    assert_eq!(raw::read(&mut first).await.status, 404);
    let nothing = second.try_read(&mut [0; 1]).expect_err("no answer yet");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(raw::read(&mut second).await.status, 404);
}
