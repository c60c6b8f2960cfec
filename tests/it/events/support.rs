//! Events, made and read.

use kira_users::contract::v1;
use kira_users::contract::v1::events_service_client::EventsServiceClient;
use kira_users::domain::verification::{Assurance, Outcome, Reason};
use kira_users::store::ProviderAnswer;
use serde_json::Value;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::requests::{minimal, with_files};
use crate::harness::service::{Client, Service};

/// Makes users and gives their ids, in the order of their making.
pub(crate) async fn users(client: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(text(&client.create(&minimal()).await.json(), "/id"));
    }
    ids
}

/// Makes a user whose verification was refused.
pub(crate) async fn refused(service: &Service, client: &Client) -> String {
    let user_id = text(&client.create(&with_files()).await.json(), "/id");
    let id = Uuid::parse_str(&user_id).expect("a UUID");
    let store = &service.running.resources.store;
    let user = store.find_user(client.id, id).await.expect("the database").expect("the user");
    let attempt = user.attempt_id.expect("the example triggers a verification");
    let outcome = Outcome::rejected(Assurance::Simulated, Reason::new("planned", "A test wants it so"));
    let env = service.clock.as_ref();
    let decided = store.decide_verification(env, client.id, id, attempt, &outcome, ProviderAnswer::default()).await;
    assert!(decided.expect("the database"));
    user_id
}

/// One page over REST.
pub(crate) async fn page(client: &Client, query: &str) -> Value {
    let answer = client.get(&format!("/v1/events?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The users of a page's events.
pub(crate) fn users_of(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().expect("a list");
    data.iter().map(|event| text(event, "/data/user_id")).collect()
}

/// The text at a JSON pointer.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}: {value}")).to_owned()
}

/// The events service over gRPC.
pub(crate) fn grpc(client: &Client) -> EventsServiceClient<Channel> {
    EventsServiceClient::new(client.channel.clone())
}

/// The id of an event over gRPC.
pub(crate) fn event_id(event: &v1::Event) -> &str {
    &event.data.as_ref().expect("an event has data").event_id
}
