//! Paths, bodies, queries, headers and codes.

mod harness;

use harness::TestServer;
use http::Request;
use serde_json::json;

#[tokio::test]
async fn a_success_has_its_code_and_its_location() {
    let answer = TestServer::new().post("/v1/shelves", json!({"theme": "Sea"})).await;
    assert_eq!(answer.code_and_json(), (201, json!({"id": "new", "theme": "Sea"})));
    assert_eq!(answer.headers["location"], "/v1/shelves/new");
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_replay_has_its_code_and_no_location() {
    let server = TestServer::new();
    let request = || {
        let request = Request::post("/v1/shelves").header("content-type", "application/json");
        request.header("idempotency-key", "k/1").body(json!({"theme": "Sea"}).to_string()).expect("a request")
    };
    let first = server.send(request()).await;
    assert_eq!((first.code, &first.headers["location"]), (201, &http::HeaderValue::from_static("/v1/shelves/k%2F1")));
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let again = server.send(request()).await;
    assert_eq!((again.code, &again.headers["idempotent-replayed"]), (200, &http::HeaderValue::from_static("true")));
    assert!(!again.headers.contains_key("location"));
    assert_eq!(again.text, first.text);
}

#[tokio::test]
async fn a_header_given_twice_is_a_problem() {
    let request = Request::post("/v1/shelves").header("content-type", "application/json");
    let request = request.header("idempotency-key", "a").header("idempotency-key", "b");
    let answer = TestServer::new().send(request.body(json!({"theme": "Sea"}).to_string()).expect("a request")).await;
    assert_eq!(answer.problems(), [("idempotency-key".to_owned(), "custom".to_owned())]);
}

#[tokio::test]
async fn a_header_is_no_key_of_the_body() {
    let answer = TestServer::new().post("/v1/shelves", json!({"theme": "Sea", "request_id": "x"})).await;
    assert_eq!(answer.code, 201);
    assert_eq!(answer.json()["id"], "new");
    assert_eq!(answer.json()["warnings"][0]["path"], "request_id");
}

#[tokio::test]
async fn a_header_of_the_contracts_own_passes() {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "1"})).await;
    let request = Request::post("/v1/shelves/s/books/1:borrow").header("content-type", "application/json");
    let request = request.header("x-library-card", " #7").body(r#"{"reader":"Ann"}"#.to_owned());
    assert_eq!(server.send(request.expect("a request")).await.code, 200);
    assert_eq!(server.get("/v1/shelves/s/books/1").await.json()["borrowed_by"], "Ann #7");
}

#[tokio::test]
async fn a_literal_beats_a_variable() {
    let server = TestServer::new();
    server.post("/v1/shelves", json!({"theme": "Sea"})).await;
    assert_eq!(server.get("/v1/shelves/top").await.code_and_json(), (200, json!([{"id": "new", "theme": "Sea"}])));
    let one = server.get("/v1/shelves/new").await;
    assert_eq!(one.code_and_json(), (200, json!({"id": "new", "theme": "Sea"})));
    assert_eq!(one.headers["cache-control"], "public, max-age=60");
    assert_eq!(server.get("/v1/shelves/old").await.code, 404);
}

#[tokio::test]
async fn a_call_that_takes_nothing_takes_no_query() {
    let answer = TestServer::new().get("/v1/shelves/top?limit=1").await;
    assert_eq!(answer.problems(), [("limit".to_owned(), "unrecognized_keys".to_owned())]);
}

#[tokio::test]
async fn a_query_fills_nested_and_repeated_fields() {
    let path = "/v1/shelves/s/books?filter.author=Le+Guin&filter.tags=a&filter.tags=b&filter.lendable=true\
                &filter.price.from=1.5&genres=NOVEL&genres=0_99&page_size=5&cursor=x%2By";
    let answer = TestServer::new().get(&path.replace("NOVEL", "novel")).await;
    let asked = json!({
        "parent": "shelves/s",
        "filter": {"author": "Le Guin", "tags": ["a", "b"], "lendable": true, "price": {"from": 1.5}},
        "genres": ["novel", "0_99"],
        "page_size": 5,
        "cursor": "x+y",
    });
    assert_eq!(answer.code_and_json(), (200, json!({"asked": asked, "books": []})));
}

#[tokio::test]
async fn an_additional_binding_reaches_the_same_call() {
    let server = TestServer::new();
    for method in ["GET", "SEARCH"] {
        let answer = server.request(method, "/v1/books?parent=shelves/x", "").await;
        assert_eq!(answer.json()["asked"]["parent"], "shelves/x", "{method}");
    }
}

#[tokio::test]
async fn every_problem_of_a_query_is_told() {
    let path = "/v1/shelves/s/books?page_size=0&filter.lendable=perhaps&nothing=1&filter.nothing=1&cursor=a&cursor=b\
                &parent=x&genres=opera";
    let mut problems = TestServer::new().get(path).await.problems();
    problems.sort();
    let expected = [
        ("cursor", "custom"),
        ("filter.lendable", "invalid_type"),
        ("filter.nothing", "unrecognized_keys"),
        ("genres", "invalid_enum_value"),
        ("nothing", "unrecognized_keys"),
        ("page_size", "too_small"),
        ("parent", "custom"),
    ];
    assert_eq!(problems, expected.map(|(path, code)| (path.to_owned(), code.to_owned())));
}

#[tokio::test]
async fn a_field_is_the_body_and_others_come_by_query() {
    let server = TestServer::new();
    let dry =
        server.post("/v1/shelves/s/books?dry_run=true", json!({"edition": "paper", "title": "A", "ISBN": "1"})).await;
    assert_eq!((dry.code, &dry.headers["location"]), (201, &http::HeaderValue::from_static("/v1/books/1")));
    assert_eq!(server.get("/v1/shelves/s/books/1").await.code, 404);
    server.post("/v1/shelves/s/books", json!({"edition": "paper", "title": "A", "ISBN": "1"})).await;
    assert_eq!(server.get("/v1/shelves/s/books/1").await.json()["name"], "shelves/s/books/1");
}

#[tokio::test]
async fn a_location_without_its_value_is_left_out() {
    let answer = TestServer::new().post("/v1/shelves/s/books", json!({"edition": "paper", "title": "A"})).await;
    assert_eq!(answer.code, 201);
    assert!(!answer.headers.contains_key("location"));
}

#[tokio::test]
async fn the_field_that_is_the_body_is_no_parameter() {
    let answer =
        TestServer::new().post("/v1/shelves/s/books?book.title=B", json!({"edition": "paper", "title": "A"})).await;
    assert_eq!(answer.problems(), [("book.title".to_owned(), "unrecognized_keys".to_owned())]);
}

#[tokio::test]
async fn problems_in_a_field_that_is_the_body_are_told_by_their_place_in_the_request() {
    let answer =
        TestServer::new().post("/v1/shelves/s/books", json!({"edition": "paper", "stars": 9, "genre": 1})).await;
    let mut problems = answer.problems();
    problems.sort();
    let expected = [("book.genre", "invalid_type"), ("book.stars", "too_big"), ("book.title", "invalid_type")];
    assert_eq!(problems, expected.map(|(path, code)| (path.to_owned(), code.to_owned())));
}

#[tokio::test]
async fn a_field_of_bytes_takes_the_body_as_it_came() {
    let server = TestServer::new();
    let answer = server.request("POST", "/v1/cards/c1:stamp", "{ \"a\" :1}\n").await;
    assert_eq!((answer.code, answer.json()), (200, json!({"stamp": "c1 7b20226122203a317d0a"})));
    let answer = server.request("POST", "/v1/cards/c1:stamp?payload=e30%3D", "").await;
    assert_eq!(answer.code, 400, "the body is no parameter of the query");
}

#[tokio::test]
async fn a_variable_may_lie_within_the_body() {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "1"})).await;
    let answer = server.request("PATCH", "/v1/shelves/s/books/1", r#"{"edition":"paper","title":"B"}"#).await;
    assert_eq!((answer.code, &answer.json()["title"]), (200, &json!("B")));
    let whole = r#"{"book":{"edition":"paper","title":"C","name":"shelves/s/books/1"}}"#;
    assert_eq!(server.request("PUT", "/v1/books", whole).await.json()["title"], "C");
}

#[tokio::test]
async fn nothing_is_an_empty_object_or_no_content() {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "1"})).await;
    let lent = server.post("/v1/shelves/s/books/1:borrow", json!({"reader": "Ann"})).await;
    assert_eq!((lent.code, lent.text.as_str()), (200, "{}"));
    let warned = server.post("/v1/shelves/s/books/1:borrow", json!({"reader": "Ann", "x": 1})).await;
    assert_eq!(warned.json()["warnings"][0]["code"], "unrecognized_keys");
    assert_eq!(server.get("/v1/shelves/s/books/1").await.json()["borrowed_by"], "Ann");
    let gone = server.request("DELETE", "/v1/shelves/s/books/1", "").await;
    assert_eq!((gone.code, gone.text.as_str()), (204, ""));
}

#[tokio::test]
async fn a_verb_is_a_call_of_its_own() {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "a:b"})).await;
    assert_eq!(server.get("/v1/shelves/s/books/a:b").await.code, 200);
    assert_eq!(server.post("/v1/shelves/s/books/a:b:borrow", json!({"reader": "Ann"})).await.code, 200);
    assert_eq!(server.post("/v1/shelves/s/books/a:b:return", json!({})).await.code, 405);
}

#[tokio::test]
async fn the_rest_of_a_path_keeps_escaped_slashes() {
    let answer = TestServer::new().get("/v1/files/a/b%20c%2Fd").await;
    assert_eq!(answer.code_and_json(), (200, json!({"path": "a/b c%2Fd"})));
}

#[tokio::test]
async fn unknown_keys_are_warnings_or_problems() {
    let server = TestServer::new();
    let body = json!({"theme": "Sea", "colour": "blue"}).to_string();
    let lenient = server.request("POST", "/v1/shelves", &body).await;
    assert_eq!((lenient.code, &lenient.json()["warnings"][0]["path"]), (201, &json!("colour")));
    let request = Request::post("/v1/shelves").header("content-type", "application/json");
    let strict = server.send(request.header("prefer", "handling=strict").body(body).expect("a request")).await;
    assert_eq!(strict.problems(), [("colour".to_owned(), "unrecognized_keys".to_owned())]);
}

#[tokio::test]
async fn a_stream_is_lines_or_events() {
    let server = TestServer::new();
    for isbn in ["1", "2"] {
        server.put_book(json!({"ISBN": isbn})).await;
    }
    let lines = server.get("/v1/shelves/s/books:watch").await;
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    let isbn = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["ISBN"].clone();
    assert_eq!(lines.text.lines().map(isbn).collect::<Vec<_>>(), ["1", "2"]);
    let request = Request::get("/v1/shelves/s/books:watch?fail_after=1").header("accept", "text/event-stream");
    let events = server.send(request.body(String::new()).expect("a request")).await;
    assert_eq!(events.headers["content-type"], "text/event-stream");
    let blocks: Vec<_> = events.text.split_terminator("\n\n").collect();
    assert_eq!(blocks.len(), 2);
    assert!(blocks[0].starts_with("id: shelves/s/books/1\ndata: {"), "{}", blocks[0]);
    let error = r#"{"code":"unavailable","message":"The shelf is being dusted"}"#;
    assert_eq!(blocks[1], format!("event: error\ndata: {error}"));
}

#[tokio::test]
async fn an_error_before_a_streams_first_item_is_the_answer() {
    assert_eq!(TestServer::new().get("/v1/shelves/s/books:watch?fail_after=0").await.code, 503);
    assert_eq!(TestServer::new().get("/v1/shelves/s/books:watch?fail_after=x").await.code, 400);
}

#[tokio::test]
async fn a_call_without_a_rule_has_no_route() {
    assert_eq!(TestServer::new().post("/library.v1.LibraryService/UploadPages", json!({})).await.code, 404);
}
