//! Lists from a read replica that lags, stalls or is gone: a caller finds what it was answered before, from either server.

use kira_users::store::Engine;
use serde_json::Value;

use crate::faults::failover::setup;
use crate::harness::database::engine;
use crate::harness::program::{Program, wait_until_async};
use crate::harness::proxy::Proxy;
use crate::harness::replication::{Replication, Server};
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, http_client};

/// A caller of the program.
struct Caller {
    base: String,
    token: String,
    api_key: String,
}

impl Caller {
    async fn new(program: &Program, client: &Value) -> Self {
        let api_key = client["api_key"].as_str().expect("an API key").to_owned();
        Self { base: format!("http://{}", program.rest()), token: program.token(client).await, api_key }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let request = request.bearer_auth(&self.token).header("x-api-key", &self.api_key);
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert!((200..300).contains(&answer.status), "{}: {}", answer.status, answer.text);
        answer.json()
    }

    /// Creates a user, whose event the next list has.
    async fn creates_and_finds(&self) {
        let key = uuid::Uuid::new_v4().to_string();
        let create = http_client().post(format!("{}/v1/users", self.base)).header("idempotency-key", key);
        let user = self.send(create.json(&minimal())).await;
        let events = format!("{}/v1/events?user_id={}", self.base, user["id"].as_str().expect("an id"));
        let events = self.send(http_client().get(events)).await;
        assert_eq!(events["data"][0]["event"], "user.created", "{events}");
    }
}

async fn replica(program: &Program) -> String {
    program.readiness().await.json()["database"]["replica"].as_str().expect("a state").to_owned()
}

/// Creates users until the replica is in this state.
async fn until(caller: &Caller, program: &Program, state: &str) {
    let look = || async {
        caller.creates_and_finds().await;
        (replica(program).await == state).then_some(())
    };
    wait_until_async(look, state).await;
}

async fn reads(server: &Server) -> i64 {
    let sql = "SELECT coalesce(sum(idx_scan), 0)::text FROM pg_stat_user_tables WHERE relname ~ '^events'";
    server.text(sql).await.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_from_the_replica_while_it_has_everything_and_else_from_the_primary() {
    if engine() != Engine::Postgres {
        return;
    }
    let Some(servers) = Replication::start().await else { return };
    let mut proxy = Proxy::to(servers.standby.address());
    let mut setup = setup(&servers.primary.url("postgres"));
    setup.set("KIRA_DATABASE_READ_URL", &format!("postgres://postgres@{}/postgres", proxy.address()));
    setup.printed(&["migrate"]);
    let program = setup.serve();
    let caller = Caller::new(&program, &setup.client()).await;
    let is_read = || async {
        caller.creates_and_finds().await;
        (reads(&servers.standby).await > 0).then_some(())
    };
    wait_until_async(is_read, "a read of the replica").await;
    servers.standby.execute("SELECT pg_wal_replay_pause()").await;
    until(&caller, &program, "behind").await;
    servers.standby.execute("SELECT pg_wal_replay_resume()").await;
    until(&caller, &program, "used").await;
    proxy.stand_still();
    until(&caller, &program, "unavailable").await;
    proxy.cut().await;
    caller.creates_and_finds().await;
    assert_eq!(program.readiness().await.status, 200);
    proxy.go_on();
    proxy.mend();
    until(&caller, &program, "used").await;
}
