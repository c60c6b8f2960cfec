//! External ids: a warning where two users have one, a refusal where that is not allowed.

use futures_util::future::join_all;
use kira_gateway::error::ErrorReason;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::{message, with_files};
use crate::harness::service::{Client, Service};
use crate::lookup::support::{created, found, named};
use crate::promises::support::{id, objects, refusal};
use crate::updates::support::put;

const UNIQUE: &[(&str, &str)] = &[("KIRA_EXTERNAL_ID_UNIQUE", "true")];

fn with_external_id(external_id: &str) -> Value {
    let mut body = named("Ada", "Lovelace");
    body["external_id"] = json!(external_id);
    body
}

fn taken(owner: &str) -> Value {
    json!({"code": "external_id_taken", "message": format!("The user {owner} has this external_id")})
}

#[tokio::test]
async fn a_create_that_repeats_an_external_id_warns_of_the_user_that_has_it() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let first = client.create(&with_external_id("A-1")).await;
    assert_eq!((first.status, first.json().get("warnings")), (201, None));
    let mut body = with_external_id("A-1");
    body["unheard_of"] = json!(1);
    let second = client.create(&body).await;
    assert_eq!(second.status, 201);
    let warnings = second.json()["warnings"].clone();
    assert_eq!(warnings[0]["code"], "unrecognized_keys");
    let message_of = |id: &str| format!("The user {id} has the same external_id");
    let warning = json!({"path": "external_id", "message": message_of(&id(&first)), "code": "external_id_in_use"});
    assert_eq!(warnings[1], warning);
    let request = kira_users::contract::v1::CreateUserRequest {
        idempotency_key: Some(Uuid::new_v4().to_string()),
        user: Some(message(&with_external_id("A-1"))),
    };
    let response = client.grpc().create_user(client.call(request)).await.expect("a user").into_inner();
    assert_eq!((response.warnings.len(), &*response.warnings[0].code), (1, "external_id_in_use"));
    for (client, external_id) in [(&client, "a-1"), (&client, "A-2"), (&other, "A-1")] {
        assert_eq!(client.create(&with_external_id(external_id)).await.json().get("warnings"), None, "{external_id}");
    }
    assert_eq!(found(&client, &[("external_id", "A-1")]).await.1, 3);
}

#[tokio::test]
async fn of_many_creates_with_one_unique_external_id_one_succeeds_and_the_others_name_it() {
    let service = Service::start_with(UNIQUE).await;
    let client = service.client().await;
    let body = with_external_id("A-1");
    let answers = join_all((0..32).map(|_| client.create(&body))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 31));
    for answer in lost {
        assert_eq!((answer.status, answer.json()), (409, taken(&id(&won[0]))));
    }
    assert_eq!(service.database.count("users").await, 1);
    let refused = client.grpc_create(Uuid::new_v4(), message(&body)).await.expect_err("the same over gRPC");
    let text = format!("The user {} has this external_id", id(&won[0]));
    assert_eq!(refusal(&refused), (Code::AlreadyExists, ErrorReason::ExternalIdTaken, text));
}

#[tokio::test]
async fn a_repeated_request_with_its_unique_external_id_still_gets_its_user() {
    let service = Service::start_with(UNIQUE).await;
    let client = service.client().await;
    let (key, mut body) = (Uuid::new_v4(), with_files());
    body["external_id"] = json!("A-1");
    let answers = join_all((0..8).map(|_| client.create_with(key, &body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    let files = objects(&service).len();
    assert_eq!(client.create(&body).await.status, 409);
    assert_eq!(objects(&service).len(), files, "a refused request leaves no file");
}

#[tokio::test]
async fn an_update_takes_and_releases_a_unique_external_id() {
    let service = Service::start_with(UNIQUE).await;
    let (client, other) = (service.client().await, service.client().await);
    let first = created(&service, &client, &with_external_id("A-1")).await;
    let second = created(&service, &client, &with_external_id("A-2")).await;
    assert_eq!(other.create(&with_external_id("A-1")).await.status, 201, "of another client");
    let answer = put(&client, &second, &json!({"external_id": "A-1"})).await;
    assert_eq!((answer.status, answer.json()), (409, taken(&first)));
    assert_eq!(put(&client, &first, &json!({"external_id": "A-1", "phone": "+12025550000"})).await.status, 200);
    assert_eq!(put(&client, &first, &json!({"external_id": "A-3"})).await.status, 200);
    assert_eq!(put(&client, &second, &json!({"external_id": "A-1"})).await.status, 200);
    assert_eq!(client.create(&with_external_id("A-2")).await.status, 201, "it is free again");
    assert_eq!(service.database.count("external_ids").await, 4);
}

async fn rename(client: &Client, id: &str) -> u16 {
    put(client, id, &json!({"external_id": "wanted"})).await.status
}

#[tokio::test]
async fn of_many_updates_to_one_unique_external_id_one_succeeds() {
    let service = Service::start_with(UNIQUE).await;
    let client = service.client().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(created(&service, &client, &with_external_id(&format!("A-{number}"))).await);
    }
    let mut statuses = join_all(ids.iter().map(|id| rename(&client, id))).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (200, [409; 11].as_slice()));
    assert_eq!(found(&client, &[("external_id", "wanted")]).await.1, 1);
}

#[tokio::test]
async fn users_from_before_the_setting_keep_their_external_ids() {
    let service = Service::start().await;
    let client = service.client().await;
    let first = created(&service, &client, &with_external_id("A-1")).await;
    let running = service.running;
    running.stop(std::time::Duration::from_secs(10)).await;
    let service = Service::start_on(service.database, service.folder, service.clock, UNIQUE).await;
    let client = Client { base: service.url(), channel: service.channel().await, ..client };
    let answer = client.create(&with_external_id("A-1")).await;
    assert_eq!((answer.status, answer.json()), (409, taken(&first)));
    assert_eq!(put(&client, &first, &json!({"external_id": "A-2"})).await.status, 200);
    assert_eq!(client.create(&with_external_id("A-1")).await.status, 201);
}
