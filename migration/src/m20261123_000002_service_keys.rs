//! The keys of the service itself: those that sign tokens, and its other random secrets.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let signing_keys = Table::create()
            .table("signing_keys")
            .col(text("kid").primary_key())
            .col(bytes("public_key"))
            .col(bytes("sealed_private_key"))
            .col(time("created_at"))
            .col(time("signs_from"))
            .col(optional(time("retires_at")))
            .take();
        manager.create_table(signing_keys).await?;
        let secrets = Table::create()
            .table("secrets")
            .col(text("name").primary_key())
            .col(bytes("sealed"))
            .col(time("created_at"))
            .take();
        manager.create_table(secrets).await
    }
}
