//! Document content that is nobody's any more, until it is deleted.

use sea_orm_migration::prelude::*;

use crate::columns::{text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let discarded = Table::create()
            .table("discarded_objects")
            .col(text("object_key").primary_key())
            .col(time("discarded_at"))
            .take();
        manager.create_table(discarded).await
    }
}
