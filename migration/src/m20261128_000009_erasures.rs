//! What is left of erased users, and the legal holds that prevent an erasure.
//!
//! Neither table refers to users: an erased user has no row, and a hold is checked while its user's row is locked.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, key, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let erased = Table::create()
            .table("erased_users")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("user_id"))
            .col(time("erased_at"))
            .col(text("statement"))
            .col(text("signature"))
            .col(optional(time("finished_at")))
            .primary_key(&mut key(["client_id", "user_id"]))
            .take();
        manager.create_table(erased).await?;
        // Those whose webhooks and certificate files a job has not seen to.
        let mut unfinished = Index::create();
        unfinished.name("erased_users_unfinished_idx").table("erased_users").if_not_exists().col("erased_at");
        manager.create_index(unfinished.and_where(Expr::cust("finished_at IS NULL")).take()).await?;
        let holds = Table::create()
            .table("legal_holds")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("user_id"))
            .col(id("id"))
            .col(bytes("sealed_reason"))
            .col(text("placed_by"))
            .col(time("placed_at"))
            .col(optional(time("released_at")))
            .primary_key(&mut key(["client_id", "user_id", "id"]))
            .take();
        manager.create_table(holds).await
    }
}
