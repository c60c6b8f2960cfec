//! What reviewers did with the reviews.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let steps = Table::create()
            .table("review_steps")
            .col(id("id").primary_key())
            .col(id("attempt_id"))
            .col(id("client_id"))
            .col(id("user_id"))
            .col(optional(id("reviewer_id")))
            .col(text("reviewer"))
            .col(text("action"))
            .col(optional(text("reason")))
            .col(optional(bytes("sealed_note")))
            .col(time("created_at"))
            .foreign_key(&mut reference("review_steps", "attempt_id", "verification_attempts"))
            .take();
        manager.create_table(steps).await?;
        manager.create_index(index("review_steps", ["attempt_id", "created_at", "id"])).await
    }
}
