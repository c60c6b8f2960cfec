//! What belongs to the installation: its secrets, the keys that sign tokens, and the progress of recurring jobs.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let signing_keys = Table::create()
            .table("signing_keys")
            .if_not_exists()
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
            .if_not_exists()
            .col(text("name").primary_key())
            .col(bytes("sealed"))
            .col(time("created_at"))
            .take();
        manager.create_table(secrets).await?;
        let watermarks = Table::create()
            .table("watermarks")
            .if_not_exists()
            .col(text("name").primary_key())
            .col(time("reached"))
            .take();
        manager.create_table(watermarks).await?;
        // A queue of the installation: the documents are gone, and with them whose they were.
        let objects = Table::create()
            .table("objects_to_delete")
            .if_not_exists()
            .col(text("object_key").primary_key())
            .col(time("requested_at"))
            .take();
        manager.create_table(objects).await
    }
}
