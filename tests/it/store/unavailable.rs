//! A database that is busy, gone or closed.

use std::time::Duration;

use kira_users::store::{Store, StoreError, StoreOptions};
use sea_orm::ConnectionTrait;
use url::Url;

use crate::harness::database::TestDatabase;
use crate::harness::reserved_port::ReservedPort;
use crate::store::sample;

fn impatient() -> StoreOptions {
    let soon = Duration::from_millis(50);
    StoreOptions { acquire_timeout: soon, busy_timeout: soon, ..StoreOptions::default() }
}

fn is_unavailable<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unavailable(_)))
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_unavailable_and_then_available_again() {
    let database = TestDatabase::migrated().await;
    if database.folder().is_none() {
        return;
    }
    let (store, clock) = (database.store_with(impatient()).await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let other = database.look().await;
    other.execute_unprepared("BEGIN EXCLUSIVE").await.expect("the lock");
    let new = sample::user(&clock, client_id);
    assert!(is_unavailable(&store.create_user(new.clone()).await));
    assert!(is_unavailable(&store.ensure_first_signing_key(&sample::signing_key(&clock, "key")).await));
    other.execute_unprepared("ROLLBACK").await.expect("the lock is given back");
    assert!(store.create_user(new).await.is_ok());
}

#[tokio::test]
async fn a_server_without_the_database_is_unavailable() {
    let database = TestDatabase::migrated().await;
    if database.folder().is_some() {
        return;
    }
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    drop(database);
    for _ in 0..2 {
        assert!(is_unavailable(&store.create_user(sample::user(&clock, client_id)).await));
        assert!(is_unavailable(&store.find_user(client_id, client_id).await));
        assert!(is_unavailable(&store.ping().await));
        assert!(is_unavailable(&store.pending_migrations().await));
        assert!(is_unavailable(&store.migrate().await));
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    let port = ReservedPort::new();
    let mut url = Url::parse("postgres://nobody@127.0.0.1/none").expect("a URL");
    url.set_port(Some(port.addr().port())).expect("a port");
    let store = Store::connect(url.as_str(), impatient()).await.expect("nothing is contacted yet");
    assert!(is_unavailable(&store.ping().await));
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let clone = store.clone();
    store.close().await;
    assert!(is_unavailable(&clone.create_user(sample::user(&clock, client_id)).await));
    assert!(is_unavailable(&clone.find_client(client_id).await));
    assert!(is_unavailable(&clone.ping().await));
}
