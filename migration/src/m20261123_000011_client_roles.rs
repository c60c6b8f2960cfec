//! What a client may do.

use sea_orm_migration::prelude::*;

use crate::columns::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Those that are there, and those that the previous version makes meanwhile, are customers.
        let role = text("role").default("client").take();
        manager.alter_table(Table::alter().table("clients").add_column(role).take()).await
    }
}
