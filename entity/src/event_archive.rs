//! `event_archives`: how far the events of each client are archived.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_archives")]
pub struct Model {
    /// The client that owns the users.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The position of its last event that is archived.
    pub last_position: i64,
    /// The id of that event: a cursor from which on nothing is missing.
    pub last_event_id: Uuid,
    /// From when on its events are stored here.
    pub stored_from: DateTimeUtc,
    /// The digest of its last manifest, which the next one names.
    #[sea_orm(column_type = "Text")]
    pub digest: String,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
