//! `user_counts`: how many users of a kind and status a client has, of all times, of each day and of each hour.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_counts")]
pub struct Model {
    /// The client that owns the users.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The seconds that the row is about: 0 (all times), 86400 or 3600.
    #[sea_orm(primary_key, auto_increment = false)]
    pub span: i64,
    /// When they begin, in seconds of Unix time; 0 of all times.
    #[sea_orm(primary_key, auto_increment = false)]
    pub start: i64,
    /// Individual or business.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub kind: String,
    /// The status of the users.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub status: String,
    /// How many users were created then.
    pub users: i64,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
