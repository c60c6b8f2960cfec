//! Replays as work in the background.

use std::time::Duration;

use chrono::TimeDelta;
use kira_users::contract::v1;
use kira_users::contract::v1::webhooks_service_client::WebhooksServiceClient;
use kira_users::service::webhooks::WebhookAdmin;
use kira_users::vault::KeyedHash;
use kira_users::webhook::guard::AddressGuard;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::receiver::Receiver;
use crate::harness::service::Client;
use crate::webhooks::support::World;

/// More than two batches.
const MANY: usize = 1_200;

/// Makes so many deliveries to an endpoint of a client, and has them delivered.
async fn deliver(world: &World, client: &Client, endpoint: &str, count: usize) {
    let resources = &world.service.running.resources;
    let admin = WebhookAdmin {
        store: resources.store.clone(),
        vault: resources.vault.clone(),
        env: resources.env.clone(),
        guard: AddressGuard::new(&[]),
        fingerprints: KeyedHash::new(&[7; 32]),
    };
    let endpoint = endpoint.parse().expect("an id");
    for _ in 0..count.div_ceil(100) {
        let tests = (0..Ord::min(count, 100)).map(|_| admin.test(client.id, endpoint, None));
        for test in futures_util::future::join_all(tests).await {
            test.expect("the database answers");
        }
    }
    let look = world.service.database.look().await;
    let all = "UPDATE webhook_deliveries SET state = 'delivered'";
    look.execute_unprepared(all).await.expect("deliveries");
    world.advance(TimeDelta::seconds(1));
}

async fn begin(world: &World, endpoint: &str, body: Value) -> Value {
    let answer = world.send(Method::POST, &format!("/v1/webhooks/endpoints/{endpoint}:replay"), body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let replay = answer.json();
    let location = format!("/v1/webhooks/replays/{}", replay["id"].as_str().expect("an id"));
    assert_eq!(answer.header("location"), Some(&*location));
    replay
}

async fn shown(world: &World, replay: &Value) -> Value {
    world.client.get(&format!("/v1/webhooks/replays/{}", replay["id"].as_str().expect("an id"))).await.json()
}

async fn go_on(world: &World) -> bool {
    let resources = &world.service.running.resources;
    resources.store.continue_replay(resources.env.as_ref()).await.expect("the database answers")
}

async fn pending(world: &World) -> i64 {
    world.service.database.count("webhook_deliveries WHERE state = 'pending'").await
}

#[tokio::test]
async fn a_replay_answers_at_once_and_goes_on_in_batches() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    deliver(&world, &world.client, &endpoint, MANY).await;
    let replay = begin(&world, &endpoint, json!({"delivered_too": true})).await;
    assert_eq!(
        (&replay["status"], &replay["replayed"], &replay["delivered_too"]),
        (&json!("running"), &json!(0), &json!(true))
    );
    assert_eq!((replay["endpoint_id"].as_str(), replay.get("finished_at")), (Some(&*endpoint), None));
    let mut counts = Vec::new();
    while go_on(&world).await {
        counts.push(shown(&world, &replay).await["replayed"].as_u64().expect("a count"));
    }
    assert_eq!(counts, [500, 1_000, 1_200]);
    let end = shown(&world, &replay).await;
    assert_eq!((&end["status"], pending(&world).await), (&json!("done"), 1_200));
    assert!(end["finished_at"].is_string(), "{end}");
    let list = world.client.get(&format!("/v1/webhooks/replays?endpoint_id={endpoint}")).await.json();
    assert_eq!(list["data"], json!([end]));
}

#[tokio::test]
async fn a_replay_that_is_cancelled_stops_where_it_is() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    deliver(&world, &world.client, &endpoint, MANY).await;
    let replay = begin(&world, &endpoint, json!({"delivered_too": true})).await;
    assert!(go_on(&world).await);
    let path = format!("/v1/webhooks/replays/{}:cancel", replay["id"].as_str().expect("an id"));
    let cancelled = world.post(&path).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")), "{}", cancelled.text);
    assert!(!go_on(&world).await);
    assert_eq!((pending(&world).await, shown(&world, &replay).await["replayed"].as_u64()), (500, Some(500)));
    assert_eq!(world.post(&path).await.json(), cancelled.json(), "one that has ended stays as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_processes_are_killed_queues_each_delivery_once() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    deliver(&world, &world.client, &endpoint, MANY).await;
    let replay = begin(&world, &endpoint, json!({"delivered_too": true})).await;
    let resources = &world.service.running.resources;
    let look = world.service.database.look().await;
    for turn in 0..400_u64 {
        let (one, other) = (
            resources.store.continue_replay(resources.env.as_ref()),
            resources.store.continue_replay(resources.env.as_ref()),
        );
        let killed = async { tokio::join!(one, other) };
        // Dropping it is what a crash leaves: a lease, or a batch that is undone.
        let _ = tokio::time::timeout(Duration::from_millis(turn % 23 * (1 + turn / 23)), killed).await;
        deliver_again(&look).await;
        world.advance(TimeDelta::minutes(2));
        if shown_over_grpc(&world, &replay).await.status() == v1::WebhookReplayStatus::Done {
            break;
        }
    }
    deliver_again(&look).await;
    let end = shown_over_grpc(&world, &replay).await;
    assert_eq!((end.status, end.replayed), (v1::WebhookReplayStatus::Done.into(), 1_200));
    assert_eq!(world.service.database.count("webhook_deliveries WHERE attempts = 1").await, 1_200, "each once");
}

/// What is pending is delivered, while the replay may go on.
async fn deliver_again(look: &sea_orm::DatabaseConnection) {
    let deliver = "UPDATE webhook_deliveries SET state = 'delivered', attempts = attempts + 1 WHERE state = 'pending'";
    look.execute_unprepared(deliver).await.expect("deliveries");
}

async fn shown_over_grpc(world: &World, replay: &Value) -> v1::WebhookReplay {
    let request = v1::GetWebhookReplayRequest { replay_id: replay["id"].as_str().map(str::to_owned) };
    let mut calls = WebhooksServiceClient::new(world.client.channel.clone());
    let answer = calls.get_webhook_replay(world.client.call(request)).await.expect("an answer");
    answer.into_inner().replay.expect("a replay")
}

#[tokio::test]
async fn a_long_replay_does_not_delay_that_of_another_client() {
    let mut world = World::new().await;
    let receiver = Receiver::new().await;
    let long = world.endpoint(&receiver, json!({})).await;
    deliver(&world, &world.client, &long, MANY).await;
    begin(&world, &long, json!({"delivered_too": true})).await;
    let first = std::mem::replace(&mut world.client, world.service.client().await);
    let short = world.endpoint(&Receiver::new().await, json!({})).await;
    deliver(&world, &world.client, &short, 100).await;
    let replay = begin(&world, &short, json!({"delivered_too": true})).await;
    for _ in 0..2 {
        world.advance(TimeDelta::seconds(1));
        assert!(go_on(&world).await);
    }
    assert_eq!(shown(&world, &replay).await["status"], "done");
    let id = replay["id"].as_str().expect("an id");
    assert_eq!(first.get(&format!("/v1/webhooks/replays/{id}")).await.status, 404, "another client's");
    assert_eq!(first.get("/v1/webhooks/replays").await.json()["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn ten_replays_of_a_client_go_on_at_a_time() {
    let world = World::new().await;
    let endpoint = world.endpoint(&Receiver::new().await, json!({})).await;
    for _ in 0..10 {
        begin(&world, &endpoint, json!({})).await;
    }
    let path = format!("/v1/webhooks/endpoints/{endpoint}:replay");
    assert_eq!(world.send(Method::POST, &path, json!({})).await.status, 429);
    let list = world.client.get("/v1/webhooks/replays?limit=3").await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(3));
    while go_on(&world).await {}
    begin(&world, &endpoint, json!({})).await;
}

#[tokio::test]
async fn a_replay_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let id = Uuid::from_u128(9);
    for answer in [
        world.client.get(&format!("/v1/webhooks/replays/{id}")).await,
        world.post(&format!("/v1/webhooks/replays/{id}:cancel")).await,
    ] {
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert!(answer.text.contains(&format!("Webhook replay with ID {id} not found")), "{}", answer.text);
    }
}
