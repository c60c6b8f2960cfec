//! `webhook_deliveries`: one event on its way to one endpoint; work as rows with leases.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The event; an event goes to an endpoint once.
    pub event_id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// The client that is told.
    pub client_id: Uuid,
    /// The user it is about; none for a test, and for what tells of an endpoint.
    pub user_id: Option<Uuid>,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The place of the event among those of its user.
    pub sequence: i64,
    /// The body, sealed: every attempt sends the same bytes.
    pub sealed_body: Vec<u8>,
    /// Where it stands.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// How often it was tried, all in all.
    pub attempts: i64,
    /// How many steps of the schedule are used up; a replay begins the schedule anew.
    pub schedule_step: i64,
    /// Not to be tried before; under a lease, when that ends; once it is delivered or given up, when that was.
    pub next_at: DateTimeUtc,
    /// Who holds it: a token made anew for each lease.
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
