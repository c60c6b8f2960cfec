//! Where webhooks do not go.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use kira_users::config::LOOPBACK;
use kira_users::webhook::{Lookup, ResolvedAddresses};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::json;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{SECRET, World};

/// Gives a name other addresses each time.
struct Changing(Mutex<VecDeque<Vec<IpAddr>>>);

impl Changing {
    fn new<const N: usize>(answers: [&[&str]; N]) -> Arc<Self> {
        let addresses = |answer: &[&str]| answer.iter().map(|text| text.parse().expect("an address")).collect();
        Arc::new(Self(Mutex::new(answers.into_iter().map(addresses).collect())))
    }
}

impl Lookup for Changing {
    fn lookup(&self, _: &str) -> ResolvedAddresses {
        let answer = self.0.lock().pop_front().unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_says_at_each_connection() {
    let world = World::new().await;
    // Closing each connection makes each attempt find the name again.
    let receiver = Receiver::always(Act::CloseEarly).await;
    let url = format!("http://receiver.test:{}/", receiver.address.port());
    let made = world.send(Method::POST, "/v1/webhooks/endpoints", json!({"url": url, "secret": SECRET})).await;
    assert_eq!(made.status, 201);
    world.user().await;
    let lookup = Changing::new([&["127.0.0.1"], &["10.0.0.1"], &["127.0.0.1", "169.254.169.254"]]);
    let sender = world.sender(lookup, &LOOPBACK);
    for _ in 0..3 {
        sender.drain().await.expect("the database answers");
        world.advance(TimeDelta::minutes(10));
    }
    let attempts = world.deliveries("").await[0]["attempts"].clone();
    let errors: Vec<_> = attempts.as_array().expect("a list").iter().map(|attempt| attempt["error"].clone()).collect();
    assert_eq!(errors, [json!("connection_broken"), json!("address_refused"), json!("address_refused")]);
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn what_the_operator_does_not_allow_is_refused_at_the_attempt_too() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    let sender = world.sender(Changing::new([]), &[]);
    sender.drain().await.expect("the database answers");
    assert_eq!(world.deliveries("").await[0]["attempts"][0]["error"], "address_refused");
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_redirect_into_the_operators_network_is_not_followed() {
    let world = World::with(&[("KIRA_WEBHOOK_SCHEDULE", "0s")]).await;
    let inside = Receiver::new().await;
    let location: &'static str = Box::leak(format!("location: {}\r\n", inside.url()).into_boxed_str());
    let receiver = Receiver::always(Act::Answer(307, location, String::new())).await;
    world.endpoint(&receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    assert_eq!((receiver.count(), inside.count()), (1, 0));
}

#[tokio::test]
async fn a_url_that_nothing_may_be_sent_to_is_refused_at_registration() {
    let world = World::new().await;
    let urls = [
        ("https://10.0.0.1/", "The URL's host is not on the public internet"),
        ("https://[::ffff:127.0.0.1]/", "The URL's host is not on the public internet"),
        ("http://8.8.8.8/", "The URL must be https"),
        ("ftp://example.com/", "Invalid url"),
    ];
    for (url, message) in urls {
        let answer = world.send(Method::POST, "/v1/webhooks/endpoints", json!({"url": url})).await;
        assert_eq!(answer.status, 400, "{url}");
        let detail = &answer.json()["details"][0];
        assert_eq!((&detail["path"], &detail["message"]), (&json!("url"), &json!(message)), "{url}");
    }
}
