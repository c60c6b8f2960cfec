//! Verifications a second: the worker with the sandbox at once, on a SQLite file and, with `KIRA_TEST_DATABASE_URL`, on
//! PostgreSQL beside pgbench, which writes what one verification writes statement by statement.
//!
//! `cargo bench --bench worker`, or `--profile fast-release` while developing.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

mod beside;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use kira_users::contract::v1;
use kira_users::domain::event::{EventKind, EventPayload};
use kira_users::domain::status::Status;
use kira_users::domain::user_type::UserType;
use kira_users::env::{Env, SharedEnv, SystemEnv};
use kira_users::profile::{self, Profile};
use kira_users::store::{Creation, NewClaim, NewEntries, NewEvent, NewUser, NewVerification, Store, StoreOptions};
use kira_users::telemetry::Metrics;
use kira_users::vault::documents::DocumentStore;
use kira_users::vault::{AeadContext, KeyRing, Owner, SEAL_OVERHEAD, Vault};
use kira_users::verification::{Sandbox, Worker, WorkerDeps};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use url::Url;
use uuid::Uuid;

/// Verifications of one measurement.
const COUNT: usize = 5_000;
const KEYS: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    let sqlite = format!("sqlite://{}", folder.path().join("users.db").display());
    let (rate, _) = measure(&sqlite, folder.path()).await;
    println!("SQLite, FULL:   {rate:>6.0} verifications/s");
    if let Ok(url) = std::env::var("KIRA_TEST_DATABASE_URL") {
        postgres(&Url::parse(&url).expect("a URL"), folder.path()).await;
    }
}

async fn postgres(maintenance: &Url, folder: &Path) {
    let server = Database::connect(maintenance.as_str()).await.expect("the server answers");
    let drop = "DROP DATABASE IF EXISTS kira_bench_worker WITH (FORCE)";
    server.execute_unprepared(drop).await.expect("no database is left");
    server.execute_unprepared("CREATE DATABASE kira_bench_worker").await.expect("a new database");
    let mut url = maintenance.clone();
    url.set_path("kira_bench_worker");
    let (rate, client) = measure(url.as_str(), folder).await;
    println!("PostgreSQL:     {rate:>6.0} verifications/s (target: 500)");
    let script = folder.join("verify.sql");
    std::fs::write(&script, SCRIPT.replace("CLIENT", &client.to_string())).expect("a script");
    // The script picks users by number.
    let number = "CREATE TABLE numbered AS SELECT row_number() OVER () AS number, id, attempt_id FROM users;
                  CREATE UNIQUE INDEX ON numbered (number); ANALYZE";
    let connection = Database::connect(url.as_str()).await.expect("the server answers");
    connection.execute_unprepared(number).await.expect("a table");
    if let Some(theirs) = beside::pgbench(&url, &script) {
        println!("pgbench beside: {theirs:>6.0} tx/s, the same changes; ratio {:.2}", rate / theirs);
    }
    connection.close().await.expect("the connection closes");
    server.execute_unprepared(drop).await.expect("the database is dropped");
}

/// What one verification changes, taking up and settling in one.
const SCRIPT: &str = "\
\\set n random(1, 5000)
\\set a random(0, 9000000000000000000)
BEGIN;
UPDATE users SET status = 'VERIFYING', version = version + 1, updated_at = now() WHERE client_id = 'CLIENT' AND id = (SELECT id FROM numbered WHERE number = :n);
UPDATE verification_attempts SET state = 'running', started_at = now() WHERE client_id = 'CLIENT' AND id = (SELECT attempt_id FROM numbered WHERE number = :n);
INSERT INTO outbox (client_id, id, user_id, kind, sequence, payload, created_at)
 SELECT 'CLIENT', md5(:a::text || 'a')::uuid, id, 'user.status_changed', 2, '{\"status\":\"VERIFYING\"}', now() FROM numbered WHERE number = :n;
COMMIT;
BEGIN;
UPDATE users SET status = 'VERIFIED', version = version + 2, updated_at = now() WHERE client_id = 'CLIENT' AND id = (SELECT id FROM numbered WHERE number = :n);
UPDATE verification_attempts SET state = 'verified', finished_at = now() WHERE client_id = 'CLIENT' AND id = (SELECT attempt_id FROM numbered WHERE number = :n);
INSERT INTO outbox (client_id, id, user_id, kind, sequence, payload, created_at)
 SELECT 'CLIENT', md5(:a::text || 'b')::uuid, id, 'user.status_changed', 3, '{\"status\":\"VERIFIED\"}', now() FROM numbered WHERE number = :n;
INSERT INTO outbox (client_id, id, user_id, kind, sequence, payload, created_at)
 SELECT 'CLIENT', md5(:a::text || 'c')::uuid, id, 'user.verification.accepted', 4, '{\"status\":\"VERIFIED\"}', now() FROM numbered WHERE number = :n;
COMMIT;
";

/// Verifications a second over `COUNT` users, and the client that they belong to.
async fn measure(url: &str, folder: &Path) -> (f64, Uuid) {
    let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
    store.migrate().await.expect("a schema");
    let env: SharedEnv = Arc::new(SystemEnv::default());
    let vault = Vault::new(KeyRing::parse(KEYS).expect("a key ring"), Arc::clone(&env));
    let client = beside::client(&store, env.as_ref()).await;
    for _ in 0..COUNT / 50 {
        let creates = (0..50).map(|_| store.create_user(user(&vault, env.as_ref(), client)));
        for outcome in futures_util::future::join_all(creates).await {
            assert_eq!(outcome.expect("an outcome"), Creation::Inserted);
        }
    }
    let documents =
        DocumentStore::open(&folder.join("documents").display().to_string(), Uuid::nil()).expect("a folder");
    let parts =
        WorkerDeps { store: store.clone(), vault, documents, env, wake: Arc::default(), metrics: Metrics::default() };
    let worker = Worker::new(parts, Arc::new(Sandbox::new(Duration::ZERO)));
    let start = Instant::now();
    assert_eq!(worker.drain().await.expect("the database answers"), COUNT);
    let rate = COUNT as f64 / start.elapsed().as_secs_f64();
    store.close().await;
    (rate, client)
}

fn user(vault: &Vault, env: &dyn Env, client_id: Uuid) -> NewUser {
    let now = env.now();
    let id = env.new_id();
    let (data_key, wrapped_key) = vault.new_data_key(Owner { client_id, user_id: id });
    // About as long as a profile with its documents' descriptions.
    let profile = Profile::Individual(v1::Individual {
        last_name: Some("Doe".to_owned()),
        middle_name: Some("x".repeat(2_000)),
        ..v1::Individual::default()
    });
    NewUser {
        id,
        client_id,
        kind: "individual",
        category: Some("usa"),
        status: "CREATED",
        verification: Some(NewVerification {
            attempt_id: env.new_id(),
            trigger: "create",
            state: "pending",
            deadline_at: now + TimeDelta::hours(24),
            job_id: env.new_id(),
            run_at: now,
            trace_context: None,
        }),
        missing: json!({}),
        wrapped_key,
        profile: data_key.seal(&AeadContext::UserProfile, profile::encode(&profile, SEAL_OVERHEAD)),
        created_at: now,
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
