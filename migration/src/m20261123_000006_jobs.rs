//! Background work.

use sea_orm_migration::prelude::*;

use crate::columns::{id, index, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let jobs = Table::create()
            .table("jobs")
            .col(id("id").primary_key())
            .col(text("kind"))
            .col(id("client_id"))
            .col(id("user_id"))
            .col(optional(id("attempt_id")))
            .col(text("state"))
            .col(time("run_at"))
            .col(ColumnDef::new("attempts").integer().not_null())
            .col(optional(id("lease_token")))
            .col(optional(time("lease_until")))
            .col(optional(text("last_error")))
            .col(optional(text("trace_context")))
            .col(time("created_at"))
            .foreign_key(&mut reference("jobs", "user_id", "users"))
            .take();
        manager.create_table(jobs).await?;
        manager.create_index(index("jobs", ["state", "run_at"])).await
    }
}
