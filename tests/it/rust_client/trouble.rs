//! A service that answers late, oddly or not at all.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kira_users_client::{Client as Kira, Code, Error, v1};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::support::{Relay, individual, kira, kira_at};
use crate::harness::service::{Client, Service, is_replayed};

async fn events_of(client: &Client) -> usize {
    client.get("/v1/events").await.json()["data"].as_array().expect("a list").len()
}

async fn list(kira: &Kira) -> Result<(), Error> {
    kira.events().list_events(v1::ListEventsRequest::default()).await?;
    Ok(())
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_repeated_with_the_same_key_and_makes_one_user() {
    let service = Service::start().await;
    let client = service.client().await;
    let relay = Relay::to(service.running.grpc_addr).await;
    let kira = kira_at(relay.address, &client);
    list(&kira).await.expect("a list");
    relay.lose_answers();
    let creating = tokio::spawn(async move { kira.users().create_user(individual()).await });
    while events_of(&client).await == 0 {
        tokio::task::yield_now().await;
    }
    relay.cut();
    let created = creating.await.expect("no panic").expect("a user");
    assert!(is_replayed(created.metadata()));
    assert_eq!(events_of(&client).await, 1);
}

#[tokio::test]
async fn a_token_that_the_service_no_longer_takes_is_renewed() {
    let service = Service::start().await;
    let client = service.client().await;
    let kira = kira(&service, &client);
    list(&kira).await.expect("a list");
    // The token has ended by the clock of the service alone.
    service.clock.advance(TimeDelta::hours(2));
    list(&kira).await.expect("a list with another token");
}

#[tokio::test]
async fn an_answer_in_html_is_an_error_and_not_a_crash() {
    let service = Service::start().await;
    let client = service.client().await;
    for (status, code) in [(502, Code::Unavailable), (200, Code::Unknown), (404, Code::Unknown)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let page = service_fn(move |_| async move {
                    let answer = http::Response::builder().status(status).header("content-type", "text/html");
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::from("<html>busy</html>"))).expect("an answer"))
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), page));
            }
        });
        let error = list(&kira_at(address, &client)).await.expect_err("no answer of the service");
        assert_eq!((error.code, error.reason), (code, None), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_http_1_and_hangs_up_is_an_error() {
    let service = Service::start().await;
    let client = service.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>").await;
        }
    });
    let error = list(&kira_at(address, &client)).await.expect_err("no answer of the service");
    assert_eq!(error.reason, None, "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let service = Service::start().await;
    let client = service.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let kira = Kira::builder(format!("http://{}", listener.local_addr().expect("an address")))
        .credentials(client.id.to_string(), client.password.clone(), client.api_key.clone())
        .retries(1, Duration::from_millis(1))
        .timeout(Duration::from_millis(50))
        .connect()
        .expect("a client");
    let error = list(&kira).await.expect_err("no answer");
    assert_eq!(error.code, Code::DeadlineExceeded, "{error}");
}
