//! The end of a service.

use std::time::Duration;

use kira_users::store::Engine;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::harness::database::engine;
use crate::harness::requests::minimal;
use crate::harness::service::Service;

/// Waits until a statement waits for a lock.
async fn someone_waits(connection: &DatabaseConnection) {
    let sql = "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database \
               WHERE NOT granted AND datname = current_database()";
    let statement = || Statement::from_string(connection.get_database_backend(), sql);
    while connection.query_one_raw(statement()).await.expect("an answer").is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_statement_that_never_ends() {
    if engine() == Engine::Sqlite {
        // A statement waits for the lock of a file for five seconds at most.
        return;
    }
    let service = Service::start().await;
    let client = service.client().await;
    let holder = service.database.look().await;
    holder.execute_unprepared("BEGIN; LOCK TABLE users").await.expect("the lock");
    let call = tokio::spawn(async move { client.create(&minimal()).await });
    someone_waits(&holder).await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), service.running.stop(Duration::ZERO)).await;
    assert!(stopped.is_ok(), "the stop ends");
    call.abort();
}
