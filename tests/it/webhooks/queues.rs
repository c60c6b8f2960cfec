//! What operators see of the queues.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use kira_users::store::FailingEndpoints;
use serde_json::json;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::World;

/// Depth and age in seconds of each queue.
async fn queues(world: &World) -> BTreeMap<&'static str, (u64, i64)> {
    let resources = &world.service.running.resources;
    let queues = resources.store.queues(resources.env.as_ref().now()).await.expect("the database answers");
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

#[tokio::test]
async fn an_endpoint_that_fails_is_counted_with_what_waits_for_it_and_is_shown_to_its_client() {
    let world = World::new().await;
    let failing = Receiver::always(Act::status(500)).await;
    let healthy = Receiver::always(Act::status(200)).await;
    let bad = world.endpoint(&failing, json!({})).await;
    let good = world.endpoint(&healthy, json!({})).await;
    let resources = &world.service.running.resources;
    let measured = async || resources.store.failing_endpoints(resources.env.as_ref().now()).await.expect("an answer");
    assert_eq!(measured().await, FailingEndpoints::default());
    for name in ["Doe", "Roe", "Poe"] {
        world.individual(name).await;
    }
    world.drain().await;
    world.advance(TimeDelta::minutes(20));
    let found = measured().await;
    assert_eq!((found.count, found.longest, found.waiting), (1, TimeDelta::minutes(20), 3));

    let listed = world.send(reqwest::Method::GET, "/v1/webhooks/endpoints", json!({})).await.json();
    let shown = |id: &str| {
        let endpoint = listed["data"].as_array().expect("a list").iter().find(|endpoint| endpoint["id"] == id);
        let endpoint = endpoint.expect("the endpoint");
        (endpoint["failures"].as_u64().unwrap_or(0), endpoint["pending_deliveries"].as_u64().unwrap_or(0))
    };
    assert_eq!(shown(&good), (0, 0));
    let (failures, pending) = shown(&bad);
    assert!(failures >= 1 && pending == 3, "{listed}");

    let path = format!("/v1/webhooks/endpoints/{bad}");
    assert_eq!(world.shown(&bad).await["pending_deliveries"], 3);
    world.send(reqwest::Method::PATCH, &path, json!({"enabled": false})).await;
    assert_eq!(measured().await, FailingEndpoints::default(), "one that is disabled is its owner's matter");
}
