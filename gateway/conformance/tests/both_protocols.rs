//! Both protocols lead to one service and say the same.

mod harness;

use harness::TestServer;
use kira_gateway::error::{ErrorReason, details};
use kira_gateway::{Access, Methods};
use kira_gateway_conformance::v1::{self, CreateShelfRequest, WatchBooksRequest};
use serde_json::json;
use tonic::{Code, Request};

fn shelf(theme: &str) -> Request<CreateShelfRequest> {
    Request::new(CreateShelfRequest { request_id: None, theme: Some(theme.to_owned()) })
}

#[tokio::test]
async fn what_one_protocol_creates_the_other_shows() {
    let server = TestServer::new();
    server.grpc().create_shelf(shelf("Sea")).await.expect("a shelf");
    assert_eq!(server.get("/v1/shelves/new").await.json()["theme"], "Sea");
}

#[tokio::test]
async fn metadata_is_a_header() {
    let mut request = shelf("Sea");
    request.metadata_mut().insert("idempotency-key", "k1".parse().expect("a value"));
    let answer = TestServer::new().grpc().create_shelf(request).await.expect("a shelf");
    assert_eq!(answer.get_ref().shelf.as_ref().expect("a shelf").id, "k1");
}

#[tokio::test]
async fn a_field_may_stand_for_its_header_but_not_against_it() {
    let server = TestServer::new();
    let mut request = shelf("Sea");
    request.get_mut().request_id = Some("k1".to_owned());
    request.metadata_mut().insert("idempotency-key", "k1".parse().expect("a value"));
    server.grpc().create_shelf(request).await.expect("both are the same");
    let mut request = shelf("Sea");
    request.get_mut().request_id = Some("k1".to_owned());
    request.metadata_mut().insert("idempotency-key", "k2".parse().expect("a value"));
    let status = server.grpc().create_shelf(request).await.expect_err("they differ");
    assert_eq!(details(&status).expect("details").violations[0].field, "idempotency-key");
}

#[tokio::test]
async fn both_protocols_list_the_same_problems() {
    let server = TestServer::new();
    let theme = "a theme of more than twenty letters";
    let status = server.grpc().create_shelf(shelf(theme)).await.expect_err("too long");
    assert_eq!(status.code(), Code::InvalidArgument);
    let over_grpc: Vec<_> = details(&status)
        .expect("details")
        .violations
        .into_iter()
        .map(|one| json!({"path": one.field, "message": one.description, "code": one.reason}))
        .collect();
    let over_rest = server.post("/v1/shelves", json!({"theme": theme})).await;
    assert_eq!(over_rest.code_and_json(), (400, json!({"error": "Invalid request data", "details": over_grpc})));
}

#[tokio::test]
async fn an_error_of_the_service_has_its_reason_over_grpc() {
    let request = v1::GetShelfRequest { id: "none".to_owned() };
    let status = TestServer::new().grpc().get_shelf(request).await.expect_err("no shelf");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "Shelf not found"));
    assert_eq!(details(&status).expect("details").reason, ErrorReason::NotFound);
}

#[tokio::test]
async fn streams_pass_both_ways_over_grpc() {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "1"})).await;
    let request = WatchBooksRequest { parent: "shelves/s".to_owned(), fail_after: None };
    let mut stream = server.grpc().watch_books(request).await.expect("a stream").into_inner();
    assert!(stream.message().await.expect("an item").is_some());
    assert!(stream.message().await.expect("the end").is_none());
    let pages = tokio_stream::iter(vec![v1::UploadPagesRequest::default(); 3]);
    assert_eq!(server.grpc().upload_pages(pages).await.expect("an answer").into_inner().pages, 3);
}

#[tokio::test]
async fn a_message_too_large_for_grpc_says_so() {
    let status = TestServer::new().grpc_up_to(8).create_shelf(shelf("A longer theme")).await.expect_err("too large");
    let status = kira_gateway::error::complete(status);
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(details(&status).expect("details").reason, ErrorReason::PayloadTooLarge);
}

#[test]
fn the_policy_of_a_call_is_found_by_its_path() {
    let methods = Methods::new(&[v1::library_service_rest::METHODS]);
    let create = methods.find("/library.v1.LibraryService/CreateShelf").expect("a call");
    assert_eq!((create.name, create.service), ("CreateShelf", "library.v1.LibraryService"));
    assert_eq!((create.success_code, create.replay_code), (201, 200));
    assert_eq!((create.access, create.permission), (Access::Client, Some("shelves:write")));
    assert_eq!(create.location, Some("/v1/shelves/{shelf.id}"));
    let get = methods.find("/library.v1.LibraryService/GetShelf").expect("a call");
    assert_eq!((get.access, get.max_age), (Access::Public, Some(60)));
    assert!(methods.find("/library.v1.LibraryService/WatchBooks").expect("a call").server_streaming);
    assert!(methods.find("/library.v1.LibraryService/Nothing").is_none());
}
