//! What is kept of deliveries, and for how long.

use std::time::Duration;

use chrono::TimeDelta;
use kira_users::store::Engine;
use reqwest::Method;
use serde_json::json;

use crate::harness::database::engine;
use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{World, ids};

/// How long the tests keep a record.
const KEEP: Duration = Duration::from_secs(10 * 86_400);

async fn world(schedule: &str) -> World {
    World::with(&[("KIRA_WEBHOOK_SCHEDULE", schedule)]).await
}

/// Lets days pass, and sweeps; how many deliveries it removed.
async fn after(world: &mut World, days: i64) -> i64 {
    world.advance(TimeDelta::days(days));
    world.client.renew_token().await;
    sweep(world).await
}

/// Sweeps; how many deliveries are gone, whether they were deleted or went with their day.
async fn sweep(world: &World) -> i64 {
    let resources = &world.service.running.resources;
    let before = world.service.database.count("webhook_deliveries").await;
    let swept = kira_users::webhook::retention::sweep(&resources.store, resources.env.now(), KEEP).await;
    swept.expect("the database answers");
    before - world.service.database.count("webhook_deliveries").await
}

#[tokio::test]
async fn what_was_delivered_is_kept_for_a_while_and_its_event_for_ever() {
    let mut world = world("0s").await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    assert_eq!(after(&mut world, 9).await, 0);
    assert_eq!(world.deliveries("").await.len(), 1);
    assert_eq!(after(&mut world, 2).await, 1);
    assert_eq!(world.deliveries("").await.len(), 0);
    assert_eq!(world.service.database.count("webhook_attempts").await, 0);
    let events = world.client.get("/v1/events").await.json();
    assert_eq!(events["data"].as_array().map(Vec::len), Some(1), "{events}");
    world.drain().await;
    assert_eq!(receiver.count(), 1, "a deleted delivery is not sent again");
}

#[tokio::test]
async fn what_was_given_up_is_kept_from_its_last_attempt_on() {
    let mut world = world("0s,20d").await;
    let receiver = Receiver::acting([Act::status(500), Act::status(500)]).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    assert_eq!(after(&mut world, 23).await, 0);
    world.drain().await;
    assert_eq!(world.deliveries("&status=failed").await.len(), 1);
    assert_eq!(after(&mut world, 9).await, 0);
    assert_eq!(after(&mut world, 2).await, 1);
    assert_eq!(world.deliveries("").await.len(), 0);
}

#[tokio::test]
async fn what_is_still_to_be_sent_stays_however_old_it_is() {
    let mut world = world("0s,5s").await;
    let receiver = Receiver::acting([Act::status(500)]).await;
    let id = world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let path = format!("/v1/webhooks/endpoints/{id}");
    assert_eq!(world.send(Method::PATCH, &path, json!({"enabled": false})).await.status, 200);
    assert_eq!(after(&mut world, 100).await, 0);
    assert_eq!(world.send(Method::PATCH, &path, json!({"enabled": true})).await.status, 200);
    world.drain().await;
    assert_eq!(receiver.count(), 2);
    assert_eq!(world.deliveries("&status=delivered").await.len(), 1);
}

#[tokio::test]
async fn what_keeps_the_order_of_a_user_stays() {
    let mut world = world("0s,20d").await;
    let receiver = Receiver::acting([Act::status(200), Act::status(500)]).await;
    world.endpoint(&receiver, json!({"ordered": true})).await;
    world.user().await;
    world.drain().await;
    world.individual("Doe").await;
    world.verify().await;
    world.drain().await;
    assert_eq!(receiver.count(), 2, "the later events of the second user wait for its first");
    assert_eq!(after(&mut world, 15).await, 1, "the first user's is over");
    world.drain().await;
    assert_eq!(receiver.count(), 2, "they wait still");
    world.advance(TimeDelta::days(10));
    world.drain().await;
    assert_eq!(ids(&receiver.arrived()), world.event_ids().await);
    let sequences: Vec<_> =
        receiver.arrived()[2..].iter().map(|event| event.json()["data"]["sequence"].as_i64()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
}

#[tokio::test]
async fn a_replay_restarts_the_retention() {
    let mut world = world("0s").await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let delivery = world.deliveries("").await[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(after(&mut world, 9).await, 0);
    assert_eq!(world.post(&format!("/v1/webhooks/deliveries/{delivery}:replay")).await.status, 202);
    assert_eq!(after(&mut world, 40).await, 0, "it waits");
    world.drain().await;
    assert_eq!(after(&mut world, 9).await, 0, "it was delivered again");
    // On PostgreSQL an attempt goes with its own day.
    let attempts = if engine() == Engine::Postgres { 1 } else { 2 };
    assert_eq!(world.deliveries("").await[0]["attempts"].as_array().map(Vec::len), Some(attempts));
    assert_eq!(after(&mut world, 2).await, 1);
}

#[tokio::test]
async fn a_replay_of_a_time_that_is_kept_finds_all_of_it() {
    let world = world("0s").await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({})).await;
    for _ in 0..8 {
        world.user().await;
        world.drain().await;
        world.advance(TimeDelta::days(3));
    }
    // Made 24, 21, … and 3 days ago.
    assert_eq!(sweep(&world).await, 5);
    let since = (world.service.running.resources.env.now() - KEEP).to_rfc3339();
    let range = json!({"since": since, "delivered_too": true});
    let answer = world.send(Method::POST, &format!("/v1/webhooks/endpoints/{id}:replay"), range).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    world.drain().await;
    assert_eq!(receiver.count(), 11);
}

#[tokio::test]
async fn a_removed_endpoint_is_forgotten_with_what_was_left_to_send() {
    let mut world = world("0s,5s").await;
    let receiver = Receiver::acting([Act::status(200), Act::status(500)]).await;
    let id = world.endpoint(&receiver, json!({})).await;
    for _ in 0..2 {
        world.user().await;
        world.drain().await;
    }
    let path = format!("/v1/webhooks/endpoints/{id}");
    assert_eq!(world.send(Method::DELETE, &path, json!({})).await.status, 200);
    assert_eq!(after(&mut world, 9).await, 0);
    assert_eq!(world.deliveries("").await.len(), 2);
    assert_eq!(after(&mut world, 2).await, 2);
    assert_eq!(world.service.database.count("webhook_endpoints").await, 0);
}

#[tokio::test]
async fn replicas_that_sweep_at_once_remove_all_of_it_once() {
    let world = world("0s").await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await.parse().expect("an id");
    let resources = &world.service.running.resources;
    let admin = kira_users::service::webhooks::WebhookAdmin {
        store: resources.store.clone(),
        vault: resources.vault.clone(),
        env: resources.env.clone(),
        guard: kira_users::webhook::guard::AddressGuard::new(&[]),
        fingerprints: kira_users::vault::KeyedHash::new(&[7; 32]),
    };
    // More than one batch.
    let count = 1_200;
    for _ in 0..count / 100 {
        let tests = (0..100).map(|_| admin.test(world.client.id, endpoint, None));
        for test in futures_util::future::join_all(tests).await {
            test.expect("the database answers");
        }
    }
    while world.drain().await > 0 {}
    assert_eq!(receiver.count(), count);
    world.advance(TimeDelta::days(31));
    tokio::join!(sweep(&world), sweep(&world));
    sweep(&world).await;
    assert_eq!(world.service.database.count("webhook_deliveries").await, 0);
    assert_eq!(world.service.database.count("webhook_endpoints").await, 1);
}
