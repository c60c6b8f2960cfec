//! The order in which events are handed out: a position each, given after the commit, and the counter it comes from.
//!
//! The position is empty until it is given, so that a version that does not know it goes on writing events.

use sea_orm_migration::prelude::*;

use crate::columns::{index, number, optional, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let position = Table::alter().table("events").add_column(optional(number("position"))).take();
        manager.alter_table(position).await?;
        // Each event is in one of the two: writing it costs one entry.
        let mut placed = index("events", ["client_id", "position"]);
        manager.create_index(placed.and_where(Expr::col("position").is_not_null()).take()).await?;
        let mut waiting = index("events", ["sequence", "id"]);
        manager.create_index(waiting.and_where(Expr::col("position").is_null()).take()).await?;
        let counters = Table::create().table("counters").col(text("name").primary_key()).col(number("last")).take();
        manager.create_table(counters).await?;
        let events = Query::insert()
            .into_table("counters")
            .columns(["name", "last"])
            .values_panic(["events".into(), 0_i64.into()])
            .take();
        manager.execute(events).await
    }
}
