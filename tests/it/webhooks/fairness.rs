//! What slow endpoints of one client cost the webhooks of the others.

use std::sync::Arc;
use std::time::Duration;

use kira_users::config::LOOPBACK;
use kira_users::webhook::SystemLookup;
use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{SECRET, World};

/// Longer than any test.
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_arrive_while_twenty_endpoints_of_another_client_do_not_answer() {
    let mut world = World::new().await;
    let stalled = Receiver::always(Act::StallHeaders).await;
    for number in 0..20 {
        let body = json!({"url": format!("{}/{number}", stalled.url()), "secret": SECRET});
        let answer = world.send(Method::POST, "/v1/webhooks/endpoints", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    for _ in 0..40 {
        world.user().await;
    }
    let sender = world.sender_with(Arc::new(SystemLookup), &LOOPBACK, HOUR);
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&sender).run(stop.clone()));
    stalled.wait_for(20).await;

    let slow = std::mem::replace(&mut world.client, world.service.client().await);
    let healthy = Receiver::new().await;
    world.endpoint(&healthy, json!({})).await;
    let arrive = async {
        for number in 1..=5 {
            world.user().await;
            healthy.wait_for(number).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), arrive).await.expect("the webhooks of the other client arrive");
    let pending = slow.get("/v1/webhooks/deliveries?status=pending&limit=1").await.json();
    assert_eq!(pending["pagination"]["total"], 20 * 40, "nothing of the slow client has ended");
    stop.cancel();
    running.await.expect("no panic");
}
