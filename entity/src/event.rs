//! `events`: the outbox; what happened to a user, written with the change itself. Nothing personal.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The user's version after the change: rises with every event of one user.
    pub sequence: i64,
    /// What receivers are told.
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    /// When it happened.
    pub created_at: DateTimeUtc,
    /// When it was handed on to its receivers.
    pub relayed_at: Option<DateTimeUtc>,
    /// Its place in the order in which events are handed out; none until it is given one, soon after the commit.
    pub position: Option<i64>,
    /// The trace that it happened in, as a `traceparent`.
    #[sea_orm(column_type = "Text", nullable)]
    pub trace_context: Option<String>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
