//! What operators are told of what waits.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use crate::receiver::{Act, Receiver};
use crate::support::World;

/// Depth and age in seconds of each queue.
async fn queues(world: &World) -> BTreeMap<&'static str, (u64, i64)> {
    let opened = &world.service.running.opened;
    let queues = opened.store.queues(opened.ambient.as_ref().now()).await.expect("the database answers");
    queues.into_iter().map(|queue| (queue.name, (queue.depth, queue.oldest_age.num_seconds()))).collect()
}

#[tokio::test]
async fn queues_tell_how_much_is_due_and_for_how_long() {
    let world = World::new().await;
    let receiver = Receiver::acting([Act::status(500)]).await;
    world.endpoint(&receiver, json!({})).await;
    let nothing = [("events", (0, 0)), ("verifications", (0, 0)), ("webhooks", (0, 0))];
    assert_eq!(queues(&world).await, nothing.into());
    world.individual("Doe").await;
    world.advance(TimeDelta::seconds(90));
    world.user().await;
    let waiting = [("events", (2, 90)), ("verifications", (1, 90)), ("webhooks", (0, 0))];
    assert_eq!(queues(&world).await, waiting.into());
    world.verify().await;
    world.drain().await;
    // One delivery failed and is due again after a while.
    assert_eq!(queues(&world).await, nothing.into());
    world.advance(TimeDelta::minutes(2));
    assert_eq!(queues(&world).await["webhooks"].0, 1);
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_is_disabled_is_its_owners_matter() {
    let world = World::new().await;
    let receiver = Receiver::always(Act::status(500)).await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    world.advance(TimeDelta::minutes(2));
    assert_eq!(queues(&world).await["webhooks"].0, 1);
    let path = format!("/v1/webhooks/endpoints/{endpoint}");
    assert_eq!(world.send(reqwest::Method::PATCH, &path, json!({"enabled": false})).await.status, 200);
    assert_eq!(queues(&world).await["webhooks"].0, 0);
}
