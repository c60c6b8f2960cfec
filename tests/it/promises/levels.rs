//! A database whose transactions run at another isolation level than the code is written for.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use futures_util::future::join_all;
use kira_users::store::{Profile, StoreError};
use serde_json::json;

use crate::harness::database::{TestDatabase, profile};
use crate::harness::requests::{minimal, with_files};
use crate::harness::service::{BEGINNING, Client, Service};

/// Callers at the same time.
const WRITERS: usize = 8;
/// Users that each of them creates and changes.
const EACH: usize = 12;

/// Creates users and changes each of them; every other one is verified.
async fn write(client: Client) {
    for number in 0..EACH {
        let body = if number % 2 == 0 { with_files() } else { minimal() };
        let created = client.create(&body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let path = format!("/v1/users/{}", created.json()["id"].as_str().expect("an id"));
        for occupation in ["Engineer", "Lecturer"] {
            let request = client.request(reqwest::Method::PUT, &path).json(&json!({"occupation": occupation}));
            let changed = request.send().await.expect("an answer");
            assert_eq!(changed.status(), 200);
        }
    }
}

/// A step of a background job. In the distributed profile it may conflict with requests more often than it is repeated; its
/// next round repeats it.
fn step(outcome: Result<(), StoreError>) {
    if profile() == Profile::Standard || !matches!(outcome, Err(StoreError::Unavailable(_))) {
        outcome.expect("the step succeeds");
    }
}

async fn many_writers_at(level: &str) {
    let database = TestDatabase::migrated().await;
    database.isolate(level).await;
    let clock = BEGINNING.parse().expect("a time");
    let clock = std::sync::Arc::new(kira_users::env::MockClock::at(clock));
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start_on(database, folder, clock, &[("KIRA_SANDBOX_DELAY", "0s")]).await;
    let client = service.client().await;
    let running = &service.running;
    let done = AtomicBool::new(false);
    let work = async {
        running.worker.drain().await.expect("the queue");
        running.resources.store.assign_positions().await.expect("the positions");
    };
    let writing = async {
        join_all((0..WRITERS).map(|_| write(client.clone()))).await;
        done.store(true, Ordering::Relaxed);
    };
    // Beside the writers, as the worker does.
    let working = async {
        while !done.load(Ordering::Relaxed) {
            step(running.worker.drain().await.map(drop));
            step(running.resources.store.assign_positions().await.map(drop));
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(writing, working);
    service.clock.advance(TimeDelta::minutes(1));
    work.await;
    assert_eq!(service.database.count("users").await, i64::try_from(WRITERS * EACH).expect("few"));
    assert_eq!(service.database.count("jobs").await, 0, "everything is settled");
    assert_eq!(service.database.count("outbox").await, 0, "every event has its position");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_meet_no_refusal_where_transactions_are_serializable_by_default() {
    many_writers_at("serializable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_they_are_repeatable_reads() {
    many_writers_at("repeatable read").await;
}
