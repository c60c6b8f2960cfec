//! `secrets`: random keys of the service as a whole, sealed under the key ring.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "secrets")]
pub struct Model {
    /// What it is for.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    /// The key, sealed.
    #[sea_orm(column_type = "Blob")]
    pub sealed: Vec<u8>,
    /// When it was made; of the marker of a master key, when a process last renewed it.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
