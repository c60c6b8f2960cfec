//! Where clients want to be told what happens.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, json, number, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let endpoints = Table::create()
            .table("webhook_endpoints")
            .col(id("id").primary_key())
            .col(id("client_id"))
            .col(text("url"))
            .col(bytes("sealed_secret"))
            .col(optional(bytes("sealed_previous_secret")))
            .col(optional(time("previous_until")))
            .col(json("events"))
            .col(ColumnDef::new("ordered").boolean().not_null())
            .col(number("failures"))
            .col(optional(time("failing_since")))
            .col(optional(time("paused_until")))
            .col(optional(time("disabled_at")))
            .col(optional(text("disabled_reason")))
            .col(optional(time("deleted_at")))
            .col(time("created_at"))
            .col(time("updated_at"))
            .foreign_key(&mut reference("webhook_endpoints", "client_id", "clients"))
            .take();
        manager.create_table(endpoints).await?;
        manager.create_index(index("webhook_endpoints", ["client_id", "created_at"])).await
    }
}
