//! The clients and their credentials.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let clients = Table::create()
            .table("clients")
            .col(id("id").primary_key())
            .col(text("name"))
            .col(time("created_at"))
            .col(optional(time("disabled_at")))
            .take();
        manager.create_table(clients).await?;
        let credentials = Table::create()
            .table("client_credentials")
            .col(id("id").primary_key())
            .col(id("client_id"))
            .col(text("password_hash"))
            .col(bytes("api_key_digest").unique_key())
            .col(time("created_at"))
            .col(optional(time("expires_at")))
            .foreign_key(&mut reference("client_credentials", "client_id", "clients"))
            .take();
        manager.create_table(credentials).await?;
        manager.create_index(index("client_credentials", ["client_id"])).await
    }
}
