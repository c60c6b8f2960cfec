//! `events`: the history of what happened to users, in an order that never changes. Written once. Nothing personal.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The position in the order of all events, from 1 on, without a gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// Identifier.
    pub id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The user's version after the change: rises with every event of one user.
    pub sequence: i64,
    /// What receivers get.
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    /// When it happened.
    pub created_at: DateTimeUtc,
    /// The trace that it happened in, as a `traceparent`.
    #[sea_orm(column_type = "Text", nullable)]
    pub trace_context: Option<String>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
