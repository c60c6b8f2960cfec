//! Both protocols over TLS, and what becomes of connections when the certificate changes.

use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kira_users::contract::v1;
use kira_users::contract::v1::auth_service_client::AuthServiceClient;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::certificates::{Authority, Files, connect, der, shown};
use crate::harness::service::{Answer, Service, http_client};

const H1: &[&[u8]] = &[b"http/1.1"];
const H2: &[&[u8]] = &[b"h2"];

/// A service with TLS at both protocols.
async fn service(files: &Files) -> Service {
    service_with(files, &[]).await
}

/// The same with further settings.
async fn service_with(files: &Files, more: &[(&str, &str)]) -> Service {
    let (cert, key) = (files.text("tls.crt"), files.text("tls.key"));
    let settings = [
        ("KIRA_HTTP_TLS_CERT", cert.as_str()),
        ("KIRA_HTTP_TLS_KEY", key.as_str()),
        ("KIRA_GRPC_TLS_CERT", cert.as_str()),
        ("KIRA_GRPC_TLS_KEY", key.as_str()),
    ];
    Service::start_with(&[&settings[..], more].concat()).await
}

/// One GET on a connection that stays open; what the answer begins with.
async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn rest_is_served_over_tls() {
    let authority = Authority::new();
    let service = service(&Files::of(&authority.server(), None)).await;
    let credentials = service.clients().await.create("test", kira_users::auth::Role::Client).await.expect("a client");
    let request = authority.http(None).post(format!("https://localhost:{}/auth", service.running.http_addr.port()));
    let body = json!({"client_id": credentials.client_id, "password": credentials.password});
    let request = request.header("x-api-key", &credentials.api_key).json(&body);
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn grpc_is_served_over_tls() {
    let authority = Authority::new();
    let service = service(&Files::of(&authority.server(), None)).await;
    let credentials = service.clients().await.create("test", kira_users::auth::Role::Client).await.expect("a client");
    let channel = authority.channel(service.running.grpc_addr, None).await.expect("a connection");
    let request = v1::CreateTokenRequest {
        api_key: Some(credentials.api_key.clone()),
        client_id: Some(credentials.client_id.to_string()),
        password: Some(credentials.password.clone()),
    };
    AuthServiceClient::new(channel).create_token(request).await.expect("a token");
}

#[tokio::test]
async fn the_rest_api_speaks_http_2_to_who_asks_for_it() {
    let authority = Authority::new();
    let service = service(&Files::of(&authority.server(), None)).await;
    let address = service.running.http_addr;
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    let stream = connect(address, authority.trusted(None, both)).await.expect("a connection");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(H2[0]));
    let connecting = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = connecting.await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/nowhere").body(Empty::<bytes::Bytes>::new());
    let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert!(!answer.into_body().collect().await.expect("a body").to_bytes().is_empty());

    let stream = connect(address, authority.trusted(None, H1)).await.expect("a connection");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(H1[0]));
}

#[tokio::test]
async fn the_grpc_api_offers_http_1_for_grpc_web_alone() {
    let authority = Authority::new();
    let files = Files::of(&authority.server(), None);
    let both = service(&files).await;
    let stream = connect(both.running.grpc_addr, authority.trusted(None, H1)).await.expect("a connection");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(H1[0]));
    let grpc_alone = service_with(&files, &[("KIRA_GRPC_WEB", "false")]).await;
    connect(grpc_alone.running.grpc_addr, authority.trusted(None, H1)).await.expect_err("HTTP/2 alone");
}

#[tokio::test]
async fn a_client_without_a_handshake_delays_no_other() {
    let authority = Authority::new();
    let service = service(&Files::of(&authority.server(), None)).await;
    let address = service.running.http_addr;
    let mut silent = TcpStream::connect(address).await.expect("a connection");
    silent.write_all(b"\x16\x03\x01").await.expect("the start of a greeting");
    let mut stream = connect(address, authority.trusted(None, H1)).await.expect("a connection");
    assert!(get(&mut stream).await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn plain_text_on_a_listener_with_tls_gets_no_answer() {
    let service = service(&Files::of(&Authority::new().server(), None)).await;
    let url = format!("http://{}/auth", service.running.http_addr);
    http_client().get(url).send().await.expect_err("no answer in plain text");
}

#[tokio::test]
async fn new_connections_get_the_changed_certificate_and_old_ones_live_on() {
    let authority = Authority::new();
    let (old, new) = (authority.server(), authority.server());
    let files = Files::of(&old, None);
    let service = service(&files).await;
    let (rest, grpc) = (service.running.http_addr, service.running.grpc_addr);
    let mut kept = connect(rest, authority.trusted(None, H1)).await.expect("a connection");
    assert_eq!(shown(&kept), der(&old));
    let mut kept_grpc = HealthClient::new(authority.channel(grpc, None).await.expect("a connection"));
    kept_grpc.check(HealthCheckRequest::default()).await.expect("an answer");

    files.write("tls.crt", &new.cert);
    files.write("tls.key", &new.key);
    for (address, speaks) in [(rest, H1), (grpc, H2)] {
        // Until the service has looked: that no client ever fails meanwhile is the other half of it. The connection that
        // is kept asks, too, so that it is not closed for want of requests.
        loop {
            let stream = connect(address, authority.trusted(None, speaks)).await.expect("a connection");
            assert!(get(&mut kept).await.starts_with("HTTP/1.1 404"));
            kept_grpc.check(HealthCheckRequest::default()).await.expect("an answer");
            if shown(&stream) == der(&new) {
                break;
            }
            assert_eq!(shown(&stream), der(&old));
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    assert!(get(&mut kept).await.starts_with("HTTP/1.1 404"));
    assert_eq!(shown(&kept), der(&old));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_hands_to_be_shaken() {
    let service = service(&Files::of(&Authority::new().server(), None)).await;
    let silent = TcpStream::connect(service.running.http_addr).await.expect("a connection");
    let stopped = tokio::time::timeout(
        // Less than the ten seconds that a handshake may take.
        std::time::Duration::from_secs(9),
        service.running.stop(std::time::Duration::from_secs(600)),
    );
    stopped.await.expect("the end in time");
    drop(silent);
}
