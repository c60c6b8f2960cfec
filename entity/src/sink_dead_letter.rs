//! `sink_dead_letters`: the events that a broker refused for good. Nothing personal.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sink_dead_letters")]
pub struct Model {
    /// The sink.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub sink: String,
    /// The position of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The event.
    pub event_id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The message, as the broker did not take it.
    #[sea_orm(column_type = "JsonBinary")]
    pub message: Json,
    /// What the broker said.
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    /// Whether it is to be published again.
    pub is_retried: bool,
    /// When the broker refused it last.
    pub refused_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
