//! `kill -9` while webhooks are sent, to endpoints good and bad: every event arrives at every healthy one, each time with
//! the same bytes, in order where order was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::RwLock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::receiver::{Act, Arrived, Receiver};
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, http_client};

/// Users, each with a create and three changes: a thousand events.
const USERS: u128 = 250;
const CHANGES: usize = 3;
const EVENTS: usize = 1_000;
/// Callers at the same time.
const CALLERS: u128 = 4;
/// How often the service is killed.
const KILLS: usize = 5;

/// A caller, whatever process answers.
struct Caller {
    listener: RwLock<String>,
    token: String,
    api_key: String,
    http: reqwest::Client,
}

impl Caller {
    fn moved_to(&self, program: &Program) {
        *self.listener.write() = program.rest();
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let listener = self.listener.read().clone();
        let request = self.http.request(method, format!("http://{listener}{path}")).bearer_auth(&self.token);
        request.header("x-api-key", &self.api_key)
    }

    /// Creates a user and changes it; repeats each request until it is answered. A change that was made already makes no
    /// second event.
    async fn create(&self, key: u128) {
        let key = Uuid::from_u128(key + 1).to_string();
        let create = || async {
            let request = self.request(reqwest::Method::POST, "/v1/users").json(&minimal());
            answered(request.header("idempotency-key", &key)).await
        };
        let user = wait_until_async(create, "an answer").await;
        let path = format!("/v1/users/{}", user["id"].as_str().expect("an id"));
        for number in 0..CHANGES {
            let change = json!({"occupation": format!("Engineer {number}")});
            let update = || answered(self.request(reqwest::Method::PUT, &path).json(&change));
            wait_until_async(update, "an answer").await;
        }
    }

    async fn json(&self, path: &str) -> Value {
        Answer::of(self.request(reqwest::Method::GET, path).send().await.expect("an answer")).await.json()
    }
}

/// The JSON of a success; None where there was no answer, or not the whole of one.
async fn answered(request: reqwest::RequestBuilder) -> Option<Value> {
    let answer = request.send().await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    answer.json().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_random_kills_and_beside_bad_endpoints_every_event_arrives_at_the_healthy_ones() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
    // Deliveries that a killed process had in flight are claimed again soon.
    setup.set("KIRA_WEBHOOK_TIMEOUT", "1s");
    let client = setup.client();
    let (receiver, ordered) = (Receiver::new().await, Receiver::new().await);
    let bad = [Act::status(500), Act::StallHeaders, Act::Megabytes, Act::CloseEarly];
    let bad = join_all(bad.map(Receiver::always)).await;
    let mut program = setup.serve();
    let caller = Arc::new(Caller {
        listener: RwLock::new(program.rest()),
        token: program.token(&client).await,
        api_key: client["api_key"].as_str().expect("an API key").to_owned(),
        http: http_client(),
    });
    for endpoint in [&receiver, &ordered].into_iter().chain(&bad) {
        let is_ordered = endpoint.url() == ordered.url();
        let secret = "a secret of the client's own making";
        let body = json!({"url": endpoint.url(), "secret": secret, "ordered": is_ordered});
        let made = caller.request(reqwest::Method::POST, "/v1/webhooks/endpoints").json(&body).send().await;
        assert_eq!(made.expect("an answer").status(), 201);
    }

    let calling: Vec<_> = (0..CALLERS)
        .map(|number| {
            let caller = Arc::clone(&caller);
            tokio::spawn(async move {
                for key in (number..USERS).step_by(usize::try_from(CALLERS).expect("few")) {
                    caller.create(key).await;
                }
            })
        })
        .collect();
    for _ in 0..KILLS {
        // At a random moment: after a random number of further arrivals.
        let target = receiver.count() + 20 + usize::from(Uuid::new_v4().as_bytes()[0]) / 3;
        let reached = || async { (receiver.count() >= target).then_some(()) };
        wait_until_async(reached, "more arrivals").await;
        program.kill();
        program = setup.serve();
        caller.moved_to(&program);
    }
    for calling in calling {
        calling.await.expect("a caller does not panic");
    }

    let events = caller.json(&format!("/v1/events?limit={EVENTS}")).await;
    assert_eq!(events["has_more"], false);
    let events = events["data"].as_array().expect("a list").iter();
    let expected: BTreeSet<String> =
        events.map(|event| event["data"]["event_id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(expected.len(), EVENTS);
    for healthy in [&receiver, &ordered] {
        let ids = || healthy.arrived().iter().map(Arrived::event_id).collect::<BTreeSet<_>>();
        let all = || async { (ids().len() >= expected.len()).then_some(()) };
        wait_until_async(all, "every event").await;
        assert_eq!(ids(), expected, "exactly the events that there are");
    }
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for arrived in receiver.arrived() {
        let body = bodies.entry(arrived.event_id()).or_insert_with(|| arrived.body.clone());
        assert_eq!(*body, arrived.body, "what is sent again is the same");
    }
    let mut sequences: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for arrived in ordered.arrived() {
        let data = arrived.json()["data"].clone();
        let seen = sequences.entry(data["user_id"].as_str().expect("an id").to_owned()).or_default();
        let sequence = data["sequence"].as_i64().expect("a number");
        assert!(seen.contains(&sequence) || seen.last().is_none_or(|last| *last < sequence), "in order, or once more");
        seen.insert(sequence);
    }
    program.terminate();
    assert!(program.ended().success());
}
