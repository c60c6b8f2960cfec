//! The events: an outbox that every change writes to and that is emptied at once, and the history that it is moved to.
//!
//! Neither table refers to users: a check of each event would lock rows of users that requests are changing.
//!
//! On PostgreSQL the history is partitioned by blocks of positions, not by `created_at`. Events get their positions in the
//! order in which they are committed, so that a block is a stretch of time. Readers, cursors and the relay go by the
//! position, which leads them to one block; their time would not, since it is not in the same order. And a key of client
//! and position holds across blocks without the time in it. `store/partitions.rs` makes further blocks ahead, each about a
//! week long at the present rate.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{id, index, json, key, number, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    /// Whether the database has neither PostgreSQL's partitions nor its vacuum.
    pub(crate) is_distributed: bool,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A queue of the installation. Its number is drawn at the insert, so that the events of one user, whose row the
        // change has locked, are numbered in their order.
        let mut outbox = Table::create()
            .table("outbox")
            .if_not_exists()
            .col(ColumnDef::new("number").big_integer().not_null().auto_increment().primary_key())
            .take();
        contents(&mut outbox);
        manager.create_table(outbox).await?;
        // An event is written once, and a cursor that names one without a position is known.
        manager.create_index(index("outbox", ["client_id", "id"]).unique().take()).await?;
        let is_partitioned = !self.is_distributed && manager.get_database_backend() == DbBackend::Postgres;
        let mut events = Table::create().table("events").if_not_exists().col(number("position")).take();
        contents(&mut events);
        events.primary_key(&mut key(["client_id", "position"]));
        if is_partitioned {
            events.extra("PARTITION BY RANGE (position)");
        }
        manager.create_table(events).await?;
        if is_partitioned {
            let partitions = "CREATE TABLE events_1_1000000 PARTITION OF events FOR VALUES FROM (MINVALUE) TO (1000001); \
                              CREATE TABLE events_default PARTITION OF events DEFAULT";
            manager.get_connection().execute_unprepared(partitions).await?;
        }
        // The cursor of a reader is the id of an event. Not unique, which an index across blocks cannot be: the outbox is,
        // and an event is moved out of it once.
        manager.create_index(index("events", ["client_id", "id"])).await?;
        manager.create_index(index("events", ["client_id", "user_id", "position"])).await?;
        manager.create_index(index("events", ["client_id", "kind", "position"])).await?;
        // What the relay reads.
        manager.create_index(index("events", ["position"])).await?;
        let cursors = Table::create()
            .table("event_cursors")
            .if_not_exists()
            .col(text("name").primary_key())
            .col(number("position"))
            .take();
        manager.create_table(cursors).await?;
        let mut rows = Query::insert().into_table("event_cursors").columns(["name", "position"]).take();
        for name in ["assigned", "webhooks", "archived"] {
            rows.values_panic([name.into(), 0_i64.into()]);
        }
        let known = OnConflict::column("name").do_nothing().to_owned();
        manager.execute(rows.on_conflict(known).take()).await?;
        let archives = Table::create()
            .table("event_archives")
            .if_not_exists()
            .col(id("client_id"))
            .col(number("last_position"))
            .col(id("last_event_id"))
            .col(time("stored_from"))
            .col(text("digest"))
            .primary_key(&mut key(["client_id"]))
            .take();
        manager.create_table(archives).await?;
        if is_partitioned {
            // Every row is soon deleted, and dead rows are at the front of the queue.
            let vacuum =
                "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)";
            manager.get_connection().execute_unprepared(vacuum).await?;
        }
        Ok(())
    }
}

fn contents(table: &mut TableCreateStatement) {
    table
        .col(id("client_id"))
        .col(id("id"))
        .col(id("user_id"))
        .col(text("kind"))
        .col(number("sequence"))
        .col(json("payload"))
        .col(time("created_at"))
        .col(optional(text("trace_context")));
}
