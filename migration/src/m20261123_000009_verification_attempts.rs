//! The verification attempts, and why a user's last one ended as it did.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, json, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let attempts = Table::create()
            .table("verification_attempts")
            .col(id("id").primary_key())
            .col(id("client_id"))
            .col(id("user_id"))
            .col(text("trigger"))
            .col(text("state"))
            .col(optional(text("provider")))
            .col(optional(text("assurance")))
            .col(json("reasons"))
            .col(optional(text("reference")))
            .col(optional(bytes("sealed_answer")))
            .col(time("created_at"))
            .col(optional(time("started_at")))
            .col(optional(time("finished_at")))
            .col(time("deadline_at"))
            .foreign_key(&mut reference("verification_attempts", "user_id", "users"))
            .take();
        manager.create_table(attempts).await?;
        // The history of one user.
        manager.create_index(index("verification_attempts", ["user_id", "created_at", "id"])).await?;
        // Those past their deadline.
        manager.create_index(index("verification_attempts", ["state", "deadline_at"])).await?;
        // A callback names the attempt as its provider does.
        manager.create_index(index("verification_attempts", ["provider", "reference"])).await?;
        // A row of the previous version has no reasons, which reads as an empty list.
        let reasons = Table::alter().table("users").add_column(optional(json("status_reasons"))).take();
        manager.alter_table(reasons).await
    }
}
