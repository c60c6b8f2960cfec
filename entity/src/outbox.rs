//! `outbox`: events that have no position yet, written with the change itself and soon moved to `events`.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Rises with every insert.
    #[sea_orm(primary_key)]
    pub number: i64,
    /// The client that owns the user.
    pub client_id: Uuid,
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
