//! `metadata`: anything, within limits.

use serde_json::{Map, Value, json};

use crate::api::support::bodies::{business, individual, with};
use crate::api::support::{assert_created, assert_refused, detail, grpc_create, message_of, violations_of};
use crate::harness::service::Service;

/// Metadata whose compact JSON has this number of bytes.
fn of_size(bytes: usize) -> Value {
    json!({"k": "x".repeat(bytes - r#"{"k":""}"#.len())})
}

/// Metadata of this number of levels, its own included, of arrays or of objects.
fn of_depth(levels: usize, arrays: bool) -> Value {
    let inner = (1..levels).fold(json!(1), |inner, _| if arrays { json!([inner]) } else { json!({"k": inner}) });
    json!({"k": inner})
}

#[tokio::test]
async fn any_json_is_shown_as_it_was_sent() {
    let service = Service::start().await;
    let client = service.client().await;
    let metadata = json!({
        "text": "Zoë 🦊 \"\\\n", "empty": "", "yes": true, "nothing": null, "whole": 7, "part": -0.25,
        "big": 9_007_199_254_740_991_i64, "list": [1, [2, {"three": 3}], []], "object": {"": {}, "a b": [null]},
    });
    for body in [individual(), business()] {
        let user = assert_created(&client, &with(&body, "metadata", metadata.clone())).await;
        assert_eq!(user["metadata"], metadata);
        let id = user["id"].as_str().expect("an id");
        assert_eq!(client.get(&format!("/v1/users/{id}")).await.json()["metadata"], metadata);
    }
}

#[tokio::test]
async fn metadata_has_at_most_fifty_keys() {
    let service = Service::start().await;
    let client = service.client().await;
    let keys = |count: usize| Value::Object((0..count).map(|key| (key.to_string(), json!(key))).collect::<Map<_, _>>());
    for body in [individual(), business()] {
        let expected = [detail("metadata", "too_big", "Object must contain at most 50 key(s)")];
        let refused = with(&body, "metadata", keys(51));
        assert_refused(&client, &refused, &expected).await;
        let status = grpc_create(&client, message_of(&refused).expect("a message")).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected);
        assert_created(&client, &with(&body, "metadata", keys(50))).await;
    }
}

#[tokio::test]
async fn metadata_has_at_most_16_kib() {
    let service = Service::start().await;
    let client = service.client().await;
    for body in [individual(), business()] {
        let expected = [detail("metadata", "too_big", "Object must be at most 16384 bytes of JSON")];
        let refused = with(&body, "metadata", of_size(16_385));
        assert_refused(&client, &refused, &expected).await;
        let status = grpc_create(&client, message_of(&refused).expect("a message")).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected);
        assert_created(&client, &with(&body, "metadata", of_size(16_384))).await;
    }
}

#[tokio::test]
async fn nul_is_refused_in_keys_and_values_of_metadata() {
    let service = Service::start().await;
    let client = service.client().await;
    for (metadata, path) in [
        (json!({"a": "\u{0}"}), "metadata.a"),
        (json!({"a\u{0}": 1}), "metadata.a\u{0}"),
        (json!({"a": [1, {"b": "x\u{0}"}]}), "metadata.a.1.b"),
        (json!({"a": {"\u{0}": []}}), "metadata.a.\u{0}"),
    ] {
        let body = with(&individual(), "metadata", metadata);
        let expected = [detail(path, "custom", "Must not contain NUL characters")];
        assert_refused(&client, &body, &expected).await;
        let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected);
    }
}

#[tokio::test]
async fn metadata_that_is_taken_can_be_shown_over_both_protocols_however_deep_it_is() {
    let service = Service::start().await;
    let client = service.client().await;
    for arrays in [false, true] {
        let body = with(&individual(), "metadata", of_depth(20, arrays));
        let user = assert_created(&client, &body).await;
        assert_eq!(user["metadata"], body["metadata"]);
        let id = user["id"].as_str().expect("an id");
        assert_eq!(client.get(&format!("/v1/users/{id}")).await.json(), user);
        let request = client.call(kira_users::contract::v1::GetUserRequest { user_id: Some(id.to_owned()) });
        client.grpc().get_user(request).await.expect("the user");
        let message = message_of(&body).expect("a message");
        grpc_create(&client, message).await.expect("a user");

        // Protobuf libraries read no more than a hundred messages inside each other.
        let expected = [detail("metadata", "too_big", "Object must nest at most 20 levels deep")];
        for levels in [21, 127] {
            assert_refused(&client, &with(&individual(), "metadata", of_depth(levels, arrays)), &expected).await;
        }
        let message = message_of(&with(&individual(), "metadata", of_depth(21, arrays))).expect("a message");
        let status = grpc_create(&client, message).await.expect_err("a refusal");
        assert_eq!(violations_of(&status), expected);
    }
}
