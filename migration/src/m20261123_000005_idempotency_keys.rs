//! The claims of idempotency keys.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = Table::create()
            .table("idempotency_keys")
            .col(id("client_id"))
            .col(text("operation"))
            .col(id("key"))
            .col(bytes("fingerprint"))
            .col(id("user_id"))
            .col(time("created_at"))
            .primary_key(
                Index::create().name("idempotency_keys_pkey").col("client_id").col("operation").col("key").primary(),
            )
            .foreign_key(&mut reference("idempotency_keys", "user_id", "users"))
            .take();
        manager.create_table(keys).await
    }
}
