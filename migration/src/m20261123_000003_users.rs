//! The users.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, json, number, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let users = Table::create()
            .table("users")
            .col(id("id").primary_key())
            .col(id("client_id"))
            .col(text("kind"))
            .col(optional(text("category")))
            .col(text("status"))
            .col(optional(id("attempt_id")))
            .col(ColumnDef::new("verification_triggered").boolean().not_null())
            .col(json("missing"))
            .col(bytes("wrapped_key"))
            .col(bytes("profile"))
            .col(number("version"))
            .col(time("created_at"))
            .col(time("updated_at"))
            .foreign_key(&mut reference("users", "client_id", "clients"))
            .take();
        manager.create_table(users).await?;
        // The order of lists: newest first, within one client.
        manager.create_index(index("users", ["client_id", "created_at", "id"])).await
    }
}
