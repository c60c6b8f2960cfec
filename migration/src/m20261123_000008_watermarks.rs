//! How far the sweeps have got.

use sea_orm_migration::prelude::*;

use crate::columns::{text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let watermarks =
            Table::create().table("watermarks").col(text("name").primary_key()).col(time("reached")).take();
        manager.create_table(watermarks).await
    }
}
