//! `webhook_deliveries`: one event for one endpoint; work as rows with leases.

use sea_orm::entity::prelude::*;

/// The states of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its time, or is in flight.
    Pending,
    /// The endpoint has accepted it.
    Delivered,
    /// Every attempt has failed; only a replay sends it again.
    Dead,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    /// The client that receives.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The event; an event goes to an endpoint once.
    pub event_id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// The user it is about; None for a test and a notice about an endpoint.
    pub user_id: Option<Uuid>,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The sequence number of the event among those of its user.
    pub sequence: i64,
    /// The body, sealed: every attempt sends the same bytes.
    pub sealed_body: Vec<u8>,
    /// Its state.
    pub state: DeliveryState,
    /// How often it was tried in all.
    pub attempts: i64,
    /// How many steps of the schedule are used; a replay starts the schedule again.
    pub schedule_step: i64,
    /// When it is due; under a lease, when that ends; once it is delivered or dead, when that was.
    pub next_at: DateTimeUtc,
    /// A new token for each lease.
    pub lease_token: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When the endpoint took it.
    pub delivered_at: Option<DateTimeUtc>,
    /// The trace that its event happened in, as a `traceparent`.
    #[sea_orm(column_type = "Text", nullable)]
    pub trace_context: Option<String>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
