//! The verification attempts, the jobs that carry them out, and the steps of reviewers.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, json, key, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let attempts = Table::create()
            .table("verification_attempts")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("id"))
            .col(id("user_id"))
            .col(text("trigger"))
            .col(text("state"))
            .col(optional(text("provider")))
            .col(optional(text("assurance")))
            .col(json("reasons"))
            .col(optional(bytes("sealed_reference")))
            .col(optional(bytes("sealed_answer")))
            .col(time("created_at"))
            .col(optional(time("started_at")))
            .col(optional(time("finished_at")))
            .col(time("deadline_at"))
            .primary_key(&mut key(["client_id", "id"]))
            .foreign_key(&mut reference("verification_attempts", "user_id", "users"))
            .take();
        manager.create_table(attempts).await?;
        // Providers and reviewers know an attempt by its id alone.
        manager.create_index(index("verification_attempts", ["id"])).await?;
        // The history of one user.
        manager.create_index(index("verification_attempts", ["client_id", "user_id", "id"])).await?;
        // Those past their deadline.
        let mut unfinished = index("verification_attempts", ["deadline_at"]);
        let unfinished = unfinished.and_where(Expr::cust("state IN ('pending', 'running')")).take();
        manager.create_index(unfinished).await?;
        // The open reviews, of all clients and of one, oldest first.
        let in_review = || Expr::cust("state = 'review'");
        let mut reviews = index("verification_attempts", ["id"]);
        let reviews = reviews.name("verification_attempts_review_idx").and_where(in_review()).take();
        manager.create_index(reviews).await?;
        let mut reviews = index("verification_attempts", ["client_id", "id"]);
        let reviews = reviews.name("verification_attempts_client_review_idx").and_where(in_review()).take();
        manager.create_index(reviews).await?;
        let steps = Table::create()
            .table("review_steps")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("attempt_id"))
            .col(id("id"))
            .col(id("user_id"))
            .col(optional(id("reviewer_id")))
            .col(text("reviewer"))
            .col(text("action"))
            .col(optional(text("reason")))
            .col(optional(bytes("sealed_note")))
            .col(time("created_at"))
            .primary_key(&mut key(["client_id", "attempt_id", "id"]))
            .foreign_key(&mut reference("review_steps", "attempt_id", "verification_attempts"))
            .take();
        manager.create_table(steps).await?;
        // No foreign key: an erased user's job stays until a worker finds that its attempt is gone.
        let jobs = Table::create()
            .table("jobs")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("id"))
            .col(text("kind"))
            .col(id("user_id"))
            .col(id("attempt_id"))
            .col(time("run_at"))
            .col(ColumnDef::new("attempts").integer().not_null())
            .col(optional(id("lease_token")))
            .col(optional(text("last_error")))
            .col(optional(text("trace_context")))
            .col(time("created_at"))
            .primary_key(&mut key(["client_id", "id"]))
            .take();
        manager.create_table(jobs).await?;
        manager.create_index(index("jobs", ["run_at"])).await
    }
}
