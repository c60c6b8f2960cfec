//! SIGTERM: no accepted request is lost.

use std::time::Duration;

use kira_users::contract::v1;
use kira_users::contract::v1::events_service_client::EventsServiceClient;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic::client::Grpc;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::requests::{message, with_files};

async fn setup() -> (Setup, Program, Value, String) {
    let setup = Setup::on(TestDatabase::migrated().await);
    let (program, client) = (setup.serve(), setup.client());
    let token = program.token(&client).await;
    (setup, program, client, token)
}

fn api_key(client: &Value) -> &str {
    client["api_key"].as_str().expect("an API key")
}

/// Waits until the listeners are closed.
async fn refuses(address: &str) {
    let refused = || async { TcpStream::connect(address).await.is_err().then_some(()) };
    wait_until_async(refused, "the listener to close").await;
}

fn assert_ended_well(mut program: Program) {
    assert!(program.ended().success(), "{}", program.log.text());
    assert!(!program.log.text().contains("took too long"), "nothing was dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_delay_of_a_stop_the_listeners_serve_and_ask_for_connections_elsewhere() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    // Far longer than the test: what ends it is the second signal.
    setup.set("KIRA_SHUTDOWN_DELAY", "10m");
    setup.set("KIRA_SHUTDOWN_TIMEOUT", "10m");
    let (mut program, client) = (setup.serve(), setup.client());
    let token = program.token(&client).await;
    let http = crate::harness::service::http_client();
    let get = || {
        let request = http.get(format!("http://{}/v1/users/{}", program.rest(), Uuid::nil())).bearer_auth(&token);
        request.header("x-api-key", api_key(&client)).send()
    };
    assert_eq!(get().await.expect("an answer").headers().get("connection"), None);
    program.terminate();
    let stopping = || async { (program.readiness().await.status == 503).then_some(()) };
    wait_until_async(stopping, "the readiness to drop").await;
    let asked = || async {
        let answer = get().await.expect("an answer, also over a new connection");
        assert_eq!(answer.status(), 404);
        answer.headers().get("connection").is_some_and(|value| value == "close").then_some(())
    };
    wait_until_async(asked, "the GOAWAY or close of the connection").await;
    let mut health = HealthClient::new(program.channel().await);
    let answer = health.check(HealthCheckRequest::default()).await.expect("an answer").into_inner();
    assert_eq!(answer.status(), ServingStatus::NotServing);
    program.terminate();
    assert!(program.ended().success(), "the second signal ends it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_request_that_is_half_sent_is_answered() {
    let (setup, program, client, token) = setup().await;
    let body = with_files().to_string();
    let mut stream = TcpStream::connect(program.rest()).await.expect("a connection");
    let head = format!(
        "POST /v1/users HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {token}\r\nx-api-key: {}\r\n\
         content-type: application/json\r\nidempotency-key: {}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        api_key(&client),
        Uuid::from_u128(1),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the head");
    // The service asks for the body: it has accepted the request.
    let mut buffer = vec![0; 4096];
    let read = stream.read(&mut buffer).await.expect("an answer");
    assert!(buffer[..read].starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&buffer[..read]));
    let (first, second) = body.split_at(body.len() / 2);
    stream.write_all(first.as_bytes()).await.expect("a half");

    program.terminate();
    refuses(&program.rest()).await;
    refuses(&program.grpc()).await;
    let readiness = program.readiness().await;
    assert_eq!((readiness.status, readiness.json()["reason"].as_str()), (503, Some("stopping")));
    stream.write_all(second.as_bytes()).await.expect("the other half");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer, and the end of the connection");
    assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&answer));
    assert_ended_well(program);
    assert_eq!(setup.database.as_ref().expect("a database").count("users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_whose_message_is_not_sent_yet_is_answered() {
    let (setup, program, client, token) = setup().await;
    let (begun, has_begun) = oneshot::channel();
    let (go_on, goes_on) = oneshot::channel();
    let messages = futures_util::stream::once(async move {
        begun.send(()).expect("the test waits");
        goes_on.await.expect("the test lets it go on");
        let key = Some(Uuid::from_u128(1).to_string());
        v1::CreateUserRequest { idempotency_key: key, user: Some(message(&with_files())) }
    });
    let mut request = tonic::Request::new(messages);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("metadata"));
    request.metadata_mut().insert("x-api-key", api_key(&client).parse().expect("metadata"));
    let mut grpc = Grpc::new(program.channel().await);
    let call = tokio::spawn(async move {
        grpc.ready().await.expect("a connection");
        let path = "/kira.users.v1.UsersService/CreateUser".parse().expect("a path");
        let codec = ProstCodec::<v1::CreateUserRequest, v1::CreateUserResponse>::default();
        grpc.client_streaming(request, path, codec).await
    });
    has_begun.await.expect("the call begins");

    program.terminate();
    refuses(&program.grpc()).await;
    go_on.send(()).expect("the call waits");
    let answer = call.await.expect("no panic").expect("an answer").into_inner();
    assert!(answer.user.is_some_and(|user| !user.id.is_empty()));
    assert_ended_well(program);
    assert_eq!(setup.database.as_ref().expect("a database").count("users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_request_do_not_hold_the_end_up() {
    let (_setup, program, client, token) = setup().await;
    let silent = TcpStream::connect(program.rest()).await.expect("a connection");
    let channel = program.channel().await;
    let kept_alive = crate::harness::service::http_client();
    let request = kept_alive.get(format!("http://{}/v1/users/{}", program.rest(), Uuid::nil())).bearer_auth(&token);
    assert_eq!(request.header("x-api-key", api_key(&client)).send().await.expect("an answer").status(), 404);
    program.terminate();
    let ended = tokio::task::spawn_blocking(move || assert_ended_well(program));
    // Less than the 25 seconds after which requests are dropped.
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the end in time").expect("no panic");
    drop((silent, channel));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_watch_of_the_health_is_told_and_does_not_hold_the_end_up() {
    let (_setup, program, _, _) = setup().await;
    let mut health = HealthClient::new(program.channel().await);
    let watch = health.watch(HealthCheckRequest::default()).await.expect("a stream");
    let mut watch = watch.into_inner();
    let first = watch.message().await.expect("a state").expect("no end yet");
    assert_eq!(first.status(), ServingStatus::Serving);
    program.terminate();
    let ended = tokio::task::spawn_blocking(move || assert_ended_well(program));
    let second = watch.message().await.expect("a state").expect("no end yet");
    assert_eq!(second.status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.expect_err("the end").code(), tonic::Code::Unavailable);
    // Less than the 25 seconds after which requests are dropped.
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the end in time").expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_of_events_are_told_and_do_not_hold_the_end_up() {
    let (_setup, program, client, token) = setup().await;
    let mut request = tonic::Request::new(v1::WatchEventsRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("metadata"));
    request.metadata_mut().insert("x-api-key", api_key(&client).parse().expect("metadata"));
    let mut grpc = EventsServiceClient::new(program.channel().await);
    let mut stream = grpc.watch_events(request).await.expect("a stream").into_inner();
    let http = crate::harness::service::http_client();
    let mut answers = Vec::new();
    for accept in ["application/x-ndjson", "text/event-stream"] {
        let request = http.get(format!("http://{}/v1/events:watch", program.rest())).bearer_auth(&token);
        let request = request.header("x-api-key", api_key(&client)).header("accept", accept);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answers.push(answer);
    }
    program.terminate();
    let ended = tokio::task::spawn_blocking(move || assert_ended_well(program));
    assert_eq!(stream.message().await.expect_err("the end").code(), tonic::Code::Unavailable);
    let json = r#"{"code":"unavailable","message":"The service is temporarily unavailable"}"#;
    for (answer, last) in answers.into_iter().zip([format!("{json}\n"), format!("event: error\ndata: {json}\n\n")]) {
        assert_eq!(answer.text().await.expect("a whole answer"), last);
    }
    // Less than the 25 seconds after which requests are dropped.
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the end in time").expect("no panic");
}
