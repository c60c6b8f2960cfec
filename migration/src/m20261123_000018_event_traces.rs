//! The trace that an event belongs to.
//!
//! It is empty where nothing is traced, so that a version that does not know it goes on writing.

use sea_orm_migration::prelude::*;

use crate::columns::{optional, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter().table("events").add_column(optional(text("trace_context"))).take();
        manager.alter_table(column).await
    }
}
