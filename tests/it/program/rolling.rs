//! Three replicas on one PostgreSQL, behind balancers and under load: while they are restarted one after the other, while
//! one is killed, and while the database stalls.

use std::io::Write as _;
use std::time::Instant;

use kira_users::store::{Engine, IdempotencyScope};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;

use crate::harness::database::{ALL_EVENTS, TestDatabase, engine};
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::proxy::Proxy;
use crate::program::balancer::Balancer;
use crate::program::load::{Callers, Done, Protocol, Repeats};

const REPLICAS: usize = 3;
/// Callers on each listener.
const CALLERS: usize = 3;
/// Users that are created between two events of a test.
const BETWEEN: usize = 40;

/// How often everything is done: once, or for a longer run by hand as often as this says.
fn rounds() -> usize {
    std::env::var("KIRA_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

struct World {
    /// The network between the replicas and the database.
    network: Proxy,
    setup: Setup,
    balancer: Balancer,
    replicas: Vec<Program>,
    client: Value,
    began: Instant,
}

impl World {
    async fn new(settings: &[(&'static str, &str)]) -> Self {
        let mut setup = Setup::on(TestDatabase::migrated().await);
        let client = setup.client();
        let (proxy, url) = Proxy::to_server(setup.database.as_ref().expect("a database").url()).await;
        setup.set("KIRA_DATABASE_URL", &url);
        for (name, value) in settings {
            setup.set(name, value);
        }
        let balancer = Balancer::new().await;
        let replicas: Vec<_> = (0..REPLICAS).map(|_| setup.serve()).collect();
        replicas.iter().for_each(|replica| balancer.add(replica));
        let world = Self { network: proxy, setup, balancer, replicas, client, began: Instant::now() };
        world.rotation_of(REPLICAS).await;
        world
    }

    async fn rotation_of(&self, replicas: usize) {
        let there = || async { (self.balancer.in_rotation() == replicas).then_some(()) };
        wait_until_async(there, "the balancer to notice").await;
    }

    async fn callers(&self, repeats: Repeats) -> Callers {
        let Balancer { rest_connections, rest_requests, grpc_connections, .. } = self.balancer;
        let listeners =
            [Protocol::Rest(rest_connections), Protocol::Rest(rest_requests), Protocol::Grpc(grpc_connections)];
        let token = self.replicas[0].token(&self.client).await;
        Callers::begin(&self.client, token, repeats, &listeners, CALLERS)
    }

    /// Starts another replica, and gives it to the balancer.
    async fn another(&mut self) {
        let replica = self.setup.serve();
        self.balancer.add(&replica);
        self.replicas.push(replica);
        self.rotation_of(REPLICAS).await;
    }

    /// Checks that what was acknowledged is there, once and whole.
    async fn assert_whole(&self, what: &str, done: &Done) {
        let users = i64::try_from(done.users.len()).expect("a small number");
        let database = self.setup.database.as_ref().expect("a database");
        for table in ["users", "idempotency_keys", ALL_EVENTS] {
            assert_eq!(database.count(table).await, users, "{table}");
        }
        let connection = database.look().await;
        let pairs = "SELECT digest, user_id FROM idempotency_keys JOIN users ON users.id = user_id";
        let statement = Statement::from_string(connection.get_database_backend(), pairs);
        let mut stored = Vec::new();
        for row in connection.query_all_raw(statement).await.expect("rows") {
            let (key, user): (uuid::Uuid, uuid::Uuid) =
                (row.try_get_by_index(0).expect("a key"), row.try_get_by_index(1).expect("a user"));
            stored.push((key, user.to_string()));
        }
        let client_id = self.client["client_id"].as_str().and_then(|id| id.parse().ok()).expect("a UUID");
        let digest = |key| IdempotencyScope { client_id, operation: "create_user", key }.digest();
        let mut answered: Vec<_> = done.users.iter().map(|(key, user)| (digest(*key), user.clone())).collect();
        stored.sort_unstable();
        answered.sort_unstable();
        assert!(stored == answered, "each key has the user that its caller received");
        let mut kinds: Vec<_> = done.troubles.iter().map(|text| text.chars().take(100).collect::<String>()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let (requests, repeated, took) = (done.requests, done.troubles.len(), self.began.elapsed());
        let _ = writeln!(
            std::io::stderr(),
            "{what}: {requests} requests answered, {users} users, {repeated} repeated, in {took:.1?}; {kinds:#?}"
        );
    }
}

/// A stop that lasts long enough for the balancer to notice, on a machine that is busy with other things.
const DELAY: (&str, &str) = ("KIRA_SHUTDOWN_DELAY", "3s");

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_request_and_doubles_none() {
    if engine() == Engine::Sqlite {
        // One process has the file.
        return;
    }
    let mut world = World::new(&[DELAY]).await;
    let callers = world.callers(Repeats::Refusals).await;
    callers.more(BETWEEN).await;
    for _ in 0..rounds() * REPLICAS {
        let mut replica = world.replicas.remove(0);
        replica.terminate();
        let ended = tokio::task::spawn_blocking(move || (replica.ended(), replica.log.text()));
        let (status, log) = ended.await.expect("no panic");
        assert!(status.success() && !log.contains("dropped"), "{log}");
        callers.more(BETWEEN).await;
        world.another().await;
        callers.more(BETWEEN).await;
    }
    let done = callers.end().await;
    assert!(done.troubles.is_empty(), "no request was even rejected: {:?}", done.troubles);
    world.assert_whole("rolling restart", &done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_a_replica_loses_no_user_and_doubles_none() {
    if engine() == Engine::Sqlite {
        return;
    }
    let mut world = World::new(&[DELAY]).await;
    let callers = world.callers(Repeats::Breaks).await;
    for _ in 0..rounds() {
        callers.more(BETWEEN).await;
        world.replicas.remove(0).kill();
        world.rotation_of(REPLICAS - 1).await;
        callers.more(BETWEEN).await;
        world.another().await;
    }
    callers.more(BETWEEN).await;
    let done = callers.end().await;
    world.assert_whole("kill -9", &done).await;
}

/// Short enough that a test can wait for it, longer than what waits for a connection of the pool: so that callers see
/// both the end of their time and "unavailable". A connection for each task in the background, and a few more.
const IMPATIENT: [(&str, &str); 2] = [("KIRA_REQUEST_TIMEOUT", "7s"), ("KIRA_DATABASE_MAX_CONNECTIONS", "8")];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_for_a_while_hangs_no_request_and_needs_no_restart() {
    if engine() == Engine::Sqlite {
        return;
    }
    let world = World::new(&IMPATIENT).await;
    let callers = world.callers(Repeats::Breaks).await;
    for _ in 0..rounds() {
        callers.more(BETWEEN).await;
        world.network.stand_still();
        world.rotation_of(0).await;
        // Every request in flight gets a response meanwhile.
        callers.all_troubled().await;
        world.network.go_on();
        world.rotation_of(REPLICAS).await;
        callers.more(BETWEEN).await;
    }
    let done = callers.end().await;
    world.assert_whole("pause of the database", &done).await;
}
