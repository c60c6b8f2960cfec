//! `objects_to_delete`: content in the document store whose document was removed. Written with that change, so that a crash
//! leaves no content behind.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "objects_to_delete")]
pub struct Model {
    /// The key of the sealed content in the document store.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub object_key: String,
    /// When the document was removed.
    pub requested_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
