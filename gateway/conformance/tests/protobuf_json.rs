//! Where our JSON keeps or leaves the mapping of protobuf.dev/programming-guides/json: see docs/gateway.md.

mod harness;

use harness::TestServer;
use serde_json::{Value, json};

/// The problems of a book with these fields: path and code of each.
async fn refused(fields: &str) -> Vec<(String, String)> {
    let body = format!(r#"{{"title":"A","edition":"paper",{fields}}}"#);
    TestServer::new().request("POST", "/v1/shelves/s/books", &body).await.problems()
}

async fn kept(field: &str, value: Value) -> Value {
    TestServer::new().put_book(json!({field: value})).await[field].clone()
}

#[tokio::test]
async fn an_integer_of_64_bits_is_a_text_in_answers_and_a_text_or_a_number_in_requests() {
    // 2^53 + 1, which a double does not hold.
    assert_eq!(kept("pages_read", json!("9007199254740993")).await, "9007199254740993");
    assert_eq!(kept("pages_read", json!(9_007_199_254_740_993_i64)).await, "9007199254740993");
    assert_eq!(kept("pages_read", json!("-9223372036854775808")).await, "-9223372036854775808");
    for beyond in ["9223372036854775808", "\"9223372036854775808\"", "1.5", "\" 1\"", "\"\""] {
        let problems = refused(&format!(r#""pages_read":{beyond}"#)).await;
        assert_eq!(problems.len(), 1, "{beyond}");
        assert_eq!(problems[0].0, "book.pages_read", "{beyond}");
    }
}

#[tokio::test]
async fn a_number_without_a_fraction_is_an_integer_however_it_is_written() {
    for text in ["5", "5.0", "5e0", "0.5e1"] {
        let body = format!(r#"{{"title":"A","edition":"paper","stars":{text}}}"#);
        let answer = TestServer::new().request("POST", "/v1/shelves/s/books", &body).await;
        assert_eq!((answer.code, &answer.json()["stars"]), (201, &json!(5)), "{text}");
    }
    assert_eq!(refused(r#""stars":4.5"#).await[0].0, "book.stars");
}

#[tokio::test]
async fn null_is_a_value_of_the_wrong_type_and_not_an_absent_field() {
    for field in ["ISBN", "stars", "authors", "labels", "published_at", "genre"] {
        let expected = [(format!("book.{field}"), "invalid_type".to_owned())];
        assert_eq!(refused(&format!(r#""{field}":null"#)).await, expected, "{field}");
    }
    // Where null is a value, it is kept.
    assert_eq!(kept("notes", json!({"a": null})).await, json!({"a": null}));
    assert_eq!(kept("remark", json!(null)).await, json!(null));
}

#[tokio::test]
async fn an_enum_is_its_name_and_never_its_number() {
    for value in ["1", "\"GENRE_NOVEL\"", "\"NOVEL\"", "\"unspecified\"", "\"GENRE_UNSPECIFIED\""] {
        let problems = refused(&format!(r#""genre":{value}"#)).await;
        assert_eq!((problems.len(), problems[0].0.as_str()), (1, "book.genre"), "{value}");
    }
}

#[tokio::test]
async fn a_key_is_the_field_name_and_not_its_camel_case() {
    let book = TestServer::new().put_book(json!({"publishedAt": "1969-03-01T00:00:00Z"})).await;
    assert_eq!((&book["warnings"][0]["path"], book.get("published_at")), (&json!("book.publishedAt"), None));
}

#[tokio::test]
async fn a_key_given_twice_is_refused() {
    assert_eq!(refused(r#""stars":1,"stars":1"#).await[0].1, "invalid_json");
    assert_eq!(refused(r#""ISBN":"1","isbn":"1""#).await.len(), 1);
}

#[tokio::test]
async fn a_time_is_read_with_any_offset_and_written_in_utc() {
    assert_eq!(kept("published_at", json!("1969-03-01T02:00:00+02:00")).await, "1969-03-01T00:00:00Z");
    for text in ["1969-03-01", "1969-03-01T00:00:00", "1969-02-30T00:00:00Z"] {
        assert_eq!(refused(&format!(r#""published_at":"{text}""#)).await[0].0, "book.published_at", "{text}");
    }
}

#[tokio::test]
async fn what_follows_the_json_of_a_body_is_refused() {
    let server = TestServer::new();
    for body in [r#"{"theme":"A"}{}"#, r#"{"theme":"A"},"#, r#"{"theme":"A",}"#, "{'theme':'A'}", r#"{"theme":NaN}"#] {
        assert_eq!(server.request("POST", "/v1/shelves", body).await.problems()[0].1, "invalid_json", "{body}");
    }
}
