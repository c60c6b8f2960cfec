//! Mutual TLS: who may come in at all.

use kira_users::contract::v1;
use kira_users::contract::v1::auth_service_client::AuthServiceClient;
use tonic::Code;

use crate::harness::certificates::{Authority, Files, Signed};
use crate::harness::service::Service;

/// A service whose protocols ask for certificates of `clients`.
async fn service(server: &Authority, clients: &Authority) -> Service {
    let files = Files::of(&server.server(), Some(clients));
    let (cert, key, ca) = (files.text("tls.crt"), files.text("tls.key"), files.text("ca.crt"));
    let settings = [
        ("KIRA_HTTP_TLS_CERT", cert.as_str()),
        ("KIRA_HTTP_TLS_KEY", key.as_str()),
        ("KIRA_HTTP_TLS_CLIENT_CA", ca.as_str()),
        ("KIRA_GRPC_TLS_CERT", cert.as_str()),
        ("KIRA_GRPC_TLS_KEY", key.as_str()),
        ("KIRA_GRPC_TLS_CLIENT_CA", ca.as_str()),
    ];
    Service::start_with(&settings).await
}

async fn rest(service: &Service, server: &Authority, shown: Option<&Signed>) -> Option<u16> {
    let url = format!("https://localhost:{}/nowhere", service.running.http_addr.port());
    server.http(shown).get(url).send().await.ok().map(|answer| answer.status().as_u16())
}

/// A call over gRPC: the code of the service's error, or none if the service was not reached.
async fn grpc(service: &Service, server: &Authority, shown: Option<&Signed>) -> Option<Code> {
    let channel = server.channel(service.running.grpc_addr, shown).await.ok()?;
    let refused = AuthServiceClient::new(channel).create_token(v1::CreateTokenRequest::default()).await;
    let status = refused.expect_err("a caller without credentials gets no token");
    (!status.details().is_empty()).then_some(status.code())
}

#[tokio::test]
async fn a_client_with_a_certificate_of_the_right_authority_is_served() {
    let (server, clients) = (Authority::new(), Authority::new());
    let service = service(&server, &clients).await;
    let shown = clients.client();
    assert_eq!(rest(&service, &server, Some(&shown)).await, Some(404));
    assert_eq!(grpc(&service, &server, Some(&shown)).await, Some(Code::InvalidArgument));
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let (server, clients) = (Authority::new(), Authority::new());
    let service = service(&server, &clients).await;
    assert_eq!(rest(&service, &server, None).await, None);
    assert_eq!(grpc(&service, &server, None).await, None);
}

#[tokio::test]
async fn a_client_with_a_certificate_of_another_authority_is_rejected() {
    let (server, clients) = (Authority::new(), Authority::new());
    let service = service(&server, &clients).await;
    // Not even the authority of the server's own certificate will do, nor the right one's certificate of a server.
    for shown in [server.client(), Authority::new().client(), clients.server()] {
        assert_eq!(rest(&service, &server, Some(&shown)).await, None);
        assert_eq!(grpc(&service, &server, Some(&shown)).await, None);
    }
}
