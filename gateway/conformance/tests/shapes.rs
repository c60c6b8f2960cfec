//! The JSON of every kind of field, there and back.

mod harness;

use harness::TestServer;
use serde_json::json;

#[tokio::test]
async fn every_kind_of_field_comes_back_as_it_was_sent() {
    let fields = json!({
        "ISBN": "1",
        "authors": ["A", "B"],
        "genre": "Science & Fiction",
        "also": ["novel", "0_99"],
        "format_width": 10,
        "format_height": 20,
        "format_notes": ["thin"],
        "edition": "paper",
        "hardcover": true,
        "published_at": "1969-03-01T00:00:00Z",
        "loan_period": "1.500s",
        "notes": {"any": [1.5, null, {"thing": true}]},
        "remark": ["a", 1.5],
        "subtitle": "Sub",
        "copies": "3",
        "lendable": false,
        "marker": {},
        "labels": {"shelf mark": "x"},
        "cover": "data:image/png;base64,iVBORw==",
        "language": "eng",
        "sequel": {"edition": "digital", "title": "Next", "ISBN": "2"},
        "stars": 5,
        "price": 9.75,
        "checksum": "AAEC",
    });
    let answer = TestServer::new().put_book(fields.clone()).await;
    assert_eq!(answer.get("warnings"), None, "{answer}");
    for (key, value) in fields.as_object().expect("an object") {
        match key.as_str() {
            "loan_period" => assert!(answer[key].as_str().is_some_and(|text| text.starts_with("1.5")), "{answer}"),
            "sequel" => assert_eq!(answer[key]["title"], "Next"),
            _ => assert_eq!(answer[key], *value, "{key}"),
        }
    }
}

#[tokio::test]
async fn an_alias_is_read_as_the_field() {
    assert_eq!(TestServer::new().put_book(json!({"isbn": "7"})).await["ISBN"], "7");
}

#[tokio::test]
async fn what_only_the_service_may_set_is_not_taken() {
    let book = TestServer::new().put_book(json!({"borrowed_by": "me"})).await;
    assert_eq!(book["borrowed_by"], "");
    assert_eq!(book["warnings"][0]["path"], "book.borrowed_by");
}

#[tokio::test]
async fn each_edition_has_its_own_keys() {
    let server = TestServer::new();
    let book = server.put_book(json!({"edition": "digital", "file_type": "epub"})).await;
    assert_eq!((&book["edition"], &book["file_type"]), (&json!("digital"), &json!("epub")));
    let answer = server.post("/v1/shelves/s/books", json!({"title": "A", "edition": "stone"})).await;
    assert!(answer.problems().contains(&("book.edition".to_owned(), "invalid_union_discriminator".to_owned())));
}

#[tokio::test]
async fn each_kind_of_field_refuses_what_it_is_not() {
    let body = json!({
        "edition": "paper", "title": 1, "authors": "A", "genre": "opera", "format_width": -1, "published_at": "yesterday",
        "loan_period": 5, "notes": [], "copies": "many", "labels": {"a": 1}, "cover": "picture", "language": "long",
        "sequel": {"edition": "paper", "title": ""}, "stars": 6, "checksum": "?",
    });
    let answer = TestServer::new().post("/v1/shelves/s/books", body.clone()).await;
    let paths: Vec<_> = answer.problems().into_iter().map(|(path, _)| path).collect();
    for key in body.as_object().expect("an object").keys().filter(|key| *key != "edition") {
        assert!(paths.iter().any(|path| path.starts_with(&format!("book.{key}"))), "{key} is not among {paths:?}");
    }
}
