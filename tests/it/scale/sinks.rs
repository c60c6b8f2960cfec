//! Calls of every method of the store about sinks.

use kira_users::env::Env;
use kira_users::store::{DeadLetter, SinkEvent, SinkStart, Store};

pub(crate) async fn run(store: &Store, clock: &dyn Env) {
    store.open_sink("tour", SinkStart::Now).await.expect("a cursor");
    let end = store.sink_position("tour").await.expect("a read");
    let behind = store.events_behind(end - 300, 256).await.expect("events");
    let letter = |event: &SinkEvent| DeadLetter {
        position: event.event.position,
        event_id: event.event.id,
        client_id: event.client_id,
        user_id: event.event.user_id,
        kind: event.event.kind.clone(),
        message: serde_json::Value::Null,
        reason: "too large".to_owned(),
        is_retried: false,
        refused_at: clock.now(),
    };
    let letters = behind.iter().map(letter).collect();
    assert!(store.advance_sink("tour", end, end, letters).await.expect("a cursor"));
    store.retry_dead_letters("tour", None).await.expect("dead letters");
    store.refuse_dead_letter("tour", behind[0].event.position, "too large", clock.now()).await.expect("a dead letter");
    store.dead_letters_to_retry("tour", 256).await.expect("dead letters");
    store.list_dead_letters("tour", end - 200, 50).await.expect("dead letters");
    store.sinks().await.expect("the sinks");
    store.delete_dead_letters("tour", vec![end]).await.expect("dead letters");
    store.forget_sink("tour").await.expect("a sink");
}
