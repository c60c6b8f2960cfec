//! What arrives, and what becomes of what does not.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use kira_users::signing::{SignedHeaders, SigningSecret};
use ring::hmac;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::receiver::{Act, Arrived, Receiver};
use crate::harness::requests::with;
use crate::harness::service::BEGINNING;
use crate::webhooks::support::{SECRET, World, ids};

/// The Standard Webhooks signatures of a message, checked by what checks those that vendors send us.
fn verify(arrived: &Arrived, secret: &str, now: DateTime<Utc>) -> bool {
    let header = |name| arrived.headers.get(name).map(String::as_str);
    let headers = SignedHeaders {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    SigningSecret::parse(secret).expect("a secret").verify(headers, &arrived.body, now).is_ok()
}

fn beginning() -> DateTime<Utc> {
    BEGINNING.parse().expect("a time")
}

#[tokio::test]
async fn a_verified_user_is_told_with_ids_and_statuses_alone() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    let body = with(crate::harness::requests::with_files(), "/external_id", "cust-7".into());
    let user = world.create(&body).await;
    world.verify().await;
    world.drain().await;
    let arrived = receiver.arrived();
    let accepted = arrived.iter().find(|arrived| arrived.kind() == "user.verification.accepted").expect("accepted");
    let reported = accepted.json();
    let data = &reported["data"];
    assert_eq!(data["user_id"], json!(user));
    assert_eq!(data["type"], "individual");
    assert_eq!((&data["status"], &data["verification_status"]), (&json!("VERIFIED"), &json!("verified")));
    assert_eq!(data["previous_status"], "VERIFYING");
    assert_eq!(data["external_id"], "cust-7");
    assert_eq!(data["created_at"], BEGINNING);
    assert!(accepted.body.starts_with(br#"{"event":"user.verification.accepted","data":{"event_id":"#));
    let keys: Vec<_> = data.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut known = [
        "created_at",
        "event_id",
        "external_id",
        "previous_status",
        "sequence",
        "status",
        "type",
        "user_id",
        "verification_status",
    ];
    known.sort_unstable();
    assert_eq!(keys, known);
    let created = arrived.iter().find(|arrived| arrived.kind() == "user.created").expect("created").json();
    assert_eq!((&created["data"]["status"], &created["data"]["sequence"]), (&json!("CREATED"), &json!(1)));
    assert_eq!(created["data"]["verification_status"], "unverified");
    assert_eq!(ids(&arrived), world.event_ids().await);
}

#[tokio::test]
async fn a_rejection_is_told_with_its_reasons() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({"events": ["user.verification.failed"]})).await;
    world.individual("Doe REJECT").await;
    world.verify().await;
    world.drain().await;
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 1, "the filter holds the other events back");
    assert_eq!(arrived[0].kind(), "user.verification.failed");
    assert!(arrived[0].json()["data"]["reasons"][0]["code"].is_string());
}

#[tokio::test]
async fn both_signatures_verify() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let arrived = receiver.arrived().remove(0);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let hex: String = hmac::sign(&key, &arrived.body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(arrived.headers["x-signature-sha256"], hex);
    assert!(verify(&arrived, SECRET, beginning()));
    assert!(!verify(&arrived, "another secret, which is as long", beginning()));
    assert_eq!(arrived.headers["webhook-id"], arrived.event_id());
    assert_eq!(arrived.headers["content-type"], "application/json");
}

#[tokio::test]
async fn what_fails_is_sent_again_with_the_same_bytes_and_id() {
    let world = World::new().await;
    let receiver = Receiver::acting([Act::status(500), Act::CloseEarly]).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    assert_eq!(receiver.count(), 1);
    world.advance(TimeDelta::seconds(6));
    world.drain().await;
    assert_eq!(receiver.count(), 2);
    world.drain().await;
    assert_eq!(receiver.count(), 2, "nothing is due");
    world.advance(TimeDelta::seconds(331));
    world.drain().await;
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 3);
    assert!(arrived.windows(2).all(|pair| pair[0].body == pair[1].body));
    assert!(arrived.windows(2).all(|pair| pair[0].headers["webhook-id"] == pair[1].headers["webhook-id"]));
    assert!(verify(&arrived[2], SECRET, beginning() + TimeDelta::seconds(337)), "the time of sending is signed again");
    let delivery = &world.deliveries("").await[0];
    assert_eq!(delivery["status"], "delivered");
    let attempts = delivery["attempts"].as_array().expect("a list");
    assert_eq!(attempts.len(), 3);
    assert_eq!((&attempts[0]["status_code"], &attempts[1]["error"]), (&json!(500), &json!("connection_broken")));
    assert_eq!((&attempts[2]["status_code"], &attempts[2]["number"]), (&json!(200), &json!(3)));
}

#[tokio::test]
async fn every_way_to_fail_is_told_as_it_was() {
    let ways = [
        (Act::StallHeaders, json!({"error": "timeout"})),
        (Act::CloseEarly, json!({"error": "connection_broken"})),
        (Act::Answer(302, "location: http://10.0.0.1/\r\n", String::new()), json!({"status_code": 302})),
        (Act::Answer(500, "", "sorry".to_owned()), json!({"status_code": 500, "answer": "sorry"})),
        (Act::Megabytes, json!({"status_code": 500, "answer": "x".repeat(1024)})),
    ];
    for (act, reported) in ways {
        let world = World::with(&[("KIRA_WEBHOOK_SCHEDULE", "0s")]).await;
        let receiver = Receiver::always(act.clone()).await;
        world.endpoint(&receiver, json!({})).await;
        world.user().await;
        world.drain().await;
        let delivery = &world.deliveries("&status=failed").await[0];
        for (key, value) in reported.as_object().expect("an object") {
            assert_eq!(&delivery["attempts"][0][key], value, "{act:?}");
        }
        assert_eq!(receiver.count(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let world = World::with(&[("KIRA_WEBHOOK_SCHEDULE", "0s")]).await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    drop(receiver);
    // The task that held the port ends when it is polled next.
    tokio::task::yield_now().await;
    world.user().await;
    world.drain().await;
    assert_eq!(world.deliveries("").await[0]["attempts"][0]["error"], "unreachable");
}

#[tokio::test]
async fn a_good_status_counts_although_the_body_never_comes() {
    let world = World::new().await;
    let receiver = Receiver::always(Act::StallBody).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    assert_eq!(world.deliveries("").await[0]["status"], "delivered");
}

#[tokio::test]
async fn a_sender_that_stops_hands_back_what_it_has_not_sent() {
    let world = World::with(&[("KIRA_WEBHOOK_TIMEOUT", "60s")]).await;
    let receiver = Receiver::acting([Act::StallHeaders]).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&world.service.running.sender).run(stop.clone()));
    receiver.wait_for(1).await;
    stop.cancel();
    running.await.expect("no panic");
    world.drain().await;
    let delivery = &world.deliveries("").await[0];
    assert_eq!((&delivery["status"], receiver.count()), (&json!("delivered"), 2), "no lease is left to wait for");
}

#[tokio::test]
async fn after_the_last_attempt_it_is_given_up() {
    let world = World::with(&[("KIRA_WEBHOOK_SCHEDULE", "0s,1m")]).await;
    let receiver = Receiver::always(Act::status(503)).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    world.advance(TimeDelta::minutes(2));
    world.drain().await;
    world.advance(TimeDelta::days(1));
    world.drain().await;
    assert_eq!(receiver.count(), 2);
    assert_eq!(world.deliveries("").await[0]["status"], "failed");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_the_others_are_told() {
    let world = World::new().await;
    let (gone, other) = (Receiver::always(Act::status(410)).await, Receiver::new().await);
    let gone_id = world.endpoint(&gone, json!({})).await;
    world.endpoint(&other, json!({"events": ["user.verification.failed"]})).await;
    world.user().await;
    world.drain().await;
    world.user().await;
    world.drain().await;
    assert_eq!(gone.count(), 1);
    let shown = world.shown(&gone_id).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("gone")));
    let reported = other.arrived();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].kind(), "webhook.endpoint.disabled");
    assert_eq!(reported[0].json()["data"]["endpoint_id"], json!(gone_id));
}

#[tokio::test]
async fn an_endpoint_may_ask_to_be_left_alone() {
    let world = World::new().await;
    let wish = Act::Answer(429, "retry-after: 3600\r\n", String::new());
    let receiver = Receiver::acting([wish]).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    world.user().await;
    world.advance(TimeDelta::minutes(59));
    world.drain().await;
    assert_eq!(receiver.count(), 1, "neither this event nor another is sent meanwhile");
    world.advance(TimeDelta::minutes(2));
    world.drain().await;
    assert_eq!(ids(&receiver.arrived()), world.event_ids().await);
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn a_dead_endpoint_is_left_alone_and_gets_everything_when_it_is_back() {
    let world = World::new().await;
    let receiver = Receiver::always(Act::status(500)).await;
    world.endpoint(&receiver, json!({})).await;
    for _ in 0..60 {
        world.user().await;
    }
    world.drain().await;
    assert!(receiver.count() < 20, "{} attempts before it was left alone", receiver.count());
    for _ in 0..48 {
        world.advance(TimeDelta::minutes(11));
        world.drain().await;
    }
    assert!(receiver.count() < 80, "{} attempts in a night", receiver.count());
    receiver.act_from_now_on(Act::status(200));
    let before = receiver.count();
    for _ in 0..150 {
        world.advance(TimeDelta::minutes(11));
        world.drain().await;
    }
    assert_eq!(ids(&receiver.arrived()[before..]), world.event_ids().await);
    assert!(world.deliveries("&status=failed").await.is_empty());
}

#[tokio::test]
async fn an_endpoint_that_only_fails_for_five_days_is_disabled() {
    let world = World::new().await;
    let receiver = Receiver::always(Act::status(500)).await;
    let id = world.endpoint(&receiver, json!({})).await;
    for _ in 0..6 {
        for _ in 0..3 {
            world.user().await;
        }
        world.drain().await;
        assert_eq!(world.shown(&id).await["enabled"], true);
        world.advance(TimeDelta::hours(20) + TimeDelta::minutes(30));
    }
    world.drain().await;
    let shown = world.shown(&id).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("failing")));
}

#[tokio::test]
async fn a_dead_endpoint_delays_no_other() {
    let world = World::with(&[("KIRA_WEBHOOK_TIMEOUT", "20s")]).await;
    let (dead, healthy) = (Receiver::always(Act::StallHeaders).await, Receiver::new().await);
    world.endpoint(&dead, json!({})).await;
    world.endpoint(&healthy, json!({})).await;
    for _ in 0..40 {
        world.user().await;
    }
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(world.service.running.sender.clone().run(stop.clone()));
    // Before the first delivery to the dead endpoint fails permanently.
    let delivered = async {
        healthy.wait_for(40).await;
        // What has arrived is settled a moment later.
        while world.deliveries("&status=delivered").await.len() < 40 {}
    };
    let all = tokio::time::timeout(std::time::Duration::from_secs(15), delivered).await;
    all.expect("the dead endpoint does not hold the healthy one up");
    assert_eq!(ids(&healthy.arrived()).len(), 40);
    stop.cancel();
    running.await.expect("the sender ends");
    assert!(dead.count() <= 16, "{} connections to one endpoint", dead.count());
    assert_eq!(healthy.count(), 40);
    let pending = world.deliveries("&status=pending").await;
    assert_eq!(pending.len(), 40);
    assert!(pending.iter().all(|delivery| delivery["attempts"] == json!([])), "a stop hands the leases back");
}
