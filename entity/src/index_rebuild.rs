//! `index_rebuilds`: how far the search for users without entries of a version of the index has got.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "index_rebuilds")]
pub struct Model {
    /// The version of the index.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i16,
    /// The client whose users are looked at.
    pub client_id: Uuid,
    /// Up to this user all are looked at.
    pub user_id: Uuid,
    /// How many of this pass had no entries.
    pub indexed: i64,
    /// When the first pass began.
    pub first_at: DateTimeUtc,
    /// When the pass began.
    pub began_at: DateTimeUtc,
    /// When it ended; None: it has not.
    pub ended_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
