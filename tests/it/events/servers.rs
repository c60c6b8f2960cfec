//! The order with several servers and workers under load: every stream, at whichever server, is the stored order.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kira_users::app;
use kira_users::contract::v1;
use kira_users::contract::v1::events_service_client::EventsServiceClient;
use tonic::transport::Channel;

use crate::events::support::{page, text};
use crate::harness::requests::with_files;
use crate::harness::service::{Client, Service, config};

/// Users that are made at each server.
const USERS: usize = 15;
/// Events of a user that is verified: created, VERIFYING, VERIFIED, accepted.
const EVENTS: usize = 4;
/// Longer than any machine takes.
const LONG: Duration = Duration::from_secs(120);

/// Reads a stream from the first event on until it has had so many.
async fn watched(client: Client, channel: Channel, count: usize) -> Vec<String> {
    let after = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let request = client.call(v1::WatchEventsRequest { cursor: after, ..Default::default() });
    let mut stream = EventsServiceClient::new(channel).watch_events(request).await.expect("a stream").into_inner();
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let event = stream.message().await.expect("a message").expect("an event").event.expect("an event");
        ids.push(event.data.expect("what happened").event_id);
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_the_stored_order_with_three_servers_and_two_workers() {
    let settings = [("KIRA_SANDBOX_DELAY", "0s"), ("KIRA_WORKER", "true")];
    // The first serves alone; the others also work.
    let service = Service::start_with(&settings[..1]).await;
    let config = config(&service.database, &service.folder, &settings);
    let start = async || app::start(&config, Arc::clone(&service.clock) as _).await.expect("the service starts");
    let others = [start().await, start().await];
    let client = service.client().await;
    let mut servers = vec![(service.url(), service.channel().await)];
    for other in &others {
        let grpc = format!("http://{}", other.grpc_addr);
        let channel = Channel::from_shared(grpc).expect("a URL").connect().await.expect("the gRPC API answers");
        servers.push((format!("http://{}", other.http_addr), channel));
    }
    let count = servers.len() * USERS * EVENTS;
    // Two streams at each server: one from before the load, one from amid it.
    let streams = |client: &Client| -> Vec<_> {
        let watch = |(_, channel): &(String, Channel)| tokio::spawn(watched(client.clone(), channel.clone(), count));
        servers.iter().map(watch).collect()
    };
    let mut watching = streams(&client);
    let load = servers.iter().map(|(base, _)| {
        let client = Client { base: base.clone(), ..client.clone() };
        async move {
            for _ in 0..USERS {
                assert_eq!(client.create(&with_files()).await.status, 201);
            }
        }
    });
    let (_, amid) = tokio::join!(join_all(load), async { streams(&client) });
    watching.extend(amid);
    let ended = tokio::time::timeout(LONG, join_all(watching)).await.expect("every event arrives at every stream");
    let mut stored = Vec::new();
    let mut cursor = String::from("00000000-0000-0000-0000-000000000000");
    loop {
        let page = page(&client, &format!("limit=50&cursor={cursor}")).await;
        stored.extend(page["data"].as_array().expect("a list").iter().map(|event| text(event, "/data/event_id")));
        cursor = text(&page, "/next_cursor");
        if page["has_more"] != true {
            break;
        }
    }
    assert_eq!(stored.len(), count);
    for stream in ended {
        assert_eq!(stream.expect("no panic"), stored);
    }
    for other in others {
        other.stop(Duration::from_secs(10)).await;
    }
}
