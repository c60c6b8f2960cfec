//! What the last release knows of the schema: the columns of its entities, with what the catalog said of them when it was
//! made. `migration/released` keeps it, as `proto/released.binpb` keeps its contract.

use std::path::PathBuf;

use kira_users::store::Engine;
use sea_orm::{ColumnTrait as _, EntityTrait, IdenStatic as _, Iterable as _};
use serde::{Deserialize, Serialize};

use crate::harness::database::{TestDatabase, engine};
use crate::upgrades::catalog::{self, Tables};
use crate::upgrades::promise::broken;

/// Set when a release is made: what there is then becomes what is kept.
const MAKE: &str = "KIRA_RELEASE_SCHEMA";

/// What a version knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Known {
    /// The migrations that it applies.
    pub(crate) migrations: Vec<String>,
    /// The part of the schema that its statements name.
    pub(crate) tables: Tables,
}

/// What the last release knows.
pub(crate) async fn released() -> Known {
    let file = file();
    if std::env::var_os(MAKE).is_some() {
        let known = known().await;
        let text = serde_json::to_string_pretty(&known).expect("a snapshot is JSON") + "\n";
        std::fs::write(&file, text).expect("the snapshot can be written");
    }
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).expect("a snapshot is JSON")
}

fn file() -> PathBuf {
    let name = match engine() {
        Engine::Sqlite => "sqlite.json",
        Engine::Postgres => "postgres.json",
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migration/released").join(name)
}

/// What this version knows.
pub(crate) async fn known() -> Known {
    let database = TestDatabase::empty().await;
    let migrations = database.store().await.migrate().await.expect("a migration");
    let mut tables = catalog::read(&database.look().await).await;
    let named = named();
    tables.retain(|name, _| named.iter().any(|(table, _)| table == name));
    for (name, columns) in named {
        let table = tables.get_mut(&name).unwrap_or_else(|| panic!("no migration makes {name}"));
        for (column, nullable) in &columns {
            let there = table.columns.get(column).unwrap_or_else(|| panic!("no migration makes {name}.{column}"));
            assert_eq!(there.nullable, *nullable, "{name}.{column}: the entity says otherwise");
        }
        let is_named = |column: &String| columns.iter().any(|(named, _)| named == column);
        table.columns.retain(|column, _| is_named(column));
        table.unique.retain(|unique| unique.iter().all(is_named));
        table.references.retain(|reference| reference.columns.iter().all(is_named));
    }
    Known { migrations, tables }
}

/// The tables and columns that statements are made of, and whether a column may be empty.
pub(crate) fn named() -> Vec<(String, Vec<(String, bool)>)> {
    fn of<E: EntityTrait>(entity: E) -> (String, Vec<(String, bool)>) {
        let columns = E::Column::iter().map(|column| (column.as_str().to_owned(), column.def().is_null()));
        (entity.table_name().to_owned(), columns.collect())
    }
    vec![
        of(entity::client::Entity),
        of(entity::client_credential::Entity),
        of(entity::document::Entity),
        of(entity::erased_user::Entity),
        of(entity::event::Entity),
        of(entity::event_archive::Entity),
        of(entity::event_cursor::Entity),
        of(entity::external_id::Entity),
        of(entity::idempotency_key::Entity),
        of(entity::index_rebuild::Entity),
        of(entity::job::Entity),
        of(entity::legal_hold::Entity),
        of(entity::object_to_delete::Entity),
        of(entity::outbox::Entity),
        of(entity::review_step::Entity),
        of(entity::secret::Entity),
        of(entity::signing_key::Entity),
        of(entity::sink_dead_letter::Entity),
        of(entity::user::Entity),
        of(entity::user_count::Entity),
        of(entity::user_count_change::Entity),
        of(entity::user_history::Entity),
        of(entity::user_index::Entity),
        of(entity::verification_attempt::Entity),
        of(entity::watermark::Entity),
        of(entity::webhook_attempt::Entity),
        of(entity::webhook_delivery::Entity),
        of(entity::webhook_endpoint::Entity),
        of(entity::webhook_replay::Entity),
    ]
}

#[tokio::test]
async fn the_schema_keeps_what_the_last_release_expects_of_it() {
    let released = released().await;
    let database = TestDatabase::migrated().await;
    let there = catalog::read(&database.look().await).await;
    assert_eq!(broken(&released.tables, &there), Vec::<String>::new(), "see the rule in migration/README.md");
}

#[tokio::test]
async fn the_migrations_of_the_last_release_are_the_first_of_today() {
    let released = released().await.migrations;
    let today = known().await.migrations;
    assert_eq!(
        released,
        today[..released.len()],
        "a migration that was released is neither changed, moved nor removed"
    );
}

#[tokio::test]
async fn this_version_finds_all_that_it_expects_itself() {
    let database = TestDatabase::migrated().await;
    let there = catalog::read(&database.look().await).await;
    assert_eq!(broken(&known().await.tables, &there), Vec::<String>::new());
}

#[test]
fn every_table_of_the_entities_is_looked_at() {
    let modules =
        include_str!("../../../entity/src/lib.rs").lines().filter(|line| line.starts_with("pub mod ")).count();
    assert_eq!(named().len(), modules);
}
