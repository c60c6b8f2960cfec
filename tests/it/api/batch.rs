//! `POST /v1/users:batchCreate` and `BatchCreateUsers`: each user is created, or refused, alone.

use kira_users::contract::v1;
use kira_users::contract::v1::batch_user::User as InBatch;
use kira_users::contract::v1::create_user_request::User as Alone;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::{detail, details_of, violations_of};
use crate::harness::requests::{EXAMPLES, example, message, minimal, with};
use crate::harness::service::{Answer, Client, Service};

/// A create body with its key, as an element of a batch.
fn element(key: Uuid, mut body: Value) -> Value {
    body["idempotency_key"] = json!(key);
    body
}

async fn post(client: &Client, body: &Value) -> Answer {
    Answer::of(client.request(Method::POST, "/v1/users:batchCreate").json(body).send().await.expect("an answer")).await
}

async fn results(client: &Client, users: Value) -> Vec<Value> {
    let answer = post(client, &json!({"users": users})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["results"].as_array().expect("a list").clone()
}

fn statuses(results: &[Value]) -> Vec<u64> {
    results.iter().map(|result| result["status"].as_u64().expect("a status")).collect()
}

fn grpc_element(key: Uuid, body: &Value) -> v1::BatchUser {
    let user = match message(body) {
        Alone::Individual(user) => InBatch::Individual(user),
        Alone::Business(user) => InBatch::Business(user),
    };
    v1::BatchUser { idempotency_key: Some(key.to_string()), user: Some(user) }
}

async fn grpc_results(client: &Client, users: Vec<v1::BatchUser>) -> Result<Vec<v1::BatchUserResult>, tonic::Status> {
    let request = client.call(v1::BatchCreateUsersRequest { users });
    Ok(client.grpc().batch_create_users(request).await?.into_inner().results)
}

#[tokio::test]
async fn every_user_is_created_as_by_a_request_of_its_own_and_answered_in_order() {
    let service = Service::start().await;
    let client = service.client().await;
    let keys: Vec<Uuid> = EXAMPLES.iter().map(|_| Uuid::new_v4()).collect();
    let users = EXAMPLES.iter().zip(&keys).map(|(text, key)| element(*key, example(text)));
    let results = results(&client, users.collect()).await;
    assert_eq!(statuses(&results), [201; 4]);
    for ((result, text), key) in results.iter().zip(EXAMPLES).zip(keys) {
        let user = &result["user"];
        let shown = client.get(&format!("/v1/users/{}", user["id"].as_str().expect("an id"))).await;
        assert_eq!(shown.json(), *user, "as GET shows it");
        let alone = client.create_with(key, &example(text)).await;
        assert_eq!((alone.status, &alone.json()["id"]), (200, &user["id"]), "it is the key of CreateUser");
    }
}

#[tokio::test]
async fn what_is_wrong_with_some_refuses_none_of_the_others_and_all_of_it_is_told() {
    let service = Service::start().await;
    let client = service.client().await;
    let reused = Uuid::new_v4();
    assert_eq!(client.create_with(reused, &minimal()).await.status, 201);
    let wrong = json!({"type": "individual", "email": "no address", "first_name": 7, "idempotency_key": "x"});
    let results = results(
        &client,
        json!([
            element(Uuid::new_v4(), minimal()),
            wrong,
            element(reused, with(minimal(), "/first_name", json!("Other"))),
            element(reused, minimal()),
            {"type": "robot", "email": 7},
            "no object",
            element(Uuid::new_v4(), with(minimal(), "/email", json!("grace@example.com"))),
        ]),
    )
    .await;
    assert_eq!(statuses(&results), [201, 400, 409, 200, 400, 400, 201]);
    let invalid = |details: Value| json!({"error": "Invalid request data", "details": details});
    let problem = |path: &str, message: &str, code: &str| json!({"path": path, "message": message, "code": code});
    assert_eq!(
        results[1],
        json!({"status": 400, "error": invalid(json!([
            problem("idempotency_key", "Invalid uuid", "invalid_string"),
            problem("email", "Invalid email", "invalid_string"),
            problem("first_name", "Expected string, received number", "invalid_type"),
            problem("last_name", "Required", "invalid_type"),
        ]))})
    );
    let message = "Idempotency key has already been used with different request data";
    assert_eq!(results[2], json!({"status": 409, "error": {"code": "idempotency_key_reused", "message": message}}));
    let kinds = "Invalid discriminator value. Expected 'individual' | 'business'";
    assert_eq!(results[4]["error"], invalid(json!([problem("type", kinds, "invalid_union_discriminator")])));
    let no_object = problem("", "Expected object, received string", "invalid_type");
    assert_eq!(results[5]["error"], invalid(json!([no_object])));
    assert_eq!(service.database.count("users").await, 3);
}

#[tokio::test]
async fn a_batch_sent_again_makes_nothing_twice_over_either_protocol() {
    let service = Service::start().await;
    let client = service.client().await;
    let bodies: Vec<(Uuid, Value)> = EXAMPLES.iter().map(|text| (Uuid::new_v4(), example(text))).collect();
    let users: Value = bodies.iter().map(|(key, body)| element(*key, body.clone())).collect();
    let first = results(&client, users.clone()).await;
    let again = results(&client, users).await;
    assert_eq!((statuses(&first), statuses(&again)), (vec![201; 4], vec![200; 4]));
    let elements = bodies.iter().map(|(key, body)| grpc_element(*key, body)).collect();
    let over_grpc = grpc_results(&client, elements).await.expect("results");
    for ((one, two), three) in first.iter().zip(&again).zip(&over_grpc) {
        assert_eq!(one["user"]["id"], two["user"]["id"]);
        assert_eq!((three.status, three.user.as_ref().map(|user| user.id.as_str())), (200, one["user"]["id"].as_str()));
    }
    assert_eq!(service.database.count("users").await, 4);
}

#[tokio::test]
async fn one_key_twice_in_a_batch_makes_one_user() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let results = results(&client, (0..20).map(|_| element(key, minimal())).collect()).await;
    let mut found = statuses(&results);
    found.sort_unstable();
    assert_eq!(found, [&[200; 19][..], &[201]].concat());
    assert_eq!(service.database.count("users").await, 1);
}

#[tokio::test]
async fn over_grpc_each_element_has_its_result_too() {
    let service = Service::start().await;
    let client = service.client().await;
    let good = grpc_element(Uuid::new_v4(), &minimal());
    let without_key = v1::BatchUser { idempotency_key: None, ..good.clone() };
    let results = grpc_results(&client, vec![without_key, good, v1::BatchUser::default()]).await.expect("results");
    let found: Vec<_> = results.iter().map(|result| (result.status, result.user.is_some())).collect();
    assert_eq!(found, [(400, false), (201, true), (400, false)]);
    let details = &results[0].error.as_ref().expect("an error").details;
    assert_eq!(
        details.iter().map(|found| (found.path.as_str(), found.code.as_str())).collect::<Vec<_>>(),
        [("idempotency_key", "invalid_type")]
    );
}

#[tokio::test]
async fn a_batch_has_one_user_at_least_and_a_hundred_at_most() {
    let service = Service::start().await;
    let client = service.client().await;
    let many = |count: usize| (0..count).map(|_| element(Uuid::new_v4(), minimal())).collect::<Value>();
    assert_eq!(statuses(&results(&client, many(100)).await), [201; 100]);
    let too_many = post(&client, &json!({"users": many(101)})).await;
    assert_eq!(details_of(&too_many), [detail("users", "too_big", "Array must contain at most 100 element(s)")]);
    for none in [json!({}), json!({"users": []})] {
        assert_eq!(details_of(&post(&client, &none).await), [detail("users", "invalid_type", "Required")]);
    }
    let refused = grpc_results(&client, Vec::new()).await.expect_err("no users");
    assert_eq!(violations_of(&refused), [detail("users", "invalid_type", "Required")]);
    assert_eq!(service.database.count("users").await, 100);
}

#[tokio::test]
async fn unknown_keys_are_warned_of_by_their_place_in_the_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut odd = element(Uuid::new_v4(), minimal());
    odd["nickname"] = json!("A");
    let answer = post(&client, &json!({"users": [element(Uuid::new_v4(), minimal()), odd.clone()]})).await;
    assert_eq!(answer.json()["warnings"][0]["path"], "users.1.nickname");
    assert_eq!(answer.json()["warnings"].as_array().map(Vec::len), Some(1));
    odd["idempotency_key"] = json!(Uuid::new_v4());
    let strict = client.request(Method::POST, "/v1/users:batchCreate").header("prefer", "handling=strict");
    let strict = strict.json(&json!({"users": [odd, element(Uuid::new_v4(), minimal())]}));
    let answer = Answer::of(strict.send().await.expect("an answer")).await.json();
    let results = answer["results"].as_array().expect("a list");
    assert_eq!(statuses(results), [400, 201]);
    assert_eq!(results[0]["error"]["details"][0]["code"], "unrecognized_keys");
}

#[tokio::test]
async fn a_batch_counts_as_its_users_in_the_rate_limit_of_its_client_alone() {
    let service = Service::start_with(&[("KIRA_RATE_LIMIT_PER_SECOND", "5")]).await;
    let (client, other) = (service.client().await, service.client().await);
    let users: Value = (0..20).map(|_| element(Uuid::new_v4(), minimal())).collect();
    assert_eq!(statuses(&results(&client, users).await), [201; 20]);
    let refused = client.create(&minimal()).await;
    // Twenty at five a second, less a burst of five, and the time of one more.
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("4")));
    assert_eq!(other.create(&minimal()).await.status, 201);
    service.clock.advance(chrono::TimeDelta::seconds(4));
    assert_eq!(client.create(&minimal()).await.status, 201);
}
