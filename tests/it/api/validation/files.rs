//! Files: base64 data URIs of three media types, and the bytes that they are.

use kira_users::contract::v1;
use serde_json::{Value, json};

use crate::api::support::bodies::{FILE, JPEG, data_uri, individual, with, with_file};
use crate::api::support::stored::stored;
use crate::api::support::{assert_created, assert_refused, detail, details_of, grpc_create, message_of, violations_of};
use crate::harness::service::Service;

const NO_URI: &str = "Must be a base64 data URI, such as data:image/jpeg;base64,…";
const OTHER_CONTENT: &str = "The file's content is not of the declared media type";
const UNSUPPORTED: &str = "Unsupported media type. Expected 'image/jpeg' | 'image/png' | 'application/pdf'";
const MIB: usize = 1 << 20;

#[tokio::test]
async fn what_is_no_base64_data_uri_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let good = data_uri("image/jpeg", JPEG);
    let payload = good.split_once(',').expect("a payload").1;
    let broken = |payload: &str| format!("data:image/jpeg;base64,{payload}");
    for file in [
        String::new(),
        "data:".to_owned(),
        "https://example.com/front.jpg".to_owned(),
        payload.to_owned(),
        "data:image/jpeg,abc".to_owned(),
        format!("data:image/jpeg;base64{payload}"),
        format!("data:image/jpeg;base32,{payload}"),
        // Truncated, white space, the URL-safe alphabet, padding too much or in the middle, other characters.
        broken(&payload[..payload.len() - 1]),
        broken(&payload[..payload.len() - 2]),
        broken(&format!("{}\n{}", &payload[..4], &payload[4..])),
        broken(&format!(" {payload}")),
        broken(&format!("{payload}\n")),
        broken("_9j_4AAQ"),
        broken("-_-_"),
        broken("/9j/===="),
        broken("/9==/9j/"),
        broken("/9j/é==="),
        broken("{{front}}"),
        // Bits beyond the last byte.
        broken("/9k="),
    ] {
        if file.ends_with("/9k=") {
            // Two bytes and two bits that are not zero.
            assert_refused(
                &client,
                &with_file(&json!("data:image/jpeg;base64,/9l=")),
                &[detail(FILE, "invalid_string", NO_URI)],
            )
            .await;
            continue;
        }
        assert_refused(&client, &with_file(&json!(file)), &[detail(FILE, "invalid_string", NO_URI)]).await;
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn a_file_of_another_json_type_or_none_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    for (file, name) in [
        (Value::Null, "null"),
        (json!(1), "number"),
        (json!(true), "boolean"),
        (json!([]), "array"),
        (json!({}), "object"),
    ] {
        let expected = [detail(FILE, "invalid_type", &format!("Expected string, received {name}"))];
        assert_refused(&client, &with_file(&file), &expected).await;
    }
    let mut body = with_file(&json!("x"));
    body["identifying_information"][0]["documents"] = json!([{"type": "front"}]);
    assert_refused(&client, &body, &[detail(FILE, "invalid_type", "Required")]).await;
    let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
    assert_eq!(violations_of(&status), [detail(FILE, "invalid_type", "Required")]);
}

#[tokio::test]
async fn only_three_media_types_are_taken() {
    let service = Service::start().await;
    let client = service.client().await;
    for media_type in ["image/gif", "image/jpg", "text/html", "image/svg+xml", "", "text/html;charset=utf-8"] {
        let body = with_file(&json!(data_uri(media_type, JPEG)));
        assert_refused(&client, &body, &[detail(FILE, "custom", UNSUPPORTED)]).await;
    }
    let parameter = "The parameter 'charset' of the media type is not supported. Expected data:image/jpeg;base64,…";
    let body = with_file(&json!(data_uri("image/jpeg;charset=utf-8", JPEG)));
    assert_refused(&client, &body, &[detail(FILE, "custom", parameter)]).await;
    // Media types and schemes are the same in any case (RFC 2045, RFC 3986).
    let file = data_uri("image/jpeg", JPEG).replace("data:image/jpeg", "DATA:Image/JPEG");
    assert_created(&client, &with_file(&json!(file))).await;
}

#[tokio::test]
async fn content_of_another_type_than_declared_is_refused_over_both_protocols() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let png = b"\x89PNG\r\n\x1a\n-";
    for (media_type, content) in [
        ("image/jpeg", b"GIF89a-something".as_slice()),
        ("image/jpeg", png),
        ("image/jpeg", b"\xff\xd8"),
        ("image/png", JPEG),
        ("image/png", b"\x89PNG"),
        ("application/pdf", JPEG),
        ("application/pdf", b"<html>%PDF-"),
    ] {
        let body = with_file(&json!(data_uri(media_type, content)));
        let expected = [detail(FILE, "custom", OTHER_CONTENT)];
        assert_refused(&client, &body, &expected).await;
        let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected);
    }
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");
}

#[tokio::test]
async fn an_empty_file_is_refused_over_both_protocols() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = with_file(&json!("data:image/png;base64,"));
    let expected = [detail(FILE, "too_small", "Must contain at least 1 byte(s)")];
    assert_refused(&client, &body, &expected).await;
    let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
    assert_eq!(violations_of(&status), expected);
}

#[tokio::test]
async fn a_file_has_at_most_10_mib() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let mut content = JPEG.to_vec();
    content.resize(10 * MIB, 0);
    let most = with_file(&json!(data_uri("image/jpeg", &content)));
    content.push(0);
    let more = with_file(&json!(data_uri("image/jpeg", &content)));

    let expected = [detail(FILE, "too_big", "Must contain at most 10485760 byte(s)")];
    assert_eq!(details_of(&client.create(&more).await), expected);
    let status = grpc_create(&client, message_of(&more).expect("a message")).await.expect_err("a refusal");
    assert_eq!(violations_of(&status), expected);
    assert_eq!(stored(&service).await, before, "a refusal stores nothing");

    assert_eq!(client.create(&most).await.status, 201);
    grpc_create(&client, message_of(&most).expect("a message")).await.expect("a user");
    assert_eq!(stored(&service).await["files"], 2);
}

#[tokio::test]
async fn one_bad_file_among_good_ones_leaves_none_of_them_behind() {
    let service = Service::start().await;
    let client = service.client().await;
    let before = stored(&service).await;
    let mut body = with_file(&json!(data_uri("image/jpeg", JPEG)));
    body["documents"] = json!([{"type": "selfie", "file": data_uri("image/png", JPEG)}]);
    assert_refused(&client, &body, &[detail("documents.0.file", "custom", OTHER_CONTENT)]).await;
    assert_eq!(stored(&service).await, before);
}

#[tokio::test]
async fn a_grpc_file_needs_a_media_type_of_the_list() {
    let service = Service::start().await;
    let client = service.client().await;
    for media_type in [0, 4, -1, i32::MAX] {
        let file = v1::File { media_type, content: JPEG.into() };
        let document = v1::Document { file: Some(file), r#type: Some(1), ..v1::Document::default() };
        let mut message = message_of(&individual()).expect("a message");
        let Some(v1::create_user_request::User::Individual(user)) = &mut message.user else { panic!("an individual") };
        user.documents = vec![document];
        let found = violations_of(&grpc_create(&client, message).await.expect_err("a refusal"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "documents.0.file");
        assert_eq!(found[0].2, if media_type == 0 { "invalid_type" } else { "invalid_enum_value" });
    }
}

#[tokio::test]
async fn a_legacy_document_is_taken_as_any_other() {
    let service = Service::start().await;
    let client = service.client().await;
    let document =
        json!({"type": "file_proof_of_address", "file": data_uri("image/jpeg", JPEG), "description": "Bill"});
    assert_created(&client, &with(&individual(), "documents", json!([document]))).await;
    assert_eq!(stored(&service).await["files"], 1);
}
