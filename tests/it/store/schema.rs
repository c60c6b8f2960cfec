//! Migrations.

use kira_users::store::{Store, StoreError, StoreOptions};
use migration::MigratorTrait as _;

use crate::harness::database::{TestDatabase, engine};
use crate::store::sample;

#[tokio::test]
async fn an_empty_database_lacks_every_migration_and_stays_empty() {
    let database = TestDatabase::empty().await;
    let store = database.store().await;
    let pending = store.pending_migrations().await.expect("a read");
    assert!(pending.len() >= 6 && pending[0].contains("installation"), "{pending:?}");
    let tables = match engine() {
        kira_users::store::Engine::Sqlite => "sqlite_master",
        kira_users::store::Engine::Postgres => "pg_tables WHERE schemaname = 'public'",
    };
    assert_eq!(database.count(tables).await, 0);
}

#[tokio::test]
async fn migrating_twice_changes_nothing_the_second_time() {
    let database = TestDatabase::empty().await;
    let store = database.store().await;
    let pending = store.pending_migrations().await.expect("a read");
    assert_eq!(store.migrate().await.expect("a migration"), pending);
    assert_eq!(store.migrate().await.expect("a migration"), Vec::<String>::new());
    assert_eq!(store.pending_migrations().await.expect("a read"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_migrate_at_once_apply_each_migration_once() {
    let database = TestDatabase::empty().await;
    let stores = [database.store().await, database.store().await, database.store().await];
    let runs = stores.map(|store| tokio::spawn(async move { store.migrate().await.expect("a migration").len() }));
    let mut applied = Vec::new();
    for run in runs {
        applied.push(run.await.expect("no panic"));
    }
    let all = migration::Migrator::migrations().len();
    assert_eq!(applied.iter().sum::<usize>(), all);
}

#[tokio::test]
async fn a_missing_folder_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("a/b/users.db").display());
    let store = Store::connect(&url, StoreOptions::default()).await.expect("a new file");
    assert!(!store.pending_migrations().await.expect("a read").is_empty());
    assert!(folder.path().join("a/b/users.db").exists());
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_a_matter_of_configuration() {
    for url in
        ["mysql://localhost/users", "users.db", "sqlite::memory:", "sqlite://x?mode=memory", "postgres://h:port/x"]
    {
        let outcome = Store::connect(url, StoreOptions::default()).await;
        assert!(matches!(outcome, Err(StoreError::Configuration(_))), "{url}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_drivers_statement_cache_can_be_switched_off() {
    let database = TestDatabase::migrated().await;
    if database.folder().is_some() {
        return;
    }
    let url = format!("{}?statement-cache-capacity=0", database.url());
    let store = Store::connect(&url, StoreOptions::default()).await.expect("a good URL");
    let clock = sample::clock();
    let client_id = sample::stored_client(&store, &clock).await;
    for _ in 0..3 {
        store.create_user(sample::user(&clock, client_id)).await.expect("a new user");
    }
    assert_eq!(database.count("users").await, 3);
}
