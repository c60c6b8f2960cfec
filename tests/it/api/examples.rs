//! The specification's example requests, over both protocols.

use kira_gateway::json;
use kira_users::contract::v1;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::support::bodies::{EXAMPLES, example};
use crate::api::support::stored::stored;
use crate::api::support::{assert_plain, hide_ids, message_of};
use crate::harness::service::{Answer, Client, Service, is_replayed};

/// The documented response to an example, whole; identifiers are `<id>`.
fn documented(name: &str) -> Value {
    let text = match name {
        "individual_usa" => include_str!("../../fixtures/responses/created/individual_usa.json"),
        "individual_mexico" => include_str!("../../fixtures/responses/created/individual_mexico.json"),
        "business_usa" => include_str!("../../fixtures/responses/created/business_usa.json"),
        "business_mexico" => include_str!("../../fixtures/responses/created/business_mexico.json"),
        _ => panic!("no example {name}"),
    };
    serde_json::from_str(text).expect("the file holds JSON")
}

/// The documented part of a response: `requirements` is ours, and has a suite of its own.
fn hidden(mut body: Value) -> Value {
    hide_ids(&mut body);
    let requirements = body.as_object_mut().expect("an object").remove("requirements").expect("requirements");
    assert!(requirements["verification"]["missing"].is_array(), "{requirements}");
    body
}

/// A user of the gRPC API as the REST API would write it.
fn json_of(user: &v1::User) -> Value {
    serde_json::from_slice(&json::to_vec(user)).expect("JSON")
}

fn message(name: &str, key: Uuid) -> v1::CreateUserRequest {
    let message = message_of(&example(name)).expect("the example can be said in protobuf");
    v1::CreateUserRequest { idempotency_key: Some(key.to_string()), ..message }
}

async fn get_over_grpc(client: &Client, id: &str) -> v1::User {
    let request = client.call(v1::GetUserRequest { user_id: Some(id.to_owned()) });
    client.grpc().get_user(request).await.expect("the user").into_inner().user.expect("a user")
}

fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn every_example_is_answered_key_by_key_over_rest() {
    let service = Service::start().await;
    let client = service.client().await;
    for name in EXAMPLES {
        let answer = client.create(&example(name)).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
        assert_eq!(hidden(answer.json()), documented(name), "{name}");
        assert_eq!(answer.header("location"), Some(format!("/v1/users/{}", id_of(&answer)).as_str()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
}

#[tokio::test]
async fn every_example_is_answered_key_by_key_over_grpc() {
    let service = Service::start().await;
    let client = service.client().await;
    for name in EXAMPLES {
        let response = client.grpc().create_user(client.call(message(name, Uuid::new_v4()))).await.expect(name);
        assert!(!is_replayed(response.metadata()), "{name}");
        let user = response.into_inner().user.expect("a user");
        assert_eq!(hidden(json_of(&user)), documented(name), "{name}");
    }
}

#[tokio::test]
async fn the_key_may_be_grpc_metadata_in_place_of_the_field() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let mut request = client.call(v1::CreateUserRequest { idempotency_key: None, ..message("individual_usa", key) });
    request.metadata_mut().insert("idempotency-key", key.to_string().parse().expect("metadata"));
    client.grpc().create_user(request).await.expect("a user");
    let replay = client.grpc().create_user(client.call(message("individual_usa", key))).await.expect("a replay");
    assert!(is_replayed(replay.metadata()));
}

#[tokio::test]
async fn only_complete_examples_trigger_verification() {
    let service = Service::start().await;
    let client = service.client().await;
    for (name, missing) in [
        ("individual_usa", json!(null)),
        ("individual_mexico", json!(["identifying_information:tax_id", "expected_monthly_payments"])),
        ("business_usa", json!(["identifying_information:file_proof_of_address"])),
        ("business_mexico", json!(null)),
    ] {
        let user = client.create(&example(name)).await.json();
        assert_eq!(user["missing_fields"]["verification"], missing, "{name}");
        assert_eq!(user["verification_triggered"], missing.is_null(), "{name}");
        assert_eq!(user["status"], "CREATED", "{name}");
    }
    let stored = stored(&service).await;
    assert_eq!((stored["users"], stored["jobs"], stored["events"]), (4, 2, 4));
}

#[tokio::test]
async fn get_answers_what_the_create_answered() {
    let service = Service::start().await;
    let client = service.client().await;
    for name in EXAMPLES {
        let created = client.create(&example(name)).await;
        let got = client.get(&format!("/v1/users/{}", id_of(&created))).await;
        assert_eq!(got.status, 200, "{name}");
        assert_eq!(got.json(), created.json(), "{name}");
    }
}

#[tokio::test]
async fn what_one_protocol_creates_the_other_shows() {
    let service = Service::start().await;
    let client = service.client().await;
    for name in EXAMPLES {
        let created = client.create(&example(name)).await;
        let shown = get_over_grpc(&client, &id_of(&created)).await;
        assert_eq!(json_of(&shown), created.json(), "{name}");

        let request = client.call(message(name, Uuid::new_v4()));
        let created = client.grpc().create_user(request).await.expect(name).into_inner().user.expect("a user");
        let shown = client.get(&format!("/v1/users/{}", created.id)).await;
        assert_eq!(shown.json(), json_of(&created), "{name}");
    }
}

#[tokio::test]
async fn a_repeated_create_is_a_replay_over_either_protocol() {
    let service = Service::start().await;
    let client = service.client().await;
    for name in EXAMPLES {
        let key = Uuid::new_v4();
        let first = client.create_with(key, &example(name)).await;
        assert_eq!(first.status, 201, "{name}");
        let before = stored(&service).await;

        let second = client.create_with(key, &example(name)).await;
        assert_eq!((second.status, second.header("idempotent-replayed")), (200, Some("true")), "{name}");
        assert_eq!(second.header("location"), None, "{name}: a replay creates nothing");
        assert_eq!(second.json(), first.json(), "{name}");

        let third = client.grpc().create_user(client.call(message(name, key))).await.expect(name);
        assert!(is_replayed(third.metadata()), "{name}");
        assert_eq!(json_of(&third.into_inner().user.expect("a user")), first.json(), "{name}");
        assert_eq!(stored(&service).await, before, "{name}: a replay stores nothing");
    }
}

#[tokio::test]
async fn the_order_of_keys_and_white_space_do_not_make_another_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let body = example("business_mexico");
    assert_eq!(client.create_with(key, &body).await.status, 201);
    let entries: Vec<_> = body.as_object().expect("an object").iter().rev().collect();
    let reversed: Vec<_> = entries.iter().map(|(name, value)| format!("\n\t{} : {value:#} ", json!(name))).collect();
    let key = key.to_string();
    let answer = client.create_raw(&[("idempotency-key", &key)], format!("{{{}}}", reversed.join(","))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_key_with_other_data_is_a_conflict_over_both_protocols() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    assert_eq!(client.create_with(key, &example("individual_usa")).await.status, 201);
    let text = "Idempotency key has already been used with different request data";
    let answer = client.create_with(key, &example("individual_mexico")).await;
    assert_plain(&answer, 409, "idempotency_key_reused", text);
    let status =
        client.grpc().create_user(client.call(message("individual_mexico", key))).await.expect_err("a conflict");
    assert_eq!((status.code(), status.message()), (tonic::Code::AlreadyExists, text));
}

#[tokio::test]
async fn a_user_of_another_client_is_not_found() {
    let service = Service::start().await;
    let (owner, other) = (service.client().await, service.client().await);
    let id = id_of(&owner.create(&example("individual_usa")).await);
    let text = format!("User with ID {id} not found");
    assert_plain(&other.get(&format!("/v1/users/{id}")).await, 404, "not_found", &text);
    let request = other.call(v1::GetUserRequest { user_id: Some(id.clone()) });
    let status = other.grpc().get_user(request).await.expect_err("no user");
    assert_eq!((status.code(), status.message()), (tonic::Code::NotFound, text.as_str()));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::start().await;
    let client = service.client().await;
    let created = client.create(&example("business_usa")).await;
    let path = format!("/v1/users/{}", id_of(&created));
    let head = Answer::of(client.request(Method::HEAD, &path).send().await.expect("an answer")).await;
    let get = client.get(&path).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("content-type"), get.header("content-type"));
}
