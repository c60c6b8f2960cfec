//! The webhook endpoints of clients, what is to be sent to them, and every attempt to send it.
//!
//! On PostgreSQL deliveries are partitioned by state: those that are pending, the queue, lie apart, and stay few. What is
//! delivered or dead moves to the partition of that day, and attempts lie in that of the day of the attempt, so that the
//! retention drops days. Keys are those of the partitions, since a day in a key would allow a delivery once a day: the id
//! of a delivery is made of its event and its endpoint, and the relay looks for it. Nothing refers to a partitioned table,
//! nor it to others: a day could not be dropped without locking them. `store/partitions.rs` makes the days ahead.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{bytes, client, flag, id, index, json, key, number, optional, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    /// Whether the database has no partitions.
    pub(crate) is_distributed: bool,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let endpoints = Table::create()
            .table("webhook_endpoints")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("id"))
            .col(bytes("sealed_url"))
            .col(bytes("sealed_secret"))
            .col(optional(bytes("sealed_previous_secret")))
            .col(optional(time("previous_until")))
            .col(json("events"))
            .col(flag("ordered"))
            .col(number("failures"))
            .col(optional(time("failing_since")))
            .col(optional(time("paused_until")))
            .col(optional(time("disabled_at")))
            .col(optional(text("disabled_reason")))
            .col(optional(time("deleted_at")))
            .col(time("created_at"))
            .col(time("updated_at"))
            .primary_key(&mut key(["client_id", "id"]))
            .foreign_key(&mut client("webhook_endpoints"))
            .take();
        manager.create_table(endpoints).await?;
        let is_partitioned = !self.is_distributed && manager.get_database_backend() == DbBackend::Postgres;
        let mut deliveries = Table::create()
            .table("webhook_deliveries")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("id"))
            // No foreign key: a test, and a notice about an endpoint, are no events of a user.
            .col(id("event_id"))
            .col(id("endpoint_id"))
            .col(optional(id("user_id")))
            .col(text("kind"))
            .col(number("sequence"))
            .col(bytes("sealed_body"))
            .col(text("state"))
            .col(number("attempts"))
            .col(number("schedule_step"))
            .col(time("next_at"))
            .col(optional(id("lease_token")))
            .col(time("created_at"))
            .col(optional(time("delivered_at")))
            .col(optional(text("trace_context")))
            .take();
        if is_partitioned {
            deliveries.extra("PARTITION BY LIST (state)");
        } else {
            deliveries.primary_key(&mut key(["client_id", "id"]));
        }
        manager.create_table(deliveries).await?;
        if is_partitioned {
            let partitions = "CREATE TABLE webhook_deliveries_pending PARTITION OF webhook_deliveries \
                                  (PRIMARY KEY (client_id, id)) FOR VALUES IN ('pending'); \
                              CREATE TABLE webhook_deliveries_finished PARTITION OF webhook_deliveries \
                                  DEFAULT PARTITION BY RANGE (next_at); \
                              CREATE TABLE webhook_deliveries_default PARTITION OF webhook_deliveries_finished \
                                  (PRIMARY KEY (client_id, id)) DEFAULT; \
                              ALTER TABLE webhook_deliveries_pending SET \
                                  (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)";
            manager.get_connection().execute_unprepared(partitions).await?;
        }
        // The claim and the retention read one endpoint at a time, so that their cost does not grow with the backlog.
        let by_time = ["client_id", "endpoint_id", "state", "next_at", "sequence"];
        manager.create_index(index("webhook_deliveries", by_time)).await?;
        // Whether an earlier event of the user is still pending.
        let mut earlier = index("webhook_deliveries", ["client_id", "endpoint_id", "user_id", "sequence"]);
        let earlier = earlier.and_where(Expr::cust("state = 'pending'")).take();
        manager.create_index(earlier).await?;
        // The lists, newest first.
        manager.create_index(index("webhook_deliveries", ["client_id", "created_at", "id"])).await?;
        manager.create_index(index("webhook_deliveries", ["client_id", "state", "created_at", "id"])).await?;
        let of_endpoint = ["client_id", "endpoint_id", "state", "created_at", "id"];
        manager.create_index(index("webhook_deliveries", of_endpoint)).await?;
        let mut attempts = Table::create()
            .table("webhook_attempts")
            .if_not_exists()
            .col(id("client_id"))
            .col(id("delivery_id"))
            .col(number("number"))
            .col(time("started_at"))
            .col(number("duration_ms"))
            .col(optional(number("status_code")))
            .col(optional(text("error")))
            .col(optional(bytes("sealed_answer")))
            .take();
        if is_partitioned {
            attempts.extra("PARTITION BY RANGE (started_at)");
        } else {
            attempts.primary_key(&mut key(["client_id", "delivery_id", "number"]));
        }
        manager.create_table(attempts).await?;
        if is_partitioned {
            let partitions = "CREATE TABLE webhook_attempts_default PARTITION OF webhook_attempts \
                              (PRIMARY KEY (client_id, delivery_id, number)) DEFAULT";
            manager.get_connection().execute_unprepared(partitions).await?;
        }
        let replays = Table::create()
            .table("webhook_replays")
            .col(id("client_id"))
            .col(id("id"))
            .col(id("endpoint_id"))
            .col(text("state"))
            .col(flag("delivered_too"))
            .col(optional(time("since")))
            .col(time("until"))
            .col(optional(time("reached_at")))
            .col(optional(id("reached_id")))
            .col(number("replayed"))
            .col(time("run_at"))
            .col(optional(id("lease_token")))
            .col(time("created_at"))
            .col(optional(time("finished_at")))
            .primary_key(&mut key(["client_id", "id"]))
            .foreign_key(&mut client("webhook_replays"))
            .take();
        manager.create_table(replays).await?;
        manager.create_index(index("webhook_replays", ["client_id", "endpoint_id", "id"])).await?;
        // What the retention deletes.
        manager.create_index(index("webhook_replays", ["finished_at"])).await?;
        let mut running = index("webhook_replays", ["run_at"]);
        manager.create_index(running.and_where(Expr::cust("state = 'running'")).take()).await
    }
}
