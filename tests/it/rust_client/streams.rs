//! Lists and events as streams, and webhooks.

use std::pin::pin;
use std::time::SystemTime;

use futures_util::{StreamExt as _, TryStreamExt as _};
use kira_users::env::Env as _;
use kira_users_client::webhook::{WebhookError, verify};
use kira_users_client::{Client as Kira, v1};
use serde_json::json;
use uuid::Uuid;

use super::support::{Relay, individual, kira, kira_at};
use crate::harness::receiver::Receiver;
use crate::harness::service::Service;
use crate::webhooks::support::{SECRET, World};

async fn create(kira: &Kira) -> String {
    kira.users().create_user(individual()).await.expect("a user").into_inner().user.expect("the user").id
}

fn user_of(event: v1::Event) -> String {
    event.data.expect("what happened").user_id
}

#[tokio::test]
async fn a_list_is_read_to_its_end_page_by_page() {
    let service = Service::start().await;
    let client = service.client().await;
    let kira = kira(&service, &client);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(create(&kira).await);
    }
    let request = v1::ListEventsRequest { limit: Some(2), ..Default::default() };
    let events: Vec<_> = kira.list(request).map_ok(user_of).try_collect().await.expect("a list");
    assert_eq!(events, made);
}

#[tokio::test]
async fn a_watch_goes_on_from_the_last_event_after_a_break() {
    let service = Service::start().await;
    let client = service.client().await;
    let relay = Relay::to(service.running.grpc_addr).await;
    let (kira, direct) = (kira_at(relay.address, &client), kira(&service, &client));
    let cursor = Some(Uuid::nil().to_string());
    let mut events = pin!(kira.watch(v1::WatchEventsRequest { cursor, ..Default::default() }));
    for _ in 0..3 {
        let made = create(&direct).await;
        let event = events.next().await.expect("an event").expect("an event");
        assert_eq!(user_of(event), made);
        relay.cut();
    }
}

#[tokio::test]
async fn a_webhook_of_the_service_is_verified_and_a_changed_one_is_not() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    world.endpoint(&receiver, json!({})).await;
    let user_id = world.user().await;
    world.drain().await;
    let arrived = receiver.arrived().remove(0);
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, arrived.headers[name].parse().expect("a header"));
    }
    let now = SystemTime::from(world.service.clock.now());
    let webhook = verify(&["another secret, longer", SECRET], &headers, &arrived.body, now).expect("a webhook");
    assert_eq!((webhook.event.as_str(), webhook.data.user_id), ("user.created", Some(user_id)));
    assert_eq!(webhook.data.sequence, Some(1));
    let changed = [arrived.body.as_slice(), b" "].concat();
    assert_eq!(verify(&[SECRET], &headers, &changed, now), Err(WebhookError::Unsigned));
    assert_eq!(verify(&["another secret, longer"], &headers, &arrived.body, now), Err(WebhookError::Unsigned));
}
