//! The schema, as migrations: one concern a file, named by the day it was written. An applied migration is never edited.
//!
//! Conventions: identifiers are UUIDs; closed lists are plain text (the proto owns them, a new value needs no
//! migration); sealed and hashed values are bytes; times are in UTC with microseconds. SQLite keeps times as RFC 3339
//! text, always with the offset `+00:00`, so that comparing texts compares times.
//!
//! A migration runs while the version before it serves, and that version may come back: what the rule of
//! `migration/README.md` says of it is checked by `tests/upgrades`.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sea_orm_migration::seaql_migrations;

mod columns;
mod m20261123_000001_clients;
mod m20261123_000002_service_keys;
mod m20261123_000003_users;
mod m20261123_000004_documents;
mod m20261123_000005_idempotency_keys;
mod m20261123_000006_jobs;
mod m20261123_000007_events;
mod m20261123_000008_watermarks;
mod m20261123_000009_verification_attempts;
mod m20261123_000010_idempotency_resources;
mod m20261123_000011_client_roles;
mod m20261123_000012_review_steps;
mod m20261123_000013_discarded_objects;
mod m20261123_000014_webhook_endpoints;
mod m20261123_000015_webhook_deliveries;
mod m20261123_000016_event_positions;
mod m20261123_000018_event_traces;
mod m20261123_000019_delivery_traces;

/// Every migration there is, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_clients::Migration),
            Box::new(m20261123_000002_service_keys::Migration),
            Box::new(m20261123_000003_users::Migration),
            Box::new(m20261123_000004_documents::Migration),
            Box::new(m20261123_000005_idempotency_keys::Migration),
            Box::new(m20261123_000006_jobs::Migration),
            Box::new(m20261123_000007_events::Migration),
            Box::new(m20261123_000008_watermarks::Migration),
            Box::new(m20261123_000009_verification_attempts::Migration),
            Box::new(m20261123_000010_idempotency_resources::Migration),
            Box::new(m20261123_000011_client_roles::Migration),
            Box::new(m20261123_000012_review_steps::Migration),
            Box::new(m20261123_000013_discarded_objects::Migration),
            Box::new(m20261123_000014_webhook_endpoints::Migration),
            Box::new(m20261123_000015_webhook_deliveries::Migration),
            Box::new(m20261123_000016_event_positions::Migration),
            Box::new(m20261123_000018_event_traces::Migration),
            Box::new(m20261123_000019_delivery_traces::Migration),
        ]
    }

    /// Those of the applied migrations that this version knows. The library's own reading refuses a database with any
    /// other: but that is how an upgrade looks to the previous version, and a rollback to the one that it returns to.
    async fn get_migration_models<C: ConnectionTrait>(db: &C) -> Result<Vec<seaql_migrations::Model>, DbErr> {
        let migrations = Self::migrations();
        let known = migrations.iter().map(|migration| migration.name());
        seaql_migrations::Entity::find().filter(seaql_migrations::Column::Version.is_in(known)).all(db).await
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
