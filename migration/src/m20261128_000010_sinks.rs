//! The events that a broker refused for good. How far each sink has got is a row of `event_cursors`.

use sea_orm_migration::prelude::*;

use crate::columns::{flag, id, index, json, key, number, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A queue of the installation, as the outbox is. It keeps the message itself: the event may be archived.
        let dead_letters = Table::create()
            .table("sink_dead_letters")
            .if_not_exists()
            .col(text("sink"))
            .col(number("position"))
            .col(id("event_id"))
            .col(id("client_id"))
            .col(id("user_id"))
            .col(text("kind"))
            .col(json("message"))
            .col(text("reason"))
            .col(flag("is_retried"))
            .col(time("refused_at"))
            .primary_key(&mut key(["sink", "position"]))
            .take();
        manager.create_table(dead_letters).await?;
        manager.create_index(index("sink_dead_letters", ["sink", "is_retried", "position"])).await
    }
}
