//! The clients and their credentials: the directory that other tables belong to, small enough to be copied to every node.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, client, id, key, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let clients = Table::create()
            .table("clients")
            .if_not_exists()
            .col(id("id").primary_key())
            .col(text("name"))
            .col(text("role"))
            .col(time("created_at"))
            .col(optional(time("disabled_at")))
            .take();
        manager.create_table(clients).await?;
        let credentials = Table::create()
            .table("client_credentials")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("id"))
            .col(text("password_hash"))
            // An API key identifies its client, so it is unique across clients.
            .col(bytes("api_key_digest").unique_key())
            .col(time("created_at"))
            .col(optional(time("expires_at")))
            .primary_key(&mut key(["client_id", "id"]))
            .foreign_key(&mut client("client_credentials"))
            .take();
        manager.create_table(credentials).await
    }
}
