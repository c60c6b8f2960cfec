//! A claim may be on something of a user's: the verification attempt that a request started.

use sea_orm_migration::prelude::*;

use crate::columns::{id, optional};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The claims of creates have none.
        let resource = Table::alter().table("idempotency_keys").add_column(optional(id("resource_id"))).take();
        manager.alter_table(resource).await
    }
}
