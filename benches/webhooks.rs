//! Webhooks: deliveries a second over a backlog, and the time from a commit to the arrival at a healthy endpoint, on a
//! SQLite file and, with `KIRA_TEST_DATABASE_URL`, on PostgreSQL, where a claim from a long backlog is measured too. Beside it
//! the same requests sent by a bare client.
//!
//! `cargo bench --bench webhooks`.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

mod beside;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kira_users::config::LOOPBACK;
use kira_users::contract::v1;
use kira_users::domain::event::{EventKind, EventPayload};
use kira_users::domain::status::Status;
use kira_users::domain::user_type::UserType;
use kira_users::env::{Env, SharedEnv, SystemEnv};
use kira_users::profile::{self, Profile};
use kira_users::service::webhooks::WebhookAdmin;
use kira_users::store::{
    Candidate, EndpointRecord, NewClaim, NewEntries, NewEvent, NewUser, Store, StoreOptions, WebhookAdmission,
};
use kira_users::telemetry::Metrics;
use kira_users::vault::{AeadContext, KeyRing, Owner, SEAL_OVERHEAD, Vault};
use kira_users::webhook::guard::AddressGuard;
use kira_users::webhook::schedule::Schedule;
use kira_users::webhook::{Client, Sender, SenderDeps, SystemLookup};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// Events of the backlog.
const COUNT: usize = 5_000;
/// Events that are waited for one by one.
const SINGLE: usize = 300;
/// Requests in flight at a time, as the sender has to one endpoint.
const AT_ONCE: usize = 16;
const KEYS: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    let receiver = Receiver::start().await;
    let bare = bare(&receiver).await;
    println!("a bare client:  {bare:>6.0} requests/s, {AT_ONCE} at a time");
    let sqlite = format!("sqlite://{}", folder.path().join("users.db").display());
    report("SQLite, FULL:", measure(&sqlite, &receiver).await, bare);
    if let Ok(url) = std::env::var("KIRA_TEST_DATABASE_URL") {
        postgres(&Url::parse(&url).expect("a URL"), &receiver, bare).await;
    }
}

async fn postgres(maintenance: &Url, receiver: &Receiver, bare: f64) {
    let server = Database::connect(maintenance.as_str()).await.expect("the server answers");
    let drop = "DROP DATABASE IF EXISTS kira_bench_webhooks WITH (FORCE)";
    server.execute_unprepared(drop).await.expect("no database is left");
    server.execute_unprepared("CREATE DATABASE kira_bench_webhooks").await.expect("a new database");
    let mut url = maintenance.clone();
    url.set_path("kira_bench_webhooks");
    report("PostgreSQL:", measure(url.as_str(), receiver).await, bare);
    let connection = Database::connect(url.as_str()).await.expect("the server answers");
    let (few, many) = (claim(&url, &connection, 1_000).await, claim(&url, &connection, 1_000_000).await);
    println!(
        "a claim of {AT_ONCE} of 1,000 deliveries {few:.1?}, of 1,000,000 {many:.1?}; ratio {:.2} (target: 2 at most)",
        many.as_secs_f64() / few.as_secs_f64()
    );
    connection.close().await.expect("the connection closes");
    server.execute_unprepared(drop).await.expect("the database is dropped");
}

fn report(engine: &str, (rate, latency): (f64, Duration), bare: f64) {
    println!(
        "{engine:<15} {rate:>6.0} deliveries/s (target: 1,000 on PostgreSQL), ratio {:.2}; from commit to arrival {:.1} ms \
         in the median (target: below 50)",
        rate / bare,
        latency.as_secs_f64() * 1_000.0
    );
}

/// Deliveries a second over a backlog of `COUNT` events, and the median time from a commit to its arrival.
async fn measure(url: &str, receiver: &Receiver) -> (f64, Duration) {
    let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
    store.migrate().await.expect("a schema");
    let env: SharedEnv = Arc::new(SystemEnv::default());
    let vault = Vault::new(KeyRing::parse(KEYS).expect("a key ring"), Arc::clone(&env));
    let client_id = beside::client(&store, env.as_ref()).await;
    let guard = AddressGuard::new(&LOOPBACK);
    let admin = WebhookAdmin {
        store: store.clone(),
        vault: vault.clone(),
        env: Arc::clone(&env),
        guard: guard.clone(),
        fingerprints: kira_users::vault::KeyedHash::new(&[7; 32]),
    };
    let secret = kira_users::webhook::signature::EndpointSecret::new("a secret of twenty-four bytes");
    admin.register(client_id, receiver.url(), &secret, None).await.expect("an endpoint");
    for _ in 0..COUNT / 50 {
        let creates = (0..50).map(|_| store.create_user(user(&vault, env.as_ref(), client_id)));
        for outcome in futures_util::future::join_all(creates).await {
            outcome.expect("a user");
        }
    }
    let http = Client::new(guard, Arc::new(SystemLookup), Duration::from_secs(10)).expect("a client");
    let schedule = Schedule::new(vec![Duration::ZERO]);
    let parts = SenderDeps {
        store: store.clone(),
        vault: vault.clone(),
        env: Arc::clone(&env),
        client: http,
        schedule,
        metrics: Metrics::default(),
    };
    let sender = Sender::new(parts);
    let (stop, start) = (CancellationToken::new(), Instant::now());
    let before = receiver.count();
    let running = tokio::spawn(Arc::clone(&sender).run(stop.clone()));
    receiver.wait(before + COUNT).await;
    let rate = COUNT as f64 / start.elapsed().as_secs_f64();

    let mut times = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        let before = receiver.count();
        store.create_user(user(&vault, env.as_ref(), client_id)).await.expect("a user");
        let committed = Instant::now();
        receiver.wait(before + 1).await;
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    stop.cancel();
    running.await.expect("no panic");
    store.close().await;
    (rate, times[SINGLE / 2])
}

/// The median time of a claim from a backlog of this number of due deliveries.
async fn claim(url: &Url, connection: &DatabaseConnection, backlog: usize) -> Duration {
    let fill = format!(
        "TRUNCATE webhook_deliveries CASCADE;
         INSERT INTO webhook_deliveries (id, event_id, endpoint_id, client_id, user_id, kind, sequence, sealed_body, state,
             attempts, schedule_step, next_at, created_at)
         SELECT gen_random_uuid(), gen_random_uuid(), endpoint.id, endpoint.client_id, NULL, 'user.created', number, ''::bytea,
             'pending', 0, 0, now(), now()
         FROM webhook_endpoints AS endpoint, generate_series(1, {backlog}) AS number;
         ANALYZE webhook_deliveries"
    );
    connection.execute_unprepared(&fill).await.expect("a backlog");
    let store = Store::connect(url.as_str(), StoreOptions::default()).await.expect("a database");
    let env = SystemEnv::default();
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let claimed = store.claim_deliveries(&env, &OneEndpoint, TimeDelta::minutes(1)).await;
        times.push(start.elapsed());
        assert_eq!(claimed.expect("an answer").len(), AT_ONCE);
    }
    store.close().await;
    times.sort_unstable();
    times[times.len() / 2]
}

/// Takes what one endpoint may have.
struct OneEndpoint;

impl WebhookAdmission for OneEndpoint {
    fn full_clients(&self) -> Vec<Uuid> {
        Vec::new()
    }

    fn full_endpoints(&self) -> Vec<Uuid> {
        Vec::new()
    }

    fn room(&self, _: &EndpointRecord) -> usize {
        AT_ONCE
    }

    fn choose(&self, candidates: Vec<Candidate>) -> Vec<Uuid> {
        candidates.into_iter().map(|candidate| candidate.id).collect()
    }
}

/// The same number of requests of the same size, by a client that does nothing else.
async fn bare(receiver: &Receiver) -> f64 {
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (url, body) = (receiver.url(), "x".repeat(400));
    let start = Instant::now();
    futures_util::stream::iter(0..COUNT)
        .for_each_concurrent(AT_ONCE, |_| async {
            http.post(&url).body(body.clone()).send().await.expect("an answer");
        })
        .await;
    COUNT as f64 / start.elapsed().as_secs_f64()
}

/// A healthy endpoint: it counts what arrives.
struct Receiver {
    address: std::net::SocketAddr,
    arrived: Arc<(AtomicUsize, Notify)>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let arrived = Arc::new((AtomicUsize::new(0), Notify::new()));
        let counted = Arc::clone(&arrived);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                let counted = Arc::clone(&counted);
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let counted = Arc::clone(&counted);
                    async move {
                        counted.0.fetch_add(1, Ordering::Relaxed);
                        counted.1.notify_one();
                        drop(request.into_body().collect().await);
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, arrived }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn count(&self) -> usize {
        self.arrived.0.load(Ordering::Relaxed)
    }

    /// Waits until this number has arrived.
    async fn wait(&self, count: usize) {
        while self.count() < count {
            self.arrived.1.notified().await;
        }
    }
}

fn user(vault: &Vault, env: &dyn Env, client_id: Uuid) -> NewUser {
    let id = env.new_id();
    let (data_key, wrapped_key) = vault.new_data_key(Owner { client_id, user_id: id });
    let profile =
        Profile::Individual(v1::Individual { external_id: Some("customer-1".to_owned()), ..v1::Individual::default() });
    NewUser {
        id,
        client_id,
        kind: "individual",
        category: Some("usa"),
        status: "CREATED",
        verification: None,
        missing: json!({}),
        wrapped_key,
        profile: data_key.seal(&AeadContext::UserProfile, profile::encode(&profile, SEAL_OVERHEAD)),
        created_at: env.now(),
        documents: Vec::new(),
        claim: NewClaim { operation: "create_user", key: env.new_id(), fingerprint: [3; 64], outcome: None },
        fields: vec!["email".to_owned()],
        event: NewEvent {
            id: env.new_id(),
            kind: EventKind::UserCreated,
            payload: EventPayload::new(UserType::Individual, Status::Created),
        },
        index: NewEntries::default(),
    }
}
