//! A service, a client with endpoints, and a sender.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use kira_users::config::LOOPBACK;
use kira_users::webhook::guard::AddressGuard;
use kira_users::webhook::schedule::Schedule;
use kira_users::webhook::{Client as Http, Lookup, Sender, SenderDeps, SystemLookup};
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::harness::database::ALL_EVENTS;
use crate::harness::receiver::{Arrived, Receiver};
use crate::harness::requests::{with, with_files};
use crate::harness::service::{Answer, Client, Service};

/// A service whose sandbox answers at once, whose receivers are on this machine, and whose tokens outlive retries.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("KIRA_SANDBOX_DELAY", "0s"),
    ("KIRA_TOKEN_LIFETIME", "30d"),
    ("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8"),
    ("KIRA_WEBHOOK_TIMEOUT", "300ms"),
];

/// A secret as the live service's clients have them.
pub(crate) const SECRET: &str = "a secret of the client's own making";

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let service = Service::start_with(&[&SETTINGS, settings].concat()).await;
        let client = service.client().await;
        Self { service, client }
    }

    /// Makes an endpoint; its id.
    pub(crate) async fn endpoint(&self, receiver: &Receiver, more: Value) -> String {
        let mut body = json!({"url": receiver.url(), "secret": SECRET});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let answer = self.send(Method::POST, "/v1/webhooks/endpoints", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["endpoint"]["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        Answer::of(self.client.request(method, path).json(&body).send().await.expect("an answer")).await
    }

    /// `POST` without a body.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        Answer::of(self.client.request(Method::POST, path).send().await.expect("an answer")).await
    }

    /// The id of a new user that lacks something for its verification: one event.
    pub(crate) async fn user(&self) -> String {
        let body = json!({"type": "individual", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"});
        self.create(&body).await
    }

    /// The id of a new individual with all that verification needs.
    pub(crate) async fn individual(&self, last_name: &str) -> String {
        self.create(&with(with_files(), "/last_name", last_name.into())).await
    }

    pub(crate) async fn create(&self, body: &Value) -> String {
        let answer = self.client.create(body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Verifies what waits for it.
    pub(crate) async fn verify(&self) {
        self.service.running.worker.drain().await.expect("the database answers");
    }

    /// Sends what is due.
    pub(crate) async fn drain(&self) -> usize {
        self.service.running.sender.drain().await.expect("the database answers")
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.service.clock.advance(by);
    }

    /// A sender with its own means to find names.
    pub(crate) fn sender(&self, lookup: Arc<dyn Lookup>, allow: &[ipnet::IpNet]) -> Arc<Sender> {
        self.sender_with(lookup, allow, Duration::from_millis(300))
    }

    /// A sender that waits so long for an answer.
    pub(crate) fn sender_with(
        &self,
        lookup: Arc<dyn Lookup>,
        allow: &[ipnet::IpNet],
        timeout: Duration,
    ) -> Arc<Sender> {
        let resources = &self.service.running.resources;
        let http = Http::new(AddressGuard::new(allow), lookup, timeout).expect("a client");
        Sender::new(SenderDeps {
            store: resources.store.clone(),
            vault: resources.vault.clone(),
            env: resources.env.clone(),
            client: http,
            schedule: Schedule::new(vec![Duration::ZERO, Duration::from_secs(5), Duration::from_secs(300)]),
            metrics: resources.metrics.clone(),
        })
    }

    /// Another sender, as another replica has it.
    pub(crate) fn other_sender(&self) -> Arc<Sender> {
        self.sender(Arc::new(SystemLookup), &LOOPBACK)
    }

    /// The deliveries as the client is shown them, newest first.
    pub(crate) async fn deliveries(&self, query: &str) -> Vec<Value> {
        let list = self.client.get(&format!("/v1/webhooks/deliveries?limit=100{query}")).await;
        assert_eq!(list.status, 200, "{}", list.text);
        list.json()["data"].as_array().expect("a list").clone()
    }

    /// The endpoint as the client is shown it.
    pub(crate) async fn shown(&self, endpoint: &str) -> Value {
        self.client.get(&format!("/v1/webhooks/endpoints/{endpoint}")).await.json()
    }

    /// The ids of all events.
    pub(crate) async fn event_ids(&self) -> BTreeSet<String> {
        let look = self.service.database.look().await;
        let statement = Statement::from_string(look.get_database_backend(), format!("SELECT id FROM {ALL_EVENTS}"));
        let rows = look.query_all_raw(statement).await.expect("a table");
        let id = |row: &sea_orm::QueryResult| row.try_get_by_index::<uuid::Uuid>(0).expect("an id").to_string();
        rows.iter().map(id).collect()
    }
}

/// The ids of the events that arrived.
pub(crate) fn ids(arrived: &[Arrived]) -> BTreeSet<String> {
    arrived.iter().map(Arrived::event_id).collect()
}
