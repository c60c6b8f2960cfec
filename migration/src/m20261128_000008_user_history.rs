//! The history of users: who changed what when, and each status with its reasons. Rows are written once.
//!
//! The table does not refer to users, as that of the events does not: a check of each row would lock rows of users that
//! requests are changing.

use sea_orm_migration::prelude::*;

use crate::columns::{id, json, key, number, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let history = Table::create()
            .table("user_history")
            .col(id("client_id"))
            .col(id("user_id"))
            .col(number("version"))
            .col(text("action"))
            .col(text("actor"))
            .col(optional(text("provider")))
            .col(json("fields"))
            .col(optional(text("previous_status")))
            .col(text("status"))
            .col(optional(json("reasons")))
            .col(optional(id("attempt_id")))
            .col(time("created_at"))
            .primary_key(&mut key(["client_id", "user_id", "version"]))
            .take();
        manager.create_table(history).await
    }
}
