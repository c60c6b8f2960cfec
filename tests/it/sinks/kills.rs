//! `kill -9` of the program while it publishes: no event is lost, and each user's are in order. A few kills by default;
//! `KIRA_TEST_KILLS=300` is the long run.

use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, http_client};
use crate::sinks::support::{Kind, Peer, assert_whole};

/// How often the program is killed, unless the environment says it.
const KILLS: u64 = 4;
/// Events of each user.
const EVENTS: u64 = 4;

struct Caller {
    listener: RwLock<String>,
    token: String,
    api_key: String,
    http: reqwest::Client,
}

impl Caller {
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let listener = self.listener.read().clone();
        let request = self.http.request(method, format!("http://{listener}{path}")).bearer_auth(&self.token);
        request.header("x-api-key", &self.api_key)
    }

    /// Creates a user and changes it; repeats each request until it is answered. A change that was made already makes no
    /// second event.
    async fn create(&self, key: u64) {
        let key = Uuid::from_u128(u128::from(key) + 1).to_string();
        let create = || async {
            let request = self.request(reqwest::Method::POST, "/v1/users").json(&minimal());
            answered(request.header("idempotency-key", &key)).await
        };
        let user = wait_until_async(create, "an answer").await;
        let path = format!("/v1/users/{}", user["id"].as_str().expect("an id"));
        for number in 1..EVENTS {
            let change = json!({"occupation": format!("Engineer {number}")});
            let update = || answered(self.request(reqwest::Method::PUT, &path).json(&change));
            wait_until_async(update, "an answer").await;
        }
    }

    /// All events; none while there are not as many.
    async fn events(&self, expected: usize) -> Option<Vec<Value>> {
        let mut events = Vec::new();
        let mut cursor = Uuid::nil().to_string();
        loop {
            let path = format!("/v1/events?limit=100&cursor={cursor}");
            let page = Answer::of(self.request(reqwest::Method::GET, &path).send().await.ok()?).await.json();
            events.extend(page["data"].as_array()?.iter().cloned());
            if page["has_more"] != true {
                break;
            }
            cursor = page["next_cursor"].as_str()?.to_owned();
        }
        (events.len() == expected).then_some(events)
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

async fn killed_programs_lose_nothing(kind: Kind) {
    let Some(peer) = Peer::new(kind).await else { return };
    let kills = std::env::var("KIRA_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_TOKEN_LIFETIME", "24h");
    for (name, value) in peer.settings(&peer.url) {
        setup.set(name, value);
    }
    let client = setup.client();
    let mut program = setup.serve();
    let caller = Arc::new(Caller {
        listener: RwLock::new(program.rest()),
        token: program.token(&client).await,
        api_key: client["api_key"].as_str().expect("an API key").to_owned(),
        http: http_client(),
    });
    let is_over = CancellationToken::new();
    let calling = {
        let (caller, is_over) = (Arc::clone(&caller), is_over.clone());
        tokio::spawn(async move {
            let mut users = 0;
            while !is_over.is_cancelled() {
                caller.create(users).await;
                users += 1;
            }
            users
        })
    };
    for kill in 0..kills {
        // Once it publishes, which is after the lease of the one before has ended; then at a moment of its own each time.
        let before = peer.count().await;
        let publishes = || async { (peer.count().await > before).then_some(()) };
        wait_until_async(publishes, "the program publishes").await;
        tokio::time::sleep(std::time::Duration::from_millis((kill * 7_919) % 400)).await;
        program = killed(program, &setup);
        *caller.listener.write() = program.rest();
    }
    is_over.cancel();
    let users = calling.await.expect("all users are created");
    let expected = usize::try_from(users * EVENTS).expect("few");
    let stored = wait_until_async(|| caller.events(expected), "all events are listed").await;
    let all = || async { (peer.deduplicated().await.len() >= expected).then_some(()) };
    wait_until_async(all, "all events arrive").await;
    assert_whole(&peer.deduplicated().await, &stored);
    peer.remove().await;
}

fn killed(program: Program, setup: &Setup) -> Program {
    program.kill();
    setup.serve()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_programs_lose_nothing_at_nats() {
    killed_programs_lose_nothing(Kind::Nats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_programs_lose_nothing_at_rabbitmq() {
    killed_programs_lose_nothing(Kind::Amqp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_programs_lose_nothing_at_redis() {
    killed_programs_lose_nothing(Kind::Redis).await;
}
