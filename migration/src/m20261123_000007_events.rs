//! The outbox.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, json, number, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let events = Table::create()
            .table("events")
            .col(id("id").primary_key())
            .col(id("client_id"))
            .col(id("user_id"))
            .col(text("kind"))
            .col(number("sequence"))
            .col(json("payload"))
            .col(time("created_at"))
            .col(optional(time("relayed_at")))
            .foreign_key(&mut reference("events", "user_id", "users"))
            .take();
        manager.create_table(events).await?;
        manager.create_index(index("events", ["relayed_at", "created_at"])).await
    }
}
