//! What is to be sent to endpoints, and every attempt to send it.

use sea_orm_migration::prelude::*;

use crate::columns::{bytes, id, index, number, optional, reference, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let deliveries = Table::create()
            .table("webhook_deliveries")
            .col(id("id").primary_key())
            // No reference: a test, and what tells of an endpoint, are no events of a user.
            .col(id("event_id"))
            .col(id("endpoint_id"))
            .col(id("client_id"))
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
            .foreign_key(&mut reference("webhook_deliveries", "endpoint_id", "webhook_endpoints"))
            .take();
        manager.create_table(deliveries).await?;
        let once = index("webhook_deliveries", ["event_id", "endpoint_id"]).unique().take();
        manager.create_index(once).await?;
        // The claim reads one endpoint's due deliveries at a time, so that its cost does not grow with the backlog.
        manager.create_index(index("webhook_deliveries", ["endpoint_id", "state", "next_at", "sequence"])).await?;
        // Whether an earlier event of the user is still on its way to the endpoint.
        manager.create_index(index("webhook_deliveries", ["user_id", "endpoint_id", "sequence"])).await?;
        manager.create_index(index("webhook_deliveries", ["client_id", "created_at"])).await?;
        // Whether an earlier event of the user has not been relayed.
        let order = index("events", ["user_id", "sequence"]).if_not_exists().take();
        manager.create_index(order).await?;
        let attempts = Table::create()
            .table("webhook_attempts")
            .col(id("delivery_id"))
            .col(number("number"))
            .col(time("started_at"))
            .col(number("duration_ms"))
            .col(optional(number("status_code")))
            .col(optional(text("error")))
            .col(optional(bytes("sealed_answer")))
            .primary_key(Index::create().col("delivery_id").col("number"))
            .foreign_key(&mut reference("webhook_attempts", "delivery_id", "webhook_deliveries"))
            .take();
        manager.create_table(attempts).await
    }
}
