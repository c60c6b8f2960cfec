//! The schema, as migrations: one concern a file, named by the day it was written. An applied migration is never edited.
//!
//! Conventions: identifiers are UUIDs; closed lists are plain text (the proto owns them, a new value needs no
//! migration); sealed and hashed values are bytes; times are in UTC with microseconds. SQLite keeps times as RFC 3339
//! text, always with the offset `+00:00`, so that comparing texts compares times.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

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
mod m20261123_000018_trace_contexts;

/// Every migration there is, in order.
#[derive(Debug)]
pub struct Migrator;

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
            Box::new(m20261123_000018_trace_contexts::Migration),
        ]
    }
}
