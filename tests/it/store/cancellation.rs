//! PostgreSQL: a statement does not outlive the request that sent it.

use std::time::Duration;

use kira_users::store::{StoreError, StoreOptions};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::harness::database::{TestDatabase, pooler};
use crate::store::sample;

/// How many statements wait for a lock.
async fn waiting(connection: &DatabaseConnection) -> i64 {
    let sql = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database \
               WHERE NOT granted AND datname = current_database()";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("an answer").expect("a row");
    row.try_get_by_index(0).expect("a count")
}

async fn wait_for(connection: &DatabaseConnection, expected: i64) {
    let reached = async { while waiting(connection).await != expected {} };
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect("the number of waiting statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_requests_that_are_gone_are_cancelled() {
    let database = TestDatabase::migrated().await;
    if database.folder().is_some() {
        return;
    }
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let user = sample::user(&clock, client_id);
    let (holder, look) = (database.look().await, database.look().await);
    holder.execute_unprepared("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.expect("the lock");
    let read = {
        let (store, id) = (store.clone(), user.id);
        tokio::spawn(async move { store.find_user(client_id, id).await })
    };
    let write = {
        let (store, user) = (store.clone(), user.clone());
        tokio::spawn(async move { store.create_user(user).await })
    };
    wait_for(&look, 2).await;
    read.abort();
    write.abort();
    wait_for(&look, 0).await;
    holder.execute_unprepared("ROLLBACK").await.expect("the end");
    assert!(store.find_user(client_id, user.id).await.expect("a read").is_none(), "the create was cancelled, too");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_unavailable_and_jobs_have_connections_of_their_own() {
    let database = TestDatabase::migrated().await;
    // Behind a pooler the timeout is a setting of the role.
    if database.folder().is_some() || pooler().is_some() {
        return;
    }
    let statement_timeout = Duration::from_millis(100);
    let options = StoreOptions { statement_timeout, ..StoreOptions::default() };
    let (store, clock) = (database.store_with(options).await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let holder = database.look().await;
    holder.execute_unprepared("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.expect("the lock");
    let read = store.find_user(client_id, client_id).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let background = store.background();
    let job = tokio::spawn(async move { background.find_user(client_id, client_id).await });
    let look = database.look().await;
    wait_for(&look, 1).await;
    let read = store.find_user(client_id, client_id).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(!job.is_finished(), "it may take longer");
    holder.execute_unprepared("ROLLBACK").await.expect("the end");
    assert!(job.await.expect("no panic").expect("a read").is_none());
}
