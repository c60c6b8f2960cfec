//! How the key is given, and what a request that fails does to it.

use kira_users::contract::v1;
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::{message, minimal, with};
use crate::harness::service::{Client, Service, is_replayed};
use crate::promises::support::{id, problems, refusal, rows, violations};

const KEY: &str = "5f0e8400-e29b-41d4-a716-4466554400ab";

/// CreateUser with the key in the message, in the metadata, in both or in none.
async fn create(client: &Client, field: Option<&str>, metadata: &[&str]) -> Result<(String, bool), tonic::Status> {
    let user = Some(message(&minimal()));
    let mut request = client.call(v1::CreateUserRequest { idempotency_key: field.map(str::to_owned), user });
    for key in metadata {
        request.metadata_mut().append("idempotency-key", key.parse().expect("metadata"));
    }
    let response = client.grpc().create_user(request).await?;
    let replayed = is_replayed(response.metadata());
    Ok((response.into_inner().user.expect("a user").id, replayed))
}

fn problem(message: &str, code: &str) -> Vec<[String; 3]> {
    vec![["idempotency-key".to_owned(), message.to_owned(), code.to_owned()]]
}

#[tokio::test]
async fn over_grpc_the_key_is_metadata_or_a_field_or_both() {
    let service = Service::start().await;
    let client = service.client().await;
    let (first, replayed) = create(&client, None, &[KEY]).await.expect("a user");
    assert!(!replayed);
    assert_eq!(create(&client, Some(KEY), &[]).await.expect("a replay"), (first.clone(), true));
    assert_eq!(create(&client, Some(KEY), &[KEY]).await.expect("a replay"), (first, true));
}

#[tokio::test]
async fn upper_and_lower_case_are_one_key() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = minimal().to_string();
    let first = client.create_raw(&[("idempotency-key", KEY)], body.clone()).await;
    let again = client.create_raw(&[("idempotency-key", &KEY.to_uppercase())], body).await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(id(&first), id(&again));
    assert_eq!(create(&client, Some(&KEY.to_uppercase()), &[]).await.expect("a replay"), (id(&first), true));
}

#[tokio::test]
async fn the_same_key_may_be_given_again_in_either_case() {
    let service = Service::start().await;
    let client = service.client().await;
    let (upper, body) = (KEY.to_uppercase(), minimal().to_string());
    let first = client.create_raw(&[("idempotency-key", KEY), ("idempotency-key", KEY)], body.clone()).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = client.create_raw(&[("idempotency-key", KEY), ("idempotency-key", &upper)], body).await;
    assert_eq!((again.status, id(&again)), (200, id(&first)));
    let replay = (id(&first), true);
    assert_eq!(create(&client, None, &[KEY, &upper]).await.expect("a replay"), replay);
    assert_eq!(create(&client, Some(KEY), &[&upper]).await.expect("a replay"), replay);
    assert_eq!(create(&client, Some(&upper), &[KEY, KEY]).await.expect("a replay"), replay);
}

#[tokio::test]
async fn a_missing_key_is_required() {
    let service = Service::start().await;
    let client = service.client().await;
    let expected = problem("Required", "invalid_type");
    assert_eq!(problems(&client.create_raw(&[], minimal().to_string()).await), expected);
    let refused = create(&client, None, &[]).await.expect_err("no key");
    assert_eq!((refused.code(), violations(&refused)), (Code::InvalidArgument, expected));
}

#[tokio::test]
async fn a_key_that_is_no_uuid_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let expected = problem("Invalid uuid", "invalid_string");
    for key in ["1", "not-a-uuid", "5f0e8400e29b41d4a7164466554400ab", "{5f0e8400-e29b-41d4-a716-4466554400ab}", ""] {
        let answer = client.create_raw(&[("idempotency-key", key)], minimal().to_string()).await;
        assert_eq!(problems(&answer), expected, "{key:?}");
        let refused = create(&client, Some(key), &[]).await.expect_err(key);
        assert_eq!(violations(&refused), expected, "{key:?}");
    }
    assert_eq!(rows(&service.database).await, [0; 5]);
}

#[tokio::test]
async fn two_keys_are_refused_wherever_they_stand() {
    let service = Service::start().await;
    let client = service.client().await;
    let (expected, other) = (problem("Must be given once", "custom"), Uuid::new_v4().to_string());
    let twice = [("idempotency-key", KEY), ("idempotency-key", other.as_str())];
    assert_eq!(problems(&client.create_raw(&twice, minimal().to_string()).await), expected);
    let refused = create(&client, None, &[KEY, &other]).await.expect_err("two in the metadata");
    assert_eq!(violations(&refused), expected);
    let refused = create(&client, Some(KEY), &[&other]).await.expect_err("one here and one there");
    assert_eq!(violations(&refused), expected);
    assert_eq!(rows(&service.database).await, [0; 5]);
}

#[tokio::test]
async fn a_request_that_fails_validation_leaves_its_key_free() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let wrong = with(minimal(), "/email", json!("nowhere"));
    assert_eq!(problems(&client.create_with(key, &wrong).await)[0][0], "email");
    let refused = client.grpc_create(key, message_unchecked()).await.expect_err("a wrong e-mail");
    assert_eq!(refusal(&refused).0, Code::InvalidArgument);
    assert_eq!(rows(&service.database).await, [0; 5]);
    assert_eq!(client.create_with(key, &minimal()).await.status, 201);
}

/// An individual whose e-mail address is none.
fn message_unchecked() -> v1::create_user_request::User {
    let mut user = message(&minimal());
    if let v1::create_user_request::User::Individual(individual) = &mut user {
        individual.email = Some("nowhere".to_owned());
    }
    user
}
