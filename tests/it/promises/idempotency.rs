//! One key makes one user (decisions, section 7).

use futures_util::future::join_all;
use kira_gateway::error::ErrorReason;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, message, minimal, with, with_files};
use crate::harness::service::{Answer, Client, Service};
use crate::promises::support::{execute, id, objects, refusal, rows};

const REUSED: &str = "Idempotency key has already been used with different request data";

/// 64 requests with one key at once, every other one over gRPC: the id of each answer's user, and whether it was a
/// replay.
async fn race(client: &Client, body: &Value) -> Vec<(String, bool)> {
    let key = Uuid::from_u128(64);
    let calls = (0..64).map(|number| {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move {
            if number % 2 == 0 {
                let answer = client.create_with(key, &body).await;
                assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
                let replayed = answer.header("idempotent-replayed") == Some("true");
                assert_eq!(replayed, answer.status == 200, "a replay answers 200 and says so");
                (id(&answer), replayed)
            } else {
                let (user, replayed) = client.grpc_create(key, message(&body)).await.expect("a user");
                (user.id, replayed)
            }
        })
    });
    join_all(calls).await.into_iter().map(|call| call.expect("a call does not panic")).collect()
}

fn assert_one_first(answers: &[(String, bool)]) {
    assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1, "one request is the first");
    assert!(answers.iter().all(|(id, _)| *id == answers[0].0), "all answers show one user");
}

fn assert_reused(answer: &Answer) {
    assert_eq!(answer.status, 409);
    assert_eq!(answer.json(), json!({"code": "idempotency_key_reused", "message": REUSED}));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_requests_at_once_over_both_protocols_make_one_user() {
    let service = Service::start().await;
    let client = service.client().await;
    assert_one_first(&race(&client, &minimal()).await);
    assert_eq!(rows(&service.database).await, [1, 1, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_requests_with_files_at_once_make_one_user_and_leave_no_other_file() {
    let service = Service::start().await;
    let client = service.client().await;
    assert_one_first(&race(&client, &with_files()).await);
    assert_eq!(rows(&service.database).await, [1, 1, 1, 1, 3], "one user, and one verification of it");
    assert_eq!(objects(&service).len(), 3);
}

#[tokio::test]
async fn every_example_replays_over_the_other_protocol() {
    let service = Service::start().await;
    let client = service.client().await;
    for text in EXAMPLES {
        let (body, one, two) = (example(text), Uuid::new_v4(), Uuid::new_v4());
        let first = client.create_with(one, &body).await;
        assert_eq!(first.status, 201, "{}", first.text);
        let (user, replayed) = client.grpc_create(one, message(&body)).await.expect("a replay");
        assert!(replayed && user.id == id(&first));
        let (user, replayed) = client.grpc_create(two, message(&body)).await.expect("a user");
        assert!(!replayed && user.id != id(&first), "another key is another user");
        let again = client.create_with(two, &body).await;
        assert_eq!((again.status, id(&again)), (200, user.id));
    }
}

#[tokio::test]
async fn the_first_answer_tells_the_place_and_a_replay_tells_that_it_is_one() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let first = client.create_with(key, &minimal()).await;
    assert_eq!(first.header("location"), Some(format!("/v1/users/{}", id(&first)).as_str()));
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = client.create_with(key, &minimal()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(again.json(), first.json());
}

#[tokio::test]
async fn the_order_of_keys_and_white_space_do_not_matter() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4().to_string();
    let header = [("idempotency-key", key.as_str())];
    let one = r#"{"type":"individual","email":"a@example.com","first_name":"A","last_name":"B","metadata":{"x":1,"y":[2,3]}}"#;
    let other = r#"
        { "metadata" : { "y" : [ 2, 3 ], "x" : 1 } , "last_name" : "B",
          "first_name" : "\u0041", "email" : "a@example.com", "type" : "individual" }
    "#;
    let first = client.create_raw(&header, one).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = client.create_raw(&header, other).await;
    assert_eq!((again.status, id(&again)), (200, id(&first)), "{}", again.text);
}

#[tokio::test]
async fn a_changed_value_is_another_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let body = with_files();
    assert_eq!(client.create_with(key, &body).await.status, 201);
    let mut less = body.clone();
    less.as_object_mut().expect("an object").remove("occupation");
    let changes = [
        ("another text", with(body.clone(), "/first_name", json!("Jane"))),
        ("another list value", with(body.clone(), "/gender", json!("female"))),
        ("another truth value", with(body.clone(), "/pep_status", json!(true))),
        ("another order of a list", {
            let entries = body["identifying_information"].as_array().expect("a list");
            let turned: Vec<Value> = entries.iter().rev().cloned().collect();
            with(body.clone(), "/identifying_information", json!(turned))
        }),
        ("one value less", less),
    ];
    for (what, changed) in changes {
        assert_eq!(client.create_with(key, &changed).await.status, 409, "{what}");
        let refused = client.grpc_create(key, message(&changed)).await.expect_err(what);
        assert_eq!(refusal(&refused), (Code::AlreadyExists, ErrorReason::IdempotencyKeyReused, REUSED.to_owned()));
    }
    assert_reused(&client.create_with(key, &minimal()).await);
    assert_eq!(rows(&service.database).await, [1, 1, 1, 1, 3]);
    assert_eq!(objects(&service).len(), 3, "a refused request leaves no file");
}

#[tokio::test]
async fn another_file_is_another_request_and_so_is_another_media_type() {
    const FILE: &str = "/identifying_information/1/documents/0/file";
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let one = with(with_files(), FILE, data_uri("image/jpeg", &jpeg("one")));
    assert_eq!(client.create_with(key, &one).await.status, 201);
    let two = with(with_files(), FILE, data_uri("image/jpeg", &jpeg("two")));
    assert_reused(&client.create_with(key, &two).await);
    // The same bytes cannot be of two types, so another type is another file as well.
    let pdf = with(with_files(), FILE, data_uri("application/pdf", b"%PDF-1.4\none\n%%EOF"));
    assert_reused(&client.create_with(key, &pdf).await);
    let again = client.create_with(key, &one).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(objects(&service).len(), 3);
}

#[tokio::test]
async fn the_same_key_of_another_client_is_another_key() {
    let service = Service::start().await;
    let (one, other) = (service.client().await, service.client().await);
    let key = Uuid::new_v4();
    let first = one.create_with(key, &minimal()).await;
    let second = other.create_with(key, &with(minimal(), "/first_name", json!("Grace"))).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn a_replay_shows_the_user_as_it_is_now() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let first = client.create_with(key, &with_files()).await;
    assert_eq!(
        (first.json()["status"].as_str(), first.json()["verification_status"].as_str()),
        (Some("CREATED"), Some("unverified"))
    );
    execute(&service.database, "UPDATE users SET status = 'VERIFIED'").await;
    let again = client.create_with(key, &with_files()).await.json();
    assert_eq!((again["status"].as_str(), again["verification_status"].as_str()), (Some("VERIFIED"), Some("verified")));
    let (user, _) = client.grpc_create(key, message(&with_files())).await.expect("a replay");
    assert!(user.status() == kira_users::contract::v1::UserStatus::Verified);
}

#[tokio::test]
async fn a_key_is_remembered_over_a_restart() {
    let service = Service::start().await;
    let key = Uuid::new_v4();
    let admin = service.clients().await.create("test", kira_users::auth::Role::Client).await.expect("a client");
    let first = service.client_of(&admin).await.create_with(key, &with_files()).await;
    assert_eq!(first.status, 201);
    let service = service.restart().await;
    let client = service.client_of(&admin).await;
    let again = client.create_with(key, &with_files()).await;
    assert_eq!((again.status, id(&again)), (200, id(&first)), "{}", again.text);
    assert_reused(&client.create_with(key, &minimal()).await);
}

#[tokio::test]
async fn a_key_whose_row_points_at_another_user_replays_none() {
    let service = Service::start().await;
    let client = service.client().await;
    let keys = [Uuid::from_u128(1), Uuid::from_u128(2)];
    let mut ids = Vec::new();
    for key in keys {
        ids.push(id(&client.create_with(key, &minimal()).await));
    }
    // The join is read as the table was before, so that each row gets the user of the other.
    let swap = "UPDATE idempotency_keys SET user_id = other.user_id FROM idempotency_keys AS other \
                WHERE other.user_id <> idempotency_keys.user_id";
    execute(&service.database, swap).await;
    for key in keys {
        let answer = client.create_with(key, &minimal()).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (500, json!("internal_error")));
        assert!(ids.iter().all(|id| !answer.text.contains(id)), "{}", answer.text);
        let refused = client.grpc_create(key, message(&minimal())).await.expect_err("a refusal");
        assert_eq!(refusal(&refused).1, ErrorReason::InternalError);
    }
    execute(&service.database, swap).await;
    assert_eq!(client.create_with(keys[0], &minimal()).await.status, 200, "as it was written it replays");
}
