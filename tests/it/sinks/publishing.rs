//! What is published, by whom, and what an operator sees of it.

use std::sync::Arc;

use chrono::TimeDelta;
use kira_users::app;
use kira_users::store::{DeadLetter, SinkStart};
use serde_json::json;

use crate::events::support::{text, users};
use crate::harness::database::TestDatabase;
use crate::harness::program::Setup;
use crate::harness::requests::with_files;
use crate::harness::service::{Answer, Service, config};
use crate::sinks::support::{Kind, Peer, assert_whole, drain, relay, stored};

async fn every_event_is_published_as_a_cloud_event(kind: Kind) {
    let Some(peer) = Peer::new(kind).await else { return };
    let service = peer.service().await;
    let client = service.client().await;
    users(&client, 5).await;
    for _ in 0..3 {
        assert_eq!(client.create(&with_files()).await.status, 201);
    }
    service.running.worker.drain().await.expect("the database answers");
    let relay = relay(&service);
    drain(&relay).await;

    let (mut arrived, stored) = (peer.arrived().await, stored(&client).await);
    assert_eq!(stored.len(), 5 + 3 * 4);
    assert_whole(&arrived, &stored);
    // Events of different users may overtake each other.
    arrived.sort_by_key(|message| text(&message.event, "/position").parse::<u64>().expect("a number"));
    for (position, (message, event)) in (1..).zip(arrived.iter().zip(&stored)) {
        let user_id = text(event, "/data/user_id");
        let sequence = event["data"]["sequence"].as_u64().expect("a number");
        let mut cloud_event = message.event.clone();
        cloud_event.as_object_mut().expect("an object").remove("traceparent");
        let time = text(&cloud_event, "/time");
        assert_eq!(time[..19], text(event, "/data/created_at")[..19]);
        let expected = json!({
            "specversion": "1.0",
            "id": event["data"]["event_id"],
            "source": format!("/clients/{}", client.id),
            "type": event["event"],
            "subject": user_id,
            "time": time,
            "datacontenttype": "application/json",
            "partitionkey": user_id,
            "sequence": format!("{sequence:010}"),
            "position": position.to_string(),
            "data": event["data"],
        });
        assert_eq!(cloud_event, expected);
        assert_eq!(message.id, text(event, "/data/event_id"));
        match kind {
            Kind::Redis => assert_eq!(message.route, user_id),
            Kind::Nats | Kind::Amqp => {
                assert_eq!(message.route, format!("{}.{user_id}", client.id));
                assert_eq!(message.content_type.as_deref(), Some("application/cloudevents+json"));
            }
        }
    }
    assert_eq!(relay.run_once().await, Ok(0), "nothing is published twice");
    let details = readyz(&service).await.json()["sinks"][relay.name()].clone();
    let expected = json!({"relaying": true, "connected": true, "position": 17, "failure": null});
    assert_eq!(details, expected);
    let metrics = service.http.get(format!("{}/metrics", service.admin_url())).send().await.expect("an answer");
    let metrics = Answer::of(metrics).await.text;
    let counted = format!("kira_sink_published_total{{sink=\"{}\"}} 17", relay.name());
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    peer.remove().await;
}

async fn readyz(service: &Service) -> Answer {
    let url = format!("{}/readyz", service.admin_url());
    let request = service.http.get(url).header("accept", "application/json");
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_published_to_nats_as_a_cloud_event() {
    every_event_is_published_as_a_cloud_event(Kind::Nats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_published_to_rabbitmq_as_a_cloud_event() {
    every_event_is_published_as_a_cloud_event(Kind::Amqp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_published_to_redis_as_a_cloud_event() {
    every_event_is_published_as_a_cloud_event(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_publishes_and_the_other_goes_on_after_it() {
    let Some(peer) = Peer::new(Kind::Nats).await else { return };
    let service = peer.service().await;
    let client = service.client().await;
    let config = config(&service.database, &service.folder, &peer.settings(&peer.url));
    let other = app::start(&config, Arc::clone(&service.clock) as _).await.expect("the service starts");
    let (first, second) = (relay(&service), Arc::clone(&other.relays[0]));
    users(&client, 2).await;
    assert_eq!(first.run_once().await, Ok(2));
    users(&client, 1).await;
    assert_eq!(second.run_once().await, Ok(0));
    assert!(first.health().relaying && !second.health().relaying);
    // The first one is dead: its lease ends.
    service.clock.advance(TimeDelta::seconds(11));
    assert_eq!(second.run_once().await, Ok(1));
    users(&client, 1).await;
    assert_eq!(first.run_once().await, Ok(0));
    drain(&second).await;
    assert_whole(&peer.arrived().await, &stored(&client).await);
    peer.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sink_begins_with_the_oldest_event_or_behind_the_newest_one() {
    let Some(peer) = Peer::new(Kind::Nats).await else { return };
    let service = Service::start().await;
    let client = service.client().await;
    users(&client, 3).await;
    let [url, subject] = peer.settings(&peer.url);
    let now = [url, subject, ("KIRA_SINK_START", "now")];
    let config = config(&service.database, &service.folder, &now);
    let other = app::start(&config, Arc::clone(&service.clock) as _).await.expect("the service starts");
    let relay = Arc::clone(&other.relays[0]);
    assert_eq!(relay.run_once().await, Ok(0));
    users(&client, 1).await;
    assert_eq!(relay.run_once().await, Ok(1));
    let arrived = peer.arrived().await;
    assert_eq!(arrived.iter().map(|message| text(&message.event, "/position")).collect::<Vec<_>>(), ["4"]);
    peer.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_sinks_and_forgets_one() {
    let setup = Setup::on(TestDatabase::migrated().await);
    assert_eq!(setup.printed(&["sink", "list"]), "No sink has ever run.\n");
    let store = setup.database.as_ref().expect("a database").store().await;
    store.open_sink("nats", SinkStart::Oldest).await.expect("the database");
    let message = json!({"specversion": "1.0"});
    let id = uuid::Uuid::from_u128(7);
    let letter = DeadLetter {
        position: 1,
        event_id: id,
        client_id: id,
        user_id: id,
        kind: "user.created".to_owned(),
        message: message.clone(),
        reason: "too large".to_owned(),
        is_retried: false,
        refused_at: chrono::DateTime::UNIX_EPOCH,
    };
    assert!(store.advance_sink("nats", 0, 1, vec![letter]).await.expect("the database"));
    assert!(!store.advance_sink("nats", 0, 2, Vec::new()).await.expect("the database"), "the cursor was elsewhere");
    let listed: serde_json::Value = serde_json::from_str(&setup.printed(&["sink", "list", "--json"])).expect("JSON");
    let expected = json!([{"sink": "nats", "position": 1, "lag": 0, "lag_age_seconds": 0, "dead_letters": 1}]);
    assert_eq!(listed, expected);
    let letters = setup.printed(&["sink", "dead-letters", "nats", "--json"]);
    let letters: serde_json::Value = serde_json::from_str(&letters).expect("JSON");
    let expected = json!([{"position": 1, "event_id": id, "refused_at": "1970-01-01T00:00:00Z", "is_retried": false,
        "reason": "too large", "message": message}]);
    assert_eq!(letters, expected);
    setup.printed(&["sink", "retry", "nats", "--all"]);
    assert!(store.dead_letters_to_retry("nats", 10).await.expect("the database")[0].is_retried);
    assert!(setup.printed(&["sink", "dead-letters", "nats"]).contains("(is published again)"));
    setup.printed(&["sink", "forget", "nats"]);
    assert!(!setup.run(&["sink", "forget", "nats"]).status.success());
    assert_eq!(setup.printed(&["sink", "list"]), "No sink has ever run.\n");
}
