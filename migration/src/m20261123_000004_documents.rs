//! The documents of the users.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let documents = Table::create()
            .table("documents")
            .col(id("id").primary_key())
            .col(id("client_id"))
            .col(id("user_id"))
            .col(text("object_key").unique_key())
            .col(time("created_at"))
            .foreign_key(&mut reference("documents", "user_id", "users"))
            .take();
        manager.create_table(documents).await?;
        manager.create_index(index("documents", ["user_id"])).await
    }
}
