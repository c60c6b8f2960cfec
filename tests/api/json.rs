//! Bodies that are no JSON, or JSON that says more or other than the contract has words for.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::service::{Answer, Client, Service};
use crate::support::bodies::{business, individual, passport, person, with};
use crate::support::stored::stored;
use crate::support::{Detail, assert_created, assert_refused, detail, details_of};

/// Sends a body as it stands.
async fn send(client: &Client, body: impl Into<reqwest::Body>) -> Answer {
    client.create_raw(&[("idempotency-key", &Uuid::new_v4().to_string())], body).await
}

/// A body as it stands, preferring a refusal to a warning.
async fn send_strictly(client: &Client, body: &Value) -> Answer {
    let key = Uuid::new_v4().to_string();
    client.create_raw(&[("idempotency-key", &key), ("prefer", "handling=strict")], body.to_string()).await
}

/// The only problem of a body, which is none of a single field.
async fn only_problem(client: &Client, body: impl Into<reqwest::Body>) -> (String, String) {
    let found = details_of(&send(client, body).await);
    assert_eq!((found.len(), found[0].0.as_str()), (1, ""), "{found:?}");
    let (_, message, code) = found.into_iter().next().expect("a problem");
    (code, message)
}

async fn assert_invalid_json(client: &Client, body: impl Into<reqwest::Body>, message: &str) {
    assert_eq!(only_problem(client, body).await, ("invalid_json".to_owned(), message.to_owned()));
}

/// An individual as text, with more members.
fn individual_with(members: &str) -> String {
    format!(r#"{{"type":"individual","email":"a@b.co","first_name":"A","last_name":"B",{members}}}"#)
}

fn warning(path: &str, key: &str) -> Value {
    json!({"path": path, "message": format!("Unrecognized key(s) in object: '{key}'"), "code": "unrecognized_keys"})
}

#[tokio::test]
async fn broken_json_is_told_with_its_line_and_column() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    for (body, message) in [
        ("", "Unexpected end of JSON at line 1 column 0"),
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
    // A byte order mark is no JSON (RFC 8259, section 8.1).
    assert_eq!(only_problem(&client, format!("\u{feff}{}", individual())).await.0, "invalid_json");
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
async fn the_kind_may_be_the_last_key_of_a_body() {
    let service = Service::start().await;
    let client = service.client().await;
    let rest = r#"{"email":"a@b.co","first_name":"A","last_name":"B","gender":"#;
    assert_eq!(send(&client, format!(r#"{rest}"male","type":"individual"}}"#)).await.status, 201);
    // What is wrong before it is told as everywhere.
    let found = details_of(&send(&client, format!(r#"{rest}7,"type":"individual"}}"#)).await);
    let sentence = "Expected 'male' | 'female' | 'other', received number";
    assert_eq!(found, [detail("gender", "invalid_type", sentence)]);
    let broken = "{\n\"metadata\":{\"a\":1,\n\"a\":2},\n\"type\":\"individual\"}";
    assert!(only_problem(&client, broken).await.1.starts_with("Duplicate key 'a' at line 3 column "));
}

#[tokio::test]
async fn escapes_in_keys_and_values_are_read() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = r#"{"t\u0079pe":"individu\u0061l","email":"a@b.co","first_name":"\u005a\u00f6\"\\\/\t","last_name":"\ud83e\udd8a"}"#;
    let user = send(&client, body).await.json();
    assert_eq!((&user["first_name"], &user["last_name"]), (&json!("Zö\"\\/\t"), &json!("🦊")));
}

#[tokio::test]
async fn an_unknown_key_is_a_warning_and_where_the_caller_is_strict_a_refusal() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut entry = passport();
    entry["colour"] = json!("red");
    let mut one = person();
    one["shoe_size"] = json!([42]);
    let mut body = business();
    body["associated_persons"] = json!([person(), one]);
    body["identifying_information"] = json!([entry]);
    body["additional_info"] = json!({"why": null});
    body["nick"] = json!({"a": 1});
    let user = assert_created(&client, &body).await;
    // In the order in which they stand in the body: serde_json's maps are sorted.
    let expected = json!([
        warning("additional_info.why", "why"),
        warning("associated_persons.1.shoe_size", "shoe_size"),
        warning("identifying_information.0.colour", "colour"),
        warning("nick", "nick"),
    ]);
    let sorted = |list: &Value| {
        let mut list = list.as_array().expect("a list").clone();
        list.sort_by_key(|entry| entry["path"].as_str().map(str::to_owned));
        list
    };
    assert_eq!(sorted(&user["warnings"]), sorted(&expected));
    assert_eq!(user.get("nick"), None);

    let before = stored(&service).await;
    let found = details_of(&send_strictly(&client, &body).await);
    let path = |entry: &Detail| entry.0.clone();
    let order = ["associated_persons.1.shoe_size", "identifying_information.0.colour", "additional_info.why", "nick"];
    assert_eq!(found.iter().map(path).collect::<Vec<_>>(), order);
    assert!(found.iter().all(|(_, _, code)| code == "unrecognized_keys"));
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
    assert_eq!(send_strictly(&client, &business()).await.status, 201);
    assert_eq!(assert_created(&client, &business()).await.get("warnings"), None);
}

#[tokio::test]
async fn what_the_service_sets_is_never_taken_from_a_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let theirs = [
        ("id", json!("00000000-0000-0000-0000-000000000001")),
        ("status", json!("VERIFIED")),
        ("verification_status", json!("verified")),
        ("created_at", json!("2000-01-01T00:00:00Z")),
        ("updated_at", json!("2000-01-01T00:00:00Z")),
        ("verification_triggered", json!(true)),
        ("eligible_products", json!([])),
        ("missing_fields", json!({})),
        ("residential_address", json!({"city": "Nowhere"})),
        ("registered_address", json!({"city": "Nowhere"})),
        ("idempotency_key", json!("00000000-0000-0000-0000-000000000001")),
    ];
    for body in [individual(), business()] {
        let mut plain = assert_created(&client, &body).await;
        let mut asked = body.clone();
        for (name, value) in &theirs {
            asked = with(&asked, name, value.clone());
        }
        let mut user = assert_created(&client, &asked).await;
        let warnings = user.as_object_mut().expect("an object").remove("warnings").expect("warnings");
        for (name, _) in &theirs {
            assert!(warnings.as_array().expect("a list").contains(&warning(name, name)), "{name}");
        }
        crate::support::hide_ids(&mut plain);
        crate::support::hide_ids(&mut user);
        assert_eq!(user, plain);
    }
    let mut entry = passport();
    entry["id"] = json!("00000000-0000-0000-0000-000000000001");
    let user = assert_created(&client, &with(&business(), "identifying_information", json!([entry.clone()]))).await;
    assert_ne!(user["identifying_information"][0]["id"], entry["id"]);
    assert_eq!(user["warnings"], json!([warning("identifying_information.0.id", "id")]));
}

#[tokio::test]
async fn a_key_of_the_other_kind_is_unknown() {
    let service = Service::start().await;
    let client = service.client().await;
    for (body, key, value) in [
        (business(), "gender", json!("male")),
        (business(), "first_name", json!(7)),
        (business(), "employment_status", json!("nonsense")),
        (individual(), "associated_persons", json!("nonsense")),
        (individual(), "business_legal_name", json!("x")),
        (individual(), "company_name", json!("x")),
        (individual(), "ein", json!(null)),
    ] {
        let user = assert_created(&client, &with(&body, key, value)).await;
        assert_eq!(user["warnings"], json!([warning(key, key)]));
        assert_eq!(user.get(key), None);
    }
}

#[tokio::test]
async fn company_name_is_another_word_for_business_legal_name() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = json!({"type": "business", "email": "a@b.co", "company_name": "Reyes Ltd"});
    let user = assert_created(&client, &body).await;
    assert_eq!((&user["business_legal_name"], user.get("warnings")), (&json!("Reyes Ltd"), None));
    // Problems are told under the documented name.
    for (value, code, message) in [
        (json!(7), "invalid_type", "Expected string, received number"),
        (json!(""), "too_small", "String must contain at least 1 character(s)"),
        (json!("x".repeat(256)), "too_big", "String must contain at most 255 character(s)"),
    ] {
        let body = with(&body, "company_name", value);
        assert_refused(&client, &body, &[detail("business_legal_name", code, message)]).await;
    }

    let start = r#"{"type":"business","email":"a@b.co""#;
    let sentence = "Must not be given together with 'company_name'";
    for both in [r#""company_name":"A","business_legal_name":"A""#, r#""business_legal_name":"A","company_name":"A""#] {
        let found = details_of(&send(&client, format!("{start},{both}}}")).await);
        assert_eq!(found, [detail("business_legal_name", "custom", sentence)]);
    }
    let twice = format!(r#"{start},"company_name":"A","company_name":"A"}}"#);
    assert!(only_problem(&client, twice).await.1.starts_with("Duplicate key 'company_name'"));
    let missing = json!({"type": "business", "email": "a@b.co"});
    assert_refused(&client, &missing, &[detail("business_legal_name", "invalid_type", "Required")]).await;
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
    let body = with(&business(), "associated_persons", Value::Array(vec![json!({}); 2_000]));
    let found = details_of(&send(&client, body.to_string()).await);
    assert_eq!(found.len(), 1_001);
    assert_eq!(found.last(), Some(&detail("", "custom", "3001 more problem(s) are not listed")));
    assert_eq!(found[0], detail("associated_persons", "too_big", "Array must contain at most 100 element(s)"));
}
