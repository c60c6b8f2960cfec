//! More requests than may be in flight.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use kira_users::contract::v1::events_service_client::EventsServiceClient;
use sea_orm::DatabaseConnection;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::raw;
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, Client, Service};

const ONE: (&str, &str) = ("KIRA_MAX_CONCURRENT_REQUESTS", "1");

/// A create that holds its permit: it waits for the database.
pub(crate) struct Busy {
    lock: DatabaseConnection,
    create: JoinHandle<u16>,
}

impl Busy {
    /// Begins the create of `client`, and waits until the service has all of it.
    pub(crate) async fn begin(service: &Service, client: &Client) -> Self {
        let lock = service.database.lock_users().await;
        let begin = || {
            let client = client.clone();
            tokio::spawn(async move { client.create(&minimal()).await.status })
        };
        let mut create = begin();
        // The create holds the permit that another request lacks, unless the create was shed itself.
        while client.get("/v1/events").await.status != 503 || create.is_finished() {
            if create.is_finished() {
                create = begin();
            }
            tokio::task::yield_now().await;
        }
        Self { lock, create }
    }

    /// Lets the create go on; its status.
    pub(crate) async fn finish(self) -> u16 {
        self.lock.close().await.expect("the lock is given back");
        self.create.await.expect("an answer")
    }
}

#[tokio::test]
async fn a_request_without_a_place_is_refused_and_what_has_one_is_answered() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let busy = Busy::begin(&service, &client).await;

    let answer = client.get("/v1/events").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let expected = json!({"code": "unavailable", "message": "The service is temporarily unavailable"});
    assert_eq!(answer.json(), expected);
    assert!(answer.header("x-request-id").is_some());
    let mut events = EventsServiceClient::new(client.channel.clone());
    let status = events.list_events(client.call(v1::ListEventsRequest::default())).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::Unavailable, "the places are those of both protocols");
    let details = error::details(&status).expect("details");
    assert_eq!((details.reason, details.retry_after), (ErrorReason::Unavailable, Some(1)));
    let url = format!("http://{}/kira.users.v1.EventsService/ListEvents", service.running.grpc_addr);
    let web = service.http.post(url).header("content-type", "application/grpc-web").body(vec![0; 5]);
    let web = Answer::of(web.send().await.expect("an answer")).await;
    assert_eq!((web.status, web.header("grpc-status")), (200, Some("14")), "and of gRPC-Web");

    assert_eq!(busy.finish().await, 201);
    assert_eq!(client.get("/v1/events").await.status, 200, "the place is free again");
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_body() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let busy = Busy::begin(&service, &client).await;
    let head =
        "POST /v1/users HTTP/1.1\r\nhost: kira\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    let answer = raw::send(service.running.http_addr, head.as_bytes()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(busy.finish().await, 201);
}

#[tokio::test]
async fn a_connection_can_be_used_after_a_rejected_request() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let busy = Busy::begin(&service, &client).await;
    let mut stream = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    let request = b"GET /nowhere HTTP/1.1\r\nhost: kira\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let refused = raw::read(&mut stream).await;
    assert_eq!((refused.status, refused.header("connection")), (503, None));
    assert_eq!(busy.finish().await, 201);
    stream.write_all(request).await.expect("written");
    assert_eq!(raw::read(&mut stream).await.status, 404);
}

#[tokio::test]
async fn a_client_leaves_half_of_the_places_to_others() {
    let service = Service::start_with(&[("KIRA_MAX_CONCURRENT_REQUESTS", "2")]).await;
    let (greedy, other) = (service.client().await, service.client().await);
    let busy = Busy::begin(&service, &greedy).await;

    let refused = greedy.get("/v1/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let mut events = EventsServiceClient::new(greedy.channel.clone());
    let status = events.list_events(greedy.call(v1::ListEventsRequest::default())).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::Unavailable, "a share is one of both protocols");
    assert_eq!(other.get("/v1/events").await.status, 200);

    assert_eq!(busy.finish().await, 201);
    assert_eq!(greedy.get("/v1/events").await.status, 200, "the place is free again");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_place() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let busy = Busy::begin(&service, &client).await;
    busy.create.abort();
    // The service sees the end of the connection when it looks.
    while client.get("/v1/events").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn health_is_told_when_every_place_is_taken() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let busy = Busy::begin(&service, &client).await;
    let mut health = HealthClient::new(client.channel.clone());
    health.check(HealthCheckRequest::default()).await.expect("an answer");
    let watch = health.watch(HealthCheckRequest::default()).await.expect("an answer");
    watch.into_inner().message().await.expect("a state").expect("no end yet");
    let alive = service.http.get(format!("{}/healthz", service.admin_url())).send().await.expect("an answer");
    assert_eq!(alive.status(), 200);
    assert_eq!(busy.finish().await, 201);
}

#[tokio::test]
async fn a_stream_of_events_takes_no_place_once_it_has_begun_and_goes_on_when_all_are_taken() {
    let service = Service::start_with(&[ONE]).await;
    let client = service.client().await;
    let mut rest = client.request(reqwest::Method::GET, "/v1/events:watch").send().await.expect("a stream");
    assert_eq!(rest.status(), 200);
    let mut events = EventsServiceClient::new(client.channel.clone());
    let request = client.call(v1::WatchEventsRequest::default());
    let mut grpc = events.watch_events(request).await.expect("a stream").into_inner();

    assert_eq!(client.create(&minimal()).await.status, 201);
    let busy = Busy::begin(&service, &client).await;
    let line = rest.chunk().await.expect("no error").expect("an event");
    assert!(String::from_utf8_lossy(&line).contains("user.created"));
    grpc.message().await.expect("no error").expect("an event");
    assert_eq!(busy.finish().await, 201);
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
