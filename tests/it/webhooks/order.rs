//! One event of a user after another, where that was promised.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde_json::json;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{World, ids};

#[tokio::test]
async fn a_later_event_waits_for_an_earlier_one_of_the_same_user() {
    let world = World::new().await;
    let receiver = Receiver::acting([Act::status(500)]).await;
    world.endpoint(&receiver, json!({"ordered": true})).await;
    world.individual("Doe").await;
    world.verify().await;
    world.drain().await;
    assert_eq!(receiver.count(), 1, "the others wait for the first");
    let unhindered = world.user().await;
    world.drain().await;
    assert_eq!(receiver.arrived()[1].json()["data"]["user_id"], json!(unhindered), "another user does not");
    world.advance(TimeDelta::minutes(1));
    world.drain().await;
    assert_eq!(ids(&receiver.arrived()), world.event_ids().await);
    let sequences: Vec<_> =
        receiver.arrived()[2..].iter().map(|event| event.json()["data"]["sequence"].as_i64()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
}

#[tokio::test]
async fn what_is_given_up_holds_nothing_up() {
    let world = World::with(&[("KIRA_WEBHOOK_SCHEDULE", "0s")]).await;
    let receiver = Receiver::acting([Act::status(500)]).await;
    world.endpoint(&receiver, json!({"ordered": true})).await;
    world.individual("Doe").await;
    world.verify().await;
    world.drain().await;
    assert_eq!(ids(&receiver.arrived()), world.event_ids().await);
}

#[tokio::test]
async fn several_senders_keep_the_order_of_every_user() {
    let world = World::new().await;
    let receiver = Receiver::acting((0..40).map(|turn| Act::status(if turn % 3 == 0 { 500 } else { 200 }))).await;
    world.endpoint(&receiver, json!({"ordered": true})).await;
    for _ in 0..8 {
        world.individual("Doe").await;
    }
    world.verify().await;
    let senders = [world.other_sender(), world.other_sender(), world.other_sender()];
    for _ in 0..40 {
        let rounds = senders.iter().map(|sender| sender.run_once());
        for round in futures_util::future::join_all(rounds).await {
            round.expect("the database answers");
        }
        world.advance(TimeDelta::minutes(7));
    }
    assert_eq!(ids(&receiver.arrived()), world.event_ids().await);
    let mut highest: HashMap<String, i64> = HashMap::new();
    for event in receiver.arrived() {
        let data = event.json()["data"].clone();
        let sequence = data["sequence"].as_i64().expect("a number");
        let before = highest.entry(data["user_id"].to_string()).or_default();
        assert!(sequence >= *before, "{sequence} after {before}");
        *before = sequence;
    }
}
