//! Sending again.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{World, ids};

#[tokio::test]
async fn what_was_given_up_is_sent_again_by_request() {
    let world = World::with(&[("KIRA_WEBHOOK_SCHEDULE", "0s")]).await;
    let receiver = Receiver::acting([Act::status(500), Act::status(500)]).await;
    let id = world.endpoint(&receiver, json!({})).await;
    for _ in 0..3 {
        world.user().await;
        world.drain().await;
    }
    let path = format!("/v1/webhooks/endpoints/{id}:replay");
    let answer = world.send(Method::POST, &path, json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    world.drain().await;
    let replay = format!("/v1/webhooks/replays/{}", answer.json()["id"].as_str().expect("an id"));
    let replay = world.client.get(&replay).await.json();
    assert_eq!((&replay["replayed"], &replay["status"]), (&json!(2), &json!("done")), "{replay}");
    assert_eq!(receiver.count(), 5);
    assert!(world.deliveries("").await.iter().all(|delivery| delivery["status"] == "delivered"));
    assert_eq!(ids(&receiver.arrived()), world.event_ids().await);
}

#[tokio::test]
async fn a_range_of_time_is_sent_again_with_what_was_delivered() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({})).await;
    for _ in 0..3 {
        world.user().await;
        world.drain().await;
        world.advance(TimeDelta::hours(1));
    }
    let second = receiver.arrived()[1].event_id();
    let range = json!({"since": "2026-11-23T10:30:00Z", "until": "2026-11-23T11:30:00Z", "delivered_too": true});
    let answer = world.send(Method::POST, &format!("/v1/webhooks/endpoints/{id}:replay"), range).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    world.drain().await;
    assert_eq!(receiver.count(), 4);
    assert_eq!(receiver.arrived()[3].event_id(), second);
}

#[tokio::test]
async fn one_delivery_is_sent_again_under_its_own_id() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let id = world.deliveries("").await[0]["id"].as_str().expect("an id").to_owned();
    let answer = world.post(&format!("/v1/webhooks/deliveries/{id}:replay")).await;
    assert_eq!((answer.status, answer.json()["status"].clone()), (202, json!("pending")), "{}", answer.text);
    world.drain().await;
    let arrived = receiver.arrived();
    assert_eq!((arrived.len(), &arrived[0].body), (2, &arrived[1].body));
    let shown = world.client.get(&format!("/v1/webhooks/deliveries/{id}")).await.json();
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn nothing_is_sent_again_to_an_endpoint_that_was_removed() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let delivery = world.deliveries("").await[0]["id"].as_str().expect("an id").to_owned();
    world.send(Method::DELETE, &format!("/v1/webhooks/endpoints/{endpoint}"), json!({})).await;
    let answer = world.post(&format!("/v1/webhooks/deliveries/{delivery}:replay")).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert!(answer.text.contains(&format!("Webhook endpoint with ID {endpoint} not found")), "{}", answer.text);
    assert_eq!(world.deliveries("").await[0]["status"], "delivered");
}

#[tokio::test]
async fn nothing_of_another_client_is_sent_again() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let delivery = world.deliveries("").await[0]["id"].as_str().expect("an id").to_owned();
    let other_client = World { client: world.service.client().await, ..world };
    for path in [format!("deliveries/{delivery}:replay"), format!("endpoints/{endpoint}:replay")] {
        let answer =
            other_client.send(Method::POST, &format!("/v1/webhooks/{path}"), json!({"delivered_too": true})).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    other_client.drain().await;
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_time_that_protobuf_cannot_say_is_refused() {
    let world = World::new().await;
    let receiver = Receiver::acting([]).await;
    let id = world.endpoint(&receiver, json!({})).await;
    let path = format!("/v1/webhooks/endpoints/{id}:replay");
    for since in [
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "0000-06-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
        "never",
    ] {
        let answer = world.send(Method::POST, &path, json!({"since": since})).await;
        assert_eq!((answer.status, &answer.json()["details"][0]["path"]), (400, &json!("since")), "{since}");
    }
    let answer = world.send(Method::POST, &path, json!({"since": "9999-12-31T23:59:59.999999999Z"})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}
