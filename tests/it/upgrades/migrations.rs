//! From every schema that there was to the newest, with rows in it.

use kira_users::store::Engine;
use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, Statement};
use uuid::Uuid;

use crate::harness::database::{TestDatabase, engine};
use crate::upgrades::catalog::{self, Column, Table, Tables};
use crate::upgrades::promise::broken;
use crate::upgrades::released::released;

/// The identifier of every row, and so what every row refers to.
const ID: Uuid = Uuid::from_u128(0x01a2_07a1_5638_70d7_b123_494b_f38c_dd2c);

/// A database of the first `count` migrations.
pub(crate) async fn of_the_first(count: usize) -> TestDatabase {
    let database = TestDatabase::empty().await;
    // It makes the file.
    database.store().await.close().await;
    apply_the_first(count, &database.look().await).await;
    database
}

async fn apply_the_first(count: usize, connection: &DatabaseConnection) {
    if engine() == Engine::Postgres {
        // A test needs no durability against power loss.
        connection.execute_unprepared("SET synchronous_commit = off").await.expect("a setting");
    }
    Migrator::up(connection, Some(u32::try_from(count).expect("a small number"))).await.expect("a migration");
}

/// The database without anything in it again; faster than another on a server.
async fn emptied(database: TestDatabase) -> TestDatabase {
    match engine() {
        Engine::Sqlite => of_the_first(0).await,
        Engine::Postgres => {
            let sql = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
            database.look().await.execute_unprepared(sql).await.expect("an empty schema");
            database
        }
    }
}

/// A value of a column, as SQL has it.
fn value(kind: &str) -> String {
    let is = |names: &[&str]| names.iter().any(|name| kind.to_lowercase().starts_with(name));
    match engine() {
        _ if is(&["bool"]) => "TRUE".to_owned(),
        _ if is(&["bigint", "integer", "smallint"]) => "1".to_owned(),
        _ if is(&["timestamp"]) => "'2026-11-23T10:00:00+00:00'".to_owned(),
        _ if is(&["json"]) => "'[]'".to_owned(),
        Engine::Postgres if is(&["uuid"]) => format!("'{ID}'"),
        Engine::Sqlite if is(&["uuid"]) => format!("X'{}'", ID.simple()),
        Engine::Postgres if is(&["bytea"]) => "'\\x00ff'".to_owned(),
        Engine::Sqlite if is(&["blob"]) => "X'00ff'".to_owned(),
        _ if is(&["text"]) => "'text'".to_owned(),
        _ => panic!("no value of the type {kind} is known"),
    }
}

/// Writes a row into every table, those that are referred to first: once with all that may be given, once with the least.
async fn fill(connection: &DatabaseConnection, tables: &Tables) {
    let mut left: Vec<_> = tables.iter().collect();
    while !left.is_empty() {
        let waiting: Vec<_> = left.iter().map(|(name, _)| (*name).clone()).collect();
        let waits = |(name, table): &(&String, &Table)| {
            table.references.iter().any(|reference| reference.table != **name && waiting.contains(&reference.table))
        };
        let (later, now): (Vec<_>, Vec<_>) = left.into_iter().partition(waits);
        for (name, table) in now {
            let columns: Vec<_> = table.columns.iter().collect();
            let names: Vec<_> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            let value = |(column, known): &(&String, &Column)| match (name.as_str(), column.as_str()) {
                // Closed lists.
                ("webhook_deliveries", "state") => "'pending'".to_owned(),
                ("webhook_replays", "state") => "'running'".to_owned(),
                ("webhook_endpoints", "disabled_reason") => "'gone'".to_owned(),
                _ => value(&known.kind),
            };
            let values: Vec<_> = columns.iter().map(value).collect();
            let sql = format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), values.join(", "));
            connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        left = later;
    }
}

/// Reads every row as this version does.
async fn read<E: EntityTrait>(connection: &DatabaseConnection) -> usize {
    E::find().all(connection).await.unwrap_or_else(|error| panic!("{}: {error}", E::default().table_name())).len()
}

#[tokio::test]
async fn rows_of_every_earlier_schema_are_there_and_readable_after_the_upgrade() {
    let all = Migrator::migrations().len();
    let released = released().await;
    let mut database = of_the_first(0).await;
    for count in 1..=all {
        database = emptied(database).await;
        let connection = database.look().await;
        apply_the_first(count, &connection).await;
        let before = catalog::read(&connection).await;
        // The migration of events fills this table.
        connection.execute_unprepared("DELETE FROM event_cursors").await.ok();
        fill(&connection, &before).await;
        let store = database.store().await;
        assert_eq!(store.pending_migrations().await.expect("a read").len(), all - count);
        assert_eq!(store.migrate().await.expect("a migration").len(), all - count);
        for table in before.keys() {
            let sql = format!("SELECT 1 FROM {table}");
            let rows = Statement::from_string(connection.get_database_backend(), sql);
            let rows = connection.query_all_raw(rows).await.expect("the rows");
            assert_eq!(rows.len(), 1, "{table} after {count} migrations");
        }
        let expected = i64::from(before.contains_key("users"));
        let user = store.find_user(ID, ID).await.expect("a read");
        assert_eq!(i64::from(user.is_some()), expected, "the user of {count} migrations");
        store.close().await;
        read_all(&connection).await;
        let there = catalog::read(&connection).await;
        assert_eq!(broken(&released.tables, &there), Vec::<String>::new(), "filled after {count} migrations");
    }
}

async fn read_all(connection: &DatabaseConnection) {
    read::<entity::client::Entity>(connection).await;
    read::<entity::client_credential::Entity>(connection).await;
    read::<entity::document::Entity>(connection).await;
    read::<entity::event::Entity>(connection).await;
    read::<entity::event_archive::Entity>(connection).await;
    read::<entity::event_cursor::Entity>(connection).await;
    read::<entity::external_id::Entity>(connection).await;
    read::<entity::idempotency_key::Entity>(connection).await;
    read::<entity::index_rebuild::Entity>(connection).await;
    read::<entity::job::Entity>(connection).await;
    read::<entity::object_to_delete::Entity>(connection).await;
    read::<entity::outbox::Entity>(connection).await;
    read::<entity::review_step::Entity>(connection).await;
    read::<entity::secret::Entity>(connection).await;
    read::<entity::signing_key::Entity>(connection).await;
    read::<entity::sink_dead_letter::Entity>(connection).await;
    read::<entity::user::Entity>(connection).await;
    read::<entity::user_count::Entity>(connection).await;
    read::<entity::user_count_change::Entity>(connection).await;
    read::<entity::user_index::Entity>(connection).await;
    read::<entity::verification_attempt::Entity>(connection).await;
    read::<entity::watermark::Entity>(connection).await;
    read::<entity::webhook_attempt::Entity>(connection).await;
    read::<entity::webhook_delivery::Entity>(connection).await;
    read::<entity::webhook_endpoint::Entity>(connection).await;
    read::<entity::webhook_replay::Entity>(connection).await;
}

#[tokio::test]
async fn a_schema_that_a_newer_version_has_migrated_lacks_nothing_and_is_left_alone() {
    let database = TestDatabase::migrated().await;
    let connection = database.look().await;
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 0)";
    connection.execute_unprepared(later).await.expect("a migration of the future");
    let store = database.store().await;
    assert_eq!(store.pending_migrations().await.expect("a read"), Vec::<String>::new());
    assert_eq!(store.migrate().await.expect("nothing to do"), Vec::<String>::new());
    let sql = "SELECT version FROM seaql_migrations ORDER BY version DESC";
    let last = Statement::from_string(connection.get_database_backend(), sql);
    let last = connection.query_one_raw(last).await.expect("a read").expect("a row");
    assert_eq!(last.try_get_by_index::<String>(0).expect("a name"), "m29991231_000001_later");
}
