//! `jobs`: background work as rows with leases.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What is to be done.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// The verification attempt it belongs to.
    pub attempt_id: Option<Uuid>,
    /// Where it stands.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Not to be started before.
    pub run_at: DateTimeUtc,
    /// How often it was started.
    pub attempts: i32,
    /// Who holds it: a token made anew for each lease.
    pub lease_token: Option<Uuid>,
    /// Until when it is held.
    pub lease_until: Option<DateTimeUtc>,
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
