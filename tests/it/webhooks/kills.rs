//! Senders that die at any moment, among receivers that fail in every way.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{World, ids};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_at_every_healthy_endpoint_whatever_dies() {
    let world = World::new().await;
    let healthy = [Receiver::new().await, Receiver::new().await];
    let moody = Receiver::acting((0..60).map(|turn| match turn % 4 {
        0 => Act::status(500),
        1 => Act::CloseEarly,
        2 => Act::StallHeaders,
        _ => Act::status(200),
    }))
    .await;
    let dead = [Receiver::always(Act::StallHeaders).await, Receiver::always(Act::Megabytes).await];
    for receiver in healthy.iter().chain([&moody]).chain(&dead) {
        world.endpoint(receiver, json!({})).await;
    }
    for _ in 0..25 {
        world.individual("Doe").await;
        world.user().await;
    }
    world.verify().await;
    for turn in 0..30_u64 {
        // Dropping the round is what a crash leaves: leases that are not settled, requests whose response is not read.
        let (first, second) = (world.other_sender(), world.other_sender());
        let killed = async { tokio::join!(first.run_once(), second.run_once()) };
        let _ = tokio::time::timeout(Duration::from_millis(7 * (turn % 13)), killed).await;
        world.advance(TimeDelta::minutes(4));
    }
    let expected = world.event_ids().await;
    let mut rounds = 0;
    while healthy.iter().chain([&moody]).any(|receiver| ids(&receiver.arrived()) != expected) {
        rounds += 1;
        assert!(rounds < 100, "events are missing");
        world.other_sender().run_once().await.expect("the database answers");
        world.advance(TimeDelta::minutes(11));
    }
    assert_eq!(expected.len(), 25 * 4 + 25);
}
