//! A migration locks tables for a moment. It does not keep requests waiting until it gets the lock.

use kira_users::store::Engine;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::harness::database::engine;
use crate::upgrades::migrations::of_the_first;

/// Up to the users, to whom the fourth migration makes tables refer.
const WITH_USERS: usize = 3;

async fn migration_waits(connection: &DatabaseConnection) {
    let sql = "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database \
               WHERE NOT granted AND mode = 'ShareRowExclusiveLock' AND datname = current_database()";
    let statement = || Statement::from_string(connection.get_database_backend(), sql);
    while connection.query_one_raw(statement()).await.expect("an answer").is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_pass_a_migration_that_waits_for_their_table() {
    if engine() == Engine::Sqlite {
        // A file has one writer, and readers see the state before it.
        return;
    }
    let database = of_the_first(WITH_USERS).await;
    let (holder, caller) = (database.look().await, database.look().await);
    let write = "UPDATE users SET version = version";
    holder.execute_unprepared(&format!("BEGIN; {write}")).await.expect("a long transaction on the users");
    let store = database.store().await;
    let migrating = tokio::spawn(async move { store.migrate().await });
    migration_waits(&caller).await;
    // It queues up behind the migration, which waits for the holder.
    caller.execute_unprepared(write).await.expect("an answer while the holder is open");
    assert!(!migrating.is_finished(), "the migration has not got the table, and tries again");
    holder.execute_unprepared("COMMIT").await.expect("the end of the transaction");
    assert!(!migrating.await.expect("no panic").expect("a migration").is_empty());
}
