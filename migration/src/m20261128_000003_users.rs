//! The users, their documents, and the idempotency keys of the requests that made or changed them.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, client, flag, id, index, json, key, number, optional, reference, small, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let users = Table::create()
            .table("users")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("id"))
            .col(text("kind"))
            .col(optional(text("category")))
            .col(text("status"))
            .col(optional(json("status_reasons")))
            .col(optional(id("attempt_id")))
            .col(flag("verification_triggered"))
            .col(json("missing"))
            .col(bytes("wrapped_key"))
            .col(bytes("profile"))
            .col(small("index_version"))
            .col(number("version"))
            .col(time("created_at"))
            .col(time("updated_at"))
            .primary_key(&mut key(["client_id", "id"]))
            .foreign_key(&mut client("users"))
            .take();
        manager.create_table(users).await?;
        // Those of a status or kind, in the order of their creation.
        manager.create_index(index("users", ["client_id", "status", "kind", "id"])).await?;
        let documents = Table::create()
            .table("documents")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("user_id"))
            .col(id("id"))
            .col(text("object_key"))
            .col(time("created_at"))
            .primary_key(&mut key(["client_id", "user_id", "id"]))
            .foreign_key(&mut reference("documents", "user_id", "users"))
            .take();
        manager.create_table(documents).await?;
        // Whether an object of the document store has a row: its key ends in the document's id.
        manager.create_index(index("documents", ["id"])).await?;
        // The digest is of the operation and the key. No foreign key: a reviewer's key is for a user of another client.
        let keys = Table::create()
            .table("idempotency_keys")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("digest"))
            .col(bytes("fingerprint"))
            .col(id("user_id"))
            .col(optional(id("resource_id")))
            .col(optional(json("outcome")))
            .col(time("created_at"))
            .primary_key(&mut key(["client_id", "digest"]))
            .take();
        manager.create_table(keys).await
    }
}
