//! What the modules share: bodies, what an error says, what is stored.

pub(crate) mod bodies;
pub(crate) mod stored;

use kira_gateway::error::{Details, ErrorReason, details};
use kira_users::contract::v1;
use serde_json::{Value, json};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::harness::service::{Answer, Client};

/// One entry of `details`: path, message, code.
pub(crate) type Detail = (String, String, String);

/// An expected entry of `details`.
pub(crate) fn detail(path: &str, code: &str, message: &str) -> Detail {
    (path.to_owned(), message.to_owned(), code.to_owned())
}

/// The `details` of a 400, whose body has the documented keys and no others.
pub(crate) fn details_of(answer: &Answer) -> Vec<Detail> {
    assert_eq!(answer.status, 400, "{}", answer.text);
    let body = answer.json();
    assert_eq!(keys(&body), ["details", "error"], "{body}");
    assert_eq!(body["error"], "Invalid request data");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let one = |entry: &Value| {
        assert_eq!(keys(entry), ["code", "message", "path"]);
        (text(&entry["path"]), text(&entry["message"]), text(&entry["code"]))
    };
    body["details"].as_array().expect("a list").iter().map(one).collect()
}

/// The violations of an INVALID_ARGUMENT, as REST would list them.
pub(crate) fn violations_of(status: &Status) -> Vec<Detail> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(status.message(), "Invalid request data");
    let details = our_details(status);
    assert_eq!(details.reason, ErrorReason::InvalidRequest);
    details.violations.into_iter().map(|found| (found.field, found.description, found.reason)).collect()
}

/// The details that every status of ours carries.
pub(crate) fn our_details(status: &Status) -> Details {
    details(status).unwrap_or_else(|| panic!("no details in {status:?}"))
}

/// The keys of an object, sorted.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Asserts that an answer is an error of the plain shape.
pub(crate) fn assert_plain(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json(), json!({"code": code, "message": message}));
}

/// Asserts that a create is refused for exactly these reasons.
pub(crate) async fn assert_refused(client: &Client, body: &Value, expected: &[Detail]) {
    let found = details_of(&client.create(body).await);
    assert_eq!(found, expected, "for {}", short(body));
}

/// Asserts that a create is accepted.
pub(crate) async fn assert_created(client: &Client, body: &Value) -> Value {
    let answer = client.create(body).await;
    assert_eq!(answer.status, 201, "{} for {}", answer.text, short(body));
    answer.json()
}

/// The gRPC request that a JSON body says, where it can be said in protobuf at all.
pub(crate) fn message_of(body: &Value) -> Option<v1::CreateUserRequest> {
    let read = kira_gateway::json::read::<v1::CreateUserRequest>(body.to_string().as_bytes());
    read.problems.is_empty().then_some(read.message)
}

/// CreateUser over gRPC with a key of its own.
pub(crate) async fn grpc_create(client: &Client, message: v1::CreateUserRequest) -> Result<v1::User, Status> {
    let message = v1::CreateUserRequest { idempotency_key: Some(Uuid::new_v4().to_string()), ..message };
    let response = client.grpc().create_user(client.call(message)).await?;
    Ok(response.into_inner().user.expect("a user"))
}

/// A body short enough for the message of a failed assertion.
pub(crate) fn short(body: &Value) -> String {
    body.to_string().chars().take(600).collect()
}

/// Replaces what differs from run to run: every identifier becomes `<id>`.
pub(crate) fn hide_ids(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if key == "id" {
                    assert!(value.as_str().is_some_and(|id| Uuid::try_parse(id).is_ok()), "{value} is no UUID");
                    *value = json!("<id>");
                }
                hide_ids(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide_ids),
        _ => {}
    }
}
