//! Webhooks of erased users carry no more than ids.

use serde_json::{Value, json};

use super::support::{erased, with_external_id};
use crate::harness::receiver::Receiver;
use crate::harness::requests::minimal;
use crate::webhooks::support::World;

fn bodies(receiver: &Receiver) -> Vec<Value> {
    receiver.arrived().iter().map(|arrived| serde_json::from_slice(&arrived.body).expect("JSON")).collect()
}

fn body() -> Value {
    with_external_id(minimal(), "crm-4711")
}

#[tokio::test]
async fn a_delivery_that_waits_goes_without_the_clients_reference_and_the_erasure_follows() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({"ordered": true})).await;
    let user = world.create(&body()).await;
    let resources = &world.service.running.resources;
    let seal = |event: &_, id| kira_users::webhook::sealing::sealed_body(&resources.vault, event, id);
    let relayed = resources.store.relay_events(world.service.clock.as_ref(), 100, &seal).await;
    assert_eq!(relayed.expect("the database answers"), 1);
    erased(&world.client, &user).await;
    world.drain().await;
    let arrived = bodies(&receiver);
    let kinds: Vec<_> = arrived.iter().map(|body| body["event"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["user.created", "user.erased"]);
    assert!(arrived.iter().all(|body| body["data"]["user_id"] == json!(user)));
    assert!(arrived.iter().all(|body| body["data"].get("external_id").is_none()));
}

#[tokio::test]
async fn deliveries_that_were_made_are_deleted_with_their_answers() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    let (user, other) = (world.create(&body()).await, world.create(&minimal()).await);
    world.drain().await;
    assert!(bodies(&receiver).iter().any(|body| body["data"]["external_id"] == "crm-4711"));
    erased(&world.client, &user).await;
    let left: Vec<_> = world.deliveries("").await.iter().map(|delivery| delivery["user_id"].clone()).collect();
    assert_eq!(left, [json!(other)]);
    assert_eq!(world.service.database.count("webhook_attempts").await, 1);
}

#[tokio::test]
async fn the_erasure_is_an_event_of_the_stream() {
    let world = World::new().await;
    let user = world.create(&body()).await;
    erased(&world.client, &user).await;
    let events = world.client.get(&format!("/v1/events?user_id={user}")).await.json();
    let last = events["data"].as_array().and_then(|events| events.last().cloned()).expect("events");
    assert_eq!((&last["event"], &last["data"]["status"]), (&json!("user.erased"), &json!("CREATED")));
}
