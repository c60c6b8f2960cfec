//! `documents`: ties an object of the document store to its user. What is known about the document is in the profile.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "documents")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// Where the sealed content lies in the document store; unique.
    #[sea_orm(column_type = "Text", unique)]
    pub object_key: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
