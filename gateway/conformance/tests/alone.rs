//! Lists whose elements are judged alone.

mod harness;

use harness::TestServer;
use kira_gateway_conformance::v1::{Book, Paper, StockShelfRequest, book};
use serde_json::{Value, json};

fn paper(title: &str) -> Value {
    json!({"edition": "paper", "title": title})
}

async fn told(books: Value) -> Value {
    let answer = TestServer::new().post("/v1/books:stock", json!({"books": books})).await;
    assert_eq!(answer.code, 200, "{}", answer.text);
    answer.json()["told"].clone()
}

#[tokio::test]
async fn an_element_with_problems_refuses_none_of_the_others_and_all_its_problems_are_there() {
    let wrong = json!({"edition": "paper", "stars": 9, "price": "much"});
    let expected = json!(["One", "title=invalid_type stars=too_big price=invalid_type", "Two"]);
    assert_eq!(told(json!([paper("One"), wrong, paper("Two")])).await, expected);
}

#[tokio::test]
async fn an_element_that_is_no_object_or_of_no_kind_keeps_its_place() {
    let expected = json!(["=invalid_type", "edition=invalid_union_discriminator", "One"]);
    assert_eq!(told(json!([7, {"title": "No kind", "stars": 9}, paper("One")])).await, expected);
}

#[tokio::test]
async fn an_element_of_no_kind_hides_nothing_of_the_elements_before_it() {
    let unknown = json!({"edition": "paper", "title": "One", "colour": "red"});
    let body = json!({"books": [unknown, {"title": "No kind", "size": 7}]});
    let answer = TestServer::new().post("/v1/books:stock", body).await.json();
    assert_eq!(answer["warnings"][0]["path"], "books.0.colour");
    assert_eq!(answer["warnings"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_unknown_key_of_an_element_is_its_problem_where_the_caller_wants_that() {
    let server = TestServer::new();
    let body = json!({"books": [{"edition": "paper", "title": "One", "colour": "red"}, paper("Two")]});
    let request = http::Request::post("/v1/books:stock").header("content-type", "application/json");
    let request = request.header("prefer", "handling=strict").body(body.to_string()).expect("a request");
    let answer = server.send(request).await;
    assert_eq!(answer.code_and_json(), (200, json!({"told": ["colour=unrecognized_keys", "Two"]})));
    let outside = json!({"books": [paper("One")], "colour": "red"});
    let request = http::Request::post("/v1/books:stock").header("content-type", "application/json");
    let request = request.header("prefer", "handling=strict").body(outside.to_string()).expect("a request");
    assert_eq!(server.send(request).await.problems(), [("colour".to_owned(), "unrecognized_keys".to_owned())]);
}

#[tokio::test]
async fn a_problem_outside_of_the_elements_refuses_the_request() {
    let server = TestServer::new();
    let four = json!({"books": [paper("1"), paper("2"), paper("3"), paper("4")]});
    assert_eq!(server.post("/v1/books:stock", four).await.problems(), [("books".to_owned(), "too_big".to_owned())]);
    let other = json!({"books": [{"edition": "paper"}], "shelf": "long"});
    assert_eq!(server.post("/v1/books:stock", other).await.problems(), [("shelf".to_owned(), "too_big".to_owned())]);
    let none = [("books".to_owned(), "invalid_type".to_owned())];
    assert_eq!(server.post("/v1/books:stock", json!({})).await.problems(), none);
    assert_eq!(server.post("/v1/books:stock", json!({"books": []})).await.problems(), none);
    assert_eq!(server.bare("POST", "/v1/books:stock").await.problems(), none);
}

#[tokio::test]
async fn an_element_with_a_thousand_problems_lists_the_first_and_leaves_the_others_theirs() {
    let many: Vec<Value> = (0..1_000).map(|_| json!("no genre")).collect();
    let answer = told(json!([{"edition": "paper", "title": "Many", "also": many}, {"edition": "paper"}])).await;
    let first = answer[0].as_str().expect("a text");
    assert_eq!(first.split(' ').count(), 101);
    assert!(first.starts_with("also.0=invalid_enum_value") && first.ends_with(" =custom"), "{first}");
    assert_eq!(answer[1], "title=invalid_type");
}

#[tokio::test]
async fn over_grpc_elements_are_judged_alone_too() {
    let good = |title: &str| Book {
        title: Some(title.to_owned()),
        edition: Some(book::Edition::Paper(Paper::default())),
        ..Book::default()
    };
    let books = vec![good("One"), Book { stars: 9, ..good("Two") }, Book::default()];
    let answer = TestServer::new().grpc().stock_shelf(StockShelfRequest { books, shelf: None }).await;
    let told = answer.expect("an answer").into_inner().told;
    assert_eq!(told, ["One", "stars=too_big", "title=invalid_type"]);
}
