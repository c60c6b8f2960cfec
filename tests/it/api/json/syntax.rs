//! What is no JSON, or JSON that is not read: broken, too deep, too much, ambiguous.

use serde_json::{Value, json};

use super::{individual_with, only_problem, send};
use crate::api::support::bodies::{business, individual, with};
use crate::api::support::stored::stored;
use crate::api::support::{detail, details_of};
use crate::harness::service::{Client, Service};

async fn assert_invalid_json(client: &Client, body: impl Into<reqwest::Body>, message: &str) {
    assert_eq!(only_problem(client, body).await, ("invalid_json".to_owned(), message.to_owned()));
}

#[tokio::test]
async fn broken_json_is_told_with_its_line_and_column() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    for (body, message) in [
        ("  \n ", "Unexpected end of JSON at line 2 column 1"),
        ("{", "Unexpected end of JSON at line 1 column 1"),
        ("{\n\"type\":\"individual\",\n\"email\": \"a", "Unexpected end of JSON at line 3 column 11"),
        ("{\"type\":\"individual\",}", "Malformed JSON: trailing comma at line 1 column 22"),
        ("{\n \"type\" \"individual\"}", "Malformed JSON: expected `:` at line 2 column 9"),
        ("{} {}", "Malformed JSON: trailing characters at line 1 column 4"),
        ("nul", "Unexpected end of JSON at line 1 column 3"),
        ("{'type':1}", "Malformed JSON: key must be a string at line 1 column 2"),
        ("{\"a\":01}", "Malformed JSON: invalid number at line 1 column 7"),
    ] {
        assert_invalid_json(&client, body, message).await;
    }
    for number in ["NaN", "Infinity", "1e999", "+1", ".5", "0x10"] {
        let (code, message) = only_problem(&client, individual_with(&format!("\"metadata\":{{\"n\":{number}}}"))).await;
        assert_eq!(code, "invalid_json", "{number}: {message}");
        assert!(message.contains(" at line 1 column "), "{message}");
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn a_fraction_of_seventeen_digits_comes_back_as_it_was_sent() {
    let service = Service::start().await;
    let client = service.client().await;
    for number in ["449.49106478873813", "218.78103733768862", "21.489705265908874", "0.1"] {
        let created = send(&client, individual_with(&format!("\"metadata\":{{\"n\":{number}}}"))).await;
        assert_eq!(created.status, 201);
        let id = created.json()["id"].as_str().expect("an id").to_owned();
        let shown = client.get(&format!("/v1/users/{id}")).await;
        assert!(shown.text.contains(&format!("\"n\":{number}")), "{number}: {}", shown.text);
    }
}

#[tokio::test]
async fn a_body_nests_at_most_128_levels() {
    let service = Service::start().await;
    let client = service.client().await;
    // One level is the body's own.
    for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
        let of =
            |levels: usize| individual_with(&format!("\"x\":{}1{}", open.repeat(levels - 1), close.repeat(levels - 1)));
        assert_eq!(send(&client, of(128)).await.status, 201);
        for levels in [129, 1_000, 1_000_000] {
            let (code, message) = only_problem(&client, of(levels)).await;
            assert_eq!(code, "invalid_json");
            assert!(message.starts_with("JSON nests deeper than 128 levels at line 1 column "), "{message}");
        }
    }
    let unclosed = "[".repeat(1_000_000);
    assert_eq!(only_problem(&client, unclosed.clone()).await.0, "invalid_json");
    assert_eq!(only_problem(&client, format!("{{\"x\":{unclosed}")).await.0, "invalid_json");
}

#[tokio::test]
async fn a_key_named_twice_in_one_object_is_refused_wherever_it_is() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    for (members, key) in [
        (r#""email":"c@d.co""#, "email"),
        (r#""type":"individual""#, "type"),
        (r#""phone":null,"phone":null"#, "phone"),
        (r#""identifying_information":[{"type":"visa","type":"visa"}]"#, "type"),
        (r#""metadata":{"a":1,"b":2,"a":1}"#, "a"),
        (r#""metadata":{"x":[{"a":1,"\u0061":2}]}"#, "a"),
        (r#""unknown":1,"unknown":2"#, "unknown"),
        (r#""unknown":[{"a":{"b":1,"b":2}}]"#, "b"),
        (r#""gender":{"a":1,"a":2}"#, "a"),
        (r#"" at line ":1," at line ":1"#, " at line "),
    ] {
        let (code, message) = only_problem(&client, individual_with(members)).await;
        assert_eq!(code, "invalid_json");
        let start = format!("Duplicate key '{key}' at line 1 column ");
        assert!(message.starts_with(&start), "{message} for {members}");
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn a_key_named_twice_is_refused_also_where_the_kind_is_unknown() {
    let service = Service::start().await;
    let client = service.client().await;
    for body in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"type":"x","a":2}"#,
        r#"{"type":"x","a":1,"a":2}"#,
        r#"{"b":{"a":1,"a":2}}"#,
        r#"{"type":"x","b":{"a":1,"a":2}}"#,
        r#"{"a":1,"a":2,"type":"individual"}"#,
    ] {
        let (code, message) = only_problem(&client, body).await;
        assert_eq!(code, "invalid_json", "{body}");
        assert!(message.starts_with("Duplicate key 'a' at line 1 column "), "{message}");
    }
    assert!(only_problem(&client, r#"{"type":"x","type":"individual"}"#).await.1.starts_with("Duplicate key 'type'"));
}

#[tokio::test]
async fn text_that_is_no_utf_8_or_no_unicode_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    for bytes in [&b"\xff"[..], b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
        let body = [b"{\n\"type\":\"", bytes, b"\"}"].concat();
        assert_invalid_json(&client, body, "Body is not valid UTF-8 at line 2 column 8").await;
    }
    for escape in [r"\ud83d", r"\udd8a", r"\ud83d\ud83d", r"\ud83dx", r"\u12", r"\x41"] {
        for body in [
            individual_with(&format!("\"occupation\":\"{escape}\"")),
            individual_with(&format!("\"metadata\":{{\"{escape}\":1}}")),
            individual_with(&format!("\"unknown\":[\"{escape}\"]")),
            format!("{{\"occupation\":\"{escape}\",\"type\":\"individual\"}}"),
            format!("{{\"occupation\":\"{escape}\"}}"),
        ] {
            let (code, message) = only_problem(&client, body).await;
            assert_eq!(code, "invalid_json", "{escape}");
            assert!(message.starts_with("Malformed JSON: ") && message.contains(" at line 1 column "), "{message}");
        }
    }
    assert_eq!(only_problem(&client, individual_with("\"occupation\":\"a\nb\"")).await.0, "invalid_json");
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_is_ignored() {
    let service = Service::start().await;
    let client = service.client().await;
    // A reader may ignore one (RFC 8259, section 8.1); a second one is a character.
    assert_eq!(send(&client, format!("\u{feff}{}", individual())).await.status, 201);
    assert_eq!(only_problem(&client, format!("\u{feff}\u{feff}{}", individual())).await.0, "invalid_json");
    let utf_16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_invalid_json(&client, utf_16, "Body is not valid UTF-8 at line 1 column 0").await;
}

#[tokio::test]
async fn a_body_is_an_object() {
    let service = Service::start().await;
    let client = service.client().await;
    for (body, name) in [
        ("[]", "array"),
        ("[{}]", "array"),
        ("null", "null"),
        ("1", "number"),
        ("true", "boolean"),
        ("\"x\"", "string"),
    ] {
        let expected = ("invalid_type".to_owned(), format!("Expected object, received {name}"));
        assert_eq!(only_problem(&client, body).await, expected);
    }
}

#[tokio::test]
async fn a_body_of_very_many_values_is_refused_at_once() {
    let service = Service::start().await;
    let client = service.client().await;
    for members in [
        format!("\"identifying_information\":[{}{{}}]", "{},".repeat(200_000)),
        format!("\"metadata\":{{\"k\":[{}0]}}", "0,".repeat(200_000)),
        (0..200_000).map(|key| format!("\"k{key}\":0")).collect::<Vec<_>>().join(","),
        format!("\"unknown\":[{}0]", "0,".repeat(200_000)),
    ] {
        let (code, message) = only_problem(&client, individual_with(&members)).await;
        assert_eq!(code, "invalid_json");
        assert!(message.starts_with("JSON has more than 100000 values at line 1 column "), "{message}");
    }
}

#[tokio::test]
async fn a_thousand_problems_are_listed_and_the_others_counted() {
    let service = Service::start().await;
    let client = service.client().await;
    let person = json!({"identifying_information": vec![json!({}); 10]});
    let body = with(&business(), "associated_persons", Value::Array(vec![person; 100]));
    let found = details_of(&send(&client, body.to_string()).await);
    assert_eq!(found.len(), 1_001);
    assert_eq!(found.last(), Some(&detail("", "custom", "1200 more problem(s) are not listed")));
    assert_eq!(found[0], detail("associated_persons.0.first_name", "invalid_type", "Required"));
}
