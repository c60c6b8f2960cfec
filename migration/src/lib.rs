//! The schema, as migrations: each makes one aggregate. An applied migration is never edited.
//!
//! Conventions: identifiers are UUIDs of version 7, so that their order is that of the inserts; closed lists are text (a
//! new value needs no migration); sealed and hashed values are bytes; times are in UTC with microseconds. SQLite keeps
//! times as RFC 3339 text with the offset `+00:00`, so that comparing texts compares times.
//!
//! `client_id` leads every primary, unique and foreign key of rows that belong to a client, so that the tables can be
//! sharded by client. An index without it serves a background job, or a caller that knows an id alone.
//!
//! A migration runs while the version before it serves, and that version may be rolled back to: `tests/it/upgrades` checks
//! the rule of `migration/README.md`.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sea_orm_migration::seaql_migrations;

mod columns;
mod m20261128_000001_installation;
mod m20261128_000002_clients;
mod m20261128_000003_users;
mod m20261128_000004_verification;
mod m20261128_000005_events;
mod m20261128_000006_webhooks;
mod m20261128_000007_user_index;
mod m20261128_000008_user_history;
mod m20261128_000009_erasures;
mod m20261128_000010_sinks;

/// Every migration there is, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations(false)
    }

    /// Those of the applied migrations that this version knows. The library's own reading refuses a database with any
    /// other: but that is how an upgrade looks to the previous version, and a rollback to the one that it returns to.
    async fn get_migration_models<C: ConnectionTrait>(db: &C) -> Result<Vec<seaql_migrations::Model>, DbErr> {
        let migrations = Self::migrations();
        let known = migrations.iter().map(|migration| migration.name());
        seaql_migrations::Entity::find().filter(seaql_migrations::Column::Version.is_in(known)).all(db).await
    }
}

fn migrations(is_distributed: bool) -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261128_000001_installation::Migration),
        Box::new(m20261128_000002_clients::Migration),
        Box::new(m20261128_000003_users::Migration),
        Box::new(m20261128_000004_verification::Migration),
        Box::new(m20261128_000005_events::Migration { is_distributed }),
        Box::new(m20261128_000006_webhooks::Migration { is_distributed }),
        Box::new(m20261128_000007_user_index::Migration),
        Box::new(m20261128_000008_user_history::Migration),
        Box::new(m20261128_000009_erasures::Migration),
        Box::new(m20261128_000010_sinks::Migration),
    ]
}

/// The same migrations for a database that takes one change of the schema a transaction: each statement is one. A table or
/// index that is there is left as it is, so that a migration which was interrupted can be repeated.
#[derive(Debug)]
pub struct StatementMigrator;

#[async_trait::async_trait]
impl MigratorTrait for StatementMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let each = |migration| Box::new(ByStatement(migration)) as Box<dyn MigrationTrait>;
        migrations(true).into_iter().map(each).collect()
    }

    async fn get_migration_models<C: ConnectionTrait>(db: &C) -> Result<Vec<seaql_migrations::Model>, DbErr> {
        Migrator::get_migration_models(db).await
    }
}

/// A migration without a transaction around it.
struct ByStatement(Box<dyn MigrationTrait>);

impl MigrationName for ByStatement {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ByStatement {
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }
}

/// The names of the migrations that are missing, in order. It only reads; an empty database lacks them all.
///
/// # Errors
/// The database.
pub async fn pending<'c>(db: impl IntoSchemaManagerConnection<'c>) -> Result<Vec<String>, DbErr> {
    let manager = SchemaManager::new(db);
    let applied = if manager.has_table(Migrator::migration_table_name().to_string()).await? {
        Migrator::get_migration_models(manager.get_connection()).await?
    } else {
        Vec::new()
    };
    let is_applied = |name: &str| applied.iter().any(|model| model.version == name);
    let migrations = Migrator::migrations();
    let pending = migrations.iter().map(|migration| migration.name()).filter(|name| !is_applied(name));
    Ok(pending.map(str::to_owned).collect())
}
