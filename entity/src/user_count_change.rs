//! `user_count_changes`: changes of `user_counts` that are not added there yet. Each transaction inserts its own.

use sea_orm::entity::prelude::*;

/// One row: users that came to a status.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_count_changes")]
pub struct Model {
    /// The client that owns the users.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The hour in which the users were created, in seconds of Unix time.
    pub hour: i64,
    /// Individual or business.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The status before; None: they are new.
    #[sea_orm(column_type = "Text", nullable)]
    pub before: Option<String>,
    /// The status now.
    #[sea_orm(column_type = "Text")]
    pub after: String,
    /// How many users.
    pub users: i64,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
