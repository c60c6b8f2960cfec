//! `kill -9` while webhooks are sent: every event arrives, each time with the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, http_client};
use crate::program::{Program, Setup, wait_until_async};
use crate::receiver::Receiver;

/// Events, one of each user.
const EVENTS: u128 = 1_000;
/// Callers at the same time.
const CALLERS: u128 = 4;
/// How often the service is killed.
const KILLS: usize = 5;

/// A caller, whatever process answers.
struct Caller {
    door: RwLock<String>,
    token: String,
    api_key: String,
    http: reqwest::Client,
}

impl Caller {
    fn moved_to(&self, program: &Program) {
        *self.door.write().unwrap_or_else(PoisonError::into_inner) = program.rest();
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let door = self.door.read().unwrap_or_else(PoisonError::into_inner).clone();
        let request = self.http.request(method, format!("http://{door}{path}")).bearer_auth(&self.token);
        request.header("x-api-key", &self.api_key)
    }

    /// Creates a user; repeats the request until it is answered.
    async fn create(&self, key: u128) {
        let attempt = || async {
            let request = self.request(reqwest::Method::POST, "/v1/users").json(&minimal());
            let answer = request.header("idempotency-key", Uuid::from_u128(key + 1).to_string()).send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        wait_until_async(attempt, "an answer").await;
    }

    async fn json(&self, path: &str) -> Value {
        Answer::of(self.request(reqwest::Method::GET, path).send().await.expect("an answer")).await.json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_random_kills_every_event_arrives_and_always_with_the_same_bytes() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
    // What a killed process had under way comes back soon.
    setup.set("KIRA_WEBHOOK_TIMEOUT", "1s");
    let client = setup.client();
    let receiver = Receiver::new().await;
    let mut program = setup.serve();
    let caller = Arc::new(Caller {
        door: RwLock::new(program.rest()),
        token: program.token(&client).await,
        api_key: client["api_key"].as_str().expect("an API key").to_owned(),
        http: http_client(),
    });
    let endpoint = json!({"url": receiver.url(), "secret": "a secret of the client's own making"});
    let made = caller.request(reqwest::Method::POST, "/v1/webhooks/endpoints").json(&endpoint).send().await;
    assert_eq!(made.expect("an answer").status(), 201);

    let calling: Vec<_> = (0..CALLERS)
        .map(|number| {
            let caller = Arc::clone(&caller);
            tokio::spawn(async move {
                for key in (number..EVENTS).step_by(usize::try_from(CALLERS).expect("few")) {
                    caller.create(key).await;
                }
            })
        })
        .collect();
    for _ in 0..KILLS {
        // At a moment that nobody knows: after so many more arrivals as chance says.
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
    assert_eq!(expected.len() as u128, EVENTS);
    let ids = || receiver.arrived().iter().map(crate::receiver::Arrived::event_id).collect::<BTreeSet<_>>();
    let all = || async { (ids().len() >= expected.len()).then_some(()) };
    wait_until_async(all, "every event").await;
    assert_eq!(ids(), expected, "exactly the events that there are");
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for arrived in receiver.arrived() {
        let body = bodies.entry(arrived.event_id()).or_insert_with(|| arrived.body.clone());
        assert_eq!(*body, arrived.body, "what is sent again is the same");
    }
    program.terminate();
    assert!(program.ended().success());
}
