//! A request whose kind only the service knows.

mod harness;

use harness::{Answer, TestServer};
use kira_gateway_conformance::v1::{Digital, RevalueBookRequest, revalue_book_request};
use serde_json::json;

async fn server() -> TestServer {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "p"})).await;
    server.put_book(json!({"ISBN": "d", "edition": "digital"})).await;
    server
}

async fn revalue(server: &TestServer, book: &str, body: &str) -> Answer {
    server.request("PATCH", &format!("/v1/shelves/s/books/{book}:revalue"), body).await
}

#[tokio::test]
async fn the_body_is_read_as_the_kind_that_the_service_names() {
    let server = server().await;
    let told = |answer: Answer| answer.json()["told"].as_str().expect("a text").to_owned();
    let paper = told(revalue(&server, "p", r#"{"hardcover":true}"#).await);
    assert_eq!(paper, "paper: Some(paper(Paper { hardcover: true }))");
    let digital = told(revalue(&server, "d", r#"{"file_type":"epub","edition":"digital"}"#).await);
    assert!(digital.starts_with("digital: Some(digital("), "{digital}");
}

#[tokio::test]
async fn another_kind_is_refused_wherever_it_stands_and_nothing_else_is_said() {
    let server = server().await;
    for body in [r#"{"edition":"digital","hardcover":7}"#, r#"{"hardcover":7,"edition":"digital"}"#] {
        let refused = revalue(&server, "p", body).await;
        assert_eq!(refused.problems(), [("edition".to_owned(), "invalid_union_discriminator".to_owned())]);
        assert!(refused.text.contains("Expected 'paper'\""), "{}", refused.text);
    }
}

#[tokio::test]
async fn members_of_the_other_kind_are_unknown_keys() {
    let answer = revalue(&server().await, "p", r#"{"file_type":"epub"}"#).await;
    assert_eq!(answer.json()["warnings"][0]["path"], "file_type");
}

#[tokio::test]
async fn the_path_is_judged_before_the_body_is_read() {
    let server = server().await;
    let long = revalue(&server, &"x".repeat(40), "{").await;
    assert_eq!(long.problems(), [("name".to_owned(), "too_big".to_owned())]);
    assert_eq!(revalue(&server, "none", "{").await.code, 404);
    assert_eq!(revalue(&server, "p", "{").await.problems(), [(String::new(), "invalid_json".to_owned())]);
}

#[tokio::test]
async fn over_grpc_the_message_is_whole() {
    let server = server().await;
    let edition = revalue_book_request::Edition::Digital(Digital { file_type: "epub".to_owned() });
    let request = RevalueBookRequest { name: "shelves/s/books/d".to_owned(), edition: Some(edition) };
    let answer = server.grpc().revalue_book(request).await.expect("an answer").into_inner();
    assert!(answer.told.contains("epub"), "{}", answer.told);
}

#[tokio::test]
async fn without_a_body_nothing_is_given_and_the_service_says_whether_that_is_enough() {
    let server = server().await;
    let answer = server.bare("PATCH", "/v1/shelves/s/books/p:revalue").await;
    assert_eq!(answer.code_and_json(), (200, json!({"told": "paper: None"})));
}
