//! Watching: stored events, then new ones, and resuming after a break.

use std::sync::Arc;
use std::time::Duration;

use kira_users::app;
use kira_users::contract::v1;
use kira_users::store::{Engine, Profile};
use serde_json::json;
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::events::stream::Records;
use crate::events::support::{event_id, grpc, page, refused, text, users};
use crate::harness::database::{engine, profile};
use crate::harness::service::{Client, Service, config};

/// Before the first event.
fn nil() -> Option<String> {
    Some(Uuid::nil().to_string())
}

async fn watch(client: &Client, cursor: Option<String>) -> Streaming<v1::WatchEventsResponse> {
    let request = client.call(v1::WatchEventsRequest { cursor, ..Default::default() });
    grpc(client).watch_events(request).await.expect("a stream").into_inner()
}

async fn next(stream: &mut Streaming<v1::WatchEventsResponse>) -> v1::Event {
    stream.message().await.expect("no error").expect("no end").event.expect("an event")
}

fn user_of(event: &v1::Event) -> &str {
    &event.data.as_ref().expect("an event has data").user_id
}

#[tokio::test]
async fn a_watch_sends_what_is_there_and_then_what_comes() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut made = users(&client, 3).await;
    let mut stream = watch(&client, nil()).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(user_of(&next(&mut stream).await).to_owned());
    }
    for _ in 0..3 {
        made.extend(users(&client, 1).await);
        seen.push(user_of(&next(&mut stream).await).to_owned());
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_watch_without_a_cursor_begins_now() {
    let service = Service::start().await;
    let client = service.client().await;
    users(&client, 2).await;
    let mut stream = watch(&client, None).await;
    let made = users(&client, 1).await;
    assert_eq!(user_of(&next(&mut stream).await), made[0]);
}

#[tokio::test]
async fn a_watch_over_grpc_goes_on_after_a_break() {
    let service = Service::start().await;
    let client = service.client().await;
    let made = users(&client, 3).await;
    let mut stream = watch(&client, nil()).await;
    let first = next(&mut stream).await;
    drop(stream);
    let mut stream = watch(&client, Some(event_id(&first).to_owned())).await;
    assert_eq!(user_of(&first), made[0]);
    for user_id in &made[1..] {
        assert_eq!(user_of(&next(&mut stream).await), user_id);
    }
}

#[tokio::test]
async fn a_browser_goes_on_from_the_last_event_that_it_got() {
    let service = Service::start().await;
    let client = service.client().await;
    let made = users(&client, 1).await;
    let begin = format!("cursor={}", Uuid::nil());
    let mut events = Records::events(&client, &begin, &[]).await;
    let (id, event) = events.event().await;
    assert_eq!((text(&event, "/data/user_id"), text(&event, "/data/event_id")), (made[0].clone(), id.clone()));
    let live = users(&client, 1).await;
    assert_eq!(text(&events.event().await.1, "/data/user_id"), live[0]);
    drop(events);
    // With the same URL, as browsers do.
    let mut events = Records::events(&client, &begin, &[("last-event-id", &id)]).await;
    assert_eq!(text(&events.event().await.1, "/data/user_id"), live[0]);
}

#[tokio::test]
async fn lines_are_the_events_of_the_list() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = refused(&service, &client).await;
    let mut lines = Records::lines(&client, &format!("user_id={user_id}&cursor={}", Uuid::nil())).await;
    let listed = page(&client, &format!("user_id={user_id}")).await;
    for event in listed["data"].as_array().expect("a list") {
        assert_eq!(&lines.json().await, event);
    }
}

#[tokio::test]
async fn what_a_worker_decides_is_sent_in_order() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut lines = Records::lines(&client, "").await;
    refused(&service, &client).await;
    for (kind, sequence) in [("user.created", 1), ("user.status_changed", 2), ("user.verification.failed", 3)] {
        let event = lines.json().await;
        assert_eq!((&event["event"], &event["data"]["sequence"]), (&json!(kind), &json!(sequence)));
    }
}

#[tokio::test]
async fn only_the_types_that_are_asked_for_are_sent() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut lines = Records::lines(&client, "type=user.verification.failed&type=user.verification.accepted").await;
    let refused = [refused(&service, &client).await, refused(&service, &client).await];
    for user_id in refused {
        let event = lines.json().await;
        assert_eq!(text(&event, "/event"), "user.verification.failed");
        assert_eq!(text(&event, "/data/user_id"), user_id);
    }
}

#[tokio::test]
async fn another_clients_events_are_not_sent() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let mut stream = watch(&client, nil()).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        users(&other, 1).await;
        made.extend(users(&client, 1).await);
    }
    for user_id in made {
        assert_eq!(user_of(&next(&mut stream).await), user_id);
    }
}

#[tokio::test]
async fn a_watcher_at_one_replica_gets_what_another_writes() {
    let service = Service::start().await;
    let client = service.client().await;
    let config = config(&service.database, &service.folder, &[]);
    let replica = app::start(&config, Arc::clone(&service.clock) as _).await.expect("a second replica");
    let mut stream = watch(&client.at(&replica).await, None).await;
    for _ in 0..3 {
        let made = users(&client, 1).await;
        assert_eq!(user_of(&next(&mut stream).await), made[0]);
    }
    drop(stream);
    replica.stop(Duration::from_secs(10)).await;
}

/// Far less than looking once a second would take for the twenty events.
const PROMPT: Duration = Duration::from_secs(10);

async fn twenty_in_turn(writer: &Client, reader: &Client) {
    let mut stream = watch(reader, None).await;
    for _ in 0..20 {
        let made = users(writer, 1).await;
        assert_eq!(user_of(&next(&mut stream).await), made[0]);
    }
}

#[tokio::test]
async fn an_event_is_sent_without_waiting_for_the_next_look() {
    // That profile has no notifications.
    if profile() == Profile::Distributed {
        return;
    }
    let service = Service::start().await;
    let client = service.client().await;
    tokio::time::timeout(PROMPT, twenty_in_turn(&client, &client)).await.expect("promptly");
}

#[tokio::test]
async fn postgresql_tells_other_replicas_without_waiting_for_their_next_look() {
    if profile() == Profile::Distributed {
        return;
    }
    let service = Service::start().await;
    let client = service.client().await;
    let config = config(&service.database, &service.folder, &[]);
    let replica = app::start(&config, Arc::clone(&service.clock) as _).await.expect("a second replica");
    let reader = client.at(&replica).await;
    let reported = tokio::time::timeout(PROMPT, twenty_in_turn(&client, &reader)).await;
    // Two processes on one SQLite file look.
    assert!(reported.is_ok() || engine() == Engine::Sqlite);
    replica.stop(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_slow_reader_delays_no_other_and_misses_no_event() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut slow = watch(&client, nil()).await;
    let mut quick = watch(&client, nil()).await;
    let makers: Vec<_> =
        (0..4).map(|_| client.clone()).map(|client| tokio::spawn(async move { users(&client, 75).await })).collect();
    let mut order = Vec::new();
    for _ in 0..300 {
        order.push(event_id(&next(&mut quick).await).to_owned());
    }
    for maker in makers {
        maker.await.expect("no panic");
    }
    for id in order {
        assert_eq!(event_id(&next(&mut slow).await), id);
    }
}

#[tokio::test]
async fn a_client_has_so_many_streams_over_both_protocols_together() {
    let service = Service::start_with(&[("KIRA_EVENT_STREAMS_PER_CLIENT", "2")]).await;
    let (client, other) = (service.client().await, service.client().await);
    let _lines = Records::lines(&client, "").await;
    let _stream = watch(&client, None).await;
    let refused = grpc(&client).watch_events(client.call(v1::WatchEventsRequest::default())).await;
    assert_eq!(refused.expect_err("no third").code(), Code::ResourceExhausted);
    let refused = Records::open(&client, "", &[]).await.err().expect("no third");
    assert_eq!((refused.status, text(&refused.json(), "/code")), (429, "rate_limit_exceeded".to_owned()));
    let _theirs = watch(&other, None).await;
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_before_the_stream_begins() {
    let service = Service::start().await;
    let client = service.client().await;
    let unknown = Uuid::new_v4().to_string();
    for (query, headers, path) in [
        ("cursor=now".to_owned(), vec![], "cursor"),
        (format!("cursor={unknown}"), vec![], "cursor"),
        (String::new(), vec![("last-event-id", unknown.as_str())], "last-event-id"),
        (String::new(), vec![("last-event-id", "7")], "last-event-id"),
    ] {
        let refused = Records::open(&client, &query, &headers).await.err().expect("a refusal");
        assert_eq!((refused.status, text(&refused.json(), "/details/0/path")), (400, path.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_client_that_is_disabled_gets_nothing_more() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut stream = watch(&client, None).await;
    users(&client, 1).await;
    next(&mut stream).await;
    service.clients().await.disable(client.id).await.expect("the client is disabled");
    // Its own requests are let through for some seconds more.
    users(&client, 1).await;
    assert_eq!(stream.message().await.expect_err("the end").code(), Code::Unauthenticated);
}

#[tokio::test]
async fn the_limit_of_a_request_does_not_cut_a_stream() {
    let service = Service::start_with(&[("KIRA_REQUEST_TIMEOUT", "2s")]).await;
    let client = service.client().await;
    let mut stream = watch(&client, None).await;
    let mut lines = Records::lines(&client, "").await;
    let silence = tokio::time::timeout(Duration::from_secs(3), stream.message()).await;
    assert!(silence.is_err(), "nothing comes, and no end");
    let made = users(&client, 1).await;
    assert_eq!(user_of(&next(&mut stream).await), made[0]);
    assert_eq!(text(&lines.json().await, "/data/user_id"), made[0]);
}
