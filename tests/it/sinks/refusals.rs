//! Events that a broker refuses for good.

use kira_users::sink::Message;

use crate::events::support::{text, users};
use crate::harness::requests::with_files;
use crate::sinks::support::{Kind, Peer, assert_whole, drain, relay, stored};

/// The headers of a message of NATS, of which its size limit counts too.
const HEADERS: usize = "NATS/1.0\r\nContent-Type: application/cloudevents+json\r\nNats-Msg-Id: \r\n\r\n".len() + 36;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_too_large_for_the_stream_is_a_dead_letter_and_the_others_go_on() {
    let Some(peer) = Peer::new(Kind::Nats).await else { return };
    let service = peer.service().await;
    let client = service.client().await;
    let store = &service.running.resources.store;
    users(&client, 2).await;
    assert_eq!(client.create(&with_files()).await.status, 201);
    service.running.worker.drain().await.expect("the database answers");
    let events = store.events_behind(0, 100).await.expect("the database");
    let sizes: Vec<_> = events.into_iter().map(|event| Message::of_event(event).body().len()).collect();
    let (least, most) = (sizes.iter().min().expect("an event"), sizes.iter().max().expect("an event"));
    assert!(most - least > 4, "events differ in size: {sizes:?}");
    let limit = least + (most - least) / 2;
    let small = sizes.iter().filter(|size| **size <= limit).count();
    peer.remove().await;
    // The same sink, with a stream of small messages.
    let bytes = i32::try_from(limit + HEADERS).expect("a small number");
    let Some(peer) = Peer::with(Kind::Nats, "#", bytes).await else { return };
    let config = crate::harness::service::config(&service.database, &service.folder, &peer.settings(&peer.url));
    let running = kira_users::app::start(&config, service.clock.clone()).await.expect("the service starts");
    let relay = &running.relays[0];
    drain(relay).await;
    assert_eq!(peer.arrived().await.len(), small);
    let letters = store.list_dead_letters("nats", 0, 100).await.expect("the database");
    assert_eq!(letters.len(), sizes.len() - small);
    for letter in &letters {
        assert!(letter.reason.contains("maximum"), "{}", letter.reason);
        assert!(sizes[usize::try_from(letter.position - 1).expect("a position")] > limit);
    }
    let [state] = &*store.sinks().await.expect("the database") else { panic!("one sink has run") };
    assert_eq!((state.lag, state.dead_letters), (0, letters.len() as u64));

    // Refused again, and taken once the stream takes it.
    assert_eq!(store.retry_dead_letters("nats", Some(letters[0].event_id)).await.expect("the database"), 1);
    assert_eq!(relay.run_once().await, Ok(1));
    let again = store.list_dead_letters("nats", 0, 100).await.expect("the database");
    assert!(again.len() == letters.len() && !again[0].is_retried);
    peer.take_any_size().await;
    store.retry_dead_letters("nats", None).await.expect("the database");
    drain(relay).await;
    assert_eq!(store.list_dead_letters("nats", 0, 100).await.expect("the database"), []);
    let mut ids: Vec<_> = peer.arrived().await.into_iter().map(|message| message.id).collect();
    ids.sort_unstable();
    let mut expected: Vec<_> = stored(&client).await.iter().map(|event| text(event, "/data/event_id")).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    peer.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_queue_takes_is_a_dead_letter_in_the_end_and_the_others_go_on() {
    let Some(peer) = Peer::with(Kind::Amqp, "nothing", -1).await else { return };
    let service = peer.service().await;
    let client = service.client().await;
    let store = &service.running.resources.store;
    let users = users(&client, 3).await;
    for taken in [&users[0], &users[2]] {
        peer.bind(&format!("{}.{taken}", client.id)).await;
    }
    let relay = relay(&service);
    for _ in 0..4 {
        let failure = relay.run_once().await.expect_err("no queue takes an event");
        assert!(failure.contains("NO_ROUTE"), "{failure}");
    }
    drain(&relay).await;
    let letters = store.list_dead_letters("amqp", 0, 100).await.expect("the database");
    let refused: Vec<_> = letters.iter().map(|letter| letter.user_id.to_string()).collect();
    assert_eq!(refused, [users[1].clone()]);
    let arrived: Vec<_> = peer.deduplicated().await.iter().map(|message| text(&message.event, "/subject")).collect();
    assert_eq!(arrived, [users[0].clone(), users[2].clone()]);

    peer.bind("#").await;
    store.retry_dead_letters("amqp", None).await.expect("the database");
    drain(&relay).await;
    assert_whole(&peer.deduplicated().await, &stored(&client).await);
    peer.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_stream_events_wait_and_none_is_a_dead_letter() {
    let Some(peer) = Peer::new(Kind::Nats).await else { return };
    let (url, subject) = (peer.url.clone(), "kira_test_missing");
    let settings = [("KIRA_SINK_NATS_URL", url.as_str()), ("KIRA_SINK_NATS_SUBJECT", subject)];
    let service = crate::harness::service::Service::start_with(&settings).await;
    let client = service.client().await;
    users(&client, 1).await;
    for _ in 0..10 {
        let failure = relay(&service).run_once().await.expect_err("there is no stream");
        assert!(failure.contains("no stream"), "{failure}");
    }
    let store = &service.running.resources.store;
    assert_eq!(store.list_dead_letters("nats", 0, 100).await.expect("the database"), []);
    assert_eq!(store.sinks().await.expect("the database")[0].lag, 1);
    peer.remove().await;
}
