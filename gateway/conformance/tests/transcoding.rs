//! What a path, a query and a body say of one message: the rules of google/api/http.proto and of protobuf's JSON.

mod harness;

use harness::{Answer, TestServer};
use http::Request;
use serde_json::{Value, json};

async fn find(query: &str) -> Answer {
    TestServer::new().get(&format!("/v1/books:find?{query}")).await
}

async fn asked(query: &str) -> Value {
    let answer = find(query).await;
    assert_eq!(answer.code, 200, "{query}: {}", answer.text);
    answer.json()["asked"].clone()
}

fn problem(path: &str, code: &str, message: &str) -> (u16, Value) {
    let details = json!([{"path": path, "message": message, "code": code}]);
    (400, json!({"error": "Invalid request data", "details": details}))
}

#[tokio::test]
async fn each_member_of_a_oneof_can_be_given_by_query() {
    assert_eq!(asked("author=Ann").await, json!({"author": "Ann"}));
    assert_eq!(asked("year=1969").await, json!({"year": 1969}));
    assert_eq!(asked("price.from=1.5&price.to=2").await, json!({"price": {"from": 1.5, "to": 2}}));
    assert_eq!(asked("since=1969-03-01T00:00:00Z").await, json!({"since": "1969-03-01T00:00:00Z"}));
}

#[tokio::test]
async fn two_members_of_a_oneof_are_refused_by_query_as_in_a_body() {
    for (query, body, path, other) in [
        ("author=Ann&year=1", json!({"author": "Ann", "year": 1}), "year", "author"),
        ("year=1&author=Ann", json!({"author": "Ann", "year": 1}), "author", "year"),
        ("price.from=1&author=Ann", json!({"price": {"from": 1}, "author": "Ann"}), "author", "price"),
        ("author=Ann&price.from=1", json!({"author": "Ann", "price": {"from": 1}}), "price", "author"),
    ] {
        let expected = problem(path, "custom", &format!("Must not be given together with '{other}'"));
        assert_eq!(find(query).await.code_and_json(), expected, "{query}");
        let by_body = TestServer::new().post("/v1/books:find", body).await;
        assert_eq!((by_body.code, &by_body.json()["details"][0]["code"]), (400, &json!("custom")), "{query}");
    }
    let unknown = find("price.nothing=1").await;
    assert_eq!(unknown.problems(), [("price.nothing".to_owned(), "unrecognized_keys".to_owned())]);
    assert_eq!(find("year=1&year=1").await.problems(), [("year".to_owned(), "custom".to_owned())]);
}

#[tokio::test]
async fn a_repeated_field_whose_json_is_a_text_is_a_list_in_a_query() {
    let days = "days=1969-03-01T00:00:00Z&days=1969-03-02T00:00:00Z";
    assert_eq!(asked(days).await, json!({"days": ["1969-03-01T00:00:00Z", "1969-03-02T00:00:00Z"]}));
    assert_eq!(asked("copies=1&copies=9007199254740993").await, json!({"copies": ["1", "9007199254740993"]}));
    assert_eq!(asked("languages=en&languages=de").await, json!({"languages": ["en", "de"]}));
    assert_eq!(asked("cover=data:image/png;base64,AAEC").await, json!({"cover": "data:image/png;base64,AAEC"}));
}

#[tokio::test]
async fn a_number_beyond_its_type_is_refused_by_query_and_body() {
    for (number, code, message) in [
        ("1e39", "too_big", "Number must be less than or equal to 3.4028235e38"),
        ("-1e39", "too_small", "Number must be greater than or equal to -3.4028235e38"),
        ("3.5e38", "too_big", "Number must be less than or equal to 3.4028235e38"),
    ] {
        let expected = problem("weight", code, message);
        assert_eq!(find(&format!("weight={number}")).await.code_and_json(), expected, "{number}");
        let body = format!(r#"{{"weight":{number}}}"#);
        let by_body = TestServer::new().request("POST", "/v1/books:find", &body).await;
        assert_eq!(by_body.code_and_json(), expected, "{number}");
    }
    for word in ["inf", "-Infinity", "NaN", "infinity"] {
        let expected = problem("weight", "invalid_type", "Expected number, received string");
        assert_eq!(find(&format!("weight={word}")).await.code_and_json(), expected, "{word}");
        let by_body = TestServer::new().post("/v1/books:find", json!({"weight": word})).await;
        assert_eq!(by_body.code_and_json(), expected, "{word}");
    }
    assert_eq!(asked("weight=1E2").await, json!({"weight": 100}));
}

#[tokio::test]
async fn what_json_has_no_number_for_is_written_as_protobuf_says() {
    use kira_gateway::json::to_vec;
    for (number, expected) in
        [(f64::NAN, "\"NaN\""), (f64::INFINITY, "\"Infinity\""), (f64::NEG_INFINITY, "\"-Infinity\"")]
    {
        assert_eq!(to_vec(&number), expected.as_bytes());
        assert_eq!(to_vec(&(number as f32)), expected.as_bytes());
    }
}

#[tokio::test]
async fn without_a_body_of_which_nothing_is_required_the_message_is_empty() {
    let server = TestServer::new();
    for (method, path) in [("POST", "/v1/cards/c1:renew"), ("PUT", "/v1/cards/c1/terms")] {
        for answer in [server.bare(method, path).await, server.request(method, path, "").await] {
            assert_eq!(answer.code_and_json(), (200, json!({"card": "c1"})), "{method} {path}");
        }
        // As curl sends `--data ''`.
        let form =
            Request::builder().method(method).uri(path).header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(server.send(form.body(String::new()).expect("a request")).await.code, 200);
        let untyped = Request::builder().method(method).uri(path).body("{}".to_owned()).expect("a request");
        assert_eq!(server.send(untyped).await.code, 415);
        let blank = server.request(method, path, " ").await;
        assert_eq!((blank.code, blank.problems()[0].1.as_str()), (400, "invalid_json"));
    }
}

#[tokio::test]
async fn without_a_body_what_is_required_of_it_is_missing() {
    let server = TestServer::new();
    for (path, missing) in [("/v1/shelves", "theme"), ("/v1/shelves/s/books", "book")] {
        for answer in [server.bare("POST", path).await, server.request("POST", path, "").await] {
            assert_eq!(answer.problems(), [(missing.to_owned(), "invalid_type".to_owned())], "{path}");
        }
    }
}

#[tokio::test]
async fn a_field_of_the_path_may_stand_in_the_body_with_the_same_value() {
    let server = TestServer::new();
    server.put_book(json!({"ISBN": "1"})).await;
    let change = |name: &str| format!(r#"{{"edition":"paper","title":"B","name":"{name}"}}"#);
    let same = server.request("PATCH", "/v1/shelves/s/books/1", &change("shelves/s/books/1")).await;
    assert_eq!((same.code, &same.json()["title"]), (200, &json!("B")));
    let other = server.request("PATCH", "/v1/shelves/s/books/1", &change("shelves/s/books/2")).await;
    assert_eq!(other.code_and_json(), problem("book.name", "custom", "Must be the same as in the path"));
    let whole = server.post("/v1/cards/c1:renew", json!({"card": "c1", "terms": {"days": 3}})).await;
    assert_eq!(whole.code_and_json(), (200, json!({"card": "c1", "terms": {"days": 3}})));
    let id = "0190b1c2-aaaa-7bbb-8ccc-00000000000a";
    let uuid = server.post(&format!("/v1/cards/{id}:renew"), json!({"card": id.to_uppercase()})).await;
    assert_eq!(uuid.code, 200, "the digits of a UUID have no case");
}

#[tokio::test]
async fn a_byte_order_mark_before_the_json_is_ignored() {
    let server = TestServer::new();
    let answer = server.request("POST", "/v1/shelves", "\u{feff}{\"theme\":\"Sea\"}").await;
    assert_eq!(answer.code, 201, "{}", answer.text);
    let twice = server.request("POST", "/v1/shelves", "\u{feff}\u{feff}{}").await;
    assert_eq!(twice.problems(), [(String::new(), "invalid_json".to_owned())]);
    let broken = server.request("POST", "/v1/shelves", "\u{feff}{").await;
    assert_eq!(broken.code_and_json(), problem("", "invalid_json", "Unexpected end of JSON at line 1 column 1"));
}

#[tokio::test]
async fn binary_content_is_base64_of_either_alphabet_padded_or_not() {
    let server = TestServer::new();
    for text in ["-_8=", "-_8", "+/8=", "+/8"] {
        let book = server.put_book(json!({"ISBN": "1", "checksum": text})).await;
        assert_eq!(book["checksum"], "+/8=", "{text}");
    }
    for text in ["+_8=", "+/9", "+/8=x", "?"] {
        let body = json!({"edition": "paper", "title": "A", "checksum": text});
        let answer = server.post("/v1/shelves/s/books", body).await;
        assert_eq!(answer.problems(), [("book.checksum".to_owned(), "invalid_string".to_owned())], "{text}");
    }
}

#[tokio::test]
async fn a_media_type_with_a_parameter_is_refused_by_the_parameters_name() {
    let server = TestServer::new();
    let sentence = |which: &str| {
        format!("The parameter{which} of the media type is not supported. Expected data:image/png;base64,…")
    };
    for (parameter, which) in [
        ("charset=utf-8", " 'charset'"),
        ("charset=utf-8;name=Ana.png", " 'charset'"),
        ("name=Ana%20Reyes.png", " 'name'"),
        ("base64", " 'base64'"),
        ("", ""),
        ("a b=c", ""),
    ] {
        let cover = format!("data:image/png;{parameter};base64,AAEC");
        let answer = server.post("/v1/books:find", json!({"cover": cover})).await;
        assert_eq!(answer.code_and_json(), problem("cover", "custom", &sentence(which)), "{parameter}");
    }
    let other = server.post("/v1/books:find", json!({"cover": "data:text/plain;charset=utf-8;base64,AAEC"})).await;
    assert_eq!(other.code_and_json(), problem("cover", "custom", "Unsupported media type. Expected 'image/png'"));
}

#[tokio::test]
async fn a_path_is_matched_segment_by_segment() {
    let server = TestServer::new();
    for (path, code) in [
        ("/v1/shelves/", 404),
        ("//v1/shelves/top", 404),
        ("/v1//top", 404),
        ("/V1/shelves/top", 404),
        ("/v1/%73helves/top", 200),
        ("/v1/shelves/top/", 404),
        ("/v1/shelves/%ZZ", 400),
        ("/v1/shelves/%ff", 400),
    ] {
        assert_eq!(server.get(path).await.code, code, "{path}");
    }
    // A colon that is escaped starts no verb, and a plus sign of a path is itself.
    assert_eq!(server.bare("POST", "/v1/cards/c1%3Arenew").await.code, 404);
    assert_eq!(server.bare("POST", "/v1/cards/a+b%2Fc:renew").await.json()["card"], "a+b/c");
    let head = server.bare("HEAD", "/v1/shelves/top").await;
    assert_eq!(
        (head.code, head.text.as_str(), &head.headers["content-length"]),
        (200, "", &"2".parse().expect("a value"))
    );
    let options = server.bare("OPTIONS", "/v1/shelves").await;
    assert_eq!((options.code, &options.headers["allow"]), (405, &"POST".parse().expect("a value")));
}
