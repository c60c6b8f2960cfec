//! `jobs`: background work as rows with leases.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The kind of work.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The user it is about.
    pub user_id: Uuid,
    /// The verification attempt it belongs to.
    pub attempt_id: Uuid,
    /// When it is due: not before its start, and while it is leased the end of the lease.
    pub run_at: DateTimeUtc,
    /// How often it was started since the provider last answered.
    pub attempts: i32,
    /// A new token for each lease.
    pub lease_token: Option<Uuid>,
    /// Why it last failed; never personal data.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error: Option<String>,
    /// The trace of the request that asked for it, as a `traceparent`.
    #[sea_orm(column_type = "Text", nullable)]
    pub trace_context: Option<String>,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
