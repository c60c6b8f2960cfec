//! The traces that events and their deliveries belong to.
//!
//! Both are empty where nothing is traced, so that a version that does not know them goes on writing.

use sea_orm_migration::prelude::*;

use crate::columns::{optional, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["events", "webhook_deliveries"] {
            let column = Table::alter().table(table).add_column(optional(text("trace_context"))).take();
            manager.alter_table(column).await?;
        }
        Ok(())
    }
}
