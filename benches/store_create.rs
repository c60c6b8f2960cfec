//! Creates a second through the store, 32 at a time, without documents: on a SQLite file, and beside one rusqlite
//! connection, and with `KIRA_TEST_DATABASE_URL` on PostgreSQL beside pgbench; both write the same rows statement by
//! statement.
//!
//! `cargo bench --bench store_create`, or `--profile fast-release` while developing.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

mod beside;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::TimeDelta;
use futures_util::future::join_all;
use kira_users::domain::event::{EventKind, EventPayload};
use kira_users::domain::status::Status;
use kira_users::domain::user_type::UserType;
use kira_users::env::{Env, SystemEnv};
use kira_users::store::{Creation, NewClaim, NewEntries, NewEvent, NewUser, NewVerification, Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use beside::{ROUND, TASKS, random_id};

const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    let store = open(&format!("sqlite://{}", folder.path().join("users.db").display())).await;
    let mut alone = Vec::new();
    let ours = rounds(async || {
        alone.push(beside::rusqlite(folder.path()));
        rate(&store).await
    });
    let ours = ours.await[ROUNDS / 2];
    alone.sort_by(f64::total_cmp);
    let alone = alone[ROUNDS / 2];
    println!("SQLite, FULL:   {ours:>6.0} creates/s (median of {ROUNDS})");
    println!("rusqlite alone: {alone:>6.0} tx/s, one connection; ratio {:.2}", ours / alone);
    store.close().await;

    if let Ok(url) = std::env::var("KIRA_TEST_DATABASE_URL") {
        postgres(&Url::parse(&url).expect("a URL"), folder.path()).await;
    }
}

async fn postgres(maintenance: &Url, folder: &Path) {
    let server = Database::connect(maintenance.as_str()).await.expect("the server answers");
    let drop = "DROP DATABASE IF EXISTS kira_bench WITH (FORCE)";
    server.execute_unprepared(drop).await.expect("no database is left");
    server.execute_unprepared("CREATE DATABASE kira_bench").await.expect("a new database");
    let mut url = maintenance.clone();
    url.set_path("kira_bench");
    let store = open(url.as_str()).await;
    let client = store.list_clients().await.expect("a read").remove(0).id;
    let script = beside::script(folder, client);

    let mut theirs = Vec::new();
    let ours = rounds(async || {
        theirs.extend(beside::pgbench(&url, &script));
        rate(&store).await
    });
    let ours = ours.await[ROUNDS / 2];
    println!("PostgreSQL:     {ours:>6.0} creates/s (median of {ROUNDS})");
    theirs.sort_by(f64::total_cmp);
    if let Some(theirs) = theirs.get(ROUNDS / 2) {
        println!("pgbench beside: {theirs:>6.0} tx/s, ratio {:.2}", ours / theirs);
    }
    store.close().await;
    server.execute_unprepared(drop).await.expect("the database is dropped");
}

async fn open(url: &str) -> Store {
    let options = StoreOptions { max_connections: TASKS, ..StoreOptions::default() };
    let store = Store::connect(url, options).await.expect("a database");
    store.migrate().await.expect("a schema");
    let system = SystemEnv::default();
    beside::client(&store, &system).await;
    store
}

/// The rates of all rounds, sorted.
async fn rounds(mut round: impl AsyncFnMut() -> f64) -> Vec<f64> {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(round().await);
    }
    rates.sort_by(f64::total_cmp);
    rates
}

/// Creates a second over one round.
async fn rate(store: &Store) -> f64 {
    let client = store.list_clients().await.expect("a read").remove(0).id;
    let system = Arc::new(SystemEnv::default());
    let start = Instant::now();
    let tasks = (0..TASKS).map(|_| {
        let (store, system) = (store.clone(), Arc::clone(&system));
        tokio::spawn(async move {
            let mut count = 0_u32;
            while start.elapsed() < ROUND {
                let outcome = store.create_user(user(system.as_ref(), client)).await;
                assert_eq!(outcome.expect("an outcome"), Creation::Inserted);
                count += 1;
            }
            count
        })
    });
    let total: u32 = join_all(tasks).await.into_iter().map(|count| count.expect("no panic")).sum();
    f64::from(total) / start.elapsed().as_secs_f64()
}

fn user(system: &SystemEnv, client_id: Uuid) -> NewUser {
    let now = system.now();
    NewUser {
        id: system.new_id(),
        client_id,
        kind: "individual",
        category: Some("usa"),
        status: "CREATED",
        verification: Some(NewVerification {
            attempt_id: system.new_id(),
            trigger: "create",
            state: "pending",
            deadline_at: now + TimeDelta::hours(24),
            job_id: system.new_id(),
            run_at: now,
            trace_context: None,
        }),
        missing: json!({"verification": ["occupation"]}),
        wrapped_key: vec![1; 80],
        profile: vec![2; 2000],
        created_at: now,
        documents: Vec::new(),
        claim: NewClaim { operation: "users.create", key: random_id(system), fingerprint: [3; 64], outcome: None },
        fields: vec!["email".to_owned()],
        event: NewEvent {
            id: system.new_id(),
            kind: EventKind::UserCreated,
            payload: EventPayload::new(UserType::Individual, Status::Created),
        },
        // What an ordinary individual without documents has: e-mail, phone, external id, two numbers, five of names.
        index: NewEntries { digests: (0..10).map(|_| random_id(system)).collect(), unique_external_id: None },
    }
}
